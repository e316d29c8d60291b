//! What controllers ask of a pod: is it active, ready, available, which goes first.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::fields::{annotation, condition, count, created, deleting, instant, is_true, list, text};

/// Whether the pod's containers have ended for good.
pub(crate) fn is_terminated(pod: &Value) -> bool {
    matches!(text(pod, "/status/phase"), "Succeeded" | "Failed")
}

/// Whether the pod counts for its controller: neither ended nor on its way out.
pub(crate) fn is_active(pod: &Value) -> bool {
    !is_terminated(pod) && !deleting(pod)
}

/// Whether the pod is on its way out but not gone (`podutil.IsPodTerminating`).
pub(crate) fn is_terminating(pod: &Value) -> bool {
    !is_terminated(pod) && deleting(pod)
}

/// Whether the pod's Ready condition is `True`.
pub(crate) fn is_ready(pod: &Value) -> bool {
    is_true(pod, "Ready")
}

/// Whether the pod has been ready for `min_ready_seconds` (`podutil.IsPodAvailable`).
pub(crate) fn is_available(pod: &Value, min_ready_seconds: i64, now: Timestamp) -> bool {
    is_ready(pod) && available_at(pod, min_ready_seconds).is_some_and(|at| at <= now)
}

/// When the ready pod is or will be available.
pub(crate) fn available_at(pod: &Value, min_ready_seconds: i64) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|c| text(c, "/status") == "True")?;
    let since = instant(ready, "/lastTransitionTime").unwrap_or(Timestamp::UNIX_EPOCH);
    since.checked_add(SignedDuration::from_secs(min_ready_seconds)).ok()
}

/// The order in which a replica set gives pods up, first victim first (`controller_utils.go`, ActivePodsWithRanks).
pub(crate) fn victim_order(a: &Value, b: &Value, crowd: impl Fn(&Value) -> usize) -> Ordering {
    let assigned = |p: &Value| !text(p, "/spec/nodeName").is_empty();
    let phase = |p: &Value| match text(p, "/status/phase") {
        "Pending" => 0,
        "Running" => 2,
        _ => 1,
    };
    let cost = |p: &Value| {
        annotation(p, "controller.kubernetes.io/pod-deletion-cost").and_then(|c| c.parse::<i64>().ok()).unwrap_or(0)
    };
    let ready_since = |p: &Value| available_at(p, 0).unwrap_or(Timestamp::MAX);
    assigned(a)
        .cmp(&assigned(b))
        .then_with(|| phase(a).cmp(&phase(b)))
        .then_with(|| is_ready(a).cmp(&is_ready(b)))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then_with(|| crowd(b).cmp(&crowd(a)))
        .then_with(|| if is_ready(a) { ready_since(b).cmp(&ready_since(a)) } else { Ordering::Equal })
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| created(b).cmp(&created(a)))
}

/// The largest restart count of the pod's containers.
pub(crate) fn restarts(pod: &Value) -> i64 {
    list(pod, "/status/containerStatuses").iter().map(|s| count(s, "/restartCount")).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(node: &str, phase: &str, ready: bool) -> Value {
        json!({
            "spec": {"nodeName": node},
            "status": {"phase": phase, "conditions": [
                {"type": "Ready", "status": if ready { "True" } else { "False" },
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}]},
        })
    }

    #[test]
    fn unassigned_and_unready_pods_are_given_up_first() {
        let mut pods = [pod("n", "Running", true), pod("n", "Running", false), pod("", "Pending", false)];
        pods.sort_by(|a, b| victim_order(a, b, |_| 0));
        assert_eq!(text(&pods[0], "/status/phase"), "Pending");
        assert!(!is_ready(&pods[1]));
        assert!(is_ready(&pods[2]));
    }

    #[test]
    fn availability_waits_for_min_ready_seconds() {
        let pod = pod("n", "Running", true);
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a valid instant");
        assert!(is_available(&pod, 0, start));
        assert!(!is_available(&pod, 5, start));
        assert!(is_available(&pod, 5, start + SignedDuration::from_secs(5)));
    }
}
