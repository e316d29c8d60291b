//! `landfall cluster stop`: ends its process.

use std::time::Instant;

use clap::Args;
use landfall_host as host;
use landfall_project::Span;
use serde_json::{Value, json};

use super::alone;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Ui};
use crate::verb::Verb;

/// Arguments of `cluster stop`.
#[derive(Debug, Clone, Args)]
pub(crate) struct StopArgs {
    /// How long a delivery that is under way is waited for (default 15s); then nothing is done
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for StopArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: StopArgs) -> Outcome {
    let started = Instant::now();
    let state = context.host.state_here()?;
    let stopped = if state.exists() {
        let _delivering = alone(context, &state, "cluster stop", args.timeout.as_ref()).await?;
        host::stop_server(&state).await?
    } else {
        false
    };
    context.report(&Stopped { stopped }, Exit::Done, started);
    Ok(Exit::Done)
}

/// The embedded cluster, at rest.
struct Stopped {
    /// It ran until now.
    stopped: bool,
}

impl Report for Stopped {
    const KIND: &'static str = "ClusterStop";

    fn data(&self) -> Value {
        json!({"stopped": self.stopped})
    }

    fn text(&self, ui: &Ui) {
        ui.line(if self.stopped { "stopped; its state stays" } else { "it was not running" });
    }

    fn names(&self, ui: &Ui) {
        if self.stopped {
            ui.name("embedded");
        }
    }
}
