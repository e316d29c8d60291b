//! How long a job waits after failures (`backoff_utils.go`).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::desk::Found;
use super::super::fields::{condition, count, created, instant, int, list, text};
use super::has_failed;

const FIRST: i64 = 10;
const LONGEST: i64 = 600;

/// The wait after that many failures in a row, in seconds.
pub(super) fn delay(failures: usize) -> i64 {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    (FIRST << doublings).min(LONGEST)
}

/// When the next pod may be made, after failures since the last success.
pub(super) fn not_before(pods: &[Found], job: &Value) -> Option<Timestamp> {
    let ended = |wanted: &dyn Fn(&Value) -> bool| -> Vec<Timestamp> {
        pods.iter().filter(|p| wanted(p)).map(|p| finished_at(p)).collect()
    };
    let last_success = ended(&|p| text(p, "/status/phase") == "Succeeded").into_iter().max();
    let failures = ended(&|p| has_failed(p, job));
    let since: Vec<Timestamp> =
        failures.into_iter().filter(|at| last_success.is_none_or(|success| *at > success)).collect();
    let last = since.iter().max()?;
    last.checked_add(SignedDuration::from_secs(delay(since.len()))).ok()
}

/// When the pod ended: by its containers, else its Ready condition, else its deletion.
pub(super) fn finished_at(pod: &Value) -> Timestamp {
    let statuses = list(pod, "/status/containerStatuses");
    let ends: Option<Vec<Timestamp>> = statuses.iter().map(|s| instant(s, "/state/terminated/finishedAt")).collect();
    if let Some(last) = ends.and_then(|ends| ends.into_iter().max()) {
        return last;
    }
    if let Some(ready) = condition(pod, "Ready").filter(|c| text(c, "/status") == "False")
        && let Some(at) = instant(ready, "/lastTransitionTime")
    {
        return at;
    }
    if let Some(at) = instant(pod, "/metadata/deletionTimestamp") {
        let grace = int(pod, "/metadata/deletionGracePeriodSeconds").unwrap_or(0);
        return at.checked_sub(SignedDuration::from_secs(grace)).unwrap_or(at);
    }
    created(pod)
}

/// Whether restarts within running pods use up the limit (`pastBackoffLimitOnFailure`).
pub(super) fn restarts_reach_limit(job: &Value, pods: &[Found], limit: i64) -> bool {
    if text(job, "/spec/template/spec/restartPolicy") != "OnFailure" {
        return false;
    }
    let restarts: i64 = pods
        .iter()
        .filter(|p| matches!(text(p, "/status/phase"), "Running" | "Pending"))
        .flat_map(|p| list(p, "/status/initContainerStatuses").iter().chain(list(p, "/status/containerStatuses")))
        .map(|s| count(s, "/restartCount"))
        .sum();
    if limit == 0 { restarts > 0 } else { restarts >= limit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_minutes() {
        assert_eq!([1, 2, 3, 6, 7, 40].map(delay), [10, 20, 40, 320, 600, 600]);
    }
}
