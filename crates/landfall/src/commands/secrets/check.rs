//! `landfall secrets check` and `landfall secrets audit`.

use std::time::Instant;

use clap::Args;
use jiff::Timestamp;
use landfall_delivery::life::{Examination, Examined, Fault, Row, Stale, State, Survey};
use landfall_delivery::{Bounds, CheckResult, NetworkReach, Prober, Progress, Smoke, Standpoint, Tags, Verdict};
use landfall_diag::{Diagnostic, Ending, Severity, code};
use landfall_host::{Connection, Failure, Hosting};
use landfall_project::Check;
use serde_json::{Value, json};

use super::scene::{DeclaredArgs, Scene};
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::looked::environment_of;
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
    let Asked { survey, stale, copies } = match hosting {
        None => Asked::default(),
        Some(hosting) => asked(context, &scene, hosting, depth).await?,
    };
    let (entries, label) = (scene.entries(), scene.label());
    let mut examination = Examined {
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
    examination.told(copies.iter().filter_map(|(key, copy)| fault(key, copy)));
    let exit = if examination.failed() { Exit::Failed } else { Exit::Done };
    let report = Checked { scene: &scene, survey: survey.as_ref(), examination: &examination, depth };
    context.report(&report, exit, started);
    Ok(exit)
}

/// What a cluster was asked for.
#[derive(Default)]
struct Asked {
    survey: Option<Survey>,
    stale: Vec<Stale>,
    /// What those who keep a copy of a key's value were found to have.
    copies: Vec<(String, CheckResult)>,
}

/// What the cluster knows; nothing, and a word about it, where a file can be looked at without one.
async fn asked(context: &Context, scene: &Scene, hosting: Hosting, depth: Depth) -> Result<Asked, Failure> {
    // LP-40: who keeps a copy is asked by a command in a container, which needs a cluster that is served.
    let copied = copied(scene);
    let is_there = !scene.place.cluster.is_kept_in_state() || scene.place.state.has_cluster();
    let hosting = if copied.is_empty() || !is_there { hosting } else { Hosting::InProcess };
    let mut connection = match context.host.connect(&scene.place, hosting, &[]).await {
        Ok(connection) => connection,
        Err(failure) if depth == Depth::State && failure.ending == Ending::Unreachable && scene.held.is_some() => {
            context.ui.status(&format!(
                "the cluster is not reached: {} alone is looked at",
                scene.held.as_ref().map_or("the file", |held| held.shown.as_str())
            ));
            return Ok(Asked::default());
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
    let copies = match survey.is_ok() && is_there && !copied.is_empty() {
        true => compared(context, &connection, &copied).await,
        false => Ok(Vec::new()),
    };
    connection.close().await;
    Ok(Asked { survey: Some(survey?), stale: stale?, copies: copies? })
}

/// The checks of the environment that ask who keeps a copy of a value of this Secret.
fn copied(scene: &Scene) -> Vec<Check> {
    let declared = environment_of(&scene.place).map(|(_, environment)| environment.checks.as_slice());
    let is_of_this = |check: &&Check| {
        check.prints.as_ref().is_some_and(|it| {
            it.secret == *scene.declared.target && it.namespace.as_ref().is_none_or(|named| **named == *scene.namespace)
        })
    };
    declared.unwrap_or_default().iter().filter(is_of_this).cloned().collect()
}

/// Asks those who keep a copy, each with the key that it is a copy of.
async fn compared(
    context: &Context,
    connection: &Connection,
    checks: &[Check],
) -> Result<Vec<(String, CheckResult)>, Failure> {
    // Nobody listens: it is told with all else.
    let (progress, unheard) = tokio::sync::mpsc::channel::<Progress>(1);
    drop(unheard);
    let prober = Prober {
        cluster: Some(&connection.cluster),
        bounds: Bounds::default(),
        reach: NetworkReach::default(),
        progress: &progress,
        stop: &context.host.stop,
    };
    let tags = Tags::Of(Vec::new());
    let asked = Smoke { checks, tags, from: Standpoint::Routes(Default::default()) };
    let results = prober.smoke(&asked).await.map_err(Failure::from)?;
    let key = |check: &Check| check.prints.as_ref().map(|it| it.key.to_string()).unwrap_or_default();
    Ok(checks.iter().map(key).zip(results).collect())
}

/// What is wrong with a copy of a value.
fn fault(key: &str, copy: &CheckResult) -> Option<Fault> {
    let (severity, why) = match &copy.verdict {
        Verdict::Passed => return None,
        Verdict::Failed { reason } => (Severity::Error, reason),
        // What was not looked at is not fine.
        Verdict::NotSimulated { reason } => (Severity::Warning, reason),
    };
    let text = match severity {
        Severity::Error => format!("check `{}`: {why}", copy.name),
        _ => format!("check `{}` could not be made: {why}", copy.name),
    };
    let advice =
        format!("enter the value of `{key}` there, or what is there here: `landfall secrets set {key} --stdin`");
    Some(Fault { severity, key: Some(key.to_owned()), text, advice })
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

    /// How many are sealed for a cluster that has nothing of them.
    fn undelivered(&self) -> usize {
        self.examination.rows.iter().filter(|row| row.state == State::Undelivered).count()
    }

    /// How many keys are to be there.
    fn declared(&self) -> usize {
        self.examination.rows.iter().filter(|row| row.state != State::Vacant).count()
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
            "undelivered": self.undelivered(),
            "declared": self.declared(),
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
        let not_yet = match self.undelivered() {
            0 => String::new(),
            count => format!(", {count} of them sealed in git alone: not delivered yet"),
        };
        let (there, declared) = (self.there(), self.declared());
        ui.line(&format!("{there}/{declared} keys of {} are there{not_yet}", self.scene.shown()));
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
        self.examination
            .rows
            .iter()
            .filter(|row| !row.state.is_there() && row.state != State::Vacant)
            .for_each(|row| ui.name(&row.key));
    }
}
