//! `landfall cluster start`: leaves the embedded cluster running.

use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{self as host, Endpoint, Failure, Hosting};
use landfall_project::EnvironmentName;
use serde_json::{Value, json};

use super::operator;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

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

impl Verb for ClusterStartArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: ClusterStartArgs) -> Outcome {
    let started = Instant::now();
    host::nodes(&args.nodes)?;
    let state = context.host.state_here()?;
    state.create().map_err(Failure::from)?;
    let was_running = match state.try_lock().map_err(Failure::from)? {
        Some(lock) => {
            drop(lock);
            host::spawn(&state, args.port, &args.nodes).await?;
            false
        }
        None => true,
    };
    let Some(endpoint) = state.wait_for_endpoint(Duration::from_secs(10)).await else {
        return Err(Failure::from(Diagnostic::error(
            code::SERVER_NOT_STARTED,
            "the embedded cluster did not say where it listens",
        )));
    };
    if !args.no_simulate.is_empty() {
        let mut connection = context.host.embedded(&state, Hosting::Attach).await?;
        let off = operator::set(
            &connection.cluster,
            operator::OperatorState::Off,
            &args.no_simulate,
            "landfall cluster start --no-simulate",
        )
        .await;
        connection.close().await;
        off?;
    }
    let kubeconfig = state.file("kubeconfig");
    context.report(&Started { endpoint: &endpoint, was_running, kubeconfig: &kubeconfig }, Exit::Done, started);
    Ok(Exit::Done)
}

/// A server that stays.
struct Started<'a> {
    endpoint: &'a Endpoint,
    was_running: bool,
    kubeconfig: &'a Path,
}

impl Report for Started<'_> {
    const KIND: &'static str = "Endpoint";

    fn data(&self) -> Value {
        json!(self.endpoint)
    }

    fn text(&self, ui: &Ui) {
        let Endpoint { server, pid, http, https, .. } = self.endpoint;
        let how = if self.was_running { "runs already" } else { "started" };
        ui.line(&format!("the embedded cluster {how}: {server} (pid {pid})"));
        if let Some(http) = http {
            let https = https.map(|it| format!(", https://{it}")).unwrap_or_default();
            ui.line(&format!("ingress: http://{http}{https}"));
        }
        ui.line(&format!("kubectl --kubeconfig {} get nodes", landfall_host::shell_word(self.kubeconfig)));
        ui.line("`landfall cluster stop` ends it");
    }

    fn names(&self, ui: &Ui) {
        ui.name(&self.endpoint.server);
    }
}
