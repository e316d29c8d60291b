//! Whether what is waited for is as it is to be.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_cluster::{JobWait, Readiness, readiness};
use landfall_object::health::{Rulebook, Verdict as Assessed};
use landfall_object::{HealthStatus, Object, ObjectKey};

use super::vanished::{self, Vanished};
use super::{FAILING_TO_CREATE, Scene, Watched};
use crate::event::Pending;

/// By what objects are judged while they are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judge {
    Rollout(JobWait),
    Health,
    /// Of a hook: one that is suspended has not done its work.
    HookHealth,
    HealthAsTold,
    Completion,
    Deletion,
}

/// The deadline of a rollout that sets none, in seconds.
const PROGRESS_DEADLINE: i64 = 600;
/// The reason of a rollout that has outlived its deadline.
const PAST_DEADLINE: &str = "ProgressDeadlineExceeded";

/// What was found of all objects.
pub(super) enum Verdict {
    Done,
    Pending(Vec<Pending>),
    Failed { key: ObjectKey, at: Box<Object>, reason: String, message: String },
}

/// What was found of one.
enum Finding {
    Ready,
    Missing(String),
    Never { at: Box<Object>, reason: String, message: String },
}

impl Scene {
    pub(super) fn judge(&mut self, watched: &[Watched], judge: Judge, now: Timestamp) -> Verdict {
        let mut pending = Vec::new();
        for Watched { key, uid } in watched {
            let finding = match self.there(key, uid.as_deref()).cloned() {
                Some(object) => self.judge_present(key, object, judge, now),
                None => self.judge_absent(key, uid.as_deref(), judge),
            };
            match finding {
                Finding::Ready => {}
                Finding::Missing(missing) => pending.push(Pending { key: key.clone(), missing }),
                Finding::Never { at, reason, message } => {
                    return Verdict::Failed { key: key.clone(), at, reason, message };
                }
            }
        }
        if pending.is_empty() { Verdict::Done } else { Verdict::Pending(pending) }
    }

    fn judge_absent(&self, key: &ObjectKey, uid: Option<&str>, judge: Judge) -> Finding {
        let never = |reason: &str, message: &str| Finding::Never {
            at: Box::new(Object::new(key)),
            reason: reason.to_owned(),
            message: message.to_owned(),
        };
        match (judge, self.vanished.get(key)) {
            (Judge::Deletion, _) | (_, Some(Vanished::Complete)) => Finding::Ready,
            // Its end does not matter.
            (Judge::Rollout(JobWait::Ignore), _) if vanished::is_job(key) => Finding::Ready,
            _ if self.ended_before_it_went(key, uid, judge) => Finding::Ready,
            (_, Some(Vanished::Looking(_))) => Finding::Missing("is gone, its end is looked for".into()),
            (_, Some(Vanished::Failed { reason, message })) => never(reason, message),
            // A hook's object that is gone will not come to an end.
            (Judge::Completion | Judge::Health | Judge::HookHealth | Judge::HealthAsTold, _) if uid.is_some() => {
                never("Deleted", "it was deleted while it was waited for")
            }
            _ => Finding::Missing("does not exist".into()),
        }
    }

    fn judge_present(&mut self, key: &ObjectKey, object: Object, judge: Judge, now: Timestamp) -> Finding {
        match judged(&object, judge, &self.health) {
            Readiness::Ready => {
                self.failing.remove(key);
                Finding::Ready
            }
            Readiness::NotYet(_)
                if judge != Judge::HealthAsTold
                    && object.kind() == "PersistentVolumeClaim"
                    && self.awaits_first_consumer(&object) =>
            {
                Finding::Ready
            }
            Readiness::NotYet(missing) => {
                self.failing.remove(key);
                Finding::Missing(missing)
            }
            Readiness::Failed(message) => {
                let reason = failure_reason(&object);
                if reason == "FailedCreate" {
                    let since = *self.failing.entry(key.clone()).or_insert(now);
                    if now.duration_since(since) < signed(FAILING_TO_CREATE) {
                        return Finding::Missing(message);
                    }
                }
                // What it waited for may come with this very delivery; its pods say when it does not.
                if reason == PAST_DEADLINE && self.was_late_before(&object) {
                    return Finding::Missing(message);
                }
                Finding::Never { at: Box::new(object), reason, message }
            }
        }
    }

    /// Whether a rollout has outlived a deadline that began before this delivery did.
    fn was_late_before(&self, object: &Object) -> bool {
        let Some(condition) = object.condition("Progressing") else { return false };
        let told = condition["lastUpdateTime"].as_str().or(condition["lastTransitionTime"].as_str());
        let told = told.and_then(|time| time.parse::<Timestamp>().ok());
        // What is late by this delivery is late a whole deadline after it began.
        let deadline = object.i64_at("/spec/progressDeadlineSeconds").unwrap_or(PROGRESS_DEADLINE);
        told.zip(self.begun).is_some_and(|(told, begun)| told.as_second() < begun.as_second() + deadline)
    }
}

/// A length of time that can be compared with what lies between two moments.
pub(super) fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or_default()
}

