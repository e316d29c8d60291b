use landfall_engine::DeletePolicy;
use landfall_object::Object;

use crate::SyncOptions;

const HOOK: &str = "argocd.argoproj.io/hook";
const HOOK_DELETE: &str = "argocd.argoproj.io/hook-delete-policy";
const WAVE: &str = "argocd.argoproj.io/sync-wave";
const OPTIONS: &str = "argocd.argoproj.io/sync-options";
const HELM_HOOK: &str = "helm.sh/hook";
const HELM_WEIGHT: &str = "helm.sh/hook-weight";
const HELM_DELETE: &str = "helm.sh/hook-delete-policy";

/// The phase that a hook runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookType {
    /// Before anything is applied.
    PreSync,
    /// Together with the objects.
    Sync,
    /// When all is healthy.
    PostSync,
    /// When something failed.
    SyncFail,
    /// Before an Application goes, and what it delivered with it.
    PreDelete,
    /// After that.
    PostDelete,
}

impl HookType {
    /// Argo CD's word.
    pub fn word(self) -> &'static str {
        match self {
            HookType::PreSync => "PreSync",
            HookType::Sync => "Sync",
            HookType::PostSync => "PostSync",
            HookType::SyncFail => "SyncFail",
            HookType::PreDelete => "PreDelete",
            HookType::PostDelete => "PostDelete",
        }
    }
}

/// What an object is to a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is applied.
    Resource,
    /// It runs in these phases.
    Hook(Vec<HookType>),
    /// It takes no part: `Skip`, a hook of another moment, or one that Argo CD does not know.
    None,
}

/// Whether an application is synced for the first time.
///
/// Argo CD runs Helm's hooks for installs and for upgrades alike in every sync: one that is both `post-install` and
/// `pre-upgrade` would wait, in the first sync, for what that very sync is to bring. Here they keep Helm's meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing of it is live.
    First,
    /// Something of it is.
    Later,
}

/// What an object is to a sync, by its annotations (gitops-engine, pkg/sync/hook).
pub(crate) fn part(object: &Object, turn: Turn) -> Part {
    let words = |annotation: &str| -> Vec<String> {
        object
            .annotation(annotation)
            .unwrap_or_default()
            .split(',')
            .map(|word| word.trim().to_owned())
            .filter(|word| !word.is_empty())
            .collect()
    };
    if object.annotation(HOOK).is_some() {
        let mut types = Vec::new();
        for word in words(HOOK) {
            let hook = match word.as_str() {
                "PreSync" => HookType::PreSync,
                "Sync" => HookType::Sync,
                "PostSync" => HookType::PostSync,
                "SyncFail" => HookType::SyncFail,
                _ => continue,
            };
            if !types.contains(&hook) {
                types.push(hook);
            }
        }
        return if types.is_empty() { Part::None } else { Part::Hook(types) };
    }
    if object.annotation(HELM_HOOK).is_some() {
        let mut types = Vec::new();
        for word in words(HELM_HOOK) {
            let hook = match (word.as_str(), turn) {
                ("pre-install", Turn::First) | ("pre-upgrade", Turn::Later) => HookType::PreSync,
                ("post-install", Turn::First) | ("post-upgrade", Turn::Later) => HookType::PostSync,
                // A relic: CRDs are ordinary objects.
                ("crd-install", _) => return Part::Resource,
                _ => continue,
            };
            if !types.contains(&hook) {
                types.push(hook);
            }
        }
        return if types.is_empty() { Part::None } else { Part::Hook(types) };
    }
    Part::Resource
}

/// Whether an object is a hook's, at whichever turn.
pub(crate) fn is_hook(object: &Object) -> bool {
    [Turn::First, Turn::Later].into_iter().any(|turn| matches!(part(object, turn), Part::Hook(_)))
}

