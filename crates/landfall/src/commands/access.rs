//! `landfall access …`: who may do what, and the proof of what somebody must not.

mod kubeconfig;
mod matrix;
mod prove;

use landfall_diag::{Diagnostic, code};
use landfall_host::{Connection, Failure, Hosting, Place};
use landfall_server::access::Ground;

use crate::arguments::ClusterArgs;
use crate::context::Context;
use crate::verb::verbs;

verbs! {
    /// `landfall access …`
    pub(crate) enum AccessCommand {
        /// Show who may do what with the Applications of each project: users, roles, accounts, tokens
        #[command(before_help = "Examples:\n  landfall access matrix\n  landfall access matrix --policy policy.csv -o json")]
        Matrix(Box<matrix::AccessMatrixArgs>),
        /// Prove that an identity cannot change production: the policy is weighed, the cluster asked, a write tried
        #[command(
            before_help = "Examples:\n  landfall access prove --as deploy\n  landfall access prove --as deploy --service-account sens-test/deploy-test --project sens-production"
        )]
        Prove(Box<prove::AccessProveArgs>),
        /// Print a kubeconfig for a service account, with a token that ends
        #[command(before_help = "Examples:\n  landfall access kubeconfig --service-account sens-test/deploy-test --expires 24h")]
        Kubeconfig(Box<kubeconfig::AccessKubeconfigArgs>),
    }
}

/// Comes to the cluster that is asked about.
async fn connected(context: &Context, cluster: &ClusterArgs) -> Result<(Place, Connection), Failure> {
    let place = context.host.cluster_place(None, &cluster.query()).await?;
    let connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    Ok((place, connection))
}

/// What stands there; a policy of a file counts instead of the cluster's, as that of a server does which runs here.
async fn ground(
    context: &Context,
    (place, connection): (&Place, &Connection),
    policy: Option<&str>,
) -> Result<Ground, Failure> {
    let text = match policy {
        None => place.state.serving().and_then(|serving| serving.policy),
        Some(file) => Some(std::fs::read_to_string(context.host.directory.join(file)).map_err(|error| {
            Failure::usage(
                Diagnostic::error(code::BAD_POLICY, format!("--policy {file} cannot be read")).note(error.to_string()),
            )
        })?),
    };
    let ground = Ground::read(&connection.cluster, text.as_deref()).await.map_err(Failure::from)?;
    if let Some(fault) = &ground.standing.fault {
        let diagnostic = Diagnostic::error(code::BAD_POLICY, format!("the policy cannot be read: {fault}"));
        return Err(Failure::from(
            diagnostic.note("the server lets nobody in by it").help("kubectl edit configmap argocd-rbac-cm -n argocd"),
        ));
    }
    Ok(ground)
}
