//! Which cluster a command acts on that is about a cluster rather than about a system.

use clap::Args;
use landfall_host::PlaceQuery;
use landfall_project::{ContextName, EnvironmentName, Namespace};

/// Which cluster a command acts on that is about a cluster rather than about a system.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ClusterArgs {
    /// The environment of landfall.yaml (default: `local`, else the only one)
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    pub(crate) env: Option<EnvironmentName>,
    /// The kubeconfig's context (default: the environment's; else an embedded cluster that was started here; else the
    /// current one)
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<ContextName>,
    /// The kubeconfig's path
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    /// The namespace
    #[arg(short = 'n', long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<Namespace>,
}

impl ClusterArgs {
    /// What narrows the place down.
    pub(crate) fn query(&self) -> PlaceQuery {
        PlaceQuery {
            environment: self.env.clone(),
            revision: None,
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            ..PlaceQuery::default()
        }
    }
}
