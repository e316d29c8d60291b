//! `landfall app refresh`.

use std::time::Instant;

use clap::Args;
use landfall_host::Failure;
use landfall_server::api::{Accepted, Asked, RefreshWish};
use serde_json::{Value, json};

use super::counter::{CounterArgs, asking};
use super::get::looked_at;
use super::list::short;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Style, Ui};
use crate::verb::Verb;

/// Arguments of `app refresh`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppRefreshArgs {
    /// The Applications, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION", required = true)]
    pub(crate) names: Vec<String>,
    /// Use nothing that was kept of their sources
    #[arg(long)]
    pub(crate) hard: bool,
    /// Do not wait until that is done
    #[arg(long)]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppRefreshArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let accepted: Result<Vec<Accepted>, Failure> = asking!(context, self.counter, |counter| {
            let mut all = Vec::new();
            for word in &self.names {
                let name = counter.named(&self.counter, word).await?;
                counter.is_acted_on()?;
                if self.no_wait {
                    let wish = RefreshWish { hard: self.hard };
                    all.push(counter.ask(Asked::Refresh(name, wish)).await?);
                } else {
                    let seen = looked_at(context, &counter, &name, self.hard).await?;
                    let revisions = seen.line.revisions;
                    all.push(Accepted { application: name, change: "refresh".to_owned(), revisions, pinned: false });
                }
            }
            Ok(all)
        });
        context.report(&Told(&accepted?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What was asked for and is under way.
pub(super) struct Told<'a>(pub(super) &'a [Accepted]);

impl Report for Told<'_> {
    const KIND: &'static str = "ApplicationChanges";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|one| ui.name(&one.application.to_string()));
    }

    fn text(&self, ui: &Ui) {
        for one in self.0 {
            let name = ui.out_style(Style::Strong, &one.application.to_string());
            let revisions =
                if one.revisions.is_empty() { String::new() } else { format!(" {}", short(&one.revisions)) };
            ui.folded(&format!("{name}   {}{revisions}", word(&one.change)));
        }
    }
}

fn word(change: &str) -> &str {
    match change {
        "refresh" => "looked at",
        "terminate" => "is told to end what it does",
        "pin" => "pinned to",
        "release" => "released",
        "policy" => "syncs as it is declared now: an owner has said so",
        "pause" => "paused: it does not sync by itself",
        "resume" => "goes on",
        "delete" => "is being deleted",
        other => other,
    }
}
