//! Jobs that are gone before anything was seen of their end: with `ttlSecondsAfterFinished: 0` one may run, end and be
//! deleted before its wait has begun to look. Their events outlive them and tell how they ended.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use landfall_object::{Object, ObjectKey};

use super::{Judge, Scene, Watched};
use crate::executor::Executor;

/// How long the events of a Job that is gone are looked through: its controller tells them a moment late.
const LOOKED_FOR: SignedDuration = SignedDuration::from_secs(3);
/// How long from one look to the next.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(200);
/// The reasons of an event by which the Job controller tells that a Job has failed (pkg/controller/job).
const FAILED: [&str; 5] =
    ["BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy", "FailedIndexes", "MaxFailedIndexesExceeded"];

/// What is known of a Job that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Vanished {
    /// Its events have not told its end yet; not there since then.
    Looking(Timestamp),
    /// Its events tell nothing of an end: it was deleted before it had one.
    Deleted,
    Complete,
    Failed {
        reason: String,
        message: String,
    },
}

impl Executor {
    /// Looks through the events of watched Jobs that are gone, and answers whether to look again soon.
    pub(super) async fn look_for_vanished(&self, scene: &mut Scene, watched: &[Watched], judge: Judge) -> bool {
        if judge == Judge::Deletion {
            return false;
        }
        let mut again = false;
        for Watched { key, uid } in watched.iter().filter(|entry| is_job(&entry.key)) {
            if scene.there(key, uid.as_deref()).is_some() || scene.ended_before_it_went(key, uid.as_deref(), judge) {
                scene.vanished.remove(key);
                continue;
            }
            let now = self.clock.now();
            let since = match scene.vanished.get(key) {
                Some(Vanished::Looking(since)) => *since,
                Some(_) => continue,
                None => now,
            };
            let mut of = Object::new(key);
            if let Some(uid) = uid {
                of.metadata_mut().insert("uid".into(), uid.clone().into());
            }
            // Without a uid, only what was told during this delivery can be about this Job.
            let begun = if uid.is_some() { None } else { scene.begun };
            let events = self.cluster.events_of(&of).await.unwrap_or_default();
            let found = events.iter().rev().find_map(|event| told_end(event, begun));
            let found = found.unwrap_or(match now.duration_since(since) < LOOKED_FOR {
                true => Vanished::Looking(since),
                false => Vanished::Deleted,
            });
            again |= matches!(found, Vanished::Looking(_));
            scene.vanished.insert(key.clone(), found);
        }
        again
    }
}

pub(super) fn is_job(key: &ObjectKey) -> bool {
    (key.gvk.group.as_str(), key.gvk.kind.as_str()) == ("batch", "Job")
}

/// The end that an event of a Job tells, unless it was told before that time.
fn told_end(event: &Object, begun: Option<Timestamp>) -> Option<Vanished> {
    let at = ["/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"].iter().find_map(|path| event.str_at(path));
    let at: Option<Timestamp> = at.and_then(|text| text.parse().ok());
    if begun.is_some_and(|begun| at.is_none_or(|at| at.as_second() < begun.as_second())) {
        return None;
    }
    match event.str_at("/reason")? {
        "Completed" => Some(Vanished::Complete),
        reason if FAILED.contains(&reason) => Some(Vanished::Failed {
            reason: reason.to_owned(),
            message: event.str_at("/message").unwrap_or(reason).trim().to_owned(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_of_this_delivery_tell_the_end_of_a_job() {
        let told = |reason: &str, at: &str, begun: Option<&str>| {
            let event = Object::from_value(json!({
                "apiVersion": "v1", "kind": "Event", "metadata": {"name": "certgen.1", "namespace": "shop"},
                "reason": reason, "message": "Job has reached the specified backoff limit", "lastTimestamp": at,
            }));
            told_end(&event.expect("a map"), begun.map(|text| text.parse().expect("a time")))
        };
        let (earlier, begun, same_second) = ("2026-01-01T00:00:11Z", "2026-01-01T00:00:12.7Z", "2026-01-01T00:00:12Z");
        assert_eq!(told("Completed", earlier, None), Some(Vanished::Complete), "of that uid whenever");
        assert_eq!(told("Completed", earlier, Some(begun)), None, "another Job of that name");
        assert_eq!(told("Completed", same_second, Some(begun)), Some(Vanished::Complete));
        let message = "Job has reached the specified backoff limit".to_owned();
        let failed = Vanished::Failed { reason: "BackoffLimitExceeded".into(), message };
        assert_eq!(told("BackoffLimitExceeded", same_second, None), Some(failed));
        assert_eq!(told("SuccessfulCreate", same_second, None), None);
    }
}
