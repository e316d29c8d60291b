use landfall_cluster::Evidence;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_object::ObjectKey;
use serde::{Deserialize, Serialize};

/// What kind of failure ended an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The cluster refused a write.
    Refused,
    /// A hook failed.
    Hook,
    /// An object can never become ready.
    NeverReady,
    /// An object did not become ready in time.
    Timeout,
    /// A guard said no.
    Guard,
    /// The cluster could not be reached.
    Unreachable,
}

/// How a hook failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookEnd {
    /// It ended badly, or can never end.
    Failed,
    /// It did not end in time.
    TimedOut,
}

/// A pod of the revision before that cannot start, and for which its StatefulSet waits before it replaces any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldUp {
    /// The pod.
    pub pod: ObjectKey,
    /// Whether it waits for a volume: what takes its place would as well.
    #[serde(default)]
    pub wants_volume: bool,
}

/// Why an operation ended early, with the evidence taken at that moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The step.
    pub step: String,
    /// The object.
    pub key: ObjectKey,
    /// What kind.
    pub kind: FailureKind,
    /// How it failed, when it is a hook; `None` in what versions have written that did not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<HookEnd>,
    /// In words, the cluster's own among them.
    pub message: String,
    /// What could be seen of it, the cause first.
    pub evidence: Vec<Evidence>,
    /// How many objects were still waited for when time was up; the evidence is of the first of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending: usize,
    /// What holds some of these up that ran before the operation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_up: Vec<HeldUp>,
    /// What failed beside it, where an executor finishes its writes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<Failure>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Diagnose for Failure {
    fn diagnose(&self) -> Diagnostic {
        let code = match self.kind {
            FailureKind::Refused => code::REFUSED,
            FailureKind::Hook => code::HOOK_FAILED,
            FailureKind::NeverReady => code::NEVER_READY,
            FailureKind::Timeout => code::NOT_IN_TIME,
            FailureKind::Guard => code::ONCE,
            FailureKind::Unreachable => code::UNREACHABLE,
        };
        let mut diagnostic = match self.kind {
            FailureKind::Guard => Diagnostic::refused(code, self.message.clone()),
            FailureKind::Refused => {
                Diagnostic::error(code, format!("the cluster refused {}", self.key)).note(self.message.clone())
            }
            FailureKind::Hook => Diagnostic::error(code, format!("hook {} failed: {}", self.key, self.message)),
            FailureKind::NeverReady => {
                Diagnostic::error(code, format!("{} cannot become ready: {}", self.key, self.message))
            }
            FailureKind::Timeout => Diagnostic::error(code, self.message.clone()),
            FailureKind::Unreachable => Diagnostic::error(code, self.message.clone()),
        };
        for evidence in &self.evidence {
            if let Some(seen) = evidence.in_pod() {
                diagnostic = diagnostic.note(format!("pod {seen}"));
            }
            let warnings: Vec<String> = evidence
                .events
                .iter()
                .filter(|event| event.kind == "Warning")
                .map(|event| format!("{} {}: {}", event.at, event.reason, event.message))
                .collect();
            if !warnings.is_empty() {
                diagnostic = diagnostic.note(format!("events:\n{}", warnings.join("\n")));
            }
            if !evidence.log.is_empty() {
                let which = if evidence.previous { "log before the last restart" } else { "log" };
                diagnostic = diagnostic.note(format!("{which}:\n{}", evidence.log.join("\n")));
            }
        }
        for other in &self.further {
            diagnostic = diagnostic.note(format!("{}: {}", other.key, other.message));
        }
        if let Some(Evidence { pod: Some(pod), object, .. }) = self.evidence.first() {
            let namespace = object.namespace.as_deref().unwrap_or("default");
            diagnostic = diagnostic.help(format!("kubectl -n {namespace} describe pod {pod}"));
        }
        if let Some(HeldUp { pod, .. }) = self.held_up.iter().find(|held| !held.wants_volume) {
            let namespace = pod.namespace.as_deref().unwrap_or("default");
            diagnostic = diagnostic
                .note("a StatefulSet that starts its pods one after the other replaces none before each is ready")
                .help(format!("kubectl -n {namespace} delete pod {}", pod.name));
        }
        diagnostic
    }
}

/// What a step has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// The object was created.
    Created,
    /// The object was changed.
    Changed,
    /// The object was as desired.
    Unchanged,
    /// The object was deleted.
    Deleted,
    /// There was nothing to delete.
    Absent,
    /// The object was left in place.
    Kept,
    /// The hook did its work.
    HookSucceeded,
    /// What was waited for has come.
    Ready,
    /// The step failed.
    Failed,
}

/// A step that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step.
    pub id: String,
    /// The object.
    pub key: ObjectKey,
    /// What it has led to.
    pub result: StepResult,
}

/// How an operation has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The operation's id in the journal.
    pub operation: String,
    /// What was done, in order.
    pub steps: Vec<StepReport>,
    /// Why it ended early, when it did.
    pub failure: Option<Failure>,
    /// Whether it went on from where a process that died had left it.
    pub resumed: bool,
}

impl Report {
    /// Whether everything was done.
    pub fn succeeded(&self) -> bool {
        self.failure.is_none()
    }

    /// The objects that ended with that result.
    pub fn with(&self, result: StepResult) -> impl Iterator<Item = &ObjectKey> {
        self.steps.iter().filter(move |step| step.result == result).map(|step| &step.key)
    }
}
