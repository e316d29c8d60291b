//! Indexed jobs: one pod for each index (`indexed_job_utils.go`).

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::desk::{Desk, Found, earliest};
use super::super::fields::{annotate, annotation, child, count, has_finalizer, int, list, name, set_label, text};
use super::super::pods::is_active;
use super::runs::{parse, print};
use super::{TRACKING, backoff, condition, has_failed, policy};

const INDEX: &str = "batch.kubernetes.io/job-completion-index";
const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";

/// What is known of the indexes of a job.
pub(super) struct Indexes {
    /// Succeeded ones, with those of pods not yet counted.
    pub(super) succeeded: BTreeSet<i64>,
    /// Succeeded ones that the status has already.
    pub(super) recorded: BTreeSet<i64>,
    /// Failed for good, where the limit is per index.
    failed: Option<BTreeSet<i64>>,
    active: BTreeSet<i64>,
    /// The last failed pod of an index that will be tried again.
    retries: BTreeMap<i64, Found>,
}

/// The index of a pod.
pub(super) fn index_of(pod: &Value) -> Option<i64> {
    annotation(pod, INDEX)?.parse().ok()
}

fn failures_of(pod: &Value) -> i64 {
    annotation(pod, FAILURES).and_then(|f| f.parse().ok()).unwrap_or(0)
}

impl Indexes {
    pub(super) fn of(job: &Value, pods: &[Found]) -> Self {
        let completions = count(job, "/spec/completions");
        let within = |pod: &Value| index_of(pod).filter(|i| *i < completions);
        let recorded = parse(text(job, "/status/completedIndexes"));
        let mut succeeded = recorded.clone();
        let tracked = |p: &&Found| has_finalizer(p, TRACKING);
        let done = pods.iter().filter(tracked).filter(|p| text(p, "/status/phase") == "Succeeded");
        succeeded.extend(done.filter_map(|p| within(p)));
        let active = pods.iter().filter(|p| is_active(p)).filter_map(|p| within(p)).collect();
        let mut retries: BTreeMap<i64, Found> = BTreeMap::new();
        let failed = int(job, "/spec/backoffLimitPerIndex").map(|limit| {
            let mut failed = parse(text(job, "/status/failedIndexes"));
            for pod in pods.iter().filter(tracked).filter(|p| has_failed(p, job)) {
                let Some(index) = within(pod) else { continue };
                let counted = policy::counts_as_failure(job, pod);
                if policy::fails_index(job, pod) || (counted && failures_of(pod) >= limit) {
                    failed.insert(index);
                } else if retries.get(&index).is_none_or(|p| failures_of(p) < failures_of(pod)) {
                    retries.insert(index, pod.clone());
                }
            }
            failed
        });
        Self { succeeded, recorded, failed, active, retries }
    }

    /// The condition that ends the job because of its indexes.
    pub(super) fn end(&self, desk: &Desk<'_>, job: &Value) -> Option<Value> {
        if let Some(failed) = &self.failed {
            let most = int(job, "/spec/maxFailedIndexes");
            if most.is_some_and(|most| failed.len() as i64 > most) {
                let message = "Job has exceeded the specified maximal number of failed indexes";
                return Some(condition(desk, "FailureTarget", "MaxFailedIndexesExceeded", message));
            }
            let all = (failed.len() + self.succeeded.len()) as i64 >= count(job, "/spec/completions");
            if !failed.is_empty() && all {
                return Some(condition(desk, "FailureTarget", "FailedIndexes", "Job has failed indexes"));
            }
        }
        let message = policy::success_message(job, &self.succeeded)?;
        Some(condition(desk, "SuccessCriteriaMet", "SuccessPolicy", &message))
    }

    /// The next indexes to run, and when one that waits may run again.
    pub(super) fn pending(&self, job: &Value, most: usize, now: Timestamp) -> (Vec<i64>, Option<Timestamp>) {
        let failed = self.failed.as_ref();
        let free = (0..count(job, "/spec/completions"))
            .filter(|i| !self.succeeded.contains(i) && !self.active.contains(i))
            .filter(|i| failed.is_none_or(|f| !f.contains(i)))
            .take(most);
        let mut next = Vec::new();
        let mut again = None;
        for index in free {
            let at = self.retries.get(&index).and_then(|pod| {
                let wait = backoff::delay(usize::try_from(failures_of(pod) + 1).unwrap_or(1));
                backoff::finished_at(pod).checked_add(SignedDuration::from_secs(wait)).ok()
            });
            match at.filter(|at| *at > now) {
                Some(at) => again = earliest(again, Some(at)),
                None => next.push(index),
            }
        }
        (next, again)
    }

    /// Whether the failed pod must stay until its index runs again.
    pub(super) fn is_delayed(&self, job: &Value, pod: &Found) -> bool {
        int(job, "/spec/backoffLimitPerIndex").is_some()
            && index_of(pod).and_then(|i| self.retries.get(&i)).is_some_and(|p| p.uid() == pod.uid())
            && index_of(pod).is_some_and(|i| !self.active.contains(&i))
    }

    /// Writes the indexes into the status; whether that changed anything.
    pub(super) fn record(&mut self, job: &mut Value, new: &[i64]) -> bool {
        self.recorded.extend(new);
        let before = job.get("status").cloned();
        let recorded = self.recorded.clone();
        let failed = self.failed.clone();
        let status = child(job, "status");
        super::super::fields::set_count(status, "succeeded", recorded.len() as i64);
        if recorded.is_empty() {
            if let Some(status) = status.as_object_mut() {
                status.remove("completedIndexes");
            }
        } else {
            status["completedIndexes"] = print(&recorded).into();
        }
        if let Some(failed) = failed {
            status["failedIndexes"] = print(&failed).into();
        }
        before.as_ref() != job.get("status")
    }

    fn failures_before(&self, index: i64) -> i64 {
        self.retries.get(&index).map_or(0, |pod| failures_of(pod) + 1)
    }
}

/// Gives a pod its index: name, labels, annotations, environment.
pub(super) fn mark(pod: &mut Value, job: &Value, index: i64, indexes: Option<&Indexes>) {
    annotate(pod, INDEX, &index.to_string());
    set_label(pod, INDEX, &index.to_string());
    if int(job, "/spec/backoffLimitPerIndex").is_some() {
        let failures = indexes.map_or(0, |i| i.failures_before(index));
        annotate(pod, FAILURES, &failures.to_string());
    }
    pod["metadata"]["generateName"] = format!("{}-{index}-", name(job)).into();
    let spec = child(pod, "spec");
    spec["hostname"] = format!("{}-{index}", name(job)).into();
    let variable = json!({"name": "JOB_COMPLETION_INDEX", "valueFrom": {"fieldRef": {
        "apiVersion": "v1", "fieldPath": format!("metadata.labels['{INDEX}']")}}});
    for kind in ["initContainers", "containers"] {
        for container in spec.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten() {
            let has = list(container, "/env").iter().any(|e| text(e, "/name") == "JOB_COMPLETION_INDEX");
            if !has {
                match container.get_mut("env").and_then(Value::as_array_mut) {
                    Some(env) => env.push(variable.clone()),
                    None => container["env"] = json!([variable]),
                }
            }
        }
    }
}
