//! `landfall cluster reset`: ends it and forgets its state.

use std::time::Duration;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{self as host, Failure, Permit};
use landfall_project::Span;

use super::alone;
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::verb::Verb;

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

impl Verb for ResetArgs {
    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: ResetArgs) -> Outcome {
    let state = context.host.state_here()?;
    if !state.exists() {
        context.ui.line("there is nothing to forget");
        return Ok(Exit::Done);
    }
    consent::given(context, &Permit::of_owner("the embedded cluster"), || Question {
        yes: args.yes,
        ask: "Forget the embedded cluster and all in it".to_owned(),
        deed: "forgetting the embedded cluster's state".to_owned(),
        undone: "nothing was forgotten",
        instead: None,
    })?;
    let _delivering = alone(context, &state, "cluster reset", args.timeout.as_ref()).await?;
    host::stop_server(&state).await?;
    match state.wait_for_lock(Duration::from_secs(5)).await.map_err(Failure::from)? {
        Some(lock) => context.host.forget(&state, lock)?,
        None => return Err(Failure::from(Diagnostic::error(code::EMBEDDED_IN_USE, "the embedded cluster is in use"))),
    }
    context.ui.line("the embedded cluster and its state are gone");
    Ok(Exit::Done)
}
