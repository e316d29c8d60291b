//! `landfall app rollback`.

use std::time::Instant;

use clap::Args;
use landfall_host::{Act, Failure};
use landfall_server::api::{Accepted, Asked, HistoryEntry, RollbackWish};

use super::counter::{CounterArgs, asking};
use super::diff::Differences;
use super::sync::{ChangeArgs, Ended, ended, told};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Output;
use crate::verb::Verb;

/// Arguments of `app rollback`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppRollbackArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    /// The delivery, as `app history` numbers them (default: the last one that delivered something else)
    #[arg(value_name = "ID")]
    pub(crate) id: Option<i64>,
    /// Delete what the delivery did not have
    #[arg(long)]
    pub(crate) prune: bool,
    /// Print what would change and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppRollbackArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        if self.dry_run {
            return self.looked_ahead(context, started).await;
        }
        self.counter.agreed(context, Act::RollBack, self.change.yes, ("Roll back", "rolling back")).await?;
        let wish = RollbackWish { id: self.id, prune: self.prune, ..RollbackWish::default() };
        let ended: Result<Vec<Ended>, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            counter.is_acted_on()?;
            let accepted: Accepted = counter.ask(Asked::Rollback(name, wish)).await?;
            ended(context, &counter, vec![accepted], &self.change).await
        });
        Ok(told(context, &ended?, started))
    }
}

impl AppRollbackArgs {
    async fn looked_ahead(&self, context: &Context, started: Instant) -> Outcome {
        let found = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            let history: Vec<HistoryEntry> = counter.ask(Asked::History(name.clone())).await?;
            let now = history.last().map(|entry| entry.revisions.clone()).unwrap_or_default();
            let meant = match self.id {
                Some(id) => history.iter().find(|entry| entry.id == id),
                None => history.iter().rev().find(|entry| entry.revisions != now),
            };
            let revisions = meant.map(|entry| entry.revisions.clone()).unwrap_or_default();
            if revisions.is_empty() {
                let text = format!("{name} has no such earlier delivery to go back to");
                let diagnostic = landfall_diag::Diagnostic::error(landfall_diag::code::NO_REVISION, text);
                return Err(Failure::from(diagnostic.help(format!("landfall app history {name}"))));
            }
            counter.ask(Asked::Diff(name, revisions)).await
        });
        context.report(&Differences(&found?), Exit::Done, started);
        Ok(Exit::Done)
    }
}
