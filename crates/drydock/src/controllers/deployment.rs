//! Deployments: replica sets made, scaled and given up (`pkg/controller/deployment`).

mod replica_sets;
mod rollout_status;
mod scaling;

use landfall_apiserver::{Status, rfc3339};
use serde_json::{Value, json};

use super::desk::{Desk, Found, Outcome};
use super::fields::{annotation, child, condition, controller_of, deleting, is_controlled_by, text, truth};
use super::kind::{DEPLOYMENT, Kind, POD, REPLICA_SET};
use super::loops::{After, Call, Loop, Wake};
use super::pods::is_terminated;
use super::queue::Role;
use super::revision::DESIRED_REPLICAS;
use super::rollout::{is_rolling, wanted};
use super::selector;

/// A deployment with its replica sets, as one reconciliation sees them.
struct Rollout {
    deployment: Value,
    /// The set that has the deployment's present template.
    new: Option<Value>,
    /// All others, in the order found.
    old: Vec<Value>,
}

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::Deployment,
    kinds: &[DEPLOYMENT],
    wakes: &[
        Wake { after: After::These(&[REPLICA_SET.id]), queue: adopting },
        Wake { after: After::These(&[POD.id]), queue: freed },
    ],
};

/// An orphaned set may be one of its own.
fn adopting(call: &mut Call<'_>) {
    let set = call.object();
    if controller_of(set).is_some() {
        return;
    }
    for deployment in call.world.list(DEPLOYMENT.qualified(), Some(set.namespace())) {
        if selector::matches(deployment.pointer("/spec/selector"), set) {
            call.look_at(&DEPLOYMENT, set.namespace(), deployment.name());
        }
    }
}

/// A deployment may wait for a pod of an old set that is gone now.
fn freed(call: &mut Call<'_>) {
    let pod = call.object();
    if !call.is_deleted() && !is_terminated(pod) {
        return;
    }
    let Some(set) = controller_of(pod).filter(|owner| text(owner, "/kind") == REPLICA_SET.kind) else { return };
    let Some(set) = call.world.find(REPLICA_SET.qualified(), pod.namespace(), text(set, "/name")) else { return };
    for owner in set.owner_references() {
        if Kind::of(text(owner, "/apiVersion"), text(owner, "/kind")) == Some(&DEPLOYMENT) {
            call.look_at(&DEPLOYMENT, pod.namespace(), text(owner, "/name"));
        }
    }
}

/// Brings one deployment a step further.
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    desk.speaks_as("deployment-controller");
    let Some(found) = desk.get(&DEPLOYMENT, namespace_, name_) else { return Ok(Outcome::done()) };
    let mut deployment = found.value().clone();
    let sets = replica_sets::claim(desk, &deployment)?;
    if deleting(&deployment) {
        let mut rollout = Rollout::observe(deployment, sets);
        return rollout_status::sync_plain(desk, &mut rollout);
    }
    deployment = note_pause(desk, deployment)?;
    let mut rollout = Rollout::observe(deployment, sets);
    if truth(&rollout.deployment, "/spec/paused") || rollout.is_scaling() {
        replica_sets::sync_revision(desk, &mut rollout, replica_sets::Missing::Leave)?;
        scaling::scale(desk, &mut rollout)?;
        if truth(&rollout.deployment, "/spec/paused") {
            replica_sets::cleanup(desk, &rollout)?;
        }
        return rollout_status::sync_plain(desk, &mut rollout);
    }
    if is_rolling(&rollout.deployment) { roll(desk, &mut rollout) } else { recreate(desk, &mut rollout) }
}

impl Rollout {
    fn observe(deployment: Value, sets: Vec<Found>) -> Self {
        let mut sorted = sets;
        super::fields::by_age(&mut sorted);
        let mut rollout = Self { deployment, new: None, old: Vec::new() };
        for set in sorted {
            let same = rollout.new.is_none() && replica_sets::has_template_of(&set, &rollout.deployment);
            if same {
                rollout.new = Some(set.value().clone());
            } else {
                rollout.old.push(set.value().clone());
            }
        }
        rollout
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.old.iter().chain(self.new.iter())
    }

