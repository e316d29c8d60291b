//! Counting ended pods exactly once: noted in the status, let go, then added up
//! (`trackJobStatusAndRemoveFinalizers`).

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::super::desk::{Desk, EventType, Found};
use super::super::fields::{
    child, condition as find_condition, count, deleting, has_finalizer, int, list, remove_finalizer, set_count, text,
};
use super::super::kind::{JOB, POD};
use super::{TRACKING, Work, condition, has_failed, indexes, policy};

/// Most pods noted at once.
const MOST_UNCOUNTED: usize = 500;

/// Writes what was seen; `changed` says that the counters of running pods differ.
pub(super) fn track(desk: &mut Desk<'_>, mut work: Work, mut changed: bool) -> Result<(), Status> {
    let mut held: Vec<String> =
        work.pods.iter().filter(|p| has_finalizer(p, TRACKING)).map(|p| p.uid().to_owned()).collect();
    changed |= count_released(&mut work.job, &held);
    let mut to_release: Vec<Found> = Vec::new();
    let mut new_indexes: Vec<i64> = Vec::new();
    let mut full = false;
    let mut pods = work.pods.clone();
    if work.indexes.is_some() {
        pods.sort_by_key(|p| indexes::index_of(p).unwrap_or(-1));
    }
    for pod in &pods {
        if !has_finalizer(pod, TRACKING) {
            continue;
        }
        let failed = has_failed(pod, &work.job);
        let succeeded = text(pod, "/status/phase") == "Succeeded";
        if !may_release(&work, pod, failed, succeeded) {
            continue;
        }
        to_release.push(pod.clone());
        let uncounted = |job: &Value, kind: &str| {
            list(job, &format!("/status/uncountedTerminatedPods/{kind}")).iter().any(|u| u == pod.uid())
        };
        if succeeded && !uncounted(&work.job, "failed") {
            if let Some(known) = &work.indexes {
                let index = indexes::index_of(pod).filter(|i| *i < count(&work.job, "/spec/completions"));
                if let Some(index) = index.filter(|i| !known.recorded.contains(i)) {
                    new_indexes.push(index);
                    changed = true;
                }
            } else if !uncounted(&work.job, "succeeded") {
                note(&mut work.job, "succeeded", pod.uid());
                changed = true;
            }
        } else if failed || work.end.as_ref().is_some_and(|e| text(e, "/type") != "SuccessCriteriaMet") {
            let counted = work.indexes.is_none() || indexes::index_of(pod).is_some();
            if counted && !uncounted(&work.job, "failed") && policy::counts_as_failure(&work.job, pod) {
                note(&mut work.job, "failed", pod.uid());
                changed = true;
            }
        }
        let noted = |kind| list(&work.job, &format!("/status/uncountedTerminatedPods/{kind}")).len();
        if new_indexes.len() + noted("succeeded") + noted("failed") >= MOST_UNCOUNTED {
            full = true;
            break;
        }
    }
    if let Some(known) = &mut work.indexes {
        changed |= known.record(&mut work.job, &new_indexes);
    }
    let mut end = work.end.take();
    if let Some(target) = end.take_if(|e| text(e, "/type") == "FailureTarget") {
        end = Some(condition(desk, "Failed", text(&target, "/reason"), text(&target, "/message")));
        super::super::conditions::push(child(&mut work.job, "status"), target);
        changed = true;
    } else if let Some(met) = end.take_if(|e| text(e, "/type") == "SuccessCriteriaMet") {
        end = Some(condition(desk, "Complete", text(&met, "/reason"), text(&met, "/message")));
        if find_condition(&work.job, "SuccessCriteriaMet").is_none() {
            super::super::conditions::push(child(&mut work.job, "status"), met);
            changed = true;
        }
    }
    if changed {
        work.job = desk.update_status(&JOB, work.job)?.value().clone();
    }
    for pod in &to_release {
        let Some(there) = desk.get(&POD, pod.namespace(), pod.name()).filter(|p| p.uid() == pod.uid()) else {
            held.retain(|uid| uid != pod.uid());
            continue;
        };
        let mut released = there.value().clone();
        if remove_finalizer(&mut released, TRACKING) {
            desk.update(&POD, released)?;
        }
        held.retain(|uid| uid != pod.uid());
    }
    let mut changed = count_released(&mut work.job, &held);
    let ended = end.filter(|_| !full && nothing_uncounted(&work.job) && work.terminating == 0);
    if let Some(end) = &ended {
        super::super::conditions::push(child(&mut work.job, "status"), end.clone());
        if text(end, "/type") == "Complete" {
            child(&mut work.job, "status")["completionTime"] = end["lastTransitionTime"].clone();
        }
        changed = true;
    }
    if changed {
        let job = desk.update_status(&JOB, work.job)?;
        if let Some(end) = ended {
            announce(desk, &job, &end);
        }
    }
    Ok(())
}

fn may_release(work: &Work, pod: &Found, failed: bool, succeeded: bool) -> bool {
    if deleting(&work.job) || work.end.is_some() || succeeded {
        return true;
    }
    failed && !work.indexes.as_ref().is_some_and(|i| i.is_delayed(&work.job, pod))
}

fn note(job: &mut Value, kind: &str, uid: &str) {
    let uncounted = child(child(job, "status"), "uncountedTerminatedPods");
    match uncounted.get_mut(kind).and_then(Value::as_array_mut) {
        Some(list) => list.push(uid.into()),
        None => uncounted[kind] = json!([uid]),
    }
}

/// Adds up pods that were noted and have been let go since (`cleanUncountedPodsWithoutFinalizers`).
fn count_released(job: &mut Value, held: &[String]) -> bool {
    let mut changed = false;
    for kind in ["succeeded", "failed"] {
        let noted: Vec<String> = list(job, &format!("/status/uncountedTerminatedPods/{kind}"))
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let kept: Vec<&String> = noted.iter().filter(|uid| held.contains(uid)).collect();
        if kept.len() == noted.len() {
            continue;
        }
        changed = true;
        let total = count(job, &format!("/status/{kind}")) + (noted.len() - kept.len()) as i64;
        let kept = json!(kept);
        let status = child(job, "status");
        set_count(status, kind, total);
        let uncounted = child(status, "uncountedTerminatedPods");
        if kept.as_array().is_some_and(Vec::is_empty) {
            if let Some(uncounted) = uncounted.as_object_mut() {
                uncounted.remove(kind);
            }
        } else {
            uncounted[kind] = kept;
        }
    }
    changed
}

fn nothing_uncounted(job: &Value) -> bool {
    ["succeeded", "failed"].iter().all(|k| list(job, &format!("/status/uncountedTerminatedPods/{k}")).is_empty())
}

fn announce(desk: &mut Desk<'_>, job: &Value, end: &Value) {
    if text(end, "/type") != "Complete" {
        desk.event(job, EventType::Warning, text(end, "/reason"), text(end, "/message"));
        return;
    }
    if int(job, "/spec/completions").is_some_and(|c| count(job, "/status/succeeded") > c) {
        desk.event(
            job,
            EventType::Warning,
            "TooManySucceededPods",
            "Too many succeeded pods running after completion count reached",
        );
    }
    desk.event(job, EventType::Normal, "Completed", "Job completed");
}
