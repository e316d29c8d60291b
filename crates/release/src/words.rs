//! Failures in Helm's own words, as its command line prints them and its records keep them.

use landfall_engine::{Action, Failure, FailureKind, HookEnd, Plan, Step, Task, WaitFor};

use crate::course::{Course, Verb};

/// What a Job's condition says when it has failed for good.
const JOB_REASONS: [&str; 5] =
    ["BackoffLimitExceeded", "DeadlineExceeded", "FailedIndexes", "MaxFailedIndexesExceeded", "PodFailurePolicy"];

/// Of an operation that was told to stop: Go's words for a context that was cancelled.
pub(crate) const GIVEN_UP: &str = "context canceled";

/// Why an operation failed (pkg/action: performInstall, releasingUpgrade, performRollback, Uninstall.Run).
pub(crate) fn failure(plan: &Plan, failure: &Failure, course: &Course) -> String {
    let (verb, name) = (course.verb, &course.record.name);
    let Some((phase, step)) = find(plan, failure) else { return failure.message.clone() };
    match &step.task {
        Task::Hook(_) => in_hook(phase, step, failure),
        Task::Wait { wait: WaitFor::Deletion, .. } => completed_with("context deadline exceeded"),
        Task::Wait { .. } => {
            let body = match failure.key.gvk.kind.as_str() {
                "Job" if failure.kind == FailureKind::NeverReady => {
                    let namespace = failure.key.namespace.as_deref().unwrap_or_default();
                    format!("job is failed: {namespace}/{}", failure.key.name)
                }
                _ if matches!(failure.kind, FailureKind::NeverReady | FailureKind::Timeout) => {
                    "context deadline exceeded".to_owned()
                }
                _ => failure.message.clone(),
            };
            if verb == Verb::Rollback { format!("release {name} failed: {body}") } else { body }
        }
        Task::Delete { .. } if verb == Verb::Uninstall => {
            format!("failed to delete release: {name}")
        }
        Task::Ensure { .. } => format!("failed to install CRD {}: {}", step.why, listed([failure.message.as_str()])),
        _ if failure.kind == FailureKind::Guard => failure.message.clone(),
        _ => writes(plan, failure, verb),
    }
}

/// Objects that could not be written.
fn writes(plan: &Plan, failure: &Failure, verb: Verb) -> String {
    let adopts = plan.steps().any(|step| {
        matches!(step.task, Task::Apply { .. }) && matches!(step.action, Action::Change | Action::Unchanged)
    });
    let all = || std::iter::once(failure).chain(&failure.further);
    if verb == Verb::Install && !adopts {
        return listed(all().map(|one| one.message.as_str()));
    }
    let told: Vec<String> = all().map(|one| updated(plan, one)).collect();
    told.join(" && ")
}

/// One object that could not be updated (pkg/kube/client.go, update).
fn updated(plan: &Plan, failure: &Failure) -> String {
    let words = &failure.message;
    let Some((_, step)) = find(plan, failure) else { return words.clone() };
    let Task::Apply { method, .. } = &step.task else { return words.clone() };
    match (step.action, method) {
        (Action::Create, _) => format!("failed to create resource: {words}"),
        (_, landfall_engine::Method::Replace { .. }) => format!("failed to replace object: {words}"),
        _ => format!("cannot patch {:?} with kind {}: {words}", failure.key.name, failure.key.gvk.kind),
    }
}

fn in_hook(phase: &str, step: &Step, failure: &Failure) -> String {
    let name = &failure.key.name;
    let timed_out = failure.hook == Some(HookEnd::TimedOut);
    let reason = failure.evidence.first().map_or("", |evidence| evidence.reason.as_str());
    let body = match (failure.kind, failure.key.gvk.kind.as_str()) {
        (FailureKind::Guard, _) => failure.message.clone(),
        (FailureKind::Refused | FailureKind::Unreachable, _) => {
            format!("warning: Hook {phase} {} failed: {}", step.why, listed([failure.message.as_str()]))
        }
        (_, "Job") if !timed_out && JOB_REASONS.contains(&reason) => listed([format!("job {name} failed: {reason}")]),
        (_, "Pod") if !timed_out && failure.evidence.iter().all(|evidence| !evidence.reason.ends_with("BackOff")) => {
            listed([format!("pod {name} failed")])
        }
        _ => listed(["timed out waiting for the condition"]),
    };
    match phase {
        "pre-install" | "post-install" => format!("failed {phase}: {body}"),
        "pre-upgrade" | "post-upgrade" => format!("{phase} hooks failed: {body}"),
        "post-delete" => completed_with(&body),
        _ => body,
    }
}

fn completed_with(words: &str) -> String {
    format!("uninstallation completed with 1 error(s): {words}")
}

/// Errors as Helm's list of them prints (hashicorp/go-multierror).
fn listed<T: AsRef<str>>(errors: impl IntoIterator<Item = T>) -> String {
    let points: Vec<String> = errors.into_iter().map(|error| format!("* {}", error.as_ref())).collect();
    match points.as_slice() {
        [one] => format!("1 error occurred:\n\t{one}\n\n"),
        all => format!("{} errors occurred:\n\t{}\n\n", all.len(), all.join("\n\t")),
    }
}

fn find<'p>(plan: &'p Plan, failure: &Failure) -> Option<(&'p str, &'p Step)> {
    plan.phases.iter().find_map(|phase| {
        let mut steps = phase.waves.iter().flat_map(|wave| &wave.steps);
        steps.find(|step| step.id == failure.step).map(|step| (phase.name.as_str(), step))
    })
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn errors_are_listed_as_helm_lists_them() {
        assert_eq!(listed(["a"]), "1 error occurred:\n\t* a\n\n");
        assert_eq!(listed(["a", "b"]), "2 errors occurred:\n\t* a\n\t* b\n\n");
    }
}
