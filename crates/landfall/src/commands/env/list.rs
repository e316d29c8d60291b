//! `landfall env list`: where environments live, what they deliver, how.

use std::time::Instant;

use clap::Args;
use landfall_delivery::TargetKind;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_project::{Environment, Sync, SyncMode};
use serde_json::{Value, json};

use crate::arguments::OutputArgs;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Output, Table, Ui};
use crate::verb::{Verb, Waits};

/// List the environments: where they live, what they deliver, how.
#[derive(Debug, Clone, Args)]
pub(crate) struct EnvListArgs {
    /// A directory with a landfall.yaml
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for EnvListArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    fn waits(&self) -> Waits {
        Waits::ForNothing
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self.target.as_deref())
    }
}

fn run(context: &Context, target: Option<&str>) -> Outcome {
    let started = Instant::now();
    let query = context.host.query(target, None);
    let place = landfall_delivery::TargetPlace::of(&query).map_err(Failure::from)?;
    let target = context.host.wait(landfall_delivery::Target::declared(&place, &query)).map_err(Failure::from)?;
    let TargetKind::System(file) = &target.kind else {
        return Err(Failure::usage(
            Diagnostic::error(code::NO_ENVIRONMENTS, "there is no landfall.yaml here, so there are no environments")
                .help("`landfall init` writes one; a bare chart needs none"),
        ));
    };
    let rows = file.system.environments.iter().map(|(name, environment)| (name.as_str(), Row::of(environment)));
    context.report(&Environments(rows.collect()), Exit::Done, started);
    Ok(Exit::Done)
}

/// The environments by name.
struct Environments<'a>(Vec<(&'a str, Row)>);

impl Report for Environments<'_> {
    const KIND: &'static str = "Environments";

    fn data(&self) -> Value {
        let environments: Vec<Value> = self.0.iter().map(|(name, row)| row.json(name)).collect();
        json!({"environments": environments})
    }

    fn text(&self, ui: &Ui) {
        if self.0.is_empty() {
            ui.line("landfall.yaml declares no environments");
        }
        let mut table =
            Table::new(["ENVIRONMENT", "CLUSTER", "DELIVERS", "VALUES", "SYNC", "IMAGES", "BUILDS", "CHECKS"]);
        for (name, row) in &self.0 {
            table.row([
                (*name).to_owned(),
                row.cluster.clone(),
                row.delivers.join(", "),
                row.values.join(", "),
                row.sync.clone(),
                row.images.clone(),
                row.builds.to_string(),
                row.checks.to_string(),
            ]);
        }
        ui.table(&table);
    }

    fn names(&self, ui: &Ui) {
        self.0.iter().for_each(|(name, _)| ui.name(name));
    }
}

/// An environment in a line.
struct Row {
    cluster: String,
    protected: bool,
    delivers: Vec<String>,
    values: Vec<String>,
    sync: String,
    images: String,
    builds: usize,
    checks: usize,
}

impl Row {
    fn of(environment: &Environment) -> Self {
        let remote = environment.cluster.remote();
        let protected = remote.is_some_and(|remote| remote.protected);
        let mode = |mode: &SyncMode| if *mode == SyncMode::Auto { "auto" } else { "manual" };
        let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
        Row {
            cluster: remote.map_or_else(
                || "embedded".to_owned(),
                |remote| format!("{}{}", remote.context, if protected { " (protected)" } else { "" }),
            ),
            protected,
            delivers: match &environment.applications {
                Some(globs) => globs.iter().map(|glob| format!("Applications {glob}")).collect(),
                None => environment.releases.iter().map(|release| release.name.to_string()).collect(),
            },
            values: environment
                .releases
                .iter()
                .flat_map(|release| release.values.iter().map(ToString::to_string))
                .collect(),
            sync: match &environment.sync {
                None => "by command".to_owned(),
                Some(Sync::Mode(it)) => mode(it).to_owned(),
                Some(Sync::Owned { mode: it, owners }) => format!("{} by {}", mode(it), owners.join(", ")),
            },
            images: environment.images.as_ref().map_or_else(
                || "any".to_owned(),
                |images| {
                    let policy = word(json!(images.policy));
                    images.channel.map_or(policy.clone(), |channel| format!("{policy} {}", word(json!(channel))))
                },
            ),
            builds: environment.build.len(),
            checks: environment.checks.len(),
        }
    }

    fn json(&self, name: &str) -> Value {
        json!({
            "name": name, "cluster": self.cluster, "protected": self.protected, "delivers": self.delivers,
            "values": self.values, "sync": self.sync, "images": self.images, "builds": self.builds, "checks": self.checks,
        })
    }
}
