//! Pods that cannot start.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use landfall_cluster::{Outlook, Stuck, stuck_pod};
use landfall_object::{Object, ObjectKey};

use super::held_up::is_behind;
use super::judge::signed;
use super::{Judge, Scene, Watched};
use crate::event::Pending;

/// How long a pod that was stuck before anything was waited for may take to show that it is no longer: its image may
/// have been pushed, its memory raised meanwhile, and its kubelet looks again only now and then.
const STALE: Duration = Duration::from_secs(10);
/// How often a container is started again, with all else ready, before it is taken for one that always crashes.
const RESTARTS_ALONE: i64 = 2;

/// Pods that were stuck before, by uid, with their story so far.
pub(super) type Stale = BTreeMap<String, String>;

impl Scene {
    /// A pod of a watched workload's current revision that can never start, or only when another object appears.
    pub(super) fn stuck(
        &mut self,
        watched: &[Watched],
        judge: Judge,
        pending: &[Pending],
        since: Timestamp,
        now: Timestamp,
    ) -> Option<(ObjectKey, Object, Stuck)> {
        if judge == Judge::Deletion {
            return None;
        }
        let pods = self.objects.values().filter(|object| object.kind() == "Pod" && object.group().is_empty());
        let found: Vec<(ObjectKey, Object, Stuck)> = pods
            .filter_map(|pod| {
                let stuck = stuck_pod(pod)?;
                Some((self.owner_of(pod, watched)?, pod.clone(), stuck))
            })
            .collect();
        self.forget_what_was(&found, since, now);
        // Between two crashes a container runs for a moment; what crashed before does not stop to be what is waited for.
        let crashing = found.iter().filter(|(_, _, stuck)| matches!(stuck.outlook, Outlook::Crashing { .. }));
        self.crashed.extend(crashing.map(|(owner, _, _)| owner.clone()));
        let alone = pending.iter().all(|one| self.crashed.contains(&one.key));
        self.alone = if alone { self.alone.or(Some(now)) } else { None };
        let mut curable = None;
        for (owner, pod, stuck) in found {
            if self.is_stale(&pod) {
                continue;
            }
            match stuck.outlook {
                Outlook::Hopeless => return Some((owner, pod, stuck)),
                // Everything else was ready when it started once more, and it crashed again.
                Outlook::Crashing { restarts, last_start } => {
                    let ready_before = self.alone.map(|at| at.as_second());
                    let again =
                        last_start.map(|at| at.as_second()).is_some_and(|at| ready_before.is_some_and(|it| it <= at));
                    if restarts >= RESTARTS_ALONE && again {
                        return Some((owner, pod, stuck));
                    }
                }
                Outlook::Curable => drop(curable.get_or_insert((owner, pod, stuck))),
            }
        }
        curable
    }

    /// Keeps in mind which pods were stuck before the delivery began, until they show something new or enough time has
    /// passed. What the delivery itself made is news from its first moment, however long before this wait.
    fn forget_what_was(&mut self, found: &[(ObjectKey, Object, Stuck)], since: Timestamp, now: Timestamp) {
        let uid = |pod: &Object| pod.uid().unwrap_or_default().to_owned();
        let begun = self.begun.unwrap_or(since);
        let older = |pod: &Object| {
            let created = pod.creation_timestamp().and_then(|text| text.parse::<Timestamp>().ok());
            created.is_some_and(|at| at.as_second() < begun.as_second())
        };
        let stale = self.stale.get_or_insert_with(|| {
            found.iter().filter(|(_, pod, _)| older(pod)).map(|(_, pod, _)| (uid(pod), story(pod))).collect()
        });
        let patient = now.duration_since(since) < signed(STALE);
        // A crash of before is old news however long one waits: only the next one tells.
        let keeps = |stuck: &Stuck| patient || stuck.reason == "CrashLoopBackOff";
        stale.retain(|known, before| {
            found.iter().any(|(_, pod, stuck)| uid(pod) == *known && story(pod) == *before && keeps(stuck))
        });
    }

    fn is_stale(&self, pod: &Object) -> bool {
        let uid = pod.uid().unwrap_or_default();
        self.stale.as_ref().is_some_and(|stale| stale.contains_key(uid))
    }

