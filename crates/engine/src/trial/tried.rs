//! Which steps are tried, and by which object.

use landfall_object::Object;

use crate::desired::Task;
use crate::plan::Step;

/// Whether a step writes an object that can be tried.
pub(super) fn is_tried(step: &Step) -> bool {
    step.action.acts() && object_of(step).is_some()
}

/// The object that a step writes.
pub(super) fn object_of(step: &Step) -> Option<&Object> {
    match &step.task {
        Task::Apply { object, .. } | Task::Ensure { object } => Some(object),
        Task::Hook(hook) => Some(&hook.object),
        Task::Delete { .. } | Task::Keep { .. } | Task::Wait { .. } => None,
    }
}