/// Whether one object is as judged.
pub(super) fn judged(object: &Object, judge: Judge, rules: &Rulebook) -> Readiness {
    match judge {
        Judge::Rollout(jobs) => readiness(object, jobs),
        Judge::Health | Judge::HookHealth | Judge::HealthAsTold => health(object, judge, rules),
        Judge::Completion => match (object.group(), object.kind()) {
            ("batch", "Job") => readiness(object, JobWait::Complete),
            ("", "Pod") => match object.str_at("/status/phase") {
                Some("Succeeded") => Readiness::Ready,
                Some("Failed") => readiness(object, JobWait::Complete),
                phase => Readiness::NotYet(format!("pod is {}", phase.unwrap_or("Pending"))),
            },
            _ => Readiness::Ready,
        },
        Judge::Deletion => {
            let held: Vec<&str> = object.finalizers().collect();
            let by = if held.is_empty() { String::new() } else { format!(", held by {}", held.join(", ")) };
            Readiness::NotYet(format!("is still there{by}"))
        }
    }
}

/// Healthy by the rules that an Application's user knows; what has no health is healthy once it is there.
fn health(object: &Object, judge: Judge, rules: &Rulebook) -> Readiness {
    let health = match rules.verdict(object) {
        Assessed::Fares(health) => health,
        Assessed::Silent => return Readiness::NotYet("nothing is said of its health yet".to_owned()),
        Assessed::Healthless => return Readiness::Ready,
    };
    let told = |usual: &str| if health.message.is_empty() { usual.to_owned() } else { health.message.clone() };
    match health.status {
        HealthStatus::Healthy => Readiness::Ready,
        // Its source wants an object to stand still; nobody wants a hook that does nothing.
        HealthStatus::Suspended if judge == Judge::Health => Readiness::Ready,
        HealthStatus::Suspended => Readiness::NotYet(told("is suspended")),
        HealthStatus::Progressing | HealthStatus::Missing => Readiness::NotYet(told("progressing")),
        HealthStatus::Degraded => Readiness::Failed(told("degraded")),
        HealthStatus::Unknown => Readiness::NotYet(told("its health is not known")),
    }
}

fn failure_reason(object: &Object) -> String {
    let failed = ["Failed", "ReplicaFailure"]
        .iter()
        .find_map(|kind| object.condition(kind).filter(|condition| condition["status"].as_str() == Some("True")));
    let stalled = || object.condition("Progressing").filter(|condition| condition["status"].as_str() == Some("False"));
    failed.or_else(stalled).and_then(|condition| condition["reason"].as_str()).unwrap_or("Failed").to_owned()
}

#[cfg(test)]
mod tests {
    use landfall_cluster::Change;
    use serde_json::json;

    use super::*;

    fn object(value: serde_json::Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    #[test]
    fn a_rollout_that_was_late_before_the_delivery_is_waited_for() {
        let begun: Timestamp = "2026-01-01T00:10:00.5Z".parse().expect("a time");
        let judged = |told: &str| {
            let late = object(json!({
                "apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "store", "namespace": "shop", "generation": 1},
                "spec": {"replicas": 1, "progressDeadlineSeconds": 60},
                "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "conditions": [
                    {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                        "message": "late", "lastUpdateTime": told, "lastTransitionTime": told}]},
            }));
            let mut scene = Scene::since(begun);
            scene.objects.insert(late.key(), late.clone());
            [Judge::Rollout(JobWait::Ignore), Judge::Health]
                .map(|judge| scene.judge(&[Watched::named(late.key())], judge, begun))
        };
        for verdict in judged("2026-01-01T00:09:59Z").into_iter().chain(judged("2026-01-01T00:10:00Z")) {
            assert!(matches!(verdict, Verdict::Pending(_)), "what it waited for may come now");
        }
        for verdict in judged("2026-01-01T00:11:00Z") {
            assert!(matches!(verdict, Verdict::Failed { .. }), "this delivery is late itself");
        }
    }

    #[test]
    fn what_is_suspended_is_ready_as_an_object_and_not_as_a_hook() {
        let job = object(json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "seed", "namespace": "shop", "uid": "u"},
            "spec": {"suspend": true},
            "status": {"conditions": [{"type": "Suspended", "status": "True", "message": "Job suspended"}]},
        }));
        for (judge, is_ready) in [(Judge::Health, true), (Judge::HookHealth, false), (Judge::HealthAsTold, false)] {
            assert_eq!(judged(&job, judge, &Rulebook::default()).is_ready(), is_ready, "{judge:?}");
        }
    }

    #[test]
    fn a_job_that_was_complete_when_it_was_deleted_has_ended() {
        let job = |end: serde_json::Value| {
            object(json!({
                "apiVersion": "batch/v1", "kind": "Job",
                "metadata": {"name": "certgen", "namespace": "shop", "uid": "u"},
                "spec": {"ttlSecondsAfterFinished": 0}, "status": {"conditions": end},
            }))
        };
        let ended = |end: serde_json::Value, uid: &str, judge: Judge| {
            let mut scene = Scene::default();
            scene.take(Change::Applied(job(json!([]))));
            scene.take(Change::Deleted(job(end)));
            let watched = [Watched { key: job(json!([])).key(), uid: Some(uid.into()) }];
            matches!(scene.judge(&watched, judge, Timestamp::UNIX_EPOCH), Verdict::Done)
        };
        let complete = || json!([{"type": "Complete", "status": "True"}]);
        assert!(ended(complete(), "u", Judge::Completion));
        assert!(ended(complete(), "u", Judge::Rollout(JobWait::Complete)));
        assert!(!ended(complete(), "another", Judge::Completion));
        assert!(!ended(json!([]), "u", Judge::Completion), "it never came to its end");
        assert!(!ended(json!([{"type": "Failed", "status": "True"}]), "u", Judge::Completion));
    }
}
