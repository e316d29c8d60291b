//! What a job's failure and success policies say (`pod_failure_policy.go`, `success_policy.go`).

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::desk::Found;
use super::super::fields::{int, list, name, namespace, text};
use super::has_failed;

/// The action of the first rule that the failed pod matches, with a sentence for `FailJob`.
fn action<'a>(job: &'a Value, pod: &Value) -> Option<(&'a str, String)> {
    for (number, rule) in list(job, "/spec/podFailurePolicy/rules").iter().enumerate() {
        let message = if let Some(codes) = rule.get("onExitCodes") {
            container_by_codes(codes, pod).map(|(container, code)| {
                format!(
                    "Container {container} for pod {}/{} failed with exit code {code} matching {} rule at index {number}",
                    namespace(pod),
                    name(pod),
                    text(rule, "/action"),
                )
            })
        } else {
            let matched = list(rule, "/onPodConditions").iter().find(|wanted| {
                let status = if text(wanted, "/status").is_empty() { "True" } else { text(wanted, "/status") };
                list(pod, "/status/conditions")
                    .iter()
                    .any(|c| text(c, "/type") == text(wanted, "/type") && text(c, "/status") == status)
            });
            matched.map(|wanted| {
                format!(
                    "Pod {}/{} has condition {} matching {} rule at index {number}",
                    namespace(pod),
                    name(pod),
                    text(wanted, "/type"),
                    text(rule, "/action"),
                )
            })
        };
        if let Some(message) = message {
            return Some((text(rule, "/action"), message));
        }
    }
    None
}

fn container_by_codes(codes: &Value, pod: &Value) -> Option<(String, i64)> {
    let values: Vec<i64> = list(codes, "/values").iter().filter_map(Value::as_i64).collect();
    let only = text(codes, "/containerName");
    let statuses = list(pod, "/status/containerStatuses").iter().chain(list(pod, "/status/initContainerStatuses"));
    statuses
        .filter(|s| only.is_empty() || text(s, "/name") == only)
        .filter_map(|s| Some((text(s, "/name").to_owned(), int(s, "/state/terminated/exitCode")?)))
        .find(|(_, code)| {
            *code != 0
                && match text(codes, "/operator") {
                    "In" => values.contains(code),
                    "NotIn" => !values.contains(code),
                    _ => false,
                }
        })
}

/// Whether a failed pod counts towards the back-off limit.
pub(super) fn counts_as_failure(job: &Value, pod: &Value) -> bool {
    action(job, pod).is_none_or(|(action, _)| action != "Ignore")
}

/// Whether a failed pod ends its index.
pub(super) fn fails_index(job: &Value, pod: &Value) -> bool {
    action(job, pod).is_some_and(|(action, _)| action == "FailIndex")
}

/// Why the failure policy ends the job, if it does.
pub(super) fn failure_message(job: &Value, pods: &[Found]) -> Option<String> {
    let failed = pods.iter().filter(|pod| has_failed(pod, job));
    failed.filter_map(|pod| action(job, pod)).find(|(action, _)| *action == "FailJob").map(|(_, message)| message)
}

/// Why the success policy ends the job, if it does.
pub(super) fn success_message(job: &Value, succeeded: &BTreeSet<i64>) -> Option<String> {
    list(job, "/spec/successPolicy/rules").iter().enumerate().find_map(|(number, rule)| {
        let wanted: Option<BTreeSet<i64>> =
            rule.pointer("/succeededIndexes").and_then(Value::as_str).map(super::runs::parse);
        let matching = wanted.as_ref().map_or(succeeded.len(), |w| w.intersection(succeeded).count());
        let needed = match (int(rule, "/succeededCount"), &wanted) {
            (Some(count), _) => usize::try_from(count).unwrap_or(usize::MAX),
            (None, Some(wanted)) => wanted.len(),
            (None, None) => return None,
        };
        (matching >= needed).then(|| format!("Matched rules at index {number}"))
    })
}
