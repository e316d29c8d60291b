//! `landfall app sync`.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Failure};
use landfall_project::Span;
use landfall_server::api::{Accepted, Asked, Detail, Diff, Name, SyncWish};
use serde_json::{Value, json};

use super::counter::{Counter, CounterArgs, asking};
use super::diff::Differences;
use super::list::{health_word, short, sync_word};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Style, Ui};
use crate::verb::Verb;

/// How long an operation is waited for where nobody says it.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How much of a sync is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Strategy {
    /// Objects and hooks.
    #[default]
    Hook,
    /// Objects alone.
    Apply,
}

/// What every change of Applications takes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ChangeArgs {
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    /// Do not wait until it has ended
    #[arg(long, visible_alias = "async")]
    pub(crate) no_wait: bool,
    /// How long it may take, as `90s` or `15m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
}

impl ChangeArgs {
    /// When is waited no longer.
    pub(super) fn end(&self, now: Instant) -> Instant {
        now + self.timeout.as_ref().map_or(LONGEST, Span::duration)
    }
}

/// Arguments of `app sync`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppSyncArgs {
    /// The Applications, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION", required = true)]
    pub(crate) names: Vec<String>,
    /// What is delivered instead of what they follow; once for each source
    #[arg(long, value_name = "REV")]
    pub(crate) revision: Vec<String>,
    /// Delete what the source no longer names
    #[arg(long)]
    pub(crate) prune: bool,
    /// This object alone, without hooks: `GROUP:KIND:NAME`, `GROUP:KIND:NAMESPACE/NAME`
    #[arg(long, value_name = "OBJECT")]
    pub(crate) resource: Vec<String>,
    /// Whether hooks run
    #[arg(long, value_enum, default_value_t = Strategy::Hook, value_name = "STRATEGY")]
    pub(crate) strategy: Strategy,
    /// A sync option on top of the Application's own, as `Replace=true`
    #[arg(long = "sync-option", value_name = "OPTION")]
    pub(crate) options: Vec<String>,
    /// How often it is tried again when it fails
    #[arg(long, value_name = "N")]
    pub(crate) retry_limit: Option<i64>,
    /// Deliver what may not run there all the same, for this reason, which is audited and announced
    #[arg(long, value_name = "REASON")]
    pub(crate) break_glass: Option<String>,
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

impl Verb for AppSyncArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        if self.dry_run {
            return self.looked_ahead(context, started).await;
        }
        self.counter.agreed(context, Act::Deliver, self.change.yes, ("Sync", "syncing")).await?;
        let wish = SyncWish {
            revisions: self.revision.clone(),
            prune: self.prune,
            resources: self.resource.clone(),
            without_hooks: self.strategy == Strategy::Apply,
            options: self.options.clone(),
            retries: self.retry_limit,
            break_glass: self.break_glass.clone(),
        };
        let ended: Result<Vec<Ended>, Failure> = asking!(context, self.counter, |counter| {
            let mut names = Vec::new();
            for word in &self.names {
                names.push(counter.named(&self.counter, word).await?);
            }
            counter.is_acted_on()?;
            let mut accepted: Vec<Accepted> = Vec::new();
            for name in names {
                accepted.push(counter.ask(Asked::Sync(name, wish.clone())).await?);
            }
            ended(context, &counter, accepted, &self.change).await
        });
        Ok(told(context, &ended?, started))
    }
}

impl AppSyncArgs {
    async fn looked_ahead(&self, context: &Context, started: Instant) -> Outcome {
        let found: Result<Vec<Diff>, Failure> = asking!(context, self.counter, |counter| {
            let mut found = Vec::new();
            for word in &self.names {
                let name = counter.named(&self.counter, word).await?;
                found.push(counter.ask(Asked::Diff(name, self.revision.clone())).await?);
            }
            Ok(found)
        });
        context.report(&Ahead(&found?), Exit::Done, started);
        Ok(Exit::Done)
    }
}

/// What syncs would change.
struct Ahead<'a>(&'a [Diff]);

impl Report for Ahead<'_> {
    const KIND: &'static str = "ApplicationDiffs";

    fn data(&self) -> Value {
        json!(self.0)
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|diff| Differences(diff).names(ui));
    }

    fn text(&self, ui: &Ui) {
        self.0.iter().for_each(|diff| Differences(diff).text(ui));
    }
}

/// How a change of an Application has ended.
pub(super) struct Ended {
    /// What was asked for.
    pub(super) accepted: Accepted,
    /// How the Application stands then; nothing where nobody waited.
    pub(super) seen: Option<Detail>,
    /// Whether that was waited for too long.
    pub(super) late: bool,
}

