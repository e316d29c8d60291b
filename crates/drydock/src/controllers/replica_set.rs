//! Replica sets and replication controllers: as many pods as wanted (`pkg/controller/replicaset`).

use std::collections::BTreeMap;

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::claims;
use super::conditions::{self, Condition};
use super::desk::{Desk, Found, Outcome, earliest};
use super::fields::{condition, count, deleting, is_controlled_by, map, namespace, set_count, text};
use super::kind::{Kind, POD, REPLICA_SET, REPLICATION_CONTROLLER};
use super::loops::{After, Loop, Wake};
use super::pods::{available_at, is_active, is_available, is_ready, is_terminating, victim_order};
use super::queue::Role;
use super::rollout::wanted;
use super::{orphans, pod_control};

/// The most pods made or removed in one go.
const BURST: usize = 500;

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::ReplicaSet,
    kinds: &[REPLICA_SET],
    wakes: &[Wake { after: After::These(&[POD.id]), queue: |call| orphans::adopting(call, &REPLICA_SET) }],
};

/// The same of the kind before it.
pub(super) const OLD_LOOP: Loop = Loop {
    role: Role::ReplicationController,
    kinds: &[REPLICATION_CONTROLLER],
    wakes: &[Wake { after: After::These(&[POD.id]), queue: |call| orphans::adopting(call, &REPLICATION_CONTROLLER) }],
};

/// Brings one replica set (or replication controller) to its size and writes what it sees.
pub(super) fn reconcile(desk: &mut Desk<'_>, kind: &Kind, namespace_: &str, name: &str) -> Result<Outcome, Status> {
    desk.speaks_as(if *kind == REPLICA_SET { "replicaset-controller" } else { "replication-controller" });
    let Some(found) = desk.get(kind, namespace_, name) else { return Ok(Outcome::done()) };
    let set = found.value();
    let selects = match set.pointer("/spec/selector") {
        Some(labels) if *kind != REPLICA_SET => json!({"matchLabels": labels}),
        Some(labels) => labels.clone(),
        None => Value::Null,
    };
    let all = desk.list_claimable(&POD, set);
    let (active, inactive): (Vec<Found>, Vec<Found>) = all.into_iter().partition(|pod| is_active(pod));
    let pods = claims::claim(desk, &POD, set, Some(&selects), active)?;
    let terminating = inactive.iter().filter(|pod| is_terminating(pod) && is_controlled_by(pod, set)).count() as i64;
    let refused = if deleting(set) { None } else { manage(desk, set, &pods) };
    let difference = pods.len() as i64 - wanted(set);
    let next = sync_status(desk, kind, set, &pods, terminating, refused.as_ref(), difference)?;
    match refused {
        Some(refusal) => Err(refusal),
        None => Ok(Outcome::again_at(next)),
    }
}

/// Makes what is missing, removes what is too much (`manageReplicas`); the first refusal.
fn manage(desk: &mut Desk<'_>, set: &Value, pods: &[Found]) -> Option<Status> {
    let missing = wanted(set) - pods.len() as i64;
    if missing > 0 {
        let missing = usize::try_from(missing).unwrap_or(0).min(BURST);
        let template = set.pointer("/spec/template").cloned().unwrap_or_default();
        let (_, refused) = pod_control::slow_start(missing, |_| {
            let pod = pod_control::from_template(&template, set);
            match pod_control::create(desk, pod, set) {
                Err(refusal) if !pod_control::is_namespace_terminating(&refusal) => Err(refusal),
                _ => Ok(()),
            }
        });
        return refused;
    }
    let surplus = usize::try_from(-missing).unwrap_or(0).min(BURST);
    let mut refused = None;
    for pod in victims(desk, set, pods, surplus) {
        if let Err(refusal) = pod_control::delete(desk, &pod, set) {
            refused = refused.or(Some(refusal));
        }
    }
    refused
}

/// The pods to be given up, in order; crowded nodes lose theirs first.
fn victims(desk: &Desk<'_>, set: &Value, pods: &[Found], surplus: usize) -> Vec<Found> {
    if surplus == 0 {
        return Vec::new();
    }
    let mut crowds: BTreeMap<String, usize> = BTreeMap::new();
    let owner = super::fields::controller_of(set).map(|o| text(o, "/uid").to_owned());
    let related: Vec<Found> = match owner {
        None => pods.to_vec(),
        Some(owner) => {
            let siblings: Vec<String> = desk
                .list(&REPLICA_SET, namespace(set))
                .iter()
                .filter(|s| super::fields::controller_of(s).is_some_and(|o| text(o, "/uid") == owner))
                .map(|s| s.uid().to_owned())
                .collect();
            desk.list(&POD, namespace(set))
                .into_iter()
                .filter(|p| is_active(p))
                .filter(|p| p.controller().is_some_and(|o| siblings.iter().any(|s| s == text(o, "/uid"))))
                .collect()
        }
    };
    for pod in related {
        *crowds.entry(text(&pod, "/spec/nodeName").to_owned()).or_default() += 1;
    }
    let crowd = |pod: &Value| crowds.get(text(pod, "/spec/nodeName")).copied().unwrap_or(0);
    let mut ranked = pods.to_vec();
    ranked.sort_by(|a, b| victim_order(a, b, crowd));
    ranked.truncate(surplus);
    ranked
}

/// Writes the counters when they changed (`calculateStatus`, `updateReplicaSetStatus`); when a pod becomes available.
fn sync_status(
    desk: &mut Desk<'_>,
    kind: &Kind,
    set: &Value,
    pods: &[Found],
    terminating: i64,
    refused: Option<&Status>,
    difference: i64,
) -> Result<Option<jiff::Timestamp>, Status> {
    let min_ready = count(set, "/spec/minReadySeconds");
    let now = desk.now();
    let labels = map(set, "/spec/template/metadata/labels");
    let labelled = |pod: &Value| {
        labels.into_iter().flatten().all(|(k, v)| map(pod, "/metadata/labels").and_then(|l| l.get(k)) == Some(v))
    };
    let mut status = json!({"replicas": pods.len()});
    set_count(&mut status, "fullyLabeledReplicas", pods.iter().filter(|p| labelled(p)).count() as i64);
    set_count(&mut status, "readyReplicas", pods.iter().filter(|p| is_ready(p)).count() as i64);
    let available = pods.iter().filter(|p| is_available(p, min_ready, now)).count() as i64;
    set_count(&mut status, "availableReplicas", available);
    set_count(&mut status, "observedGeneration", count(set, "/metadata/generation"));
    if *kind == REPLICA_SET {
        status["terminatingReplicas"] = terminating.into();
    }
    if let Some(known) = set.pointer("/status/conditions") {
        status["conditions"] = known.clone();
    }
    match refused {
        Some(refusal) if condition(set, "ReplicaFailure").is_none() => {
            let reason = if difference < 0 { "FailedCreate" } else { "FailedDelete" };
            let failure = Condition { kind: "ReplicaFailure", status: "True", reason, message: &refusal.message };
            conditions::set(&mut status, &failure, now);
        }
        None => conditions::remove(&mut status, "ReplicaFailure"),
        Some(_) => {}
    }
    if set.get("status") != Some(&status) {
        let mut changed = set.clone();
        changed["status"] = status;
        desk.update_status(kind, changed)?;
    }
    let next = pods.iter().filter_map(|p| available_at(p, min_ready)).filter(|at| *at > now);
    Ok(next.fold(None, |first, at| earliest(first, Some(at))))
}
