//! `landfall app wait`.

use std::time::Instant;

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_project::Span;
use landfall_server::api::Detail;
use serde_json::{Value, json};

use super::counter::{CounterArgs, asking};
use super::list::{health_word, revisions, sync_word};
use super::sync::ChangeArgs;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Style, Ui};
use crate::verb::Verb;

/// Arguments of `app wait`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppWaitArgs {
    /// The Applications, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION", required = true)]
    pub(crate) names: Vec<String>,
    /// Until they are synced
    #[arg(long)]
    pub(crate) sync: bool,
    /// Until they are healthy
    #[arg(long)]
    pub(crate) health: bool,
    /// Until no operation is under way
    #[arg(long)]
    pub(crate) operation: bool,
    /// How long that may take, as `90s` or `15m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl AppWaitArgs {
    /// What an Application still lacks of what is waited for: all of it where nothing is named.
    fn lacks(&self, seen: &Detail) -> Vec<String> {
        let all = !(self.sync || self.health || self.operation);
        let mut lacks = Vec::new();
        if (all || self.sync) && seen.line.sync != "Synced" {
            lacks.push(format!("it is {}", seen.line.sync));
        }
        if (all || self.health) && seen.line.health != "Healthy" {
            lacks.push(format!("it is {}", seen.line.health));
        }
        if (all || self.operation) && seen.under_way {
            lacks.push("an operation is under way".to_owned());
        }
        lacks
    }
}

impl Verb for AppWaitArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let change = ChangeArgs { timeout: self.timeout.clone(), ..ChangeArgs::default() };
        let seen: Result<Vec<Detail>, Failure> = asking!(context, self.counter, |counter| {
            let end = change.end(started);
            let mut all = Vec::new();
            for word in &self.names {
                let name = counter.named(&self.counter, word).await?;
                let seen = counter.until(context, &name, end, |it| self.lacks(it).is_empty()).await?;
                all.push(seen.unwrap_or_else(|late| late));
            }
            Ok(all)
        });
        let seen = seen?;
        let mut exit = Exit::Done;
        for one in &seen {
            let lacks = self.lacks(one);
            if !lacks.is_empty() {
                exit = Exit::Unhealthy;
                let name = format!("{}/{}", one.line.namespace, one.line.name);
                let text = format!("{name} was waited for in vain: {}", lacks.join(", "));
                let diagnostic = Diagnostic::error(code::NOT_SO_IN_TIME, text);
                context.ui.diagnostic(&diagnostic.help(format!("landfall app explain {name}")));
            }
        }
        context.report(&Waited(&seen), exit, started);
        Ok(exit)
    }
}

/// Applications that were waited for.
struct Waited<'a>(&'a [Detail]);

impl Report for Waited<'_> {
    const KIND: &'static str = "ApplicationsSeen";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|one| ui.name(&format!("{}/{}", one.line.namespace, one.line.name)));
    }

    fn text(&self, ui: &Ui) {
        for Detail { line, .. } in self.0 {
            let name = ui.out_style(Style::Strong, &format!("{}/{}", line.namespace, line.name));
            let (sync, health) = (sync_word(ui, &line.sync), health_word(ui, &line.health));
            ui.folded(&format!("{name}   {sync}   {health}   {}", revisions(line)));
        }
    }
}
