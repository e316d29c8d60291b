//! `landfall app delete`.

use std::time::{Duration, Instant};

use clap::Args;
use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Permit};
use landfall_project::Span;
use landfall_server::api::{Accepted, Asked, DeleteWish, Detail, Name, Objects};
use serde_json::{Value, json};

use super::counter::{Counter, CounterArgs, asking};
use crate::arguments::OutputArgs;
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Style, Ui};
use crate::verb::Verb;

/// Kinds that hold data, or make what holds it: they are told first.
const DATA: [&str; 8] = [
    "PersistentVolumeClaim",
    "PersistentVolume",
    "StatefulSet",
    "MariaDB",
    "Database",
    "Cluster",
    "Secret",
    "SealedSecret",
];
/// How long it is waited for, and how often it is looked.
const LONGEST: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(200);

/// Arguments of `app delete`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AppDeleteArgs {
    /// The Application, `NAME` or `NAMESPACE/NAME`
    #[arg(value_name = "APPLICATION")]
    pub(crate) name: String,
    /// What becomes of what it delivered: goes (foreground, background) or stays
    #[arg(long, value_name = "HOW", default_value = "foreground", value_parser = objects)]
    pub(crate) objects: Objects,
    /// Print what would go and delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not wait until it is gone
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long it may take, as `90s` or `5m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
    /// Do not ask
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) counter: CounterArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

fn objects(text: &str) -> Result<Objects, String> {
    match text {
        "foreground" => Ok(Objects::Foreground),
        "background" => Ok(Objects::Background),
        "stay" => Ok(Objects::Stay),
        _ => Err("foreground, background or stay".to_owned()),
    }
}

impl Verb for AppDeleteArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        let started = Instant::now();
        let done = asking!(context, self.counter, |counter| self.deleted(context, &counter).await);
        context.report(&done?, Exit::Done, started);
        Ok(Exit::Done)
    }
}

impl AppDeleteArgs {
    async fn deleted(&self, context: &Context, counter: &Counter) -> Result<Deleted, Failure> {
        let name = counter.named(&self.counter, &self.name).await?;
        let detail: Detail = counter.ask(Asked::Get(name.clone())).await?;
        let told = Deleted::of(&name, &detail, self.objects, End::Looked);
        if self.dry_run {
            return Ok(told);
        }
        if self.objects != Objects::Stay {
            // Its finalizer would wait for a server for ever.
            counter.is_acted_on()?;
        }
        if !self.yes && context.ui.can_prompt() {
            told.text(&context.ui);
        }
        consent::given(context, &Permit::of_owner(&name.to_string()), || Question {
            yes: self.yes,
            ask: format!("Delete {name}"),
            deed: format!("deleting {name}"),
            undone: "not deleted",
            instead: Some("look first with --dry-run"),
        })
        .await?;
        let _accepted: Accepted =
            counter.ask(Asked::Delete(name.clone(), DeleteWish { objects: self.objects })).await?;
        if self.no_wait {
            return Ok(Deleted { end: End::UnderWay, ..told });
        }
        let limit = self.timeout.as_ref().map_or(LONGEST, |span| span.duration());
        let end = Instant::now() + limit;
        while is_there(counter, &name).await? {
            if Instant::now() >= end {
                let text = format!("{name} is not gone after {} s; its deletion goes on", limit.as_secs());
                let diagnostic = Diagnostic::error(code::NOT_IN_TIME, text);
                return Err(Failure::from(diagnostic.help(format!("landfall app explain {name}"))));
            }
            tokio::select! {
                () = context.host.stop.cancelled() => {
                    let text = format!("{name} was waited for no longer; its deletion goes on");
                    return Err(Failure::from(Diagnostic::error(code::INTERRUPTED, text)));
                }
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        Ok(Deleted { end: End::Gone, ..told })
    }
}

/// Whether an Application is still there.
async fn is_there(counter: &Counter, name: &Name) -> Result<bool, Failure> {
    match counter.ask::<Detail>(Asked::Get(name.clone())).await {
        Ok(_) => Ok(true),
        Err(failure) if failure.diagnostics.iter().any(|it| it.code == code::NO_SUCH_APPLICATION) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Looked,
    UnderWay,
    Gone,
}

/// What goes with an Application, or stays.
struct Deleted {
    name: Name,
    objects: Objects,
    /// Whether the Application says that what it delivered outlives it: `Delete=false`.
    outlived: bool,
    /// What holds data first.
    all: Vec<(bool, String)>,
    end: End,
}

impl Deleted {
    fn of(name: &Name, detail: &Detail, objects: Objects, end: End) -> Self {
        let shown = detail.resources.iter().map(|resource| {
            let holds_data = DATA.contains(&resource.object.kind.as_str());
            (holds_data, format!("{}/{}", resource.object.kind, resource.object.name))
        });
        let mut all: Vec<(bool, String)> = shown.collect();
        all.sort_by_key(|(holds_data, _)| !holds_data);
        let outlived = detail.sync_options.iter().any(|option| option == "Delete=false");
        Deleted { name: name.clone(), objects, outlived, all, end }
    }
}

impl Report for Deleted {
    const KIND: &'static str = "ApplicationDeletion";

    fn data(&self) -> Value {
        let of = |data: bool| -> Vec<&String> {
            self.all.iter().filter(|(holds_data, _)| *holds_data == data).map(|(_, object)| object).collect()
        };
        let end = match self.end {
            End::Looked => "none",
            End::UnderWay => "under-way",
            End::Gone => "gone",
        };
        json!({"application": self.name, "objects": self.objects, "data": of(true), "others": of(false), "deleted": end})
    }

    fn text(&self, ui: &Ui) {
        let verb = match self.objects {
            Objects::Stay => "stays",
            _ if self.outlived => "stays (Delete=false), but for what says otherwise of itself",
            _ => "goes",
        };
        let name = ui.out_style(Style::Strong, &self.name.to_string());
        match self.end {
            End::Looked => {
                ui.folded(&format!("with {name}:"));
                for (holds_data, object) in &self.all {
                    let note = if *holds_data { "   may hold data" } else { "" };
                    ui.folded(&format!("  {object} {verb}{note}"));
                }
            }
            End::UnderWay => ui.folded(&format!("{name}   is being deleted")),
            End::Gone => ui.folded(&format!("{name}   is gone; what it delivered {verb}")),
        }
    }

    fn names(&self, ui: &Ui) {
        self.all.iter().for_each(|(_, object)| ui.name(object));
    }
}