    /// The watched object that a pod belongs to, when it is of its current revision.
    fn owner_of(&self, pod: &Object, watched: &[Watched]) -> Option<ObjectKey> {
        let is = |key: &ObjectKey, kind: &str, name: &str| {
            key.gvk.kind == kind && key.name == name && key.namespace.as_deref() == pod.namespace()
        };
        let find = |kind: &str, name: &str| watched.iter().map(|entry| &entry.key).find(|key| is(key, kind, name));
        if let Some(key) = find("Pod", pod.name()) {
            return Some(key.clone());
        }
        let owner = pod.controller()?;
        if let Some(key) = find(&owner.kind, &owner.name) {
            let object = self.objects.get(key)?;
            return (owner.kind != "StatefulSet" || !is_behind(object, pod)).then(|| key.clone());
        }
        if owner.kind != "ReplicaSet" {
            return None;
        }
        let namespace = pod.namespace();
        let set = self.objects.values().find(|object| {
            object.kind() == "ReplicaSet" && object.name() == owner.name && object.namespace() == namespace
        })?;
        let deployment = set.controller()?;
        let key = find(&deployment.kind, &deployment.name)?;
        let object = self.objects.get(key)?;
        const REVISION: &str = "deployment.kubernetes.io/revision";
        let observed = object.i64_at("/status/observedGeneration").unwrap_or(0) >= object.generation().unwrap_or(0);
        let current = set.annotation(REVISION) == object.annotation(REVISION);
        (observed && current && set.i64_at("/spec/replicas") != Some(0)).then(|| key.clone())
    }
}

/// What a pod's containers have been through: restarts, and what each waits for.
fn story(pod: &Object) -> String {
    let statuses = pod.list_at("/status/initContainerStatuses").iter().chain(pod.list_at("/status/containerStatuses"));
    let of =
        |status: &serde_json::Value| format!("{} {};", status["restartCount"], status["state"]["waiting"]["reason"]);
    statuses.map(of).collect()
}

/// What a person reads of a stuck pod.
pub(super) fn told_stuck(pod: &Object, stuck: &Stuck) -> String {
    let mut text = format!("pod {}", pod.name());
    if let Some(container) = &stuck.container {
        text.push_str(&format!(", container {container}"));
    }
    text.push_str(&format!(": {}: {}", stuck.reason, stuck.message));
    if let Some(image) = &stuck.image
        && !stuck.message.contains(image.as_str())
    {
        text.push_str(&format!(" (image {image})"));
    }
    text
}

#[cfg(test)]
mod tests {
    use landfall_cluster::JobWait;
    use serde_json::json;

    use super::*;

    fn object(value: serde_json::Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    /// A scene with one crashing pod, looked at by a wait that began at 00:00:13.
    fn looked_at(begun: &str, created: &str, restarts: i64) -> Option<Stuck> {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let pod = object(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "creationTimestamp": created},
            "status": {"containerStatuses": [{"name": "web", "restartCount": restarts,
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
                "lastState": {"terminated": {"exitCode": 1, "startedAt": "2026-01-01T00:00:12Z"}}}]},
        }));
        let key = pod.key();
        let mut scene = Scene::since(at(begun));
        scene.objects.insert(key.clone(), pod);
        let pending = [Pending { key: key.clone(), missing: "not ready".into() }];
        let (watched, judge) = ([Watched::named(key)], Judge::Rollout(JobWait::Ignore));
        let (since, now) = (at("2026-01-01T00:00:13.1Z"), at("2026-01-01T00:00:13.2Z"));
        scene.stuck(&watched, judge, &pending, since, now).map(|(_, _, stuck)| stuck)
    }

    #[test]
    fn a_crash_before_the_wait_but_in_the_same_delivery_is_no_old_news() {
        let (earlier, same_second) = ("2026-01-01T00:00:11Z", "2026-01-01T00:00:12Z");
        assert!(looked_at("2026-01-01T00:00:12.7Z", same_second, 3).is_some());
        assert!(looked_at("2026-01-01T00:00:12.7Z", same_second, 1).is_none(), "one restart may be a start");
        assert!(looked_at("2026-01-01T00:00:12.7Z", earlier, 3).is_none(), "it crashed before this delivery");
    }
}
