//! `landfall cluster delete`.

use std::time::Instant;

use clap::Args;
use landfall_host::{Answer, Consent, Failure, Permit};
use landfall_machine::K3d;

use super::create::Driver;
use super::removed::{Removed, Was};
use crate::arguments::OutputArgs;
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `cluster delete`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterDeleteArgs {
    /// The cluster's name
    pub(crate) name: String,
    /// What has made it
    #[arg(long, value_enum)]
    pub(crate) driver: Driver,
    /// The kubeconfig that loses its context (default: the one of KUBECONFIG, else `~/.kube/config`)
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<String>,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ClusterDeleteArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: ClusterDeleteArgs) -> Outcome {
    let started = Instant::now();
    let Driver::K3d = args.driver;
    let consent = Consent { cluster: args.name.clone(), answer: Answer::Cluster };
    consent::given(context, &Permit::Asks(consent), || Question {
        yes: args.yes,
        ask: format!("Delete the cluster {} with all in it", args.name),
        deed: format!("deleting the cluster `{}` with all in it", args.name),
        undone: "nothing was deleted",
        instead: None,
    })
    .await?;
    let kubeconfig = args.kubeconfig.as_ref().map(|file| context.host.directory.join(file));
    let k3d = K3d { kubeconfig, ..K3d::default() };
    let (was, text) = if k3d.delete(&args.name).await.map_err(Failure::from)? {
        (Was::There, format!("cluster {} is gone", args.name))
    } else {
        (Was::Nothing, format!("there is no cluster {}", args.name))
    };
    context.report(&Removed { name: &args.name, was, text: &text }, Exit::Done, started);
    Ok(Exit::Done)
}
