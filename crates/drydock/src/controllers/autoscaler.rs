//! Autoscalers: as many pods as the declared load asks for, within their bounds (`pkg/controller/podautoscaler`).
//!
//! A load is what the project declares under `simulate:`. Without one there are no metrics, and the autoscaler says so
//! in the words of a cluster without a metrics server. How fast the scale follows is `behavior`'s to say.

mod direction;
mod limits;
mod memory;
mod metrics;

use jiff::SignedDuration;
use landfall_apiserver::{Status, rfc3339};
use serde_json::{Value, json};

use self::limits::Bounds;
pub(super) use self::memory::Memory;
use self::metrics::{Proposal, Refusal, Scaled};
use super::conditions::{self, Condition};
use super::desk::{Desk, EventType, Found, Outcome, earliest};
use super::fields::{child, created, deleting, instant, int, list, text, uid};
use super::kind::{AUTOSCALER, DEPLOYMENT, Kind, POD, REPLICATION_CONTROLLER, STATEFUL_SET};
use super::loops::{After, Call, Loop, Wake};
use super::pods::is_terminated;
use super::queue::Role;
use super::rollout::wanted;
use super::selector;
use crate::behaviour::Behaviour;

/// How often the scale changes at most.
const PERIOD: SignedDuration = SignedDuration::from_secs(15);

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::Autoscaler,
    kinds: &[AUTOSCALER],
    wakes: &[Wake {
        after: After::These(&[DEPLOYMENT.id, STATEFUL_SET.id, REPLICATION_CONTROLLER.id]),
        queue: of_workload,
    }],
};

/// The autoscalers of a workload.
fn of_workload(call: &mut Call<'_>) {
    let (namespace, name) = (call.object().namespace(), call.object().name());
    for scaler in call.world.list(AUTOSCALER.qualified(), Some(namespace)) {
        if text(scaler, "/spec/scaleTargetRef/name") == name {
            call.look_at(&AUTOSCALER, namespace, scaler.name());
        }
    }
}

/// Looks at one autoscaler.
pub(super) fn reconcile(
    desk: &mut Desk<'_>,
    behaviour: &Behaviour,
    memory: &mut Memory,
    namespace: &str,
    name: &str,
) -> Result<Outcome, Status> {
    desk.speaks_as("horizontal-pod-autoscaler");
    let Some(autoscaler) = desk.get(&AUTOSCALER, namespace, name).filter(|a| !deleting(a)) else {
        return Ok(Outcome::done());
    };
    let mut work = Work { status: autoscaler.get("status").cloned().unwrap_or_else(|| json!({})), autoscaler };
    let outcome = work.scale(desk, behaviour, memory)?;
    work.write_status(desk)?;
    Ok(outcome)
}

struct Work {
    autoscaler: Found,
    status: Value,
}

impl Work {
    fn set(&mut self, desk: &Desk<'_>, kind: &str, status: &str, reason: &str, message: &str) {
        conditions::set(&mut self.status, &Condition { kind, status, reason, message }, desk.now());
    }

    fn warn(&self, desk: &mut Desk<'_>, reason: &str, message: &str) {
        // The real one repeats itself every 15 seconds.
        if !desk.was_said(&self.autoscaler, reason, message) {
            desk.event(&self.autoscaler, EventType::Warning, reason, message);
        }
    }

    fn scale(&mut self, desk: &mut Desk<'_>, behaviour: &Behaviour, memory: &mut Memory) -> Result<Outcome, Status> {
        let reference = self.autoscaler.pointer("/spec/scaleTargetRef").cloned().unwrap_or_default();
        let known = Kind::of(text(&reference, "/apiVersion"), text(&reference, "/kind"));
        let within = self.autoscaler.namespace().to_owned();
        let target = known.and_then(|k| desk.get(k, &within, text(&reference, "/name")).map(|found| (k, found)));
        let Some((kind, target)) = target else {
            let resource = known.map_or_else(|| text(&reference, "/kind"), |kind| kind.id);
            let why = format!("{resource} \"{}\" not found", text(&reference, "/name"));
            self.warn(desk, "FailedGetScale", &why);
            let message = format!("the HPA controller was unable to get the target's current scale: {why}");
            self.set(desk, "AbleToScale", "False", "FailedGetScale", &message);
            return Ok(Outcome::done());
        };
        let got = "the HPA controller was able to get the target's current scale";
        self.set(desk, "AbleToScale", "True", "SucceededGetScale", got);
        let current = wanted(&target);
        let since = instant(&self.status, "/lastScaleTime").unwrap_or_else(|| created(&self.autoscaler));
        let past = memory.of(uid(&self.autoscaler), current, since);
        let now = desk.now();
        past.hold_until(now);
        let least = int(&self.autoscaler, "/spec/minReplicas").unwrap_or(1);
        let most = int(&self.autoscaler, "/spec/maxReplicas").unwrap_or(current);
        if current == 0 {
            let message = "scaling is disabled since the replica count of the target is zero";
            self.set(desk, "ScalingActive", "False", "ScalingDisabled", message);
            self.count(0, 0, Value::Null);
            return Ok(Outcome::done());
        }
        if current > most {
            past.rescale(current, most, now);
            return self.rescale(desk, kind, &target, most, "Current number of replicas above Spec.MaxReplicas");
        }
        if current < least {
            past.rescale(current, least, now);
            return self.rescale(desk, kind, &target, least, "Current number of replicas below Spec.MinReplicas");
        }
        let proposal = match self.proposal(desk, behaviour, &target, current) {
            Ok(proposal) => proposal,
            Err((first, statuses)) => {
                self.warn(desk, "FailedComputeMetricsReplicas", &first.summary);
                let why = format!("the HPA was unable to compute the replica count: {}", first.why);
                self.set(desk, "ScalingActive", "False", first.reason, &why);
                let kept = int(&self.status, "/desiredReplicas").unwrap_or(0);
                self.count(current, kept, statuses);
                return Ok(Outcome::done());
            }
        };
        let message =
            format!("the HPA was able to successfully calculate a replica count from {}", proposal.scaled.metric);
        self.set(desk, "ScalingActive", "True", "ValidMetricFound", &message);
        let asked = proposal.scaled.replicas;
        let behavior = self.autoscaler.pointer("/spec/behavior").cloned().unwrap_or_default();
        let steady = limits::stabilized(past, &behavior, current, asked, now);
        past.recommend(asked, now);
        let step = limits::limited(past, &behavior, Bounds { current, least, most }, steady.replicas, now);
        self.set(desk, "AbleToScale", "True", steady.said.0, steady.said.1);
        let limited = if step.replicas == steady.replicas { "False" } else { "True" };
        self.set(desk, "ScalingLimited", limited, step.said.0, step.said.1);
        let desired = step.replicas;
        let last = instant(&self.status, "/lastScaleTime").and_then(|at| at.checked_add(PERIOD).ok());
        let too_soon = last.filter(|at| desired != current && *at > desk.now());
        if desired != current && too_soon.is_none() {
            let why = if desired > current {
                format!("{} above target", proposal.scaled.metric)
            } else {
                "All metrics below target".to_owned()
            };
            self.count(current, desired, proposal.statuses);
            past.rescale(current, desired, now);
            return self.rescale(desk, kind, &target, desired, &why);
        }
        self.count(current, current, proposal.statuses);
        Ok(Outcome::again_at(too_soon.or(earliest(steady.again_at, step.again_at))))
    }

