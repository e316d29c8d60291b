//! Which replica sets a deployment has, which is the new one, and what becomes of the others.

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::super::claims;
use super::super::desk::{Desk, EventType, Found};
use super::super::fields::{
    annotate, annotation, child, condition, controller_reference, count, deleting, int, name, namespace, set_label,
    text,
};
use super::super::hash::short_hash;
use super::super::kind::{DEPLOYMENT, REPLICA_SET};
use super::super::revision::{Presence, REVISION, inherit, record_size, revision};
use super::super::rollout::{Fence, new_set_replicas, wanted};
use super::{Rollout, fresh_condition, rollout_status, set_condition};

/// The label that ties pods and sets to a template.
pub(in crate::controllers) const TEMPLATE_HASH: &str = "pod-template-hash";

/// What to do when no set has the deployment's present template.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Make it.
    Create,
    /// Go on without.
    Leave,
}

/// The sets of the deployment: owned ones, and orphans that match, which are adopted.
pub(super) fn claim(desk: &mut Desk<'_>, deployment: &Value) -> Result<Vec<Found>, Status> {
    let candidates = desk.list_claimable(&REPLICA_SET, deployment);
    claims::claim(desk, &REPLICA_SET, deployment, deployment.pointer("/spec/selector"), candidates)
}

/// Whether the set's template is the deployment's, but for the hash label (`EqualIgnoreHash`).
pub(super) fn has_template_of(set: &Value, deployment: &Value) -> bool {
    let mut template = set.pointer("/spec/template").cloned().unwrap_or_default();
    super::super::fields::remove(&mut template, "/metadata/labels", TEMPLATE_HASH);
    let wanted = deployment.pointer("/spec/template").cloned().unwrap_or_default();
    tidy(template) == tidy(wanted)
}

/// The template without what says nothing: null creation times, empty label maps.
fn tidy(mut template: Value) -> Value {
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("creationTimestamp");
        metadata.retain(|_, v| !v.is_null() && v.as_object().is_none_or(|m| !m.is_empty()));
        if metadata.is_empty()
            && let Some(map) = template.as_object_mut()
        {
            map.remove("metadata");
        }
    }
    template
}

/// Finds or makes the new set and brings revisions in line (`getAllReplicaSetsAndSyncRevision`).
pub(super) fn sync_revision(desk: &mut Desk<'_>, rollout: &mut Rollout, missing: Missing) -> Result<(), Status> {
    let new_revision = rollout.old.iter().map(revision).max().unwrap_or(0) + 1;
    match rollout.new.take() {
        Some(set) => {
            let set = refresh(desk, rollout, set, new_revision)?;
            rollout.new = Some(set);
        }
        None if missing == Missing::Create => rollout.new = create(desk, rollout, new_revision)?,
        None => {}
    }
    Ok(())
}

/// Brings an existing new set's annotations and the deployment's revision in line.
fn refresh(desk: &mut Desk<'_>, rollout: &mut Rollout, mut set: Value, new_revision: i64) -> Result<Value, Status> {
    let annotated = inherit(&mut set, &rollout.deployment, new_revision, Presence::Existing);
    let min_ready = count(&rollout.deployment, "/spec/minReadySeconds");
    let slower = count(&set, "/spec/minReadySeconds") != min_ready;
    if slower {
        super::super::fields::set_count(child(&mut set, "spec"), "minReadySeconds", min_ready);
    }
    if annotated || slower {
        set = desk.update(&REPLICA_SET, set)?.value().clone();
    }
    let mut deployment = rollout.deployment.clone();
    let own_revision = annotation(&set, REVISION).unwrap_or_default().to_owned();
    let mut changed = annotate(&mut deployment, REVISION, &own_revision);
    if rollout_status::deadline(&deployment).is_some() && condition(&deployment, "Progressing").is_none() {
        let message = format!("Found new replica set \"{}\"", name(&set));
        let made = fresh_condition(desk, "Progressing", "True", "FoundNewReplicaSet", &message);
        set_condition(child(&mut deployment, "status"), made);
        changed = true;
    }
    if changed {
        rollout.deployment = desk.update_status(&DEPLOYMENT, deployment)?.value().clone();
    }
    Ok(set)
}

