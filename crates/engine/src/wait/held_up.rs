//! Updates that a pod of the revision before holds up: a StatefulSet that starts its pods one after the other replaces
//! none while one of them is not ready (pkg/controller/statefulset, `processReplica`), whatever its template says by now.

use landfall_cluster::stuck_pod;
use landfall_object::{Object, ObjectKey};

use super::Scene;
use super::unbound::UNBOUND;
use crate::report::HeldUp;

impl Scene {
    /// The pod of the revision before that cannot start, and for which a StatefulSet waits.
    pub(super) fn held_up_by(&self, key: &ObjectKey) -> Option<HeldUp> {
        let set = self.objects.get(key).filter(|set| set.group() == "apps" && set.kind() == "StatefulSet")?;
        if set.str_at("/spec/podManagementPolicy") == Some("Parallel") {
            return None;
        }
        let is_of = |pod: &&Object| {
            let owner = pod.controller();
            pod.kind() == "Pod"
                && pod.namespace() == set.namespace()
                && owner.is_some_and(|owner| owner.kind == set.kind() && owner.name == set.name())
        };
        let held = |pod: &Object| {
            // One that crashes is ready now and then, and is replaced at such a moment.
            let stuck = stuck_pod(pod).filter(|stuck| stuck.reason != "CrashLoopBackOff")?;
            Some(HeldUp { pod: pod.key(), wants_volume: stuck.message.contains(UNBOUND) })
        };
        let pods = self.objects.values().filter(is_of);
        pods.filter(|pod| is_behind(set, pod) && is_within(set, pod)).find_map(held)
    }
}

/// Whether a StatefulSet's pod is of another revision than the set's template.
pub(super) fn is_behind(set: &Object, pod: &Object) -> bool {
    let revision = set.str_at("/status/updateRevision");
    let label = pod.label("controller-revision-hash");
    revision.is_some() && label.is_some() && revision != label
}

/// Whether a StatefulSet goes on wanting a pod of that number.
fn is_within(set: &Object, pod: &Object) -> bool {
    let number = pod.name().rsplit('-').next().and_then(|number| number.parse::<i64>().ok());
    let start = set.i64_at("/spec/ordinals/start").unwrap_or(0);
    let end = start + set.i64_at("/spec/replicas").unwrap_or(1);
    number.is_some_and(|number| (start..end).contains(&number))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    /// What holds a set of two up whose pod of that number and state is of another revision.
    fn held_up(policy: &str, number: u32, waiting: &serde_json::Value) -> Option<String> {
        let object = |value| Object::from_value(value).expect("a map");
        let set = object(json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop"},
            "spec": {"replicas": 2, "podManagementPolicy": policy}, "status": {"updateRevision": "db-2"},
        }));
        let pod = object(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("db-{number}"), "namespace": "shop", "labels": {"controller-revision-hash": "db-1"},
                "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "u", "controller": true}]},
            "status": {"phase": "Pending", "containerStatuses": [
                {"name": "db", "restartCount": 4, "state": {"waiting": waiting}, "lastState": {"terminated": {"exitCode": 1}}}]},
        }));
        let mut scene = Scene::since(Timestamp::UNIX_EPOCH);
        let key = set.key();
        scene.objects.extend([set, pod].map(|object| (object.key(), object)));
        scene.held_up_by(&key).map(|held| held.pod.name)
    }

    #[test]
    fn a_set_in_order_waits_for_a_pod_of_the_revision_before_that_cannot_start() {
        let pull = json!({"reason": "InvalidImageName", "message": "couldn't parse image"});
        assert_eq!(held_up("OrderedReady", 1, &pull).as_deref(), Some("db-1"));
        assert_eq!(held_up("OrderedReady", 2, &pull), None, "it is taken away anyway");
        assert_eq!(held_up("Parallel", 1, &pull), None, "others are replaced beside it");
        let crash = json!({"reason": "CrashLoopBackOff", "message": "back-off"});
        assert_eq!(held_up("OrderedReady", 1, &crash), None, "it is ready between two crashes");
    }
}
