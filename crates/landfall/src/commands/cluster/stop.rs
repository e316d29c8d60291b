//! `landfall cluster stop`: ends its process.

use clap::Args;
use landfall_host as host;
use landfall_project::Span;

use super::alone;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

/// Arguments of `cluster stop`.
#[derive(Debug, Clone, Args)]
pub(crate) struct StopArgs {
    /// How long a delivery that is under way is waited for (default 15s); then nothing is done
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
}

impl Verb for StopArgs {
    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: StopArgs) -> Outcome {
    let state = context.host.state_here()?;
    if !state.exists() {
        context.ui.line("it was not running");
        return Ok(Exit::Done);
    }
    let _delivering = alone(context, &state, "cluster stop", args.timeout.as_ref()).await?;
    if host::stop_server(&state).await? {
        context.ui.line("stopped; its state stays");
    } else {
        context.ui.line("it was not running");
    }
    Ok(Exit::Done)
}
