//! `landfall app get`.

use std::time::{Duration, Instant};

use clap::Args;
use landfall_host::Failure;
use landfall_server::api::{Accepted, Asked, ConditionLine, Detail, Name, RefreshWish};
use serde_json::{Value, json};

use super::counter::{Counter, CounterArgs, asking};
use super::list::{health_word, short, sync_word};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::{Report, ago};
use crate::ui::{Output, Style, Table, Ui};
use crate::verb::Verb;

/// How long a look may take that is waited for.
pub(super) const LOOKED: Duration = Duration::from_secs(60);

/// Arguments of `app get`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppGetArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    /// Look at its sources first
    #[arg(long)]
    pub(crate) refresh: bool,
    /// The same, and use nothing that was kept of them
    #[arg(long)]
    pub(crate) hard_refresh: bool,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for AppGetArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let found: Result<Detail, Failure> = asking!(context, self.counter, |counter| {
            let name = counter.named(&self.counter, &self.name).await?;
            if self.refresh || self.hard_refresh {
                let _as_it_stands_by_then = looked_at(context, &counter, &name, self.hard_refresh).await?;
            }
            counter.ask(Asked::Get(name)).await
        });
        context.report(&Shown(&found?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// Has an Application looked at, and waits until that is done; gives it as it was seen last where that takes too long.
pub(super) async fn looked_at(
    context: &Context,
    counter: &Counter,
    name: &Name,
    hard: bool,
) -> Result<Result<Detail, Detail>, Failure> {
    let _accepted: Accepted = counter.ask(Asked::Refresh(name.clone(), RefreshWish { hard })).await?;
    let end = Instant::now() + LOOKED;
    counter.until(context, name, end, |it| !it.refreshing).await
}

/// Prints what is wrong with an Application, or to be known.
pub(super) fn told(ui: &Ui, condition: &ConditionLine) {
    let kind = ui.out_style(Style::Degraded, &condition.kind);
    ui.wrong(&format!("  ! {kind}: {}", on_a_line(&condition.message)));
}

/// What somebody wrote, where lines have a meaning of their own.
fn on_a_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One Application.
pub(super) struct Shown<'a>(pub(super) &'a Detail);

impl Report for Shown<'_> {
    const KIND: &'static str = "Application";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        ui.name(&format!("{}/{}", self.0.line.namespace, self.0.line.name));
    }

    fn text(&self, ui: &Ui) {
        let Detail { line, .. } = self.0;
        let name = ui.out_style(Style::Strong, &line.name);
        ui.folded(&format!(
            "{name} in {}   {}   {}   project {}",
            line.namespace,
            sync_word(ui, &line.sync),
            health_word(ui, &line.health),
            line.project
        ));
        for source in &self.0.sources {
            let path = if source.chart.is_empty() { &source.path } else { &source.chart };
            ui.folded(&format!("  from {} {path} {}", source.repository, source.target_revision));
        }
        ui.folded(&format!("  to {} namespace {}", line.cluster, line.destination));
        ui.folded(&format!("  compared with {}", short(&line.revisions)));
        let automated = match (line.automated, self.0.automation.as_slice()) {
            (false, _) => "syncs when it is asked to".to_owned(),
            (true, []) => "syncs by itself".to_owned(),
            (true, words) => format!("syncs by itself: {}", words.join(", ")),
        };
        ui.folded(&format!("  {automated}"));
        if let Some(pause) = &self.0.pause {
            let reason =
                if pause.reason.is_empty() { String::new() } else { format!(": {}", on_a_line(&pause.reason)) };
            ui.folded(&format!(
                "  paused by {} {}{reason}   landfall app pause {}/{} --release",
                pause.by,
                ago(&pause.at),
                line.namespace,
                line.name
            ));
        }
        if let Some(pin) = &self.0.pin {
            ui.folded(&format!(
                "  pinned to {} by {} {}{}   landfall app pin {}/{} --release",
                short(&pin.revisions),
                pin.by,
                ago(&pin.at),
                if pin.why.is_empty() { String::new() } else { format!(": {}", pin.why) },
                line.namespace,
                line.name
            ));
        }
        if let Some(operation) = &self.0.last_operation {
            let when = operation.finished_at.as_deref().or(operation.started_at.as_deref()).map(ago);
            let by = Some(operation.initiated_by.as_str()).filter(|by| !by.is_empty()).map(|by| format!("by {by}"));
            let to = Some(short(&operation.revisions)).filter(|_| !operation.revisions.is_empty());
            let words = [to.map(|to| format!("to {to}")), by, when];
            let words: String = words.into_iter().flatten().map(|word| format!(" {word}")).collect();
            ui.folded(&format!("  operation {}{words}: {}", operation.phase, on_a_line(&operation.message)));
        }
        self.0.conditions.iter().for_each(|condition| told(ui, condition));
        if let Some(checks) = &self.0.checks {
            for result in &checks.results {
                let style = match result.verdict.as_str() {
                    "passed" => Style::Healthy,
                    "failed" => Style::Degraded,
                    _ => Style::Warning,
                };
                let why = result.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
                let verdict = ui.out_style(style, &result.verdict);
                ui.folded(&format!("  check {} {verdict}{why}", result.name));
            }
            if let Some(followed) = &checks.followed {
                ui.folded(&format!("  since a check failed: {followed}"));
            }
        }
        let mut table = Table::new(["  OBJECT", "NAMESPACE", "SYNC", "HEALTH", "MESSAGE"]);
        for resource in &self.0.resources {
            let prune = match &resource.kept {
                Some(_) => " (kept)",
                None if resource.requires_pruning => " (to be pruned)",
                None => "",
            };
            let message = resource.message.iter().chain(&resource.kept).map(String::as_str).collect::<Vec<_>>();
            table.row([
                format!("  {}", resource.object),
                resource.object.namespace.clone().unwrap_or_else(|| "-".to_owned()),
                format!("{}{prune}", sync_word(ui, &resource.sync)),
                resource.health.as_deref().map_or("-".to_owned(), |word| health_word(ui, word)),
                message.join("; "),
            ]);
        }
        ui.table(&table);
    }
}
