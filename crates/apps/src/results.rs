//! `status.operationState.syncResult.resources`: what has become of each object and hook of a sync so far, in the order in
//! which they came, as Argo CD writes it (gitops-engine, pkg/sync/sync_context.go, `setResourceResult`).

use landfall_engine::{Failure, FailureKind, Plan, Standing, StepResult, StepState, Task, Trial};
use landfall_object::{Object, ObjectKey};
use serde_json::{Value, json};

/// Where the pods of a workload are declared.
const PODS: [&str; 3] = ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];

/// One object or hook, in one phase.
struct Entry<'a> {
    key: &'a ObjectKey,
    phase: &'a str,
    is_hook: bool,
    /// Argo CD's `ResultCode`.
    status: &'static str,
    /// Argo CD's `OperationPhase`, also of what is no hook: Running until its health has been waited for.
    standing: &'static str,
    message: String,
    images: Vec<&'a str>,
}

/// All that were begun.
pub(crate) fn results(so_far: &[StepState<'_>]) -> Vec<Value> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for state in so_far {
        match (&state.step.task, state.standing) {
            (Task::Wait { keys, .. }, Standing::Done(_)) => {
                for key in keys {
                    healthy(&mut entries, key);
                }
            }
            (Task::Wait { .. }, Standing::Failed(failure)) => {
                unhealthy(&mut entries, failure);
                failure.further.iter().for_each(|failure| unhealthy(&mut entries, failure));
            }
            (Task::Wait { .. }, Standing::Running) => {}
            // A namespace that was there is none of the sync's.
            (Task::Ensure { .. }, Standing::Done(StepResult::Unchanged)) => {}
            (task, standing) => entries.push(entry(state, task, standing)),
        }
    }
    entries.iter().map(Entry::written).collect()
}

/// The same of a sync that was ended for good: what still ran was ended with it.
pub fn terminated(results: &[Value]) -> Vec<Value> {
    let mut results = results.to_vec();
    for entry in &mut results {
        if entry.get("hookType").is_some() && entry["hookPhase"] == "Running" {
            entry["hookPhase"] = "Failed".into();
            entry["message"] = "Terminated".into();
        }
    }
    results
}

/// An object that the cluster would refuse, so that the sync was not begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub object: ObjectKey,
    /// In which phase it was to come.
    pub phase: String,
    /// Whether it is a hook.
    pub is_hook: bool,
    /// What is objected.
    pub words: String,
}

impl Refused {
    /// All of one plan of a trial, in the plan's order.
    pub fn of(plan: &Plan, trial: &Trial, number: usize) -> Vec<Self> {
        let steps = plan.phases.iter().flat_map(|phase| {
            phase.waves.iter().flat_map(|wave| &wave.steps).map(move |step| (phase.name.as_str(), step))
        });
        let mut refused: Vec<Self> = Vec::new();
        for (phase, step) in steps.filter(|(_, step)| !matches!(step.task, Task::Wait { .. })) {
            let objections = trial.refusals.iter().filter(|it| it.tried.plan == number && it.tried.key == step.key);
            let words: Vec<String> = objections.map(|it| it.objection.to_string()).collect();
            if words.is_empty() || refused.iter().any(|it| it.object == step.key) {
                continue;
            }
            let (is_hook, phase) = (matches!(step.task, Task::Hook(_)), phase.to_owned());
            refused.push(Self { object: step.key.clone(), phase, is_hook, words: words.join("; ") });
        }
        refused
    }

    fn entry(&self) -> Entry<'_> {
        Entry {
            key: &self.object,
            phase: &self.phase,
            is_hook: self.is_hook,
            status: "SyncFailed",
            standing: "Failed",
            message: self.words.clone(),
            images: Vec::new(),
        }
    }
}

/// What is told of objects that kept a sync from being begun: Argo CD tells of a task that its dry run refuses so, and of no other.
pub(crate) fn refused(refused: &[Refused]) -> Vec<Value> {
    refused.iter().map(|it| it.entry().written()).collect()
}

