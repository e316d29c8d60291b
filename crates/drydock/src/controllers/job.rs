//! Jobs: pods that run to their end, counted once each (`pkg/controller/job`).

mod backoff;
mod counting;
mod indexes;
mod policy;
mod runs;

use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::{DeleteOptions, Propagation, Status, rfc3339};
use serde_json::{Value, json};

use super::desk::{Desk, EventType, Found, Outcome, earliest};
use super::fields::{
    add_finalizer, child, controller_of, count, deleting, instant, int, list, name, namespace, remove_finalizer,
    set_count, text, truth,
};
use super::kind::{JOB, POD};
use super::loops::{After, Loop, Wake};
use super::pods::{is_active, is_ready, is_terminating, victim_order};
use super::queue::Role;
use super::{claims, orphans, pod_control};
use indexes::Indexes;

/// The finalizer that keeps a pod until it has been counted.
pub(super) const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// One reconciliation of a job.
struct Work {
    job: Value,
    pods: Vec<Found>,
    active: i64,
    ready: i64,
    terminating: i64,
    succeeded: i64,
    failed: i64,
    /// The condition that ends the job, once decided.
    end: Option<Value>,
    again: Option<Timestamp>,
    indexes: Option<Indexes>,
}

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::Job,
    kinds: &[JOB],
    wakes: &[Wake { after: After::These(&[POD.id]), queue: |call| orphans::adopting(call, &JOB) }],
};

/// Brings one job a step further (`syncJob`).
pub(super) fn reconcile(desk: &mut Desk<'_>, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    desk.speaks_as("job-controller");
    let Some(found) = desk.get(&JOB, namespace_, name_) else {
        release_pods(desk, namespace_, name_, None)?;
        return Ok(Outcome::done());
    };
    if !matches!(text(&found, "/spec/managedBy"), "" | "kubernetes.io/job-controller") {
        return Ok(Outcome::done());
    }
    if let Some(end) = finished(&found) {
        release_pods(desk, namespace_, name_, Some(found.uid()))?;
        return expire(desk, &found, end);
    }
    let mut work = Work::observe(desk, found.value())?;
    let before = work.job.clone();
    if !work.job["status"]["uncountedTerminatedPods"].is_object() {
        child(&mut work.job, "status")["uncountedTerminatedPods"] = json!({});
    }
    if instant(&work.job, "/status/startTime").is_none() && !truth(&work.job, "/spec/suspend") {
        child(&mut work.job, "status")["startTime"] = rfc3339(desk.now()).into();
    }
    work.decide_end(desk);
    let mut refused = None;
    let mut suspension = false;
    if work.end.is_some() {
        refused = work.delete_active(desk).err();
        if refused.is_some() {
            work.end = None;
        }
    } else {
        let mut managed = false;
        if !deleting(&work.job) {
            managed = true;
            refused = work.manage(desk).err();
        }
        let complete = match int(&work.job, "/spec/completions") {
            None => work.succeeded > 0 && work.active == 0,
            Some(completions) => work.succeeded >= completions && work.active == 0,
        };
        if complete {
            work.end = Some(condition(
                desk,
                "SuccessCriteriaMet",
                "CompletionsReached",
                "Reached expected number of succeeded pods",
            ));
        } else if managed {
            suspension = work.note_suspension(desk);
        }
    }
    let status = child(&mut work.job, "status");
    set_count(status, "active", work.active);
    status["ready"] = work.ready.into();
    status["terminating"] = work.terminating.into();
    let counters =
        |job: &Value| (count(job, "/status/active"), int(job, "/status/ready"), int(job, "/status/terminating"));
    let started = before.pointer("/status/startTime") != work.job.pointer("/status/startTime");
    let changed = started || suspension || counters(&before) != counters(&work.job);
    let again = work.again;
    counting::track(desk, work, changed)?;
    match refused {
        Some(refusal) => Err(refusal),
        None => Ok(Outcome::again_at(again)),
    }
}

impl Work {
    fn observe(desk: &mut Desk<'_>, job: &Value) -> Result<Self, Status> {
        let wanted = job.pointer("/spec/selector");
        let candidates = desk.list_claimable(&POD, job);
        let pods = claims::claim(desk, &POD, job, wanted, candidates)?;
        let active: Vec<&Found> = pods.iter().filter(|p| is_active(p)).collect();
        let uncounted = |kind: &str| -> Vec<&str> {
            list(job, &format!("/status/uncountedTerminatedPods/{kind}")).iter().filter_map(Value::as_str).collect()
        };
        let fresh =
            |pod: &Found, known: &[&str]| super::fields::has_finalizer(pod, TRACKING) && !known.contains(&pod.uid());
        let (known_good, known_bad) = (uncounted("succeeded"), uncounted("failed"));
        let newly_good =
            pods.iter().filter(|p| text(p, "/status/phase") == "Succeeded" && fresh(p, &known_good)).count();
        let newly_bad = pods
            .iter()
            .filter(|p| has_failed(p, job) && fresh(p, &known_bad))
            .filter(|p| policy::counts_as_failure(job, p))
            .count();
        let mut work = Self {
            active: active.len() as i64,
            ready: active.iter().filter(|p| is_ready(p)).count() as i64,
            terminating: pods.iter().filter(|p| is_terminating(p)).count() as i64,
            succeeded: count(job, "/status/succeeded") + (newly_good + known_good.len()) as i64,
            failed: count(job, "/status/failed") + (newly_bad + known_bad.len()) as i64,
            end: None,
            again: None,
            indexes: None,
            job: job.clone(),
            pods,
        };
        if is_indexed(job) {
            let indexes = Indexes::of(job, &work.pods);
            work.succeeded = indexes.succeeded.len() as i64;
            work.indexes = Some(indexes);
        }
        Ok(work)
    }

