//! `landfall cluster status`: whether it runs and where, and which operators are simulated.

use std::time::{Duration, Instant};

use clap::Args;
use landfall_host::Hosting;
use serde_json::json;

use super::operator;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report;
use crate::ui::Output;
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
        run(context, self).await
    }
}

async fn run(context: &Context, args: ClusterStatusArgs) -> Outcome {
    let started = Instant::now();
    let _ = args.output;
    let state = context.host.state_here()?;
    let running = state.is_open();
    let endpoint = if running { state.wait_for_endpoint(Duration::from_secs(2)) } else { None };
    let operators = match &endpoint {
        Some(_) => {
            let mut connection = context.host.embedded(&state, Hosting::Attach).await?;
            let found = operator::standing(&connection.cluster).await;
            connection.close().await;
            Some(found?)
        }
        None => None,
    };
    let ui = &context.ui;
    if matches!(ui.output, Output::Json | Output::Yaml) {
        let data = json!({"running": running, "endpoint": endpoint, "operators": operators});
        ui.document(&report::envelope("ClusterStatus", Exit::Done, data, started));
        return Ok(Exit::Done);
    }
    match endpoint {
        Some(endpoint) => ui.line(&format!("running at {} (pid {})", endpoint.server, endpoint.pid)),
        None if state.file("cluster.db").exists() => ui.line("not running; its state is kept"),
        None => ui.line("not running; there is no state"),
    }
    if let Some(operators) = operators {
        ui.line("");
        ui.table(&operator::table(&operators));
    }
    Ok(Exit::Done)
}