/// What is waited for, in Argo CD's words; nothing while nothing is.
pub(crate) fn waiting(so_far: &[StepState<'_>]) -> Option<String> {
    let state = so_far.iter().rev().find(|state| state.standing == Standing::Running)?;
    let (reason, more) = match &state.step.task {
        Task::Wait { keys, .. } => ("healthy state of", keys.len().saturating_sub(1)),
        _ => ("completion of hook", 0),
    };
    let gvk = &state.key.gvk;
    let first = format!("waiting for {reason} {}/{}/{}", gvk.group, gvk.kind, state.key.name);
    Some(if more > 0 { format!("{first} and {more} more resources") } else { first })
}

fn entry<'a>(state: &StepState<'a>, task: &'a Task, standing: Standing<'_>) -> Entry<'a> {
    let key = state.key;
    let is_hook = matches!(task, Task::Hook(_));
    let (status, standing, message) = match standing {
        Standing::Running => ("Synced", "Running", done(key, StepResult::Created)),
        Standing::Done(StepResult::HookSucceeded) => ("Synced", "Succeeded", done(key, StepResult::Created)),
        Standing::Done(StepResult::Deleted | StepResult::Absent) => ("Pruned", "Succeeded", "pruned".to_owned()),
        Standing::Done(StepResult::Kept) => ("PruneSkipped", "Succeeded", state.step.why.clone()),
        Standing::Done(result) => ("Synced", "Running", done(key, result)),
        Standing::Failed(failure) => {
            let (status, standing) = failed(failure, is_hook);
            (status, standing, failure.message.clone())
        }
    };
    let object = match task {
        Task::Hook(hook) => Some(&hook.object),
        Task::Apply { object, .. } | Task::Ensure { object } => Some(object),
        Task::Delete { .. } | Task::Keep { .. } | Task::Wait { .. } => None,
    };
    let images = object.map(images).unwrap_or_default();
    Entry { key, phase: state.phase, is_hook, status, standing, message, images }
}

/// How a step failed: whether its object could be put there, and how it stands.
fn failed(failure: &Failure, is_hook: bool) -> (&'static str, &'static str) {
    match (failure.kind, is_hook) {
        // It was there, and did not do its work.
        (FailureKind::Hook | FailureKind::NeverReady | FailureKind::Timeout, _) => ("Synced", "Failed"),
        // What has become of it is not known, or it was not let begin.
        (FailureKind::Unreachable | FailureKind::Guard, true) => ("SyncFailed", "Error"),
        (FailureKind::Refused | FailureKind::Unreachable | FailureKind::Guard, _) => ("SyncFailed", "Failed"),
    }
}

fn healthy(entries: &mut [Entry<'_>], key: &ObjectKey) {
    for entry in of(entries, key).filter(|entry| entry.standing == "Running") {
        entry.standing = "Succeeded";
    }
}

fn unhealthy(entries: &mut [Entry<'_>], failure: &Failure) {
    for entry in of(entries, &failure.key) {
        entry.standing = "Failed";
        entry.message.clone_from(&failure.message);
    }
}

fn of<'e, 'a>(entries: &'e mut [Entry<'a>], key: &'e ObjectKey) -> impl Iterator<Item = &'e mut Entry<'a>> {
    entries.iter_mut().filter(move |entry| !entry.is_hook && entry.key == key)
}

/// What kubectl says of it.
fn done(key: &ObjectKey, result: StepResult) -> String {
    let what = match result {
        StepResult::Created => "created",
        StepResult::Changed => "configured",
        _ => "unchanged",
    };
    let kind = key.gvk.kind.to_lowercase();
    match key.gvk.group.as_str() {
        "" => format!("{kind}/{} {what}", key.name),
        group => format!("{kind}.{group}/{} {what}", key.name),
    }
}

fn images(object: &Object) -> Vec<&str> {
    let containers = PODS.iter().flat_map(|pods| ["initContainers", "containers"].map(|list| format!("{pods}/{list}")));
    containers.flat_map(|list| object.list_at(&list)).filter_map(|container| container.get("image")?.as_str()).collect()
}

impl Entry<'_> {
    fn written(&self) -> Value {
        let gvk = &self.key.gvk;
        let mut written = json!({
            "group": gvk.group,
            "version": gvk.version,
            "kind": gvk.kind,
            "namespace": self.key.namespace.as_deref().unwrap_or_default(),
            "name": self.key.name,
            "status": self.status,
            "message": self.message,
            "hookPhase": self.standing,
            "syncPhase": self.phase,
        });
        if self.is_hook {
            written["hookType"] = self.phase.into();
        }
        if !self.images.is_empty() {
            written["images"] = json!(self.images);
        }
        written
    }
}
