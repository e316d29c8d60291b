//! What stands in the journal of an operation: a step's intent before it is done, its outcome after.
//!
//! In the store they are JSON without a word that says which of them it is, told apart by what they hold: so every
//! version has written them, and an operation that an older one began is gone on with.

use jiff::Timestamp;
use landfall_object::{Object, ObjectKey};
use serde::{Deserialize, Serialize};

use crate::plan::Action;
use crate::report::{Failure, StepResult};

/// What is about to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Intent {
    /// A namespace is made ahead, so that what goes into it can be tried.
    Namespace {
        /// The namespace.
        key: ObjectKey,
        /// When.
        at: Timestamp,
        /// As it is made.
        object: Object,
    },
    /// A hook is run.
    Hook {
        /// Its object.
        key: ObjectKey,
        /// The uid of what was there by its name: any other object of that name is this run's.
        before: Option<String>,
        /// When.
        started: Timestamp,
    },
    /// An object is written or deleted.
    Act {
        /// How.
        action: Action,
        /// The object.
        key: ObjectKey,
    },
    /// Objects are waited for.
    Wait {
        /// How many.
        keys: usize,
    },
    /// A hook's object is made or cleaned up.
    HookObject {
        /// The object.
        key: ObjectKey,
    },
}

/// What has come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Outcome {
    /// It failed.
    Failed {
        /// Always [`StepResult::Failed`].
        result: StepResult,
        /// Why.
        failure: Box<Failure>,
    },
    /// It is done.
    Done {
        /// What it has led to.
        result: StepResult,
        /// The object's uid, where one was written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid: Option<String>,
    },
    /// An object was made, of a hook or a namespace; without a uid it was there already.
    Made {
        /// Its uid.
        uid: Option<String>,
    },
}

impl Outcome {
    /// A step that ended with a failure.
    pub(crate) fn failed(failure: &Failure) -> Self {
        Outcome::Failed { result: StepResult::Failed, failure: Box::new(failure.clone()) }
    }

    /// A step that is done and has no object of its own.
    pub(crate) fn done(result: StepResult) -> Self {
        Outcome::Done { result, uid: None }
    }

    /// The uid of the object that was written or made.
    pub(crate) fn uid(&self) -> Option<&str> {
        match self {
            Outcome::Done { uid, .. } | Outcome::Made { uid } => uid.as_deref(),
            Outcome::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::report::{FailureKind, HookEnd};

    fn key() -> Value {
        json!({"gvk": {"group": "batch", "version": "v1", "kind": "Job"}, "namespace": "shop", "name": "seed"})
    }

    fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
        serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
    }

    /// Rows as the version before this one has written them.
    #[test]
    fn a_journal_of_the_version_before_is_read_and_written_again_as_it_was() {
        let key_read: ObjectKey = read(&key());
        let at = "2026-11-20T10:00:00.123456789Z";
        let time: Timestamp = at.parse().expect("a time");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
        let intents = [
            (
                json!({"key": key(), "at": at, "object": namespace}),
                Intent::Namespace {
                    key: key_read.clone(),
                    at: time,
                    object: Object::from_value(namespace.clone()).expect("a map"),
                },
            ),
            (
                json!({"key": key(), "before": null, "started": at}),
                Intent::Hook { key: key_read.clone(), before: None, started: time },
            ),
            (
                json!({"key": key(), "before": "u-1", "started": at}),
                Intent::Hook { key: key_read.clone(), before: Some("u-1".into()), started: time },
            ),
            (json!({"action": "change", "key": key()}), Intent::Act { action: Action::Change, key: key_read.clone() }),
            (json!({"keys": 3}), Intent::Wait { keys: 3 }),
            (json!({"key": key()}), Intent::HookObject { key: key_read.clone() }),
        ];
        for (row, intent) in intents {
            assert_eq!(read::<Intent>(&row), intent, "{row}");
            assert_eq!(serde_json::to_value(&intent).expect("is written"), row);
        }
        let failure =
            json!({"step": "0002", "key": key(), "kind": "hook", "message": "BackoffLimitExceeded", "evidence": []});
        let failed = Failure {
            step: "0002".into(),
            key: key_read,
            kind: FailureKind::Hook,
            hook: None,
            message: "BackoffLimitExceeded".into(),
            evidence: Vec::new(),
            pending: 0,
            held_up: Vec::new(),
            further: Vec::new(),
        };
        let outcomes = [
            (json!({"result": "failed", "failure": failure}), Outcome::failed(&failed)),
            (
                json!({"result": "created", "uid": "u-2"}),
                Outcome::Done { result: StepResult::Created, uid: Some("u-2".into()) },
            ),
            (json!({"result": "ready"}), Outcome::done(StepResult::Ready)),
            (json!({"uid": "u-3"}), Outcome::Made { uid: Some("u-3".into()) }),
            (json!({"uid": null}), Outcome::Made { uid: None }),
        ];
        for (row, outcome) in outcomes {
            assert_eq!(read::<Outcome>(&row), outcome, "{row}");
            assert_eq!(serde_json::to_value(&outcome).expect("is written"), row);
        }
        // A step without an object had `null` for its uid.
        let absent = read::<Outcome>(&json!({"result": "absent", "uid": null}));
        assert_eq!(absent, Outcome::done(StepResult::Absent));
    }

    #[test]
    fn how_a_hook_failed_is_written_down() {
        for (end, word) in [(HookEnd::Failed, "failed"), (HookEnd::TimedOut, "timed-out")] {
            let row =
                json!({"step": "0002", "key": key(), "kind": "hook", "hook": word, "message": "m", "evidence": []});
            let failure: Failure = read(&row);
            assert_eq!((failure.kind, failure.hook), (FailureKind::Hook, Some(end)));
            assert_eq!(serde_json::to_value(&failure).expect("is written"), row);
        }
    }

    #[test]
    fn what_is_no_entry_is_not_taken_for_one() {
        for row in [json!({}), json!({"keys": "many"}), json!({"uid": 3}), json!(null), json!([])] {
            assert!(serde_json::from_value::<Intent>(row.clone()).is_err(), "{row}");
        }
        for row in [json!({"result": "eaten"}), json!({"failure": {}, "result": "failed"}), json!({"uid": 3})] {
            assert!(serde_json::from_value::<Outcome>(row.clone()).is_err(), "{row}");
        }
    }
}
