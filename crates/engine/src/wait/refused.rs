//! Workloads whose pods the cluster refuses. A Deployment says so in a condition; the controllers of the others only tell an event, and try
//! again without an end.

use jiff::Timestamp;
use landfall_cluster::Readiness;
use landfall_object::{Object, ObjectKey};

use super::judge::judged;
use super::{Judge, Scene, Watched};
use crate::executor::Executor;

/// Kinds whose refused pods show in events alone.
const SILENT: [(&str, &str); 5] = [
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("apps", "ReplicaSet"),
    ("", "ReplicationController"),
    ("batch", "Job"),
];

/// The words of a refusal that stands as long as neither the pods nor their namespace change (`PodSecurity`); others may pass: an account that is
/// not there yet, a quota that is used up.
const STANDS: &str = "violates PodSecurity";

impl Executor {
    /// A watched workload of which no pod can come, and the words of the refusal.
    pub(super) async fn look_for_refused(
        &self,
        scene: &Scene,
        watched: &[Watched],
        judge: Judge,
    ) -> Option<(ObjectKey, Object, String)> {
        if judge == Judge::Deletion {
            return None;
        }
        for Watched { key, uid } in watched {
            if !SILENT.contains(&(key.gvk.group.as_str(), key.gvk.kind.as_str())) {
                continue;
            }
            let Some(object) = scene.there(key, uid.as_deref()) else { continue };
            if !matches!(judged(object, judge, &scene.health), Readiness::NotYet(_)) {
                continue;
            }
            let events = self.cluster.events_of(object).await.unwrap_or_default();
            if let Some(message) = refusal(&events, scene.begun) {
                return Some((key.clone(), object.clone(), message));
            }
        }
        None
    }
}

/// The refusal that the newest event about making pods tells, if that is one that stands and was told since then.
fn refusal(events: &[Object], begun: Option<Timestamp>) -> Option<String> {
    let making = |event: &&Object| matches!(event.str_at("/reason"), Some("FailedCreate" | "SuccessfulCreate"));
    let last = events.iter().rev().find(making)?;
    let message = last.str_at("/message").unwrap_or_default().trim();
    let at: Option<Timestamp> = last.str_at("/lastTimestamp").or(last.str_at("/eventTime"))?.parse().ok();
    let is_news = begun.is_none_or(|begun| at.is_some_and(|at| at.as_second() >= begun.as_second()));
    (is_news && last.str_at("/reason") == Some("FailedCreate") && message.contains(STANDS)).then(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(reason: &str, message: &str, at: &str) -> Object {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "shop"},
            "reason": reason, "message": message, "lastTimestamp": at,
        }))
        .expect("a map")
    }

    #[test]
    fn only_the_newest_word_about_making_pods_counts_and_only_a_refusal_that_stands() {
        let refused =
            "Error creating: pods \"db-0\" is forbidden: violates PodSecurity \"baseline:latest\": privileged";
        let (before, after) = ("2026-01-01T00:00:01Z", "2026-01-01T00:00:09Z");
        let begun = "2026-01-01T00:00:05.5Z".parse().ok();
        assert_eq!(refusal(&[event("FailedCreate", refused, after)], begun).as_deref(), Some(refused));
        assert_eq!(refusal(&[event("FailedCreate", refused, before)], begun), None, "of before this delivery");
        let quota = "Error creating: pods \"db-0\" is forbidden: exceeded quota: q";
        assert_eq!(refusal(&[event("FailedCreate", quota, after)], begun), None);
        let mended = [event("FailedCreate", refused, after), event("SuccessfulCreate", "Created pod: db-0", after)];
        assert_eq!(refusal(&mended, begun), None);
    }
}
