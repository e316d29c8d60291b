//! `landfall cluster create`.

use std::time::Instant;

use clap::Args;
use landfall_host::Failure;
use landfall_machine::{K3d, Made};
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::commands::own_cluster::interrupted;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// What makes clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Driver {
    /// Nodes as Docker containers, by k3d.
    K3d,
}

/// Arguments of `cluster create`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterCreateArgs {
    /// The cluster's name; its context is `k3d-NAME`
    pub(crate) name: String,
    /// What makes it
    #[arg(long, value_enum)]
    pub(crate) driver: Driver,
    /// The port of this machine that leads to its load balancer's port 80
    #[arg(long, env = "LANDFALL_HTTP_PORT", default_value_t = 80, value_name = "PORT")]
    pub(crate) http_port: u16,
    /// The port of this machine that leads to its load balancer's port 443
    #[arg(long, env = "LANDFALL_HTTPS_PORT", default_value_t = 443, value_name = "PORT")]
    pub(crate) https_port: u16,
    /// The kubeconfig that gets its context (default: the one of KUBECONFIG, else `~/.kube/config`)
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ClusterCreateArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: ClusterCreateArgs) -> Outcome {
    let _work = context.host.work.begin();
    let started = Instant::now();
    let Driver::K3d = args.driver;
    let k3d = K3d {
        kubeconfig: args.kubeconfig.as_ref().map(|file| context.host.directory.join(file)),
        http: args.http_port,
        https: args.https_port,
    };
    context.ui.status(&format!("  > k3d cluster create {}", args.name));
    let made = tokio::select! {
        made = k3d.create(&args.name) => made.map_err(Failure::from)?,
        () = context.host.stop.cancelled() => return Err(interrupted(&args.name)),
    };
    context.report(&Created { name: &args.name, made, ports: (args.http_port, args.https_port) }, Exit::Done, started);
    Ok(Exit::Done)
}

/// A cluster of this machine.
struct Created<'a> {
    name: &'a str,
    made: Made,
    /// Those that lead to its ports 80 and 443.
    ports: (u16, u16),
}

impl Report for Created<'_> {
    const KIND: &'static str = "Cluster";

    fn data(&self) -> Value {
        let (context, outcome) = (K3d::context_of(self.name), word(self.made));
        json!({"name": self.name, "context": context, "driver": "k3d", "outcome": outcome})
    }

    fn text(&self, ui: &Ui) {
        ui.line(&format!("cluster {} {}; its context is {}", self.name, word(self.made), K3d::context_of(self.name)));
        let (http, https) = self.ports;
        ui.line(&format!("http://localhost:{http} and https://localhost:{https} lead to its load balancer"));
    }

    fn names(&self, ui: &Ui) {
        ui.name(&K3d::context_of(self.name));
    }
}

fn word(made: Made) -> &'static str {
    match made {
        Made::Created => "created",
        Made::Started => "started",
        Made::AlreadyThere => "is there already",
    }
}
