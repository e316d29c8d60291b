//! How the replica sets of a deployment grow and shrink.

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::super::desk::{Desk, EventType};
use super::super::fields::{child, count, created, name};
use super::super::kind::REPLICA_SET;
use super::super::revision::record_size;
use super::super::rollout::{Fence, is_rolling, new_set_replicas, proportion, wanted};
use super::Rollout;

/// Gives a set another size and records the deployment's (`scaleReplicaSet`); whether the size changed.
fn resize(desk: &mut Desk<'_>, deployment: &Value, set: &mut Value, replicas: i64) -> Result<bool, Status> {
    let before = wanted(set);
    let mut changed = set.clone();
    let recorded = record_size(&mut changed, wanted(deployment), wanted(deployment) + Fence::of(deployment).surge);
    if before == replicas && !recorded {
        return Ok(false);
    }
    child(&mut changed, "spec")["replicas"] = json!(replicas);
    *set = desk.update(&REPLICA_SET, changed)?.value().clone();
    if before == replicas {
        return Ok(false);
    }
    let direction = if before < replicas { "up" } else { "down" };
    let message = format!("Scaled {direction} replica set {} from {before} to {replicas}", name(set));
    desk.event(deployment, EventType::Normal, "ScalingReplicaSet", &message);
    Ok(true)
}

/// As `resize`, but does nothing at all when the size is right (`scaleReplicaSetAndRecordEvent`).
fn resize_if_needed(desk: &mut Desk<'_>, deployment: &Value, set: &mut Value, replicas: i64) -> Result<bool, Status> {
    if wanted(set) == replicas { Ok(false) } else { resize(desk, deployment, set, replicas) }
}

/// Moves the new set towards the wanted size (`reconcileNewReplicaSet`); whether it moved.
pub(super) fn reconcile_new(desk: &mut Desk<'_>, rollout: &mut Rollout) -> Result<bool, Status> {
    let all: i64 = rollout.all().map(wanted).sum();
    let Some(new) = &mut rollout.new else { return Ok(false) };
    let (have, want) = (wanted(new), wanted(&rollout.deployment));
    if have == want {
        return Ok(false);
    }
    let next = if have > want { want } else { new_set_replicas(&rollout.deployment, all, have) };
    resize_if_needed(desk, &rollout.deployment, new, next)
}

/// Takes from the old sets what may go: unhealthy pods first (`reconcileOldReplicaSets`); whether anything went.
pub(super) fn reconcile_old(desk: &mut Desk<'_>, rollout: &mut Rollout) -> Result<bool, Status> {
    if rollout.old.iter().map(wanted).sum::<i64>() == 0 {
        return Ok(false);
    }
    let replicas = wanted(&rollout.deployment);
    let least = replicas - Fence::max_unavailable(&rollout.deployment);
    let all: i64 = rollout.all().map(wanted).sum();
    let not_yet = rollout.new.as_ref().map_or(0, |new| wanted(new) - count(new, "/status/availableReplicas"));
    let may_go = all - least - not_yet;
    if may_go <= 0 {
        return Ok(false);
    }
    rollout.old.sort_by(|a, b| created(a).cmp(&created(b)).then_with(|| name(a).cmp(name(b))));
    let mut gone = 0;
    for set in &mut rollout.old {
        let (size, available) = (wanted(set), count(set, "/status/availableReplicas"));
        if gone >= may_go || size == 0 || size == available {
            continue;
        }
        let step = (may_go - gone).min(size - available);
        if step > 0 {
            resize_if_needed(desk, &rollout.deployment, set, size - step)?;
            gone += step;
        }
    }
    let available: i64 = rollout.all().map(|set| count(set, "/status/availableReplicas")).sum();
    let mut spare = available - least;
    for set in &mut rollout.old {
        let size = wanted(set);
        if spare <= 0 || size == 0 {
            continue;
        }
        let step = size.min(spare);
        resize_if_needed(desk, &rollout.deployment, set, size - step)?;
        spare -= step;
        gone += step;
    }
    Ok(gone > 0)
}

