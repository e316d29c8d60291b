//! `landfall cluster reset`: ends it and forgets its state.

use std::time::{Duration, Instant};

use clap::Args;
use landfall_delivery::life::unsaved;
use landfall_diag::{Diagnostic, code};
use landfall_host::{self as host, Failure, Hosting, Kept, Permit, StateDir};
use landfall_project::Span;

use super::alone;
use super::removed::{Removed, Was};
use crate::arguments::OutputArgs;
use crate::commands::{books, secrets};
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
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
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for ResetArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

/// What goes with the cluster and is in no backup; nothing of one that cannot be asked, for that is forgotten as well.
async fn lost(context: &Context, state: &StateDir) -> Vec<String> {
    if !state.has_cluster() {
        return Vec::new();
    }
    let Ok(mut connection) = context.host.embedded(state, Hosting::Attach).await else { return Vec::new() };
    let lost = unsaved(&connection.cluster).await;
    connection.close().await;
    lost.unwrap_or_default()
}

async fn run(context: &Context, args: ResetArgs) -> Outcome {
    let started = Instant::now();
    let told = |was, text| {
        context.report(&Removed { name: "embedded", was, text }, Exit::Done, started);
        Ok(Exit::Done)
    };
    let state = context.host.state_here()?;
    if !state.exists() {
        return told(Was::Nothing, "there is nothing to forget");
    }
    let lost = lost(context, &state).await;
    if !lost.is_empty() {
        secrets::tell_lost(context, &lost);
    }
    consent::given(context, &Permit::of_owner("the embedded cluster"), || Question {
        yes: args.yes,
        ask: "Forget the embedded cluster and all in it".to_owned(),
        deed: "forgetting the embedded cluster's state".to_owned(),
        undone: "nothing was forgotten",
        instead: None,
    })
    .await?;
    let _delivering = alone(context, &state, "cluster reset", args.timeout.as_ref()).await?;
    host::stop_server(&state).await?;
    let kept = match state.wait_for_lock(Duration::from_secs(5)).await.map_err(Failure::from)? {
        Some(lock) => books::forget(context, &state, lock).await?,
        None => return Err(Failure::from(Diagnostic::error(code::EMBEDDED_IN_USE, "the embedded cluster is in use"))),
    };
    match kept {
        Kept::Nothing => told(Was::There, "the embedded cluster and its state are gone"),
        Kept::Book => told(Was::There, &format!("the embedded cluster is gone; {}", books::STAYS)),
    }
}