    /// Whether the deployment's size differs from what an active set was last scaled to (`isScalingEvent`).
    fn is_scaling(&self) -> bool {
        let replicas = wanted(&self.deployment);
        self.all().filter(|set| wanted(set) > 0).any(|set| {
            annotation(set, DESIRED_REPLICAS).and_then(|d| d.parse::<i64>().ok()).is_some_and(|d| d != replicas)
        })
    }
}

/// `rolloutRolling`.
fn roll(desk: &mut Desk<'_>, rollout: &mut Rollout) -> Result<Outcome, Status> {
    replica_sets::sync_revision(desk, rollout, replica_sets::Missing::Create)?;
    if scaling::reconcile_new(desk, rollout)? || scaling::reconcile_old(desk, rollout)? {
        return rollout_status::sync(desk, rollout);
    }
    if rollout_status::is_complete(&rollout.deployment, rollout.deployment.get("status").unwrap_or(&Value::Null)) {
        replica_sets::cleanup(desk, rollout)?;
    }
    rollout_status::sync(desk, rollout)
}

/// `rolloutRecreate`: nothing new before all that is old has ended.
fn recreate(desk: &mut Desk<'_>, rollout: &mut Rollout) -> Result<Outcome, Status> {
    replica_sets::sync_revision(desk, rollout, replica_sets::Missing::Leave)?;
    if scaling::scale_down_all_old(desk, rollout)? || old_pods_run(desk, rollout) {
        return rollout_status::sync(desk, rollout);
    }
    if rollout.new.is_none() {
        replica_sets::sync_revision(desk, rollout, replica_sets::Missing::Create)?;
    }
    scaling::scale_new_to_wanted(desk, rollout)?;
    if rollout_status::is_complete(&rollout.deployment, rollout.deployment.get("status").unwrap_or(&Value::Null)) {
        replica_sets::cleanup(desk, rollout)?;
    }
    rollout_status::sync(desk, rollout)
}

/// Whether a pod of an earlier template is still there (`oldPodsRunning`).
fn old_pods_run(desk: &Desk<'_>, rollout: &Rollout) -> bool {
    rollout
        .old
        .iter()
        .any(|set| desk.list_claimable(&POD, set).iter().any(|pod| is_controlled_by(pod, set) && !is_terminated(pod)))
}

/// Records that a rollout was paused or resumed (`checkPausedConditions`).
fn note_pause(desk: &mut Desk<'_>, deployment: Value) -> Result<Value, Status> {
    if rollout_status::deadline(&deployment).is_none() {
        return Ok(deployment);
    }
    let reason = condition(&deployment, "Progressing").map(|c| text(c, "/reason").to_owned());
    if reason.as_deref() == Some("ProgressDeadlineExceeded") {
        return Ok(deployment);
    }
    let paused = truth(&deployment, "/spec/paused");
    let noted = reason.as_deref() == Some("DeploymentPaused");
    let (reason, message) = match (paused, noted) {
        (true, false) => ("DeploymentPaused", "Deployment is paused"),
        (false, true) => ("DeploymentResumed", "Deployment is resumed"),
        _ => return Ok(deployment),
    };
    let mut changed = deployment;
    let made = fresh_condition(desk, "Progressing", "Unknown", reason, message);
    set_condition(child(&mut changed, "status"), made);
    Ok(desk.update_status(&DEPLOYMENT, changed)?.value().clone())
}

/// A deployment's condition as of now (`NewDeploymentCondition`).
fn fresh_condition(desk: &Desk<'_>, kind: &str, status: &str, reason: &str, message: &str) -> Value {
    let now = rfc3339(desk.now());
    json!({"type": kind, "status": status, "reason": reason, "message": message,
           "lastUpdateTime": now, "lastTransitionTime": now})
}

/// Replaces the condition of the type unless status and reason are the same (`SetDeploymentCondition`).
fn set_condition(status: &mut Value, mut made: Value) {
    let kind = text(&made, "/type").to_owned();
    let current = super::conditions::find(status, &kind);
    if let Some(current) = current.filter(|c| text(c, "/status") == text(&made, "/status")) {
        if text(current, "/reason") == text(&made, "/reason") {
            return;
        }
        made["lastTransitionTime"] = current["lastTransitionTime"].clone();
    }
    super::conditions::remove(status, &kind);
    super::conditions::push(status, made);
}