    /// What the metrics ask for: the highest proposal of those that could be computed.
    fn proposal(
        &self,
        desk: &mut Desk<'_>,
        behaviour: &Behaviour,
        target: &Value,
        current: i64,
    ) -> Result<Proposal, (Refusal, Value)> {
        let wanted = target.pointer("/spec/selector");
        let pods: Vec<Found> = desk
            .list(&POD, self.autoscaler.namespace())
            .into_iter()
            .filter(|pod| selector::matches(wanted, pod) && !is_terminated(pod))
            .collect();
        let specs = list(&self.autoscaler, "/spec/metrics");
        let play = behaviour.play();
        let mut statuses = Vec::new();
        let mut highest: Option<Scaled> = None;
        let mut refused: Option<Refusal> = None;
        let mut refusals = 0;
        for spec in specs {
            match metrics::propose(&play.simulation, spec, &pods, current) {
                Ok(scaled) => {
                    statuses.push(scaled.status.clone());
                    if highest.as_ref().is_none_or(|best| scaled.replicas > best.replicas) {
                        highest = Some(scaled);
                    }
                }
                Err(mut refusal) => {
                    self.warn(desk, refusal.reason, &refusal.why);
                    refusal.summary = format!("failed to get {} metric value: {}", metrics::noun(spec), refusal.why);
                    statuses.push(json!({"type": ""}));
                    refusals += 1;
                    refused.get_or_insert(refusal);
                }
            }
        }
        match (highest, refused) {
            (Some(scaled), None) => Ok(Proposal { scaled, statuses: statuses.into() }),
            // Some metrics work, and not less is asked for than there is: go on with those.
            (Some(scaled), Some(_)) if scaled.replicas >= current => Ok(Proposal { scaled, statuses: statuses.into() }),
            (_, Some(mut refusal)) => {
                refusal.summary = format!(
                    "invalid metrics ({refusals} invalid out of {}), first error is: {}",
                    specs.len(),
                    refusal.summary
                );
                Err((refusal, statuses.into()))
            }
            (None, None) => Err((Refusal::none_declared(), Value::Null)),
        }
    }

    fn rescale(
        &mut self,
        desk: &mut Desk<'_>,
        kind: &Kind,
        target: &Found,
        desired: i64,
        why: &str,
    ) -> Result<Outcome, Status> {
        let current = wanted(target);
        let mut resized = target.value().clone();
        child(&mut resized, "spec")["replicas"] = desired.into();
        desk.update(kind, resized)?;
        let message = format!("the HPA controller was able to update the target scale to {desired}");
        self.set(desk, "AbleToScale", "True", "SucceededRescale", &message);
        let message = format!("New size: {desired}; reason: {why}");
        desk.event(&self.autoscaler, EventType::Normal, "SuccessfulRescale", &message);
        let metrics = self.status.get("currentMetrics").cloned().unwrap_or(Value::Null);
        self.count(current, desired, metrics);
        self.status["lastScaleTime"] = rfc3339(desk.now()).into();
        Ok(Outcome::again_at(desk.now().checked_add(PERIOD).ok()))
    }

    fn count(&mut self, current: i64, desired: i64, metrics: Value) {
        self.status["currentReplicas"] = current.into();
        self.status["desiredReplicas"] = desired.into();
        self.status["currentMetrics"] = metrics;
    }

    fn write_status(&mut self, desk: &mut Desk<'_>) -> Result<(), Status> {
        if self.status.get("desiredReplicas").is_none() {
            self.count(0, 0, Value::Null);
        }
        if self.autoscaler.get("status") == Some(&self.status) {
            return Ok(());
        }
        // The target may be this very object's reason to have been read anew; only the status is written.
        let mut changed = self.autoscaler.value().clone();
        changed["status"] = self.status.clone();
        desk.update_status(&AUTOSCALER, changed).map(|_| ())
    }
}
