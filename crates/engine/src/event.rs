use jiff::Timestamp;
use landfall_cluster::Evidence;
use landfall_object::ObjectKey;
use serde::Serialize;

use crate::plan::Action;
use crate::report::{Failure, StepResult};

/// An object that is waited for, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// Which.
    pub key: ObjectKey,
    /// What is missing: `0 of 2 replicas updated`.
    pub missing: String,
}

/// Progress, as it happens.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The operation begins.
    Planned {
        /// Its id.
        operation: String,
        /// Steps in all.
        steps: usize,
        /// Steps that were done before a process died.
        done: usize,
    },
    /// A phase begins.
    PhaseStarted {
        /// Its name.
        phase: String,
    },
    /// A step begins.
    StepStarted {
        /// The step.
        id: String,
        /// What it does.
        action: Action,
        /// To which object.
        key: ObjectKey,
    },
    /// Something is waited for; comes again whenever what is missing changes.
    Waiting {
        /// The step.
        id: String,
        /// Objects that are not ready.
        pending: Vec<Pending>,
        /// How many are waited for in all.
        total: usize,
        /// Since when.
        since: Timestamp,
    },
    /// A step has ended.
    StepDone {
        /// The step.
        id: String,
        /// The object.
        key: ObjectKey,
        /// What it has led to.
        result: StepResult,
    },
    /// A hook's log.
    HookLog {
        /// The hook.
        key: ObjectKey,
        /// The container.
        container: String,
        /// The log.
        text: String,
    },
    /// What can be seen of something that failed; comes before anything is undone.
    Evidence(Box<Evidence>),
    /// The connection to the cluster broke and is being tried again.
    Interrupted {
        /// The reason.
        reason: String,
    },
    /// The operation has ended.
    Finished {
        /// Why early, when it did.
        failure: Option<Box<Failure>>,
    },
}
