//! How releases are delivered: what a caller chooses.

use std::time::Duration;

use landfall_chart::Dialect;
use landfall_cluster::Propagation;
use serde::{Deserialize, Serialize};

/// What is waited for after the objects are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Nothing.
    #[default]
    No,
    /// Workloads ready, claims bound, load balancers served.
    Ready,
    /// The same, and Jobs completed.
    ReadyAndJobs,
}

/// Whether hooks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HookRuns {
    /// They do.
    #[default]
    Run,
    /// They do not (`--no-hooks`).
    Skip,
}

/// Whether objects are replaced as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Force {
    /// They are patched.
    #[default]
    No,
    /// They are replaced (`--force`).
    Replace,
}

/// What becomes of a changed object that is a hook of Argo CD, and to Helm an object like any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ArgoHooks {
    /// It is patched, as Helm does; a Job refuses that.
    #[default]
    Patched,
    /// It is made anew, as Argo CD does.
    Remade,
}

/// What happens to objects that exist and are not the release's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnershipCheck {
    /// The operation is refused.
    #[default]
    Strict,
    /// As [`OwnershipCheck::Strict`], but the release's own namespace is taken where nobody has marked it as theirs:
    /// something had to make it before the release could, a first Secret for example.
    AdoptNamespace,
    /// They are taken into the release (`--take-ownership`).
    Take,
}

/// Who merges what is wanted with what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// We do, as Helm 3.
    #[default]
    ClientSide,
    /// The server does, as Helm 4.
    ServerSide,
    /// The server does, and gives us the fields that others own (`--force-conflicts`).
    ServerSideTakingOver,
}

impl Apply {
    /// As Helm 4 records it (`apply_method`).
    pub fn word(self) -> &'static str {
        match self {
            Apply::ClientSide => "csa",
            Apply::ServerSide | Apply::ServerSideTakingOver => "ssa",
        }
    }
}

/// What becomes of the objects behind one that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remainder {
    /// They are left alone.
    #[default]
    LeftAlone,
    /// They are written, as Helm does.
    Written,
}

/// What becomes of the pods of objects that are updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pods {
    /// Their controllers see to them.
    #[default]
    LeftAlone,
    /// They are deleted, so that they are made anew (`--recreate-pods`).
    Recreated,
}

/// What install, upgrade and rollback have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployOptions {
    /// Whether hooks run.
    pub hooks: HookRuns,
    /// What is waited for.
    pub wait: Wait,
    /// The time each wait and each hook may take.
    pub timeout: Duration,
    /// Whether objects are replaced.
    pub force: Force,
    /// What becomes of Argo CD's hooks.
    pub argo_hooks: ArgoHooks,
    /// What happens to foreign objects.
    pub ownership: OwnershipCheck,
    /// A description in place of Helm's.
    pub description: Option<String>,
    /// Whether a failure is undone (`--atomic`): an install is uninstalled, an upgrade rolled back.
    pub atomic: bool,
    /// Whether objects created by a failed attempt are deleted (`--cleanup-on-fail`).
    pub cleanup_on_fail: bool,
    /// How many revisions are kept; 0 keeps all.
    pub max_history: usize,
    /// Who merges.
    pub apply: Apply,
    /// Whose manner the record is written in: Helm 4's says who merged.
    pub dialect: Dialect,
    /// What becomes of the objects behind one that fails.
    pub remainder: Remainder,
    /// What becomes of the pods of updated objects.
    pub pods: Pods,
}

impl Default for DeployOptions {
    fn default() -> Self {
        DeployOptions {
            hooks: HookRuns::Run,
            wait: Wait::No,
            timeout: Duration::from_secs(300),
            force: Force::No,
            argo_hooks: ArgoHooks::Patched,
            ownership: OwnershipCheck::Strict,
            description: None,
            atomic: false,
            cleanup_on_fail: false,
            max_history: 10,
            apply: Apply::ClientSide,
            dialect: Dialect::V3,
            remainder: Remainder::LeftAlone,
            pods: Pods::LeftAlone,
        }
    }
}

/// How a release is installed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstallOptions {
    /// What all have in common.
    pub deploy: DeployOptions,
    /// Whether the namespace is created when it is absent.
    pub create_namespace: bool,
    /// Whether the name of an uninstalled or failed release may be used again (`--replace`).
    pub replace: bool,
    /// Whether the files under `crds/` are left out.
    pub skip_crds: bool,
    /// Whether it is only tried (`--dry-run`): the name may be taken.
    pub rehearsal: bool,
}

/// How a release is upgraded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpgradeOptions {
    /// What all have in common.
    pub deploy: DeployOptions,
}

/// How a release is rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollbackOptions {
    /// What all have in common.
    pub deploy: DeployOptions,
    /// The revision to go back to; 0 is the one before the last.
    pub revision: i64,
}

/// How a release is uninstalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UninstallOptions {
    /// Whether hooks run.
    pub hooks: HookRuns,
    /// Whether the records are kept.
    pub keep_history: bool,
    /// Whether the objects' end is waited for.
    pub wait: bool,
    /// The time each wait and each hook may take.
    pub timeout: Duration,
    /// What becomes of dependents.
    pub propagation: Propagation,
    /// Whether volume claims stay, as if their chart had asked for it.
    pub keep_claims: bool,
    /// A description in place of Helm's.
    pub description: Option<String>,
    /// What becomes of the objects behind one that fails.
    pub remainder: Remainder,
}

impl Default for UninstallOptions {
    fn default() -> Self {
        UninstallOptions {
            hooks: HookRuns::Run,
            keep_history: false,
            wait: false,
            timeout: Duration::from_secs(300),
            propagation: Propagation::Background,
            keep_claims: false,
            description: None,
            remainder: Remainder::LeftAlone,
        }
    }
}

/// Which test hooks run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestFilter {
    /// Only this one (`name=…`).
    Only(String),
    /// All but this one (`!name=…`).
    Not(String),
}

/// How a release is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestOptions {
    /// The time each hook may take.
    pub timeout: Duration,
    /// Which hooks run; all when empty.
    pub filters: Vec<TestFilter>,
}

impl TestOptions {
    /// Whether a test hook is to run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        let only =
            || self.filters.iter().filter_map(|it| if let TestFilter::Only(name) = it { Some(name) } else { None });
        let not = self.filters.iter().any(|filter| matches!(filter, TestFilter::Not(left_out) if left_out == name));
        !not && (only().next().is_none() || only().any(|wanted| wanted == name))
    }
}
