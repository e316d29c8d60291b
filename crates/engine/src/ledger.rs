use futures::future::BoxFuture;
use jiff::Timestamp;
use landfall_object::ObjectKey;
use serde::{Deserialize, Serialize};

use crate::{Error, Failure, StepState};

/// How far a hook is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookPhase {
    /// Its object is about to be created.
    Running,
    /// It did its work.
    Succeeded,
    /// It did not.
    Failed,
}

/// A hook's run, as its ledger is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookRun {
    /// The hook's own number among the desired phases' hooks, given by the front door.
    pub id: usize,
    /// Its object.
    pub key: ObjectKey,
    /// How far it is.
    pub phase: HookPhase,
    /// When it was created.
    pub started: Timestamp,
    /// When it ended; absent while it runs.
    pub completed: Option<Timestamp>,
}

/// How an operation has ended, as its ledger is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending<'a> {
    /// All was done.
    Succeeded,
    /// It ended early.
    Failed(&'a Failure),
    /// It was told to stop, and nobody goes on with it.
    GivenUp,
}

impl<'a> Ending<'a> {
    /// As a report has it.
    pub(crate) fn of(failure: Option<&'a Failure>) -> Self {
        failure.map_or(Ending::Succeeded, Ending::Failed)
    }
}

/// Who keeps an operation's lasting record: a Helm release in its Secret, an Application in its status.
///
/// Each call may come again after a process died, so each writes the same when called twice.
pub trait Ledger: Send + Sync {
    /// Before the first effect, and again on each resume, with what was done until then.
    ///
    /// # Errors
    /// An error ends the operation before anything is touched.
    fn begun<'a>(&'a self, so_far: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), Error>>;

    /// Before something is waited for: how far the operation has come, which will stay so for a while.
    ///
    /// # Errors
    /// An error breaks the operation off; it stays open in the journal, to be resumed.
    fn reached<'a>(&'a self, _: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    /// When a hook starts and when it ends.
    ///
    /// # Errors
    /// An error ends the operation as failed.
    fn hook<'a>(&'a self, run: &'a HookRun) -> BoxFuture<'a, Result<(), Error>>;

    /// After the last effect, with all that was done.
    ///
    /// # Errors
    /// An error leaves the operation open in the journal, to be resumed.
    fn ended<'a>(&'a self, ending: Ending<'a>, so_far: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), Error>>;
}

/// Nobody keeps a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLedger;

impl Ledger for NoLedger {
    fn begun<'a>(&'a self, _: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn hook<'a>(&'a self, _: &'a HookRun) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn ended<'a>(&'a self, _: Ending<'a>, _: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }
}
