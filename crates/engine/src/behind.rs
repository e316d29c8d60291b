//! What becomes of the writes behind one that failed.

use crate::desired::Task;
use crate::plan::Step;
use crate::report::{Failure, FailureKind};
use crate::stop::Stop;

/// What becomes of the writes behind one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behind {
    /// They are not begun.
    #[default]
    NotBegun,
    /// Writes of the same sort that stand behind it are done, and all failures are told; as `helm install` creates
    /// and `helm uninstall` deletes.
    Finished,
    /// The same, but an object that cannot be created ends it at once; as `helm upgrade` updates.
    FinishedUnlessCreated,
}

/// What has failed in a segment so far.
#[derive(Default)]
pub(crate) struct Failures {
    pub(crate) first: Option<Box<Failure>>,
    kind: Option<std::mem::Discriminant<Task>>,
}

impl Failures {
    /// Whether a step is no more to be begun: something failed, and the step is of another sort.
    pub(crate) fn end_before(&self, step: &Step) -> bool {
        self.kind.is_some_and(|kind| kind != std::mem::discriminant(&step.task))
    }

    /// Keeps a failure; an error ends the segment with it.
    pub(crate) fn take(&mut self, step: &Step, failure: Box<Failure>, behind: Behind) -> Result<(), Stop> {
        let ends = match behind {
            Behind::NotBegun => true,
            Behind::Finished => false,
            Behind::FinishedUnlessCreated => step.action == crate::Action::Create,
        };
        if ends || failure.kind == FailureKind::Unreachable {
            // As Helm: what cannot be created hides what could not be changed.
            return Err(Stop::Failed(failure));
        }
        self.kind = Some(std::mem::discriminant(&step.task));
        match &mut self.first {
            Some(first) => first.further.push(*failure),
            None => self.first = Some(failure),
        }
        Ok(())
    }
}
