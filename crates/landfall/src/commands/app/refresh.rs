//! `landfall app refresh`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_server::api::{Accepted, Asked, ConditionLine, Detail, Name, RefreshWish};
use serde::Serialize;
use serde_json::{Value, json};

use super::counter::{CounterArgs, asking};
use super::get::{looked_at, told};
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
        let looked: Result<Vec<Looked>, Failure> = asking!(context, self.counter, |counter| {
            let mut all = Vec::new();
            for word in &self.names {
                let name = counter.named(&self.counter, word).await?;
                counter.is_acted_on()?;
                if self.no_wait {
                    let wish = RefreshWish { hard: self.hard };
                    let accepted = counter.ask(Asked::Refresh(name, wish)).await?;
                    all.push(Looked { accepted, conditions: Vec::new(), is_late: false });
                } else {
                    all.push(Looked::at(name.clone(), looked_at(context, &counter, &name, self.hard).await?));
                }
            }
            Ok(all)
        });
        let looked = looked?;
        let mut exit = Exit::Done;
        for one in looked.iter().filter(|one| one.is_late) {
            exit = Exit::Unhealthy;
            let name = &one.accepted.application;
            let text = format!("{name} was waited for in vain: it is still being looked at");
            let diagnostic = Diagnostic::error(code::NOT_SO_IN_TIME, text);
            context.ui.diagnostic(&diagnostic.help(format!("landfall app explain {name}")));
        }
        context.report(&Seen(&looked), exit, started);
        Ok(exit)
    }
}

/// What says of an Application that nobody knows how it stands.
const ERRORS: [&str; 2] = ["ComparisonError", "InvalidSpecError"];

/// An Application that was looked at.
#[derive(Debug, Clone, Serialize)]
struct Looked {
    #[serde(flatten)]
    accepted: Accepted,
    /// Why nobody knows how it stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    conditions: Vec<ConditionLine>,
    /// Whether the look had not come to its end when nobody waited for it any more.
    #[serde(skip)]
    is_late: bool,
}

impl Looked {
    fn at(application: Name, looked: Result<Detail, Detail>) -> Self {
        let is_late = looked.is_err();
        let (Ok(seen) | Err(seen)) = looked;
        let (change, revisions) = ("refresh".to_owned(), seen.line.revisions);
        let accepted = Accepted { application, change, revisions, pinned: false };
        let is_error = |it: &ConditionLine| !is_late && ERRORS.contains(&it.kind.as_str());
        Looked { accepted, conditions: seen.conditions.into_iter().filter(is_error).collect(), is_late }
    }
}

/// Applications that were looked at.
struct Seen<'a>(&'a [Looked]);

impl Report for Seen<'_> {
    const KIND: &'static str = Told::KIND;

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|one| ui.name(&one.accepted.application.to_string()));
    }

    fn text(&self, ui: &Ui) {
        for Looked { accepted, conditions, is_late } in self.0 {
            if !is_late {
                Told(std::slice::from_ref(accepted)).text(ui);
            }
            conditions.iter().for_each(|condition| told(ui, condition));
        }
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
