//! Simulated operators: how they stand, and `landfall cluster operator on|off NAME`.

use std::collections::BTreeSet;
use std::time::Instant;

use clap::Args;
use landfall_cluster::{Cluster, ListOptions, WriteOptions};
use landfall_diag::{Diagnostic, code, nearest};
use landfall_drydock::{
    OPERATOR_RECORD, OperatorEntry, OperatorRecord, SimulatedOperator, Standing, simulated_operator_names,
    simulated_operators,
};
use landfall_host::{Failure, Hosting, PLAY, failed};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::{Value, json};

use super::used;
use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::Verb;

/// Whether an operator is to be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OperatorState {
    /// It is, until the real one acts
    On,
    /// It is not
    Off,
}

/// Arguments of `cluster operator`.
#[derive(Debug, Clone, Args)]
pub(crate) struct OperatorArgs {
    /// Whether it is to be simulated
    #[arg(value_name = "STATE")]
    pub(crate) switch: OperatorState,
    /// Its name, as `cluster status` shows it
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for OperatorArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

/// Switches simulated operators on or off.
async fn run(context: &Context, args: OperatorArgs) -> Outcome {
    let started = Instant::now();
    let state = context.host.state_here()?;
    used(&state)?;
    let mut connection = context.host.embedded(&state, Hosting::Attach).await?;
    let result = set(&connection.cluster, args.switch, &args.names, "landfall cluster operator").await;
    connection.close().await;
    context.report(&Switches(result?), Exit::Done, started);
    Ok(Exit::Done)
}

/// How a switch was turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turned {
    /// The operator is no longer simulated.
    Off,
    /// It would not be, were it installed.
    OffAhead,
    /// It is again, until the real one acts.
    On,
    /// It was to be simulated already.
    WasOn,
    /// It stays off, as `landfall.yaml` has it.
    StaysOff,
}

impl Turned {
    /// What is said of the operator.
    fn words(self) -> &'static str {
        match self {
            Turned::Off => "is no longer simulated",
            Turned::OffAhead => "is not installed, its kinds are not defined; once they are it is not simulated",
            Turned::On => "is simulated again, until the real one acts",
            Turned::WasOn => "was not off",
            Turned::StaysOff => "stays off: `operators:` in landfall.yaml says so",
        }
    }

    /// How the switch stands.
    fn state(self) -> &'static str {
        match self {
            Turned::Off | Turned::OffAhead | Turned::StaysOff => "off",
            Turned::On | Turned::WasOn => "on",
        }
    }
}

/// The switch of one operator.
pub(crate) struct Switch {
    name: String,
    turned: Turned,
}

/// The switches that were asked for.
struct Switches(Vec<Switch>);

impl Report for Switches {
    const KIND: &'static str = "Operators";

    fn data(&self) -> Value {
        let one = |it: &Switch| json!({"name": it.name, "state": it.turned.state(), "outcome": it.turned.words()});
        json!({"operators": self.0.iter().map(one).collect::<Vec<_>>()})
    }

    fn text(&self, ui: &Ui) {
        self.0.iter().for_each(|it| ui.line(&format!("{} {}", it.name, it.turned.words())));
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|it| ui.name(&it.name));
    }
}

/// Writes down that operators are, or are not, to be simulated.
pub(crate) async fn set(
    cluster: &Cluster,
    state: OperatorState,
    names: &[String],
    by: &str,
) -> Result<Vec<Switch>, Failure> {
    let live = get(cluster, OPERATOR_RECORD).await?;
    let mut record = live.as_ref().map(|live| OperatorRecord::of_config_map(live.value())).unwrap_or_default();
    for name in names {
        let mut known: Vec<&str> = simulated_operator_names().collect();
        known.extend(record.names().filter(|name| !simulated_operator_names().any(|twin| twin == *name)));
        if !known.contains(&name.as_str()) {
            let diagnostic = Diagnostic::error(code::NO_OPERATOR, format!("no operator called `{name}` is simulated"))
                .note(format!("simulated are: {}", known.join(", ")))
                .did_you_mean(nearest(name, known.iter().copied()));
            return Err(Failure::usage(diagnostic));
        }
    }
    let declared = declared_off(cluster).await?;
    let before = standing(cluster).await?;
    let is_missing = |name: &String| before.iter().any(|it| it.name == *name && it.standing == Standing::NotInstalled);
    let mut switches = Vec::new();
    for name in names {
        let turned = match state {
            OperatorState::Off => {
                let since = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                record.set(name, OperatorEntry::Off { since, by: by.to_owned() });
                if is_missing(name) { Turned::OffAhead } else { Turned::Off }
            }
            OperatorState::On if declared.contains(name) => {
                record.forget(name);
                Turned::StaysOff
            }
            OperatorState::On if record.forget(name) => Turned::On,
            OperatorState::On => Turned::WasOn,
        };
        switches.push(Switch { name: name.clone(), turned });
    }
    let wanted = Object::from_value(record.to_config_map()).map_err(|error| {
        Failure::from(
            Diagnostic::error(code::UNWRITTEN_SETTING, "the switch cannot be written").note(error.to_string()),
        )
    })?;
    let options = WriteOptions::default();
    let written = match live {
        Some(_) => cluster.replace(&wanted, &options).await,
        None => cluster.create(&wanted, &options).await,
    };
    written.map_err(|error| failed(&error))?;
    Ok(switches)
}

/// How the simulated operators of an embedded cluster stand.
pub(crate) async fn standing(cluster: &Cluster) -> Result<Vec<SimulatedOperator>, Failure> {
    let definitions = Gvk::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let definitions = cluster.list(&definitions, &ListOptions::default()).await.map_err(|error| failed(&error))?;
    let definitions: BTreeSet<String> = definitions.iter().map(|it| it.name().to_owned()).collect();
    let record = get(cluster, OPERATOR_RECORD).await?;
    let record = record.as_ref().map(|object| object.value().clone());
    Ok(simulated_operators(&definitions, record.as_ref(), &declared_off(cluster).await?))
}

/// The operators as a table.
pub(crate) fn table(operators: &[SimulatedOperator]) -> Table {
    let mut table = Table::new(["OPERATOR", "KINDS", "STATE", "WHY"]);
    for operator in operators {
        let (state, why) = match &operator.standing {
            Standing::NotInstalled => ("not installed", "its kinds are not defined".to_owned()),
            Standing::Simulating => ("~ simulating", String::new()),
            Standing::StoodBack { since, because } => ("stood back", format!("since {since}: {because}")),
            Standing::Off { since, by } if since.is_empty() => ("off", format!("by {by}")),
            Standing::Off { since, by } => ("off", format!("since {since}, by {by}")),
        };
        table.row([operator.name.clone(), operator.kinds.join(", "), state.to_owned(), why]);
    }
    table
}

async fn get(cluster: &Cluster, (namespace, name): (&str, &str)) -> Result<Option<Object>, Failure> {
    let key = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(namespace), name);
    cluster.get(&key).await.map_err(|error| failed(&error))
}

async fn declared_off(cluster: &Cluster) -> Result<BTreeSet<String>, Failure> {
    let play = get(cluster, PLAY).await?;
    let play = play.and_then(|play| serde_json::from_str::<Value>(play.str_at("/data/play")?).ok());
    let off = play.as_ref().and_then(|play| play["operatorsOff"].as_array());
    Ok(off.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}
