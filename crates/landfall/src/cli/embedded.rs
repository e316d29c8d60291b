use clap::{Args, Subcommand};
use landfall_project::{EnvironmentName, Span};

use super::{ClusterCreateArgs, ClusterDeleteArgs, OutputArgs, TargetArgs};

/// `landfall cluster …`
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ClusterCommand {
    /// Start the embedded cluster and leave it running
    #[command(
        before_help = "Examples:\n  landfall cluster start\n  kubectl --kubeconfig .landfall/kubeconfig get nodes"
    )]
    Start(ClusterStartArgs),
    /// Stop it; its state stays
    Stop(StopArgs),
    /// Stop it and forget its state
    Reset(ResetArgs),
    /// Print its kubeconfig
    Kubeconfig(KubeconfigArgs),
    /// Show whether it runs and where, and which operators are simulated
    Status(ClusterStatusArgs),
    /// Switch a simulated operator off, or on again
    #[command(
        before_help = "Examples:\n  landfall cluster operator off cert-manager    a real one is about to be run\n  landfall cluster operator on cert-manager     simulate it again, until a real one acts"
    )]
    Operator(OperatorArgs),
    /// Write what a cluster has into a file, values of secrets left out, for `rehearse --from FILE`
    #[command(
        before_help = "Examples:\n  landfall cluster snapshot before.json\n  landfall cluster snapshot prod.json --env prod"
    )]
    Snapshot(Box<SnapshotArgs>),
    /// Copy the embedded cluster as it is into a state directory of its own
    #[command(before_help = "Examples:\n  landfall cluster fork ../try\n  landfall --state ../try up")]
    Fork(ForkArgs),
    /// Make a cluster on this machine: ports 80 and 443 at its load balancer, one agent
    #[command(before_help = "Examples:\n  landfall cluster create shop-local --driver k3d")]
    Create(ClusterCreateArgs),
    /// Delete a cluster of this machine with all in it
    #[command(before_help = "Examples:\n  landfall cluster delete shop-local --driver k3d --yes")]
    Delete(ClusterDeleteArgs),
    /// Serve it in this process until interrupted
    #[command(hide = true)]
    Serve(ServeArgs),
}

/// Arguments of `cluster start`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ClusterStartArgs {
    /// The port of the Kubernetes API (default: a free one)
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// The environment of landfall.yaml whose `simulate:` applies
    #[arg(long, env = "LANDFALL_ENV", value_name = "NAME")]
    pub(crate) env: Option<EnvironmentName>,
    /// Nodes as CPU cores and memory, as `4,8Gi`; repeat for several
    #[arg(long = "node", value_name = "CPU,MEMORY")]
    pub(crate) nodes: Vec<String>,
    /// An operator that is not to be simulated, as `cert-manager`; repeat for several
    #[arg(long, value_name = "OPERATOR")]
    pub(crate) no_simulate: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `cluster status`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterStatusArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Arguments of `cluster operator`.
#[derive(Debug, Clone, Args)]
pub(crate) struct OperatorArgs {
    /// Whether it is to be simulated
    #[arg(value_name = "STATE")]
    pub(crate) switch: OperatorState,
    /// Its name, as `cluster status` shows it
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
}

/// Whether an operator is to be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OperatorState {
    /// It is, until the real one acts
    On,
    /// It is not
    Off,
}

/// Arguments of `cluster reset`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ResetArgs {
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// How long a delivery that is under way is waited for (default 15s); then nothing is done
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
}

/// Arguments of `cluster stop`.
#[derive(Debug, Clone, Args)]
pub(crate) struct StopArgs {
    /// How long a delivery that is under way is waited for (default 15s); then nothing is done
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
}

/// Arguments of `cluster kubeconfig`.
#[derive(Debug, Clone, Args)]
pub(crate) struct KubeconfigArgs {
    /// Merge it into the kubeconfig of `KUBECONFIG` or `~/.kube/config` instead of printing it
    #[arg(long)]
    pub(crate) merge: bool,
    /// Print the file's path instead
    #[arg(long, conflicts_with = "merge")]
    pub(crate) path: bool,
}

/// Arguments of `cluster serve`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServeArgs {
    /// The port of the Kubernetes API; 0 for a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub(crate) port: u16,
    /// A file with what containers are declared to do
    #[arg(long, value_name = "FILE")]
    pub(crate) simulate: Option<String>,
    /// Nodes as CPU cores and memory, as `4,8Gi`
    #[arg(long = "node", value_name = "CPU,MEMORY")]
    pub(crate) nodes: Vec<String>,
    /// End after so many idle seconds; 0 for never
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub(crate) idle: u64,
}

/// Arguments of `cluster snapshot`.
#[derive(Debug, Clone, Args)]
pub(crate) struct SnapshotArgs {
    /// The file to write; standard output when absent
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
}

/// Arguments of `cluster fork`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ForkArgs {
    /// The copy's state directory; must not hold a cluster yet
    #[arg(value_name = "DIR")]
    pub(crate) into: String,
}
