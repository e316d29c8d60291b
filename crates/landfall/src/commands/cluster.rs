//! `landfall cluster …`

mod create;
mod delete;
mod fork;
mod kubeconfig;
mod operator;
mod removed;
mod reset;
mod serve;
mod snapshot;
mod start;
mod status;
mod stop;

use landfall_diag::{Diagnostic, code};
use landfall_host::{Delivering, Failure, StateDir};
use landfall_project::Span;

use crate::context::Context;
use crate::verb::verbs;

verbs! {
    /// `landfall cluster …`
    pub(crate) enum ClusterCommand {
        /// Start the embedded cluster and leave it running
        #[command(
            before_help = "Examples:\n  landfall cluster start\n  kubectl --kubeconfig .landfall/kubeconfig get nodes"
        )]
        Start(start::ClusterStartArgs),
        /// Stop it; its state stays
        #[command(before_help = "Examples:\n  landfall cluster stop")]
        Stop(stop::StopArgs),
        /// Stop it and forget its state
        #[command(before_help = "Examples:\n  landfall cluster reset --yes")]
        Reset(reset::ResetArgs),
        /// Print its kubeconfig
        #[command(before_help = "Examples:\n  landfall cluster kubeconfig --path\n  landfall cluster kubeconfig --merge")]
        Kubeconfig(kubeconfig::KubeconfigArgs),
        /// Show whether it runs and where, and which operators are simulated
        #[command(before_help = "Examples:\n  landfall cluster status\n  landfall cluster status -o json")]
        Status(status::ClusterStatusArgs),
        /// Switch a simulated operator off, or on again
        #[command(
            before_help = "Examples:\n  landfall cluster operator off cert-manager    a real one is about to be run\n  landfall cluster operator on cert-manager     simulate it again, until a real one acts"
        )]
        Operator(operator::OperatorArgs),
        /// Write what a cluster has into a file, values of secrets left out, for `rehearse --from FILE`
        #[command(
            before_help = "Examples:\n  landfall cluster snapshot before.json\n  landfall cluster snapshot prod.json --env prod"
        )]
        Snapshot(Box<snapshot::SnapshotArgs>),
        /// Copy the embedded cluster as it is into a state directory of its own
        #[command(before_help = "Examples:\n  landfall cluster fork ../try\n  landfall --state ../try up")]
        Fork(fork::ForkArgs),
        /// Make a cluster on this machine: ports 80 and 443 at its load balancer, one agent
        #[command(before_help = "Examples:\n  landfall cluster create shop-local --driver k3d")]
        Create(create::ClusterCreateArgs),
        /// Delete a cluster of this machine with all in it
        #[command(before_help = "Examples:\n  landfall cluster delete shop-local --driver k3d --yes")]
        Delete(delete::ClusterDeleteArgs),
        /// Serve it in this process until interrupted
        #[command(hide = true)]
        Serve(serve::ServeArgs),
    }
}

/// Keeps deliveries away from a cluster that is about to end, after the one that is under way.
async fn alone(
    context: &Context,
    state: &StateDir,
    command: &str,
    patience: Option<&Span>,
) -> Result<Delivering, Failure> {
    let patience = patience.map_or(landfall_host::SHORT, Span::duration);
    context.host.deliver_alone(state, command, patience).await
}

/// Refuses what is about a cluster that has been used where none has been: an empty one would be told, or copied, as if
/// it were somebody's.
fn used(state: &StateDir) -> Result<(), Failure> {
    if state.has_cluster() {
        return Ok(());
    }
    Err(Failure::from(
        Diagnostic::error(code::NOT_RUNNING, "there is no embedded cluster here yet").help("landfall cluster start"),
    ))
}
