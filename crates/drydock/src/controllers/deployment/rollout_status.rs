//! What a deployment says about its rollout (`pkg/controller/deployment/progress.go`).

use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::super::conditions;
use super::super::desk::{Desk, Outcome};
use super::super::fields::{count, instant, int, list, name, set_count, text};
use super::super::kind::DEPLOYMENT;
use super::super::rollout::{Fence, wanted};
use super::{Rollout, fresh_condition, set_condition};

/// The time a rollout may stand still, if there is a limit.
pub(super) fn deadline(deployment: &Value) -> Option<SignedDuration> {
    int(deployment, "/spec/progressDeadlineSeconds").filter(|s| *s < i64::from(i32::MAX)).map(SignedDuration::from_secs)
}

/// Whether every wanted replica is updated and available, and none is left over (`DeploymentComplete`).
pub(super) fn is_complete(deployment: &Value, status: &Value) -> bool {
    let want = wanted(deployment);
    count(status, "/updatedReplicas") == want
        && count(status, "/replicas") == want
        && count(status, "/availableReplicas") == want
        && count(status, "/observedGeneration") >= count(deployment, "/metadata/generation")
}

/// Whether something moved since the last status (`DeploymentProgressing`).
fn is_progressing(before: &Value, after: &Value) -> bool {
    let old = |s: &Value| count(s, "/replicas") - count(s, "/updatedReplicas");
    count(after, "/updatedReplicas") > count(before, "/updatedReplicas")
        || old(after) < old(before)
        || count(after, "/readyReplicas") > count(before, "/readyReplicas")
        || count(after, "/availableReplicas") > count(before, "/availableReplicas")
}

/// When the rollout counts as stuck, judged by its Progressing condition.
fn times_out_at(deployment: &Value, status: &Value) -> Option<Timestamp> {
    let progressing = conditions::find(status, "Progressing")?;
    if matches!(text(progressing, "/reason"), "NewReplicaSetAvailable") {
        return None;
    }
    instant(progressing, "/lastUpdateTime")?.checked_add(deadline(deployment)?).ok()
}

/// Whether the rollout has stood still for too long (`DeploymentTimedOut`).
fn has_timed_out(desk: &Desk<'_>, deployment: &Value, status: &Value) -> bool {
    let reason = conditions::find(status, "Progressing").map(|c| text(c, "/reason"));
    reason == Some("ProgressDeadlineExceeded") || times_out_at(deployment, status).is_some_and(|at| at < desk.now())
}

/// The counters and the Available condition (`calculateStatus`).
fn calculate(desk: &Desk<'_>, rollout: &Rollout) -> Value {
    let deployment = &rollout.deployment;
    let sum = |pointer: &str| rollout.all().map(|set| count(set, pointer)).sum::<i64>();
    let available = sum("/status/availableReplicas");
    let total: i64 = rollout.all().map(wanted).sum();
    let mut status = json!({});
    set_count(&mut status, "observedGeneration", count(deployment, "/metadata/generation"));
    set_count(&mut status, "replicas", sum("/status/replicas"));
    let updated = rollout.new.as_ref().map_or(0, |new| count(new, "/status/replicas"));
    set_count(&mut status, "updatedReplicas", updated);
    set_count(&mut status, "readyReplicas", sum("/status/readyReplicas"));
    set_count(&mut status, "availableReplicas", available);
    set_count(&mut status, "unavailableReplicas", (total - available).max(0));
    status["terminatingReplicas"] = sum("/status/terminatingReplicas").into();
    if let Some(collisions) = deployment.pointer("/status/collisionCount") {
        status["collisionCount"] = collisions.clone();
    }
    if let Some(known) = deployment.pointer("/status/conditions") {
        status["conditions"] = known.clone();
    }
    let enough = available >= wanted(deployment) - Fence::max_unavailable(deployment);
    let made = if enough {
        fresh_condition(desk, "Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        fresh_condition(
            desk,
            "Available",
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
        )
    };
    set_condition(&mut status, made);
    status
}

