use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_object::ObjectKey;

use crate::{Killed, OnceViolation};

/// Why a plan could not be made, or an operation could not be brought to an end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key declared `generate: once` would be changed or removed.
    #[error(transparent)]
    Once(#[from] OnceViolation),
    /// Two items of a plan write the same object.
    #[error("{0} is written twice in one plan")]
    Twice(Box<ObjectKey>),
    /// An object has no name.
    #[error("an object of kind {0} has neither a name nor a generateName")]
    Nameless(String),
    /// An object that is applied asks for a name to be made.
    #[error(
        "an object of kind {0} has a generateName and no name: each delivery would make another one; a hook may have it"
    )]
    Generated(String),
    /// A live object is no longer what the plan was made from; nothing was touched.
    #[error("{key} has changed since the plan was made")]
    LiveChanged {
        /// The object.
        key: Box<ObjectKey>,
    },
    /// Another operation is under way on the target.
    #[error("another operation is under way on {target}")]
    Busy {
        /// The target.
        target: String,
    },
    /// What was found in the journal cannot be resumed.
    #[error("operation {id} cannot be resumed: {reason}")]
    NotResumable {
        /// The operation.
        id: String,
        /// Why.
        reason: String,
    },
    /// The operation was told to stop; the journal keeps it for a resume.
    #[error("interrupted")]
    Interrupted,
    /// A fault layer ended the run.
    #[error(transparent)]
    Killed(#[from] Killed),
    /// The journal failed.
    #[error(transparent)]
    Store(#[from] landfall_store::Error),
    /// The cluster failed outside of any step.
    #[error(transparent)]
    Cluster(#[from] landfall_cluster::Error),
    /// The cluster has no room for what it is given; the journal keeps the operation for a resume.
    #[error("{0}")]
    NoRoom(Box<Diagnostic>),
    /// The keeper of the operation's lasting record failed.
    #[error("{0}")]
    Ledger(Box<Diagnostic>),
}

impl Error {
    /// Whether cluster or database did not answer, or answered that they cannot now, so that what is open can be gone on with when
    /// they can.
    pub fn is_for_another_time(&self) -> bool {
        match self {
            Error::Store(error) => error.is_for_another_time(),
            Error::Cluster(error) => error.is_unreachable() || error.is_overloaded(),
            _ => false,
        }
    }
}

impl Diagnose for Error {
    fn diagnose(&self) -> Diagnostic {
        match self {
            Error::Once(violation) => violation.diagnose(),
            Error::Twice(_) | Error::Nameless(_) | Error::Generated(_) => {
                Diagnostic::error(code::BROKEN_PLAN, self.to_string())
            }
            Error::LiveChanged { .. } => Diagnostic::refused(code::LIVE_CHANGED, self.to_string())
                .note("nothing was changed")
                .help("make the plan again, look at it, and apply that one"),
            Error::Busy { .. } => Diagnostic::error(code::BUSY, self.to_string())
                .help("wait for it, or run the same command again when its process is gone: it is resumed"),
            Error::NotResumable { .. } => Diagnostic::error(code::NOT_RESUMABLE, self.to_string()),
            Error::Interrupted => Diagnostic::error(code::INTERRUPTED, "interrupted; what was begun is in the journal")
                .help("run the same command again to go on"),
            Error::Killed(_) => Diagnostic::error(code::KILLED, self.to_string()),
            Error::Store(error) => error.diagnose(),
            Error::Cluster(error) => error.diagnose(),
            Error::NoRoom(diagnostic) | Error::Ledger(diagnostic) => (**diagnostic).clone(),
        }
    }
}
