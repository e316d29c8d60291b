//! How far an operation has come, read from its journal alone: the same for the process that began it and for the one that
//! goes on with it.

use landfall_object::ObjectKey;

use crate::desired::Task;
use crate::entry::{Intent, Outcome};
use crate::journal::Journal;
use crate::plan::{Plan, Step};
use crate::report::{Failure, StepResult};

/// How far one step has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing<'a> {
    /// It waits: a hook's object is made, or objects are waited for.
    Running,
    /// It is done.
    Done(StepResult),
    /// It failed.
    Failed(&'a Failure),
}

/// A step that was begun, and how far it has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepState<'a> {
    /// The step.
    pub step: &'a Step,
    /// The name of its phase.
    pub phase: &'a str,
    /// Its object: of a hook with a generated name, the one that it got.
    pub key: &'a ObjectKey,
    /// How far it has come.
    pub standing: Standing<'a>,
}

/// All steps that have come to something, in the order in which they are carried out.
pub(crate) fn so_far<'a>(plan: &'a Plan, journal: &'a Journal<'_>) -> Vec<StepState<'a>> {
    let mut states = Vec::new();
    for phase in &plan.phases {
        for step in phase.waves.iter().flat_map(|wave| &wave.steps) {
            let Some(standing) = standing(step, journal) else { continue };
            let key = match journal.intent(&step.id) {
                Some(Intent::Hook { key, .. }) => key,
                _ => &step.key,
            };
            states.push(StepState { step, phase: &phase.name, key, standing });
        }
    }
    states
}

fn standing<'a>(step: &Step, journal: &'a Journal<'_>) -> Option<Standing<'a>> {
    match (journal.outcome(&step.id), &step.task) {
        (Some(Outcome::Done { result, .. }), _) => Some(Standing::Done(*result)),
        (Some(Outcome::Failed { failure, .. }), _) => Some(Standing::Failed(failure)),
        (Some(Outcome::Made { .. }), _) => None,
        (None, Task::Hook(_)) => journal.outcome(&format!("{}.made", step.id)).map(|_| Standing::Running),
        (None, Task::Wait { .. }) => journal.intent(&step.id).map(|_| Standing::Running),
        (None, _) => None,
    }
}