impl Ended {
    fn exit(&self) -> Exit {
        let phase = self.seen.as_ref().and_then(|seen| seen.last_operation.as_ref()).map(|it| it.phase.as_str());
        match phase {
            _ if self.late => Exit::Unhealthy,
            Some("Failed" | "Error") => Exit::Failed,
            _ => Exit::Done,
        }
    }
}

/// Waits until changes have ended, where that is wanted.
pub(super) async fn ended(
    context: &Context,
    counter: &Counter,
    accepted: Vec<Accepted>,
    change: &ChangeArgs,
) -> Result<Vec<Ended>, Failure> {
    let end = change.end(Instant::now());
    let mut all = Vec::new();
    for accepted in accepted {
        if change.no_wait {
            all.push(Ended { accepted, seen: None, late: false });
            continue;
        }
        let told = RefCell::new(String::new());
        let has_ended = |seen: &Detail| {
            // What keeps it from beginning may do so for hours.
            let closed = seen.conditions.iter().find(|it| it.kind == "SyncWindowWarning").filter(|_| seen.under_way);
            if let Some(closed) = closed.filter(|closed| *told.borrow() != closed.message) {
                context.ui.status(&format!("{} waits: {}", accepted.application, closed.message));
                told.borrow_mut().clone_from(&closed.message);
            }
            !seen.under_way
        };
        let (seen, late) = match counter.until(context, &accepted.application, end, has_ended).await? {
            Ok(seen) => (seen, false),
            Err(seen) => (seen, true),
        };
        all.push(Ended { accepted, seen: Some(seen), late });
    }
    Ok(all)
}

/// Tells how changes have ended, and how the command does.
pub(super) fn told(context: &Context, all: &[Ended], started: Instant) -> Exit {
    let exit = all.iter().map(Ended::exit).find(|exit| *exit != Exit::Done).unwrap_or(Exit::Done);
    for one in all.iter().filter(|one| one.exit() != Exit::Done) {
        context.ui.diagnostic(&diagnostic(one));
    }
    context.report(&Changes(all), exit, started);
    exit
}

fn diagnostic(ended: &Ended) -> Diagnostic {
    let name = &ended.accepted.application;
    let operation = ended.seen.as_ref().and_then(|seen| seen.last_operation.as_ref());
    let says = operation.map(|it| it.message.clone()).filter(|text| !text.is_empty());
    let diagnostic = match ended.late {
        true => Diagnostic::error(
            code::NOT_SO_IN_TIME,
            format!("the {} of {name} has not ended in time", ended.accepted.change),
        )
        .help(format!("landfall app wait {name} --operation")),
        false => Diagnostic::error(code::SYNC_FAILED, format!("the {} of {name} has failed", ended.accepted.change))
            .help(format!("landfall app explain {name}")),
    };
    match says {
        Some(says) => diagnostic.note(says),
        None => diagnostic,
    }
}

/// Changes of Applications, and how they ended.
struct Changes<'a>(&'a [Ended]);

impl Changes<'_> {
    fn name(ended: &Ended) -> &Name {
        &ended.accepted.application
    }
}

impl Report for Changes<'_> {
    const KIND: &'static str = "ApplicationChanges";

    fn data(&self) -> Value {
        let one = |ended: &Ended| {
            let mut data = json!(ended.accepted);
            data["waited"] = json!(ended.seen.is_some());
            data["in_time"] = json!(!ended.late);
            if let Some(seen) = &ended.seen {
                data["seen"] = json!(seen);
            }
            data
        };
        self.0.iter().map(one).collect()
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|ended| ui.name(&Changes::name(ended).to_string()));
    }

    fn text(&self, ui: &Ui) {
        for ended in self.0 {
            let (name, change) =
                (ui.out_style(Style::Strong, &Changes::name(ended).to_string()), &ended.accepted.change);
            let Some(seen) = &ended.seen else {
                ui.folded(&format!("{name}   {change} asked for"));
                continue;
            };
            let operation = seen.last_operation.as_ref();
            let phase = operation.map_or("-", |it| it.phase.as_str());
            ui.folded(&format!(
                "{name}   {change} {phase}   {}   {}   {}",
                sync_word(ui, &seen.line.sync),
                health_word(ui, &seen.line.health),
                short(operation.map_or(&[], |it| it.revisions.as_slice()))
            ));
            if ended.accepted.pinned {
                ui.folded(&format!(
                    "  pinned there; landfall app pin {} --release lets it follow git again",
                    Changes::name(ended)
                ));
            }
        }
    }
}
