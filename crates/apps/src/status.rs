use landfall_engine::{Action, Plan, Task};
use landfall_object::health::Rulebook;
use landfall_object::{HealthStatus, Object, ObjectKey};
use serde_json::{Value, json};

use crate::kept::{Stay, Stays};
use crate::{ResourceOptions, SyncOptions};

/// Whether the cluster is as the source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum SyncStatus {
    /// It is.
    Synced,
    /// It is not.
    OutOfSync,
}

impl SyncStatus {
    /// Argo CD's word.
    pub fn word(self) -> &'static str {
        match self {
            SyncStatus::Synced => "Synced",
            SyncStatus::OutOfSync => "OutOfSync",
        }
    }
}

/// How one object of an application stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceStatus {
    /// Which.
    pub key: ObjectKey,
    /// Whether it is as the source says.
    pub sync: SyncStatus,
    /// How it fares; absent for kinds without health and for objects that do not exist yet.
    pub health: Option<(HealthStatus, String)>,
    /// Whether it would have to be pruned.
    pub requires_pruning: bool,
    /// Why it stays although it is no longer wanted, whatever a sync does.
    pub stays: Option<Stay>,
    /// Whether somebody has to confirm that it goes.
    pub requires_confirmation: bool,
}

/// Each object of a plan against the live state; hooks take no part.
pub fn compared(
    plan: &Plan,
    live: &landfall_engine::Live,
    kept: &Stays,
    (rules, options): (&Rulebook, &SyncOptions),
) -> Vec<ResourceStatus> {
    plan.steps()
        // A namespace that is made for the others is none of them.
        .filter(|step| !matches!(step.task, Task::Ensure { .. }))
        .filter_map(|step| {
            let (sync, requires_pruning) = match step.action {
                Action::Unchanged => (SyncStatus::Synced, false),
                Action::Create | Action::Change | Action::Replace => (SyncStatus::OutOfSync, false),
                Action::Keep if matches!(kept.get(&step.key), Some(Stay::Good(_))) => (SyncStatus::Synced, true),
                Action::Delete | Action::Keep => (SyncStatus::OutOfSync, true),
                Action::Absent | Action::Hook | Action::Wait => return None,
            };
            let health =
                live.get(&step.key).and_then(|live| rules.assess(live)).map(|health| (health.status, health.message));
            let wanted = match &step.task {
                Task::Apply { object, .. } => Some(object),
                _ => None,
            };
            let marked = |object: &Object| ResourceOptions::of(object).is_confirmed_to_go(options);
            let requires_confirmation = wanted.is_some_and(marked) || live.get(&step.key).is_some_and(marked);
            let stays = kept.get(&step.key).filter(|_| step.action == Action::Keep);
            // Pruning may be asked for any time.
            let stays = stays.filter(|stay| **stay != Stay::Asked).cloned();
            Some(ResourceStatus { key: step.key.clone(), sync, health, requires_pruning, stays, requires_confirmation })
        })
        .collect()
}

/// Where Argo CD has a field for one source and one for several.
pub(crate) fn written_revisions(into: &mut Value, revisions: &[String]) {
    match revisions {
        [] => {}
        [one] => into["revision"] = one.as_str().into(),
        several => into["revisions"] = json!(several),
    }
}

/// The same of the sources themselves, as the Application has them.
pub(crate) fn written_sources(into: &mut Value, application: &Object) {
    match application.list_at("/spec/sources") {
        [] => {
            if let Some(source) = application.at("/spec/source") {
                into["source"] = source.clone();
            }
        }
        several => into["sources"] = json!(several),
    }
}

/// The health of an application: the worst of its objects that are there, nothing being healthy; missing when objects are
/// expected and none is there (controller/health.go).
pub fn health_of<'a>(objects: impl Iterator<Item = Option<&'a Object>>, rules: &Rulebook) -> HealthStatus {
    let fares = |object: &Object| rules.assess(object).filter(|_| counts(object)).map(|health| health.status);
    worst_of(objects.map(|object| object.map(fares)))
}

/// Whether an object's health counts for its application: unless it says otherwise of itself.
pub fn counts(object: &Object) -> bool {
    object.annotation("argocd.argoproj.io/ignore-healthcheck") != Some("true")
}

/// The same of what is known of each object: absent where it is missing, then its health.
pub fn worst_of(objects: impl Iterator<Item = Option<Option<HealthStatus>>>) -> HealthStatus {
    let (mut expected, mut there, mut worst) = (0, 0, HealthStatus::Healthy);
    for object in objects {
        expected += 1;
        let Some(health) = object else { continue };
        there += 1;
        worst = health.map_or(worst, |health| worst.worst(health));
    }
    if expected > 0 && there == 0 { HealthStatus::Missing } else { worst }
}

/// `status.sync` of an Application.
pub fn sync_status(application: &Object, word: &str, revisions: &[String]) -> Value {
    let mut compared = json!({});
    if let Some(destination) = application.at("/spec/destination") {
        compared["destination"] = destination.clone();
    }
    written_sources(&mut compared, application);
    if let Some(ignored) = application.at("/spec/ignoreDifferences") {
        compared["ignoreDifferences"] = ignored.clone();
    }
    let mut status = json!({"status": word, "comparedTo": compared});
    written_revisions(&mut status, revisions);
    status
}

/// An entry of `status.resources`.
pub fn resource_entry(key: &ObjectKey, sync: SyncStatus, live: Option<&Object>, rules: &Rulebook) -> Value {
    let mut entry = json!({"version": key.gvk.version, "kind": key.gvk.kind, "name": key.name, "status": sync.word()});
    if !key.gvk.group.is_empty() {
        entry["group"] = key.gvk.group.clone().into();
    }
    if let Some(namespace) = &key.namespace {
        entry["namespace"] = namespace.clone().into();
    }
    let health = live.map_or_else(
        || Some(("Missing".to_owned(), String::new())),
        |live| rules.assess(live).map(|health| (health.status.to_string(), health.message)),
    );
    if let Some((status, message)) = health {
        entry["health"] =
            if message.is_empty() { json!({"status": status}) } else { json!({"status": status, "message": message}) };
    }
    entry
}

/// The key of an entry of `status.resources`.
pub fn resource_key(entry: &Value) -> Option<ObjectKey> {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    let name = text("name");
    let gvk = landfall_object::Gvk::new(text("group"), text("version"), text("kind"));
    (!name.is_empty()).then(|| ObjectKey::new(gvk, Some(text("namespace")), name))
}
