use landfall_cluster::{JobWait, Propagation};
use landfall_object::{Object, ObjectKey, mask};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// What a front door wants done: phases of items, in order.
///
/// Objects carry their namespace already (`Cluster::place`), because planning asks no cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// What is delivered to, for example `release shop/web`; operations of one target exclude each other.
    pub target: String,
    /// The verb: `install`, `upgrade`, `sync`.
    pub kind: String,
    /// In order.
    pub phases: Vec<DesiredPhase>,
    /// The namespace of objects that name none and whose kinds are served only when it is their turn; empty where there are none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub home: String,
    /// Seconds that an object in the way may take to go; [`DEFAULT_GOING`] where nobody said.
    #[serde(default = "default_going")]
    pub timeout: u64,
}

/// Seconds that an object in the way may take to go where nobody says how long a delivery may take.
pub const DEFAULT_GOING: u64 = 120;

pub(crate) fn default_going() -> u64 {
    DEFAULT_GOING
}

/// When a phase runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhaseRuns {
    /// When all before it went well.
    #[default]
    OnSuccess,
    /// When a phase before it failed.
    OnFailure,
}

/// A phase: `pre-upgrade`, `resources`, `PostSync`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DesiredPhase {
    /// The front door's name for it.
    pub name: String,
    /// When it runs.
    pub runs: PhaseRuns,
    /// Its items; waves in ascending order, items of a wave in the order given.
    pub items: Vec<Item>,
}

/// One thing to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The wave within the phase.
    pub wave: i32,
    /// What.
    pub task: Task,
    /// Why, in a few words: `templates/web.yaml`, `no longer in the chart`.
    pub why: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {
    /// The object is to be there and to be so.
    Apply {
        /// As it is to be.
        object: Object,
        /// As it was last delivered, for three-way merges; absent when it never was.
        previous: Option<Object>,
        /// How it is written.
        method: Method,
    },
    /// The object is to be there; what is there already stays as it is.
    Ensure {
        /// As it is to be created.
        object: Object,
    },
    /// The object is to go.
    Delete {
        /// Which.
        key: ObjectKey,
        /// What becomes of its dependents.
        propagation: Propagation,
    },
    /// The object stays although it is no longer wanted; the item's reason says why.
    Keep {
        /// Which.
        key: ObjectKey,
    },
    /// A hook: created anew, waited for, cleaned up by its policies.
    Hook(Box<Hook>),
    /// Wait for objects.
    Wait {
        /// Which.
        keys: Vec<ObjectKey>,
        /// For what.
        wait: WaitFor,
        /// Seconds, at most.
        timeout: u64,
    },
}

impl Task {
    /// The task as JSON with the values of its Secrets, as [`crate::Plan::revealed`] has it.
    pub(crate) fn revealed(&self) -> serde_json::Result<Value> {
        let mut task = serde_json::to_value(self)?;
        match self {
            Task::Apply { object, previous, .. } => {
                task["object"] = serde_json::to_value(object.revealed())?;
                task["previous"] = serde_json::to_value(previous.as_ref().map(Object::revealed))?;
            }
            Task::Ensure { object } => task["object"] = serde_json::to_value(object.revealed())?,
            Task::Hook(hook) => task["object"] = serde_json::to_value(hook.object.revealed())?,
            Task::Delete { .. } | Task::Keep { .. } | Task::Wait { .. } => {}
        }
        Ok(task)
    }
}

/// A task as it is shown: what was delivered last beside what is to be, for a value that was opened hides the one that stood in its place.
///
/// # Errors
/// Those of the serializer.
pub(crate) fn as_shown<S: Serializer>(task: &Task, serializer: S) -> Result<S::Ok, S::Error> {
    if let Task::Apply { object, previous: Some(previous), method } = task
        && landfall_diag::knows_any()
        && let (Some(previous), Some(object)) = mask::pair(Some(previous), Some(object))
    {
        return Task::Apply { object, previous: Some(previous), method: method.clone() }.serialize(serializer);
    }
    task.serialize(serializer)
}

/// How an object is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Method {
    /// Client-side: previous, desired and live are merged into a patch.
    ThreeWay {
        /// The field manager's name.
        manager: String,
    },
    /// Server-side apply.
    ServerSide {
        /// The field manager's name.
        manager: String,
        /// Whether fields of other managers are taken over.
        force: bool,
    },
    /// The whole object is put in place of the old one.
    Replace {
        /// The field manager's name.
        manager: String,
    },
    /// The old object is deleted and a new one created.
    Recreate {
        /// The field manager's name.
        manager: String,
    },
    /// As another method says, and where the server refuses that as invalid, the old object is deleted and a new one created
    /// (`kubectl apply --force`): one that the server would take, in place of one that has no data behind it.
    OrRecreate {
        /// How it is tried.
        first: Box<Method>,
    },
}

impl Method {
    /// Whether a live object may go for another one, where the server refuses to change it.
    pub(crate) fn may_recreate(&self, live: &Object, error: &landfall_cluster::Error) -> bool {
        matches!(self, Method::OrRecreate { .. }) && error.code() == Some(422) && live.has_no_data()
    }

    /// The field manager's name.
    pub fn manager(&self) -> &str {
        match self {
            Method::ThreeWay { manager }
            | Method::ServerSide { manager, .. }
            | Method::Replace { manager }
            | Method::Recreate { manager } => manager,
            Method::OrRecreate { first } => first.manager(),
        }
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// Rollouts complete, claims bound, load balancers served.
    Rollout(JobWait),
    /// Healthy by the rules of Argo CD; a claim that waits for its first consumer is.
    Health,
    /// The same, and a claim is once it is bound.
    HealthAsTold,
    /// Gone.
    Deletion,
}

/// By what a hook is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Criterion {
    /// A Job completes, a Pod succeeds, anything else is done once created.
    #[default]
    Completion,
    /// Healthy by the rules of Argo CD.
    Health,
}

/// When a hook's object is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeletePolicy {
    /// Before a new one is created.
    BeforeHookCreation,
    /// After all hooks of its phase have succeeded.
    HookSucceeded,
    /// After it has failed.
    HookFailed,
}

/// When a hook's log is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogPolicy {
    /// After it has succeeded.
    HookSucceeded,
    /// After it has failed.
    HookFailed,
}

/// A hook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hook {
    /// A number by which its ledger knows it.
    pub id: usize,
    /// Its object.
    pub object: Object,
    /// When the object is deleted; an empty list keeps it and refuses to create it twice.
    pub delete: Vec<DeletePolicy>,
    /// When its log is shown; the log of one that failed is evidence in any case.
    pub log: Vec<LogPolicy>,
    /// By what it is judged.
    pub criterion: Criterion,
    /// Seconds, at most.
    pub timeout: u64,
    /// The field manager's name.
    pub manager: String,
}
