//! What a delivery does to what runs: changes, restarts, replacements, deletions, losses.

use std::collections::{BTreeMap, BTreeSet};

use landfall_delivery::UnitPlan;
use landfall_engine::{Action, FieldChange};
use landfall_object::{Object, ObjectKey};
use landfall_rules::{DesiredUnit, Fingerprints, Inventory};
use serde::Serialize;

use crate::snapshot::have_same_data;
use crate::trial::Trial;

/// What a delivery does to what runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Impact {
    /// Each object that the plan touches, in the plan's order.
    pub changes: Vec<Touched>,
    /// Workloads whose pods are all new ones afterwards.
    pub restarts: Vec<Restart>,
    /// Data that is gone afterwards.
    pub losses: Vec<Loss>,
}

/// An object that the plan touches.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Touched {
    /// The release or Application.
    pub unit: String,
    /// `create`, `change`, `replace`, `delete`, `keep` or `hook`.
    pub action: Action,
    /// The object.
    pub object: ObjectKey,
    /// The phase.
    pub phase: String,
    /// The wave.
    pub wave: i32,
    /// Which fields; values of secrets masked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// A workload whose pods are all new ones afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restart {
    /// The workload.
    pub object: ObjectKey,
    /// Its pods before.
    pub pods: usize,
    /// Pods that were ready at the worst moment; absent when they never became fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lowest_ready: Option<i64>,
}

/// Data that is gone afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// What held it.
    pub object: ObjectKey,
    /// What is lost with it.
    pub what: String,
}

impl Impact {
    /// Reads the impact off a trial; `base` is what a base revision delivers, `fingerprints` are those of what was before.
    pub fn of(before: &Inventory, base: &[DesiredUnit], trial: &Trial, fingerprints: &Fingerprints) -> Self {
        Impact {
            changes: trial
                .plans
                .iter()
                .flat_map(touched)
                .filter(|it| !is_same_secret(it, before, &trial.after, fingerprints))
                .collect(),
            restarts: restarts(before, trial),
            losses: losses(before, base, &trial.after),
        }
    }

    /// How many objects the plan treats so.
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|change| change.action == action).count()
    }
}

/// Whether a Secret only seems to change because the cluster's own values were left behind: its fingerprints are the
/// same.
fn is_same_secret(touched: &Touched, before: &Inventory, after: &Inventory, fingerprints: &Fingerprints) -> bool {
    if touched.action != Action::Change || touched.object.gvk.kind != "Secret" {
        return false;
    }
    let (Some(old), Some(new)) = (before.of(&touched.object), after.of(&touched.object)) else { return false };
    touched.fields.iter().all(|field| field.path.starts_with("data") || field.path.starts_with("stringData"))
        && have_same_data(fingerprints, new, old)
}

fn touched(plan: &UnitPlan) -> Vec<Touched> {
    if plan.unchanged {
        return Vec::new();
    }
    let mut all = Vec::new();
    for phase in &plan.plan.phases {
        for wave in &phase.waves {
            for step in wave.steps.iter().filter(|step| step.action.acts() || step.action == Action::Keep) {
                all.push(Touched {
                    unit: plan.name.clone(),
                    action: step.action,
                    object: step.key.clone(),
                    phase: phase.name.clone(),
                    wave: wave.number,
                    fields: step.changes.clone(),
                });
            }
        }
    }
    all
}

/// The workloads with all their pods' uids.
fn pods_of_workloads(inventory: &Inventory) -> BTreeMap<(String, String, String), BTreeSet<String>> {
    let mut pods: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
    for pod in inventory.of_kind("", "Pod") {
        let Some(owner) = pod.controller() else { continue };
        let namespace = pod.namespace().unwrap_or_default().to_owned();
        let mut top = (owner.kind.clone(), owner.name.clone());
        if owner.kind == "ReplicaSet"
            && let Some(set) = inventory.get("apps", "ReplicaSet", Some(&namespace), &owner.name)
            && let Some(deployment) = set.controller()
        {
            top = (deployment.kind, deployment.name);
        }
        if matches!(top.0.as_str(), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") {
            pods.entry((top.0, namespace, top.1)).or_default().insert(pod.uid().unwrap_or_default().to_owned());
        }
    }
    pods
}

fn restarts(before: &Inventory, trial: &Trial) -> Vec<Restart> {
    let after = pods_of_workloads(&trial.after);
    let mut restarts = Vec::new();
    for ((kind, namespace, name), old) in pods_of_workloads(before) {
        let Some(workload) = trial.after.get("apps", &kind, Some(&namespace), &name) else { continue };
        let new = after.get(&(kind, namespace, name));
        if old.is_empty() || new.is_none_or(|new| new.is_empty() || !new.is_disjoint(&old)) {
            continue;
        }
        let key = workload.key();
        let trough = trial.troughs.iter().find(|trough| trough.object == key);
        restarts.push(Restart { object: key, pods: old.len(), lowest_ready: trough.map(|trough| trough.ready) });
    }
    restarts
}

/// What holds data, and what is lost with it.
pub(crate) fn holds(object: &Object) -> Option<String> {
    let size = || object.str_at("/spec/resources/requests/storage").unwrap_or("of unknown size").to_owned();
    match (object.group(), object.kind()) {
        ("", "PersistentVolumeClaim") => Some(format!("the volume ({})", size())),
        ("", "PersistentVolume") => Some("the volume".to_owned()),
        ("k8s.mariadb.com", "MariaDB") => Some("the database server's volume".to_owned()),
        ("k8s.mariadb.com", "Database") if object.str_at("/spec/cleanupPolicy") != Some("Skip") => {
            Some("the database".to_owned())
        }
        ("k8s.mariadb.com", "User") if object.str_at("/spec/cleanupPolicy") != Some("Skip") => {
            Some("the database user".to_owned())
        }
        ("", "Namespace") => Some("everything in it".to_owned()),
        ("", "Secret") if is_own(object) => Some("the only copy of its values on the cluster".to_owned()),
        _ => None,
    }
}

/// Whether a Secret is somebody's own, rather than made by a controller or Helm's record of a release.
fn is_own(secret: &Object) -> bool {
    let kind = secret.str_at("/type").unwrap_or("Opaque");
    secret.controller().is_none()
        && !matches!(kind, "helm.sh/release.v1" | "kubernetes.io/service-account-token" | "kubernetes.io/tls")
}

fn losses(before: &Inventory, base: &[DesiredUnit], after: &Inventory) -> Vec<Loss> {
    let is_in_git = |object: &&Object| {
        base.iter().any(|unit| {
            let desired = unit.object(object.group(), object.kind(), object.namespace(), object.name());
            desired.is_some_and(|desired| unit.can_make_again(desired))
        })
    };
    let is_gone = |object: &&Object| {
        after.of(&object.key()).is_none_or(|now| now.uid() != object.uid() || now.deletion_timestamp().is_some())
    };
    before
        .iter()
        .filter(is_gone)
        .filter(|object| !is_in_git(object))
        .filter_map(|object| Some(Loss { object: object.key(), what: holds(object)? }))
        .collect()
}