    /// Decides whether the job has failed or reached its success policy.
    fn decide_end(&mut self, desk: &Desk<'_>) {
        let there = |kind: &str| super::fields::condition(&self.job, kind).filter(|c| text(c, "/status") == "True");
        if let Some(met) = there("SuccessCriteriaMet") {
            self.end = Some(met.clone());
            return;
        }
        if let Some(target) = there("FailureTarget") {
            self.end = Some(condition(desk, "Failed", text(target, "/reason"), text(target, "/message")));
            return;
        }
        if let Some(message) = policy::failure_message(&self.job, &self.pods) {
            self.end = Some(condition(desk, "FailureTarget", "PodFailurePolicy", &message));
            return;
        }
        let limit = int(&self.job, "/spec/backoffLimit").unwrap_or(6);
        if self.failed > limit || backoff::restarts_reach_limit(&self.job, &self.pods, limit) {
            self.end = Some(condition(
                desk,
                "FailureTarget",
                "BackoffLimitExceeded",
                "Job has reached the specified backoff limit",
            ));
            return;
        }
        if let Some(seconds) =
            int(&self.job, "/spec/activeDeadlineSeconds").filter(|_| !truth(&self.job, "/spec/suspend"))
            && let Some(start) = instant(&self.job, "/status/startTime")
            && let Ok(deadline) = start.checked_add(SignedDuration::from_secs(seconds))
        {
            if deadline <= desk.now() {
                let message = "Job was active longer than specified deadline";
                self.end = Some(condition(desk, "FailureTarget", "DeadlineExceeded", message));
                return;
            }
            self.again = earliest(self.again, Some(deadline));
        }
        let Some(indexes) = &self.indexes else { return };
        self.end = indexes.end(desk, &self.job);
    }

    /// Removes all pods that still run; the job is over.
    fn delete_active(&mut self, desk: &mut Desk<'_>) -> Result<(), Status> {
        let active: Vec<Found> = self.pods.iter().filter(|p| is_active(p)).cloned().collect();
        self.delete(desk, &active)
    }

    fn delete(&mut self, desk: &mut Desk<'_>, pods: &[Found]) -> Result<(), Status> {
        for pod in pods {
            let mut released = pod.value().clone();
            if remove_finalizer(&mut released, TRACKING) {
                desk.update(&POD, released)?;
            }
            pod_control::delete(desk, pod, &self.job)?;
            self.active -= 1;
            self.terminating += 1;
            self.ready -= i64::from(is_ready(pod));
        }
        Ok(())
    }

    /// Makes or removes pods so that the right number runs (`manageJob`).
    fn manage(&mut self, desk: &mut Desk<'_>) -> Result<(), Status> {
        let mut running: Vec<Found> = self.pods.iter().filter(|p| is_active(p)).cloned().collect();
        if truth(&self.job, "/spec/suspend") {
            return self.delete(desk, &running);
        }
        let parallelism = int(&self.job, "/spec/parallelism").unwrap_or(1);
        let wanted = match int(&self.job, "/spec/completions") {
            None if self.succeeded > 0 => self.active,
            None => parallelism,
            Some(completions) => (completions - self.succeeded).min(parallelism).max(0),
        };
        let surplus = usize::try_from(self.active - wanted).unwrap_or(0);
        if surplus > 0 {
            running.sort_by(|a, b| victim_order(a, b, |_| 0));
            running.truncate(surplus);
            return self.delete(desk, &running);
        }
        let going = if text(&self.job, "/spec/podReplacementPolicy") == "Failed" { self.terminating } else { 0 };
        let missing = wanted - going - self.active;
        if missing <= 0 {
            return Ok(());
        }
        let per_index = int(&self.job, "/spec/backoffLimitPerIndex").is_some();
        // On the machine's clock nobody waits for the back-off of a container that is only simulated.
        let waits = !per_index && !desk.is_real_time();
        if waits && let Some(at) = backoff::not_before(&self.pods, &self.job).filter(|at| *at > desk.now()) {
            self.again = earliest(self.again, Some(at));
            return Ok(());
        }
        let missing = usize::try_from(missing).unwrap_or(0).min(500);
        let pods: Vec<Value> = match &self.indexes {
            None => (0..missing).map(|_| self.pod(None)).collect(),
            Some(indexes) => {
                let (next, at) = indexes.pending(&self.job, missing, desk.now());
                self.again = earliest(self.again, at);
                next.into_iter().map(|index| self.pod(Some(index))).collect()
            }
        };
        let (made, refused) = pod_control::slow_start(pods.len(), |index| {
            match pod_control::create(desk, pods[index].clone(), &self.job) {
                Err(refusal) if !pod_control::is_namespace_terminating(&refusal) => Err(refusal),
                _ => Ok(()),
            }
        });
        self.active += made as i64;
        refused.map_or(Ok(()), Err)
    }

