//! Autoscalers: no metrics are simulated, so they keep the target within its bounds and say that they cannot scale.

use serde_json::{Value, json};

use super::desk::{Desk, EventType, Outcome};
use super::fields::{child, count, deleting, int, text};
use super::kind::{AUTOSCALER, Kind};
use super::rollout::wanted;
use crate::clock::rfc3339;
use crate::status::Status;

/// Looks at one autoscaler.
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace: &str, name: &str) -> Result<Outcome, Status> {
    desk.speaks_as("horizontal-pod-autoscaler");
    let Some(autoscaler) = desk.get(&AUTOSCALER, namespace, name).filter(|a| !deleting(a)) else {
        return Ok(Outcome::done());
    };
    let reference = autoscaler.pointer("/spec/scaleTargetRef").cloned().unwrap_or_default();
    let (kind, target_name) = (text(&reference, "/kind").to_owned(), text(&reference, "/name").to_owned());
    let known = Kind::of(text(&reference, "/apiVersion"), &kind);
    let target = known.and_then(|k| desk.get(k, namespace, &target_name).map(|found| (k, found)));
    let mut conditions: Vec<(&str, &str, &str, String)> = Vec::new();
    let mut status = json!({"observedGeneration": count(&autoscaler, "/metadata/generation"), "currentMetrics": null});
    match target {
        None => {
            let message = format!(
                "the HPA controller was unable to get the target's current scale: {kind} \"{target_name}\" not found"
            );
            conditions.push(("AbleToScale", "False", "FailedGetScale", message));
            status["desiredReplicas"] = 0.into();
        }
        Some((kind, found)) => {
            let current = wanted(&found);
            let least = int(&autoscaler, "/spec/minReplicas").unwrap_or(1);
            let most = int(&autoscaler, "/spec/maxReplicas").unwrap_or(current);
            let desired = if current == 0 { 0 } else { current.clamp(least.min(most), most) };
            if desired != current {
                let mut resized = found.value().clone();
                child(&mut resized, "spec")["replicas"] = desired.into();
                desk.update(kind, resized)?;
                let why = if current > desired {
                    "Current number of replicas above Spec.MaxReplicas"
                } else {
                    "Current number of replicas below Spec.MinReplicas"
                };
                let message = format!("New size: {desired}; reason: {why}");
                desk.event(&autoscaler, EventType::Normal, "SuccessfulRescale", &message);
                status["lastScaleTime"] = rfc3339(desk.now()).into();
            }
            status["currentReplicas"] = current.into();
            status["desiredReplicas"] = desired.into();
            let message = "the HPA controller was able to get the target's current scale".to_owned();
            conditions.push(("AbleToScale", "True", "SucceededGetScale", message));
            if current == 0 {
                let message = "scaling is disabled since the replica count of the target is zero".to_owned();
                conditions.push(("ScalingActive", "False", "ScalingDisabled", message));
            } else {
                let message = "the HPA was unable to compute the replica count: no metrics are simulated".to_owned();
                conditions.push(("ScalingActive", "False", "FailedGetResourceMetric", message));
            }
        }
    }
    let now = rfc3339(desk.now());
    let made: Vec<Value> = conditions
        .into_iter()
        .map(|(kind, state, reason, message)| {
            let since = super::fields::condition(&autoscaler, kind)
                .filter(|c| text(c, "/status") == state)
                .map_or_else(|| now.clone().into(), |c| c["lastTransitionTime"].clone());
            json!({"type": kind, "status": state, "reason": reason, "message": message, "lastTransitionTime": since})
        })
        .collect();
    status["conditions"] = made.into();
    if let Some(at) = autoscaler.pointer("/status/lastScaleTime").filter(|_| status.get("lastScaleTime").is_none()) {
        status["lastScaleTime"] = at.clone();
    }
    if autoscaler.get("status") != Some(&status) {
        let mut changed = autoscaler.value().clone();
        changed["status"] = status;
        desk.update_status(&AUTOSCALER, changed)?;
    }
    Ok(Outcome::done())
}
