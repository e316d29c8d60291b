//! How the steps of a phase can end early.

use crate::Error;
use crate::entry::Outcome;
use crate::report::{Failure, StepResult};

/// How a phase can end early.
pub(crate) enum Stop {
    /// The delivery failed: phases for failure run, the ledger is told.
    Failed(Box<Failure>),
    /// The run itself cannot go on: nothing more is touched, the journal stays open.
    Broken(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Broken(error.into())
    }
}

/// What an outcome in the journal says of a step.
pub(crate) fn recorded(outcome: Outcome) -> Result<Result<StepResult, Box<Failure>>, Stop> {
    match outcome {
        Outcome::Done { result, .. } => Ok(Ok(result)),
        Outcome::Failed { failure, .. } => Ok(Err(failure)),
        Outcome::Made { .. } => {
            let what = "an object's making where a step's outcome belongs".to_owned();
            Err(Stop::Broken(Error::Store(landfall_store::Error::Damaged { what })))
        }
    }
}