    fn pod(&self, index: Option<i64>) -> Value {
        let mut pod = pod_control::from_template(self.job.pointer("/spec/template").unwrap_or(&Value::Null), &self.job);
        add_finalizer(&mut pod, TRACKING);
        if let Some(index) = index {
            indexes::mark(&mut pod, &self.job, index, self.indexes.as_ref());
        }
        pod
    }

    /// Records that the job was suspended or resumed; whether that is news.
    fn note_suspension(&mut self, desk: &mut Desk<'_>) -> bool {
        let known = super::fields::condition(&self.job, "Suspended").map(|c| text(c, "/status").to_owned());
        let (status, reason, message, event) = if truth(&self.job, "/spec/suspend") {
            ("True", "JobSuspended", "Job suspended", "Suspended")
        } else if known.is_some() {
            ("False", "JobResumed", "Job resumed", "Resumed")
        } else {
            return false;
        };
        if known.as_deref() == Some(status) {
            return false;
        }
        let mut made = condition(desk, "Suspended", reason, message);
        made["status"] = status.into();
        let job_status = child(&mut self.job, "status");
        super::conditions::remove(job_status, "Suspended");
        super::conditions::push(job_status, made);
        if status == "True" {
            super::fields::remove(&mut self.job, "/status", "startTime");
        } else {
            child(&mut self.job, "status")["startTime"] = rfc3339(desk.now()).into();
        }
        desk.event(&self.job, EventType::Normal, event, message);
        true
    }
}

/// Whether the job's pods each have an index.
fn is_indexed(job: &Value) -> bool {
    text(job, "/spec/completionMode") == "Indexed"
}

/// Whether the pod counts as failed: ended badly, or on its way out where that is enough (`isPodFailed`).
fn has_failed(pod: &Value, job: &Value) -> bool {
    match text(pod, "/status/phase") {
        "Failed" => true,
        "Succeeded" => false,
        _ => text(job, "/spec/podReplacementPolicy") != "Failed" && deleting(pod),
    }
}

/// A true condition as of now.
fn condition(desk: &Desk<'_>, kind: &str, reason: &str, message: &str) -> Value {
    let now = rfc3339(desk.now());
    json!({"type": kind, "status": "True", "reason": reason, "message": message,
           "lastProbeTime": now, "lastTransitionTime": now})
}

/// When the job ended, if it has.
pub(super) fn finished(job: &Value) -> Option<Timestamp> {
    let end = list(job, "/status/conditions")
        .iter()
        .find(|c| matches!(text(c, "/type"), "Complete" | "Failed") && text(c, "/status") == "True")?;
    Some(instant(end, "/lastTransitionTime").unwrap_or(Timestamp::UNIX_EPOCH))
}

/// How long a finished job is seen at least: where nothing takes time it would be gone before anybody looked.
const SEEN: i64 = 1;

/// Deletes a finished job when its time is up (`pkg/controller/ttlafterfinished`).
fn expire(desk: &mut Desk<'_>, job: &Found, end: Timestamp) -> Result<Outcome, Status> {
    let Some(ttl) = int(job, "/spec/ttlSecondsAfterFinished").filter(|_| !deleting(job)) else {
        return Ok(Outcome::done());
    };
    let at = end.checked_add(SignedDuration::from_secs(ttl.max(SEEN))).ok();
    if at.is_none_or(|at| at > desk.now()) {
        return Ok(Outcome::again_at(at));
    }
    let options = DeleteOptions {
        propagation: Some(Propagation::Foreground),
        uid: Some(job.uid().to_owned()),
        ..DeleteOptions::default()
    };
    desk.delete_with(&JOB, namespace(job), name(job), options)?;
    Ok(Outcome::done())
}

/// Lets go of pods that no job will count any more; `uid` limits that to pods of one finished job.
fn release_pods(desk: &mut Desk<'_>, namespace: &str, job: &str, uid: Option<&str>) -> Result<(), Status> {
    for pod in desk.list(&POD, namespace) {
        if uid.is_some_and(|uid| pod.controller_uid() != Some(uid))
            || !controller_of(&pod).is_some_and(|it| text(it, "/kind") == "Job" && text(it, "/name") == job)
        {
            continue;
        }
        let mut released = pod.value().clone();
        if remove_finalizer(&mut released, TRACKING) {
            desk.update(&POD, released)?;
        }
    }
    Ok(())
}
