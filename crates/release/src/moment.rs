use landfall_engine::{DeletePolicy, LogPolicy};
use landfall_object::Object;

use crate::HookRecord;

/// A moment at which hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    PreInstall,
    PostInstall,
    PreUpgrade,
    PostUpgrade,
    PreRollback,
    PostRollback,
    PreDelete,
    PostDelete,
    Test,
}

impl Moment {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Moment::PreInstall => "pre-install",
            Moment::PostInstall => "post-install",
            Moment::PreUpgrade => "pre-upgrade",
            Moment::PostUpgrade => "post-upgrade",
            Moment::PreRollback => "pre-rollback",
            Moment::PostRollback => "post-rollback",
            Moment::PreDelete => "pre-delete",
            Moment::PostDelete => "post-delete",
            Moment::Test => "test",
        }
    }

    /// Whether that is one of a hook's moments.
    pub(crate) fn is_one_of(self, events: &[String]) -> bool {
        events.iter().any(|event| self.is(event))
    }

    fn is(self, event: &str) -> bool {
        event == self.word() || (self == Moment::Test && event == "test-success")
    }
}

/// A hook's object.
pub(crate) struct HookObject {
    /// The hook's number in its record.
    pub(crate) id: usize,
    /// The template.
    pub(crate) path: String,
    /// The object.
    pub(crate) object: Object,
    /// When it is deleted.
    pub(crate) delete: Vec<DeletePolicy>,
    /// When its log is told.
    pub(crate) log: Vec<LogPolicy>,
}

impl HookObject {
    pub(crate) fn of(id: usize, hook: &HookRecord, object: Object) -> Self {
        let mut delete: Vec<DeletePolicy> =
            hook.delete_policies.iter().filter_map(|word| delete_policy(word)).collect();
        if delete.is_empty() {
            delete.push(DeletePolicy::BeforeHookCreation);
        }
        let log = hook.output_log_policies.iter().filter_map(|word| log_policy(word)).collect();
        HookObject { id, path: hook.path.clone(), object, delete, log }
    }
}

fn delete_policy(word: &str) -> Option<DeletePolicy> {
    match word {
        "before-hook-creation" => Some(DeletePolicy::BeforeHookCreation),
        "hook-succeeded" => Some(DeletePolicy::HookSucceeded),
        "hook-failed" => Some(DeletePolicy::HookFailed),
        _ => None,
    }
}

fn log_policy(word: &str) -> Option<LogPolicy> {
    match word {
        "hook-succeeded" => Some(LogPolicy::HookSucceeded),
        "hook-failed" => Some(LogPolicy::HookFailed),
        _ => None,
    }
}