/// Writes counters and conditions of a rollout under way (`syncRolloutStatus`).
pub(super) fn sync(desk: &mut Desk<'_>, rollout: &mut Rollout) -> Result<Outcome, Status> {
    let mut status = calculate(desk, rollout);
    let deployment = &rollout.deployment;
    let empty = Value::Null;
    let before = deployment.get("status").unwrap_or(&empty);
    if deadline(deployment).is_none() {
        conditions::remove(&mut status, "Progressing");
    }
    let known = conditions::find(before, "Progressing").cloned();
    let reason = known.as_ref().map_or("", |c| text(c, "/reason"));
    let settled =
        count(&status, "/replicas") == count(&status, "/updatedReplicas") && reason == "NewReplicaSetAvailable";
    if deadline(deployment).is_some() && !settled {
        let about = match &rollout.new {
            Some(new) => format!("ReplicaSet \"{}\"", name(new)),
            None => format!("Deployment \"{}\"", name(deployment)),
        };
        if is_complete(deployment, &status) {
            let message = format!("{about} has successfully progressed.");
            let made = fresh_condition(desk, "Progressing", "True", "NewReplicaSetAvailable", &message);
            set_condition(&mut status, made);
        } else if is_progressing(before, &status) {
            let message = format!("{about} is progressing.");
            let mut made = fresh_condition(desk, "Progressing", "True", "ReplicaSetUpdated", &message);
            if let Some(known) = known.filter(|c| text(c, "/status") == "True") {
                made["lastTransitionTime"] = known["lastTransitionTime"].clone();
            }
            conditions::remove(&mut status, "Progressing");
            conditions::push(&mut status, made);
        } else if has_timed_out(desk, deployment, &status) {
            let message = format!("{about} has timed out progressing.");
            let made = fresh_condition(desk, "Progressing", "False", "ProgressDeadlineExceeded", &message);
            set_condition(&mut status, made);
        }
    }
    conditions::remove(&mut status, "ReplicaFailure");
    if let Some(failure) = replica_failure(rollout) {
        conditions::push(&mut status, failure);
    }
    write(desk, rollout, status)
}

/// Writes counters and the Available condition only (`syncDeploymentStatus`).
pub(super) fn sync_plain(desk: &mut Desk<'_>, rollout: &mut Rollout) -> Result<Outcome, Status> {
    let status = calculate(desk, rollout);
    write(desk, rollout, status)
}

fn write(desk: &mut Desk<'_>, rollout: &mut Rollout, status: Value) -> Result<Outcome, Status> {
    if rollout.deployment.get("status") != Some(&status) {
        let mut changed = rollout.deployment.clone();
        changed["status"] = status;
        rollout.deployment = desk.update_status(&DEPLOYMENT, changed)?.value().clone();
    }
    // One microsecond later than the deadline itself, which does not count as passed yet.
    let stuck_at = rollout
        .deployment
        .get("status")
        .filter(|status| {
            let reason = conditions::find(status, "Progressing").map(|c| text(c, "/reason"));
            !is_complete(&rollout.deployment, status) && reason != Some("ProgressDeadlineExceeded")
        })
        .and_then(|status| times_out_at(&rollout.deployment, status))
        .and_then(|at| at.checked_add(SignedDuration::from_micros(1)).ok());
    Ok(Outcome::again_at(stuck_at.filter(|at| *at > desk.now())))
}

/// The first refusal a replica set reports, the new set's before the others' (`getReplicaFailures`).
fn replica_failure(rollout: &Rollout) -> Option<Value> {
    let sets = rollout.new.iter().chain(rollout.old.iter());
    let failure = sets
        .flat_map(|set| list(set, "/status/conditions"))
        .find(|condition| text(condition, "/type") == "ReplicaFailure")?;
    let mut made = failure.clone();
    made["lastUpdateTime"] = failure["lastTransitionTime"].clone();
    Some(made)
}
