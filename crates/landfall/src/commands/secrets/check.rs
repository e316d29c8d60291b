//! `landfall secrets check` and `landfall secrets audit`.

use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use landfall_delivery::life::{Examination, Examined, Row, Stale, Survey};
use landfall_diag::{Diagnostic, Ending, code};
use landfall_host::{Failure, Hosting};
use serde_json::{Value, json};

use super::scene::{DeclaredArgs, Scene};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Arguments of `secrets check`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall secrets check --env prod\n  landfall secrets check --env prod --offline     the file alone, as in CI\n  landfall secrets check --env prod -o json"
)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    declared: DeclaredArgs,
    /// Ask no cluster: only the file is looked at
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Arguments of `secrets audit`.
#[derive(Debug, Clone, Args)]
#[command(before_help = "Examples:\n  landfall secrets audit --env prod\n  landfall secrets audit --env prod -o json")]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    declared: DeclaredArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How much is told of what is fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// How each key stands.
    State,
    /// Its age, and who reads it.
    Whole,
}

impl Verb for CheckArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        look(context, &self.declared, if self.offline { None } else { Some(Hosting::Attach) }, Depth::State).await
    }
}

impl Verb for AuditArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        look(context, &self.declared, Some(Hosting::Attach), Depth::Whole).await
    }
}

async fn look(context: &Context, declared: &DeclaredArgs, hosting: Option<Hosting>, depth: Depth) -> Outcome {
    let started = Instant::now();
    let scene = declared.scene(context).await?;
    let (survey, stale) = match hosting {
        None => (None, Vec::new()),
        Some(hosting) => asked(context, &scene, hosting, depth).await?,
    };
    let (entries, label) = (scene.entries(), scene.label());
    let examination = Examined {
        declared: &scene.declared,
        entries: scene.held.as_ref().map(|_| &entries),
        label: &label,
        site: &scene.site,
        namespace: &scene.namespace,
        survey: survey.as_ref(),
        stale: &stale,
        now: Timestamp::now(),
    }
    .examine();
    let exit = if examination.failed() { Exit::Failed } else { Exit::Done };
    let report = Checked { scene: &scene, survey: survey.as_ref(), examination: &examination, depth };
    context.report(&report, exit, started);
    Ok(exit)
}

/// What the cluster knows; nothing, and a word about it, where a file can be looked at without one.
async fn asked(
    context: &Context,
    scene: &Scene,
    hosting: Hosting,
    depth: Depth,
) -> Result<(Option<Survey>, Vec<Stale>), Failure> {
    let mut connection = match context.host.connect(&scene.place, hosting, &[]).await {
        Ok(connection) => connection,
        Err(failure) if depth == Depth::State && failure.ending == Ending::Unreachable && scene.held.is_some() => {
            context.ui.status(&format!(
                "the cluster is not reached: {} alone is looked at",
                scene.held.as_ref().map_or("the file", |held| held.shown.as_str())
            ));
            return Ok((None, Vec::new()));
        }
        Err(failure) => return Err(failure),
    };
    let survey = scene.survey(&connection).await;
    let stale = match &survey {
        Ok(survey) => {
            survey.stale(&connection.cluster, &scene.namespace, &scene.declared.target).await.map_err(Failure::from)
        }
        Err(_) => Ok(Vec::new()),
    };
    connection.close().await;
    Ok((Some(survey?), stale?))
}

/// What was found.
struct Checked<'a> {
    scene: &'a Scene,
    survey: Option<&'a Survey>,
    examination: &'a Examination,
    depth: Depth,
}

impl Checked<'_> {
    fn there(&self) -> usize {
        self.examination.rows.iter().filter(|row| row.state.is_there()).count()
    }

    fn age(row: &Row) -> String {
        match (row.age, row.lasts) {
            (Some(age), Some(lasts)) => format!("{age} of {lasts} days"),
            (Some(age), None) => format!("{age} days"),
            (None, Some(lasts)) => format!("? of {lasts} days"),
            (None, None) => String::new(),
        }
    }
}

impl Report for Checked<'_> {
    const KIND: &'static str = "SecretCheck";

    fn data(&self) -> Value {
        let rows: Vec<Value> = self
            .examination
            .rows
            .iter()
            .map(|row| {
                json!({"key": row.key, "state": row.state.word(), "made": row.making, "age_days": row.age,
                    "lasts_days": row.lasts, "readers": row.readers})
            })
            .collect();
        let faults: Vec<Value> = self
            .examination
            .faults
            .iter()
            .map(|fault| json!({"severity": fault.severity.word(), "key": fault.key, "text": fault.text, "help": fault.advice}))
            .collect();
        json!({
            "environment": self.scene.environment,
            "secret": self.scene.shown(),
            "asked_cluster": self.survey.is_some(),
            "there": self.there(),
            "declared": self.examination.rows.len(),
            "keys": rows,
            "faults": faults,
            "sealing_keys": self.survey.map(Survey::sealing_keys),
        })
    }

    fn text(&self, ui: &Ui) {
        let mut table = match self.depth {
            Depth::State => Table::new(["KEY", "STATE", "MADE"]),
            Depth::Whole => Table::new(["KEY", "STATE", "AGE", "READ BY"]),
        };
        for row in &self.examination.rows {
            let state = row.state.word().to_owned();
            match self.depth {
                Depth::State => table.row([row.key.clone(), state, row.making.clone()]),
                Depth::Whole => table.row([row.key.clone(), state, Self::age(row), row.readers.join(", ")]),
            }
        }
        ui.table(&table);
        ui.line(&format!("{}/{} keys of {} are there", self.there(), self.examination.rows.len(), self.scene.shown()));
        if let (Depth::Whole, Some(survey)) = (self.depth, self.survey) {
            for key in survey.keyring.keys() {
                let fingerprint = key.private.public().fingerprint();
                let since =
                    key.since().map_or_else(String::new, |since| format!(", since {}", since.strftime("%Y-%m-%d")));
                let saved = match survey.ledger.saved.get(&fingerprint) {
                    Some(at) => format!("saved {}", at.strftime("%Y-%m-%d")),
                    None => "in no backup".to_owned(),
                };
                ui.line(&format!("sealing key {fingerprint}{since}: {saved}"));
            }
        }
        for fault in &self.examination.faults {
            let mut diagnostic = Diagnostic::new(fault.severity, code::INCOMPLETE, fault.text.clone());
            if let Some(spot) = fault.key.as_deref().and_then(|key| self.scene.spot(key)) {
                diagnostic = diagnostic.primary(spot, "declared here");
            }
            ui.diagnostic(&diagnostic.help(fault.advice.clone()));
        }
    }

    fn names(&self, ui: &Ui) {
        self.examination.rows.iter().filter(|row| !row.state.is_there()).for_each(|row| ui.name(&row.key));
    }
}
