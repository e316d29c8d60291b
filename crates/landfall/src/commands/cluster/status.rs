//! `landfall cluster status`: whether it runs and where, and which operators are simulated.

use std::time::{Duration, Instant};

use clap::Args;
use landfall_drydock::SimulatedOperator;
use landfall_host::{Endpoint, Hosting};
use serde_json::{Value, json};

use super::operator;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `cluster status`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterStatusArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ClusterStatusArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context).await
    }
}

async fn run(context: &Context) -> Outcome {
    let started = Instant::now();
    let state = context.host.state_here()?;
    let running = state.is_open();
    let endpoint = if running { state.wait_for_endpoint(Duration::from_secs(2)).await } else { None };
    let operators = match &endpoint {
        Some(_) => {
            let mut connection = context.host.embedded(&state, Hosting::Attach).await?;
            let found = operator::standing(&connection.cluster).await;
            connection.close().await;
            Some(found?)
        }
        None => None,
    };
    let kept = state.file("cluster.db").exists();
    let report = ClusterStatus { running, endpoint: endpoint.as_ref(), operators: operators.as_deref(), kept };
    context.report(&report, Exit::Done, started);
    Ok(Exit::Done)
}

/// Whether the embedded cluster runs, and what is simulated on it.
struct ClusterStatus<'a> {
    running: bool,
    endpoint: Option<&'a Endpoint>,
    operators: Option<&'a [SimulatedOperator]>,
    /// Its state is there.
    kept: bool,
}

impl Report for ClusterStatus<'_> {
    const KIND: &'static str = "ClusterStatus";

    fn data(&self) -> Value {
        json!({"running": self.running, "endpoint": self.endpoint, "operators": self.operators})
    }

    fn names(&self, ui: &Ui) {
        self.endpoint.iter().for_each(|endpoint| ui.name(&endpoint.server));
    }

    fn text(&self, ui: &Ui) {
        match self.endpoint {
            Some(endpoint) => ui.line(&format!("running at {} (pid {})", endpoint.server, endpoint.pid)),
            None if self.kept => ui.line("not running; its state is kept"),
            None => ui.line("not running; there is no state"),
        }
        if let Some(operators) = self.operators {
            ui.line("");
            ui.table(&operator::table(operators));
        }
    }
}
