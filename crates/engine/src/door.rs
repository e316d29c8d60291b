//! What the conductor asks a front door for: Helm's releases, Argo's Applications, plans without a record.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ledger::{Ledger, NoLedger};
use crate::plan::Plan;
use crate::report::Report;
use crate::{Behind, Error};

/// A front door: what of an operation is its own, whoever carries it out.
pub trait Door: Sync {
    /// By what it names what is delivered to: a release's name, an Application.
    type Target: ?Sized + Sync;
    /// An operation, compiled.
    type Operation: Send + Sync;
    /// What has to be known to keep an operation's record, also by a process that resumes it; stands in the journal.
    type Course: Serialize + DeserializeOwned + Send + Sync;
    /// Who keeps the record.
    type Keeper: Ledger + 'static;
    /// How an operation has ended, as the door tells it.
    type Ended: Send;
    /// A record that was repaired.
    type Repaired: Send;
    /// Why an operation is refused or broken off.
    type Error: From<Error> + Send;

    /// What the journal knows a target by.
    fn target(&self, of: &Self::Target) -> String;

    /// The two parts of an operation: what is done, and what is known of it.
    fn parts(operation: &Self::Operation) -> (&Plan, &Self::Course);

    /// Who keeps the record of an operation that begins, or goes on.
    fn keeper(&self, course: &Self::Course, plan: &Plan, begun: Begun) -> Self::Keeper;

    /// What becomes of an operation that fails.
    fn on_failure(&self, _: &Self::Course) -> OnFailure {
        OnFailure::default()
    }

    /// The operation that undoes a failed one, asked for where [`OnFailure::undone`] says so; `None` where there is
    /// nothing to go back to.
    ///
    /// # Errors
    /// What compiling it refuses.
    fn undo(&self, _: &Self::Course) -> impl Future<Output = Result<Option<Self::Operation>, Self::Error>> + Send {
        async { Ok(None) }
    }

    /// Repairs a record that says of an operation that it is under way while the journal knows none, once it is older
    /// than that.
    ///
    /// # Errors
    /// When it is younger, and what the cluster refuses with.
    fn repair(
        &self,
        _: &Self::Target,
        _: Duration,
    ) -> impl Future<Output = Result<Option<Self::Repaired>, Self::Error>> + Send {
        async { Ok(None) }
    }

    /// How an operation has ended; `undone` is what undid it.
    fn ended(&self, keeper: &Self::Keeper, report: Report, undone: Option<Self::Ended>) -> Self::Ended;
}

/// When an operation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It does now.
    Now(Timestamp),
    /// An earlier process began it.
    Before(Timestamp),
}

/// What becomes of an operation that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OnFailure {
    /// What becomes of the writes behind the one that failed.
    pub behind: Behind,
    /// Whether the objects that it created go (`--cleanup-on-fail`).
    pub created_goes: bool,
    /// Whether it is undone (`--atomic`): it stays open in the journal until what undoes it has begun.
    pub undone: bool,
}

/// The door of plans that nobody keeps a record of but the journal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unrecorded;

impl Door for Unrecorded {
    type Target = str;
    type Operation = Plan;
    type Course = ();
    type Keeper = NoLedger;
    type Ended = Report;
    type Repaired = ();
    type Error = Error;

    fn target(&self, of: &str) -> String {
        of.to_owned()
    }

    fn parts(operation: &Plan) -> (&Plan, &()) {
        (operation, &())
    }

    fn keeper(&self, (): &(), _: &Plan, _: Begun) -> NoLedger {
        NoLedger
    }

    fn ended(&self, _: &NoLedger, report: Report, _: Option<Report>) -> Report {
        report
    }
}