/// Whether an object runs when its Application is deleted, before or after what that delivered: Argo CD's annotation and Helm's
/// count side by side (argo-cd, controller/hook.go).
pub(crate) fn runs_at_deletion(object: &Object, moment: HookType) -> bool {
    let helms = match moment {
        HookType::PreDelete => "pre-delete",
        HookType::PostDelete => "post-delete",
        HookType::PreSync | HookType::Sync | HookType::PostSync | HookType::SyncFail => return false,
    };
    [(HOOK, moment.word()), (HELM_HOOK, helms)].into_iter().any(|(annotation, named)| {
        object.annotation(annotation).unwrap_or_default().split(',').any(|word| word.trim() == named)
    })
}

/// An object's wave.
pub(crate) fn wave(object: &Object) -> i32 {
    let read = |annotation: &str| object.annotation(annotation).and_then(|text| text.trim().parse().ok());
    read(WAVE).or_else(|| read(HELM_WEIGHT)).unwrap_or(0)
}

/// When a hook's object is deleted: Argo CD's policies and Helm's together.
pub(crate) fn delete_policies(object: &Object) -> Vec<DeletePolicy> {
    let mut policies = declared_policies(object);
    if policies.is_empty() {
        policies.push(DeletePolicy::BeforeHookCreation);
    }
    policies
}

/// The same of a hook of a deletion: what an attempt that failed left is in no other's way, and where nothing is said nothing is
/// left behind (argo-cd, controller/hook.go).
pub(crate) fn policies_of_deletion(object: &Object) -> Vec<DeletePolicy> {
    let mut policies = declared_policies(object);
    if policies.is_empty() {
        policies.push(DeletePolicy::HookSucceeded);
    }
    if !policies.contains(&DeletePolicy::BeforeHookCreation) {
        policies.push(DeletePolicy::BeforeHookCreation);
    }
    policies
}

fn declared_policies(object: &Object) -> Vec<DeletePolicy> {
    let mut policies = Vec::new();
    for annotation in [HOOK_DELETE, HELM_DELETE] {
        for word in object.annotation(annotation).unwrap_or_default().split(',') {
            let policy = match word.trim() {
                "BeforeHookCreation" | "before-hook-creation" => DeletePolicy::BeforeHookCreation,
                "HookSucceeded" | "hook-succeeded" => DeletePolicy::HookSucceeded,
                "HookFailed" | "hook-failed" => DeletePolicy::HookFailed,
                _ => continue,
            };
            if !policies.contains(&policy) {
                policies.push(policy);
            }
        }
    }
    policies
}

/// An object's own sync options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceOptions {
    /// Read like an Application's.
    pub options: SyncOptions,
    /// Whether `ServerSideApply` is named at all.
    pub names_server_side: bool,
    /// Whether `Replace` is named at all.
    pub names_replace: bool,
    /// Whether `Delete` is named at all.
    pub names_delete: bool,
    /// Whether `Prune` is named at all.
    pub names_prune: bool,
}

impl ResourceOptions {
    /// Those of an object.
    pub fn of(object: &Object) -> Self {
        let text = object.annotation(OPTIONS).unwrap_or_default();
        let words = || text.split(',').map(str::trim);
        ResourceOptions {
            options: SyncOptions::parse(words()),
            names_server_side: words().any(|word| word.starts_with("ServerSideApply=")),
            names_replace: words().any(|word| word.starts_with("Replace=")),
            names_delete: words().any(|word| word.starts_with("Delete=")),
            names_prune: words().any(|word| word.starts_with("Prune=")),
        }
    }

    /// Whose `Prune` counts: the object's own, where it names one, before its Application's (gitops-engine, pkg/sync/sync_context.go).
    pub fn pruning<'o>(&'o self, application: &'o SyncOptions) -> &'o SyncOptions {
        if self.names_prune { &self.options } else { application }
    }

    /// Whether somebody has to confirm that the object goes with its Application: `Prune=confirm` says so, too (argo-cd,
    /// controller/state.go, `isObjRequiresDeletionConfirmation`).
    pub fn is_confirmed_to_go(&self, application: &SyncOptions) -> bool {
        let deletion = if self.names_delete { &self.options } else { application };
        deletion.delete_confirmed || self.pruning(application).prune_confirmed
    }
}
