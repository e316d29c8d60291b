//! Which cluster: the embedded one, or a context of a kubeconfig. No other file asks which.

use std::path::PathBuf;

use landfall_machine::Shipping;

/// Which cluster is acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterChoice(Which);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    /// The one of a state directory.
    Embedded,
    /// One that somebody else runs.
    Remote(RemoteContext),
}

/// A context of a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteContext {
    /// Its name.
    pub name: String,
    /// The kubeconfig's path, when not the usual one.
    pub kubeconfig: Option<PathBuf>,
    /// Whether an environment that names it is protected.
    pub protection: Protection,
}

/// Whether an environment is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protection {
    /// It is not.
    #[default]
    Open,
    /// It is: what changes it is committed, and named by whoever wants it.
    Protected,
}

impl Protection {
    /// As a `landfall.yaml` has it.
    pub(crate) fn of(protected: bool) -> Self {
        if protected { Protection::Protected } else { Protection::Open }
    }
}

impl ClusterChoice {
    /// The embedded cluster.
    pub(crate) fn embedded() -> Self {
        ClusterChoice(Which::Embedded)
    }

    /// A context.
    pub(crate) fn of(context: RemoteContext) -> Self {
        ClusterChoice(Which::Remote(context))
    }

    /// The context of a cluster that is not of this state directory; nothing else can protect, name or reach it.
    pub fn remote(&self) -> Option<&RemoteContext> {
        match &self.0 {
            Which::Embedded => None,
            Which::Remote(context) => Some(context),
        }
    }

    /// Whether the cluster is kept in the state directory, so that it goes with it.
    pub fn is_kept_in_state(&self) -> bool {
        self.remote().is_none()
    }

    /// What to call it.
    pub fn shown(&self) -> &str {
        self.remote().map_or("the embedded cluster", |context| context.name.as_str())
    }

    /// How images get to where it runs them; the embedded one runs none.
    pub fn shipping(&self) -> Shipping {
        self.remote().map_or(Shipping::Stay, |context| Shipping::to_context(&context.name))
    }
}