/// Takes all old sets to nothing, for the Recreate strategy; whether anything was left.
pub(super) fn scale_down_all_old(desk: &mut Desk<'_>, rollout: &mut Rollout) -> Result<bool, Status> {
    let mut scaled = false;
    for set in rollout.old.iter_mut().filter(|set| wanted(set) > 0) {
        scaled |= resize_if_needed(desk, &rollout.deployment, set, 0)?;
    }
    Ok(scaled)
}

/// Takes the new set to the wanted size at once.
pub(super) fn scale_new_to_wanted(desk: &mut Desk<'_>, rollout: &mut Rollout) -> Result<bool, Status> {
    let want = wanted(&rollout.deployment);
    let Some(new) = &mut rollout.new else { return Ok(false) };
    resize_if_needed(desk, &rollout.deployment, new, want)
}

/// Scales a paused or resized deployment, in proportion when several sets are active (`scale`).
pub(super) fn scale(desk: &mut Desk<'_>, rollout: &mut Rollout) -> Result<(), Status> {
    let replicas = wanted(&rollout.deployment);
    let deployment = rollout.deployment.clone();
    if let Some(set) = active_or_latest(rollout) {
        if wanted(set) != replicas {
            resize_if_needed(desk, &deployment, set, replicas)?;
        } else {
            resize(desk, &deployment, set, replicas)?;
        }
        return Ok(());
    }
    if is_saturated(rollout) {
        scale_down_all_old(desk, rollout)?;
        return Ok(());
    }
    if !is_rolling(&deployment) {
        return Ok(());
    }
    let allowed = if replicas > 0 { replicas + Fence::of(&deployment).surge } else { 0 };
    let mut active: Vec<&mut Value> =
        rollout.old.iter_mut().chain(rollout.new.iter_mut()).filter(|set| wanted(set) > 0).collect();
    let to_add = allowed - active.iter().map(|set| wanted(set)).sum::<i64>();
    active.sort_by(|a, b| {
        let newer = created(b).cmp(&created(a));
        let by_size = wanted(b).cmp(&wanted(a));
        by_size.then(if to_add > 0 { newer } else { newer.reverse() })
    });
    let mut added = 0;
    let mut sizes = Vec::with_capacity(active.len());
    for set in &active {
        let share = if to_add == 0 { 0 } else { proportion(&deployment, set, to_add, added) };
        sizes.push(wanted(set) + share);
        added += share;
    }
    if let (Some(first), true) = (sizes.first_mut(), to_add != 0) {
        *first = (*first + to_add - added).max(0);
    }
    for (set, size) in active.into_iter().zip(sizes) {
        resize(desk, &deployment, set, size)?;
    }
    Ok(())
}

/// The only active set, or the latest when none is active; none when several are (`FindActiveOrLatest`).
fn active_or_latest(rollout: &mut Rollout) -> Option<&mut Value> {
    match rollout.all().filter(|set| wanted(set) > 0).count() {
        0 if rollout.new.is_some() => rollout.new.as_mut(),
        0 => rollout.old.iter_mut().max_by(|a, b| created(a).cmp(&created(b))),
        1 => rollout.old.iter_mut().chain(rollout.new.iter_mut()).find(|set| wanted(set) > 0),
        _ => None,
    }
}

/// Whether the new set alone already serves the deployment (`IsSaturated`).
fn is_saturated(rollout: &Rollout) -> bool {
    let Some(new) = &rollout.new else { return false };
    let recorded = super::super::fields::annotation(new, super::super::revision::DESIRED_REPLICAS)
        .and_then(|d| d.parse::<i64>().ok());
    let replicas = wanted(&rollout.deployment);
    recorded.is_some_and(|recorded| {
        wanted(new) == replicas && recorded == replicas && count(new, "/status/availableReplicas") == replicas
    })
}
