use landfall_engine::DeletePolicy;
use landfall_object::Object;

use crate::SyncOptions;
use crate::ignored::NOT_ACTED_ON;

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
}

impl HookType {
    /// Argo CD's word.
    pub fn word(self) -> &'static str {
        match self {
            HookType::PreSync => "PreSync",
            HookType::Sync => "Sync",
            HookType::PostSync => "PostSync",
            HookType::SyncFail => "SyncFail",
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

/// What an object's hook annotations ask for that has no effect, in words: hooks of a deletion are not run.
pub(crate) fn hooks_in_vain(object: &Object) -> Vec<String> {
    let annotation = if object.annotation(HOOK).is_some() { HOOK } else { HELM_HOOK };
    let words = object.annotation(annotation).unwrap_or_default().split(',').map(str::trim);
    let of_deletion = words.filter(|word| matches!(*word, "PreDelete" | "PostDelete" | "pre-delete" | "post-delete"));
    of_deletion.map(|word| format!("the hook {word} of {}{NOT_ACTED_ON}", object.key())).collect()
}

/// An object's wave.
pub(crate) fn wave(object: &Object) -> i32 {
    let read = |annotation: &str| object.annotation(annotation).and_then(|text| text.trim().parse().ok());
    read(WAVE).or_else(|| read(HELM_WEIGHT)).unwrap_or(0)
}

/// When a hook's object is deleted: Argo CD's policies and Helm's together.
pub(crate) fn delete_policies(object: &Object) -> Vec<DeletePolicy> {
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
    if policies.is_empty() {
        policies.push(DeletePolicy::BeforeHookCreation);
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
    /// `Delete=false`
    pub no_delete: bool,
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
            no_delete: words().any(|word| word == "Delete=false"),
        }
    }
}