/// Makes the set for the deployment's present template, at the size the rollout allows.
fn create(desk: &mut Desk<'_>, rollout: &mut Rollout, new_revision: i64) -> Result<Option<Value>, Status> {
    let deployment = &rollout.deployment;
    let mut template = deployment.pointer("/spec/template").cloned().unwrap_or_default();
    let hash = short_hash(&template, int(deployment, "/status/collisionCount"));
    set_label(&mut template, TEMPLATE_HASH, &hash);
    let mut selector = deployment.pointer("/spec/selector").cloned().unwrap_or_default();
    child(&mut selector, "matchLabels")[TEMPLATE_HASH] = hash.clone().into();
    let all: i64 = rollout.old.iter().map(wanted).sum();
    let replicas = new_set_replicas(deployment, all, 0);
    let mut set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{hash}", name(deployment)),
            "namespace": namespace(deployment),
            "labels": template["metadata"]["labels"],
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    });
    let min_ready = count(deployment, "/spec/minReadySeconds");
    super::super::fields::set_count(&mut set["spec"], "minReadySeconds", min_ready);
    inherit(&mut set, deployment, new_revision, Presence::New);
    record_size(&mut set, wanted(deployment), wanted(deployment) + Fence::of(deployment).surge);
    let set_name = name(&set).to_owned();
    let created = match desk.create(&REPLICA_SET, set) {
        Ok(created) => created,
        Err(refusal) if refusal.is_already_exists() => return taken(desk, rollout, &set_name, refusal),
        Err(refusal) => return Err(not_created(desk, rollout, &set_name, refusal)),
    };
    if replicas > 0 {
        let message = format!("Scaled up replica set {set_name} from 0 to {replicas}");
        desk.event(&rollout.deployment, EventType::Normal, "ScalingReplicaSet", &message);
    }
    let mut deployment = rollout.deployment.clone();
    let mut changed = annotate(&mut deployment, REVISION, &new_revision.to_string());
    if rollout_status::deadline(&deployment).is_some() {
        let message = format!("Created new replica set \"{set_name}\"");
        let made = fresh_condition(desk, "Progressing", "True", "NewReplicaSetCreated", &message);
        set_condition(child(&mut deployment, "status"), made);
        changed = true;
    }
    if changed {
        rollout.deployment = desk.update_status(&DEPLOYMENT, deployment)?.value().clone();
    }
    Ok(Some(created.value().clone()))
}

/// The name is taken: by our own set of the same template, or by another one, which makes us count a collision.
fn taken(desk: &mut Desk<'_>, rollout: &mut Rollout, set: &str, refusal: Status) -> Result<Option<Value>, Status> {
    let there = desk.get(&REPLICA_SET, namespace(&rollout.deployment), set);
    if let Some(there) = there
        && super::super::fields::is_controlled_by(&there, &rollout.deployment)
        && has_template_of(&there, &rollout.deployment)
    {
        return Ok(Some(there.value().clone()));
    }
    let mut deployment = rollout.deployment.clone();
    let collisions = count(&deployment, "/status/collisionCount") + 1;
    child(&mut deployment, "status")["collisionCount"] = collisions.into();
    rollout.deployment = desk.update_status(&DEPLOYMENT, deployment)?.value().clone();
    Err(refusal)
}

/// The set was refused: the deployment says so, and the refusal goes on.
fn not_created(desk: &mut Desk<'_>, rollout: &mut Rollout, set: &str, refusal: Status) -> Status {
    let message = format!("Failed to create new replica set \"{set}\": {}", refusal.message);
    if rollout_status::deadline(&rollout.deployment).is_some() {
        let mut deployment = rollout.deployment.clone();
        let made = fresh_condition(desk, "Progressing", "False", "ReplicaSetCreateError", &message);
        set_condition(child(&mut deployment, "status"), made);
        if let Ok(updated) = desk.update_status(&DEPLOYMENT, deployment) {
            rollout.deployment = updated.value().clone();
        }
    }
    desk.event(&rollout.deployment, EventType::Warning, "ReplicaSetCreateError", &message);
    refusal
}

/// Deletes old, empty sets beyond the history limit (`cleanupDeployment`).
pub(super) fn cleanup(desk: &mut Desk<'_>, rollout: &Rollout) -> Result<(), Status> {
    let Some(limit) = int(&rollout.deployment, "/spec/revisionHistoryLimit").filter(|l| *l < i64::from(i32::MAX))
    else {
        return Ok(());
    };
    let mut sets: Vec<&Value> = rollout.old.iter().filter(|set| !deleting(set)).collect();
    let excess = usize::try_from(limit).map_or(0, |limit| sets.len().saturating_sub(limit));
    sets.sort_by_key(|set| revision(set));
    for set in sets.into_iter().take(excess) {
        let settled = count(set, "/metadata/generation") <= count(set, "/status/observedGeneration");
        if count(set, "/status/replicas") == 0 && wanted(set) == 0 && settled {
            desk.delete(&REPLICA_SET, namespace(set), text(set, "/metadata/name"))?;
        }
    }
    Ok(())
}
