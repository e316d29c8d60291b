//! `landfall env list` and `landfall env diff`.

use std::time::Instant;

use landfall_delivery::TargetKind;
use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;
use landfall_object::diff::Brief;
use landfall_project::{Environment, EnvironmentName, Sync, SyncMode};
use landfall_rehearse::{Conditions, Side, differences};
use landfall_rules::DesiredUnit;
use serde_json::{Value, json};

use crate::cli::{EnvDiffArgs, EnvListArgs, TargetArgs, ValuesArgs};
use crate::commands::{looked, shared};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::{Output, Table};

pub(crate) fn list(context: &Context, _: &EnvListArgs) -> Outcome {
    let started = Instant::now();
    let query = context.host.query(None, None);
    let place = landfall_delivery::TargetPlace::of(&query).map_err(Failure::from)?;
    let target = landfall_delivery::Target::declared(&place, &query).map_err(Failure::from)?;
    let TargetKind::System(file) = &target.kind else {
        return Err(Failure::usage(
            Diagnostic::error(code::NO_ENVIRONMENTS, "there is no landfall.yaml here, so there are no environments")
                .help("give one with `landfall.yaml`; a bare chart needs none"),
        ));
    };
    let ui = &context.ui;
    let rows: Vec<(&String, Row)> =
        file.system.environments.iter().map(|(name, environment)| (name, Row::of(environment))).collect();
    match ui.output {
        Output::Json | Output::Yaml => {
            let data: Vec<Value> = rows.iter().map(|(name, row)| row.json(name)).collect();
            ui.document(&shared::envelope("Environments", Exit::Done, json!({"environments": data}), started));
        }
        Output::Name => rows.iter().for_each(|(name, _)| ui.line(name)),
        Output::Table => {
            let mut table =
                Table::new(["ENVIRONMENT", "CLUSTER", "DELIVERS", "VALUES", "SYNC", "IMAGES", "BUILDS", "CHECKS"]);
            for (name, row) in rows {
                table.row([
                    name.clone(),
                    row.cluster,
                    row.delivers.join(", "),
                    row.values.join(", "),
                    row.sync,
                    row.images,
                    row.builds.to_string(),
                    row.checks.to_string(),
                ]);
            }
            ui.table(&table);
        }
    }
    Ok(Exit::Done)
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

pub(crate) fn diff(context: &Context, args: &EnvDiffArgs) -> Outcome {
    let started = Instant::now();
    let render = |name: &EnvironmentName| -> Result<Vec<DesiredUnit>, Failure> {
        let target = TargetArgs { env: Some(name.clone()), repos: args.repos.clone(), ..TargetArgs::default() };
        let place = context.host.place(None, &target.query())?;
        looked::units(context, &place, &target, &ValuesArgs::default(), &Conditions::offline())
    };
    let (first, second) = (render(&args.first)?, render(&args.second)?);
    let found = differences(&first, &second);
    let exit = if args.exit_code && !found.is_empty() { Exit::Differs } else { Exit::Done };
    let ui = &context.ui;
    match ui.output {
        Output::Json | Output::Yaml => {
            let data = json!({"first": args.first, "second": args.second, "objects": found});
            ui.document(&shared::envelope("EnvironmentDiff", exit, data, started));
        }
        Output::Name => found.iter().for_each(|it| ui.line(&it.object)),
        Output::Table => {
            for it in &found {
                let what = match it.what {
                    Side::OnlyFirst => format!("only in {}", args.first),
                    Side::OnlySecond => format!("only in {}", args.second),
                    Side::Differs => String::new(),
                };
                ui.line(format!("{} {what}", it.object).trim_end());
                for field in &it.fields {
                    let Brief { line, from, to } = Brief::of(field.first.as_ref(), field.second.as_ref(), 80);
                    let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
                    ui.line(&format!("  {}{line}: {from} | {to}", field.path));
                }
            }
            ui.status(&format!("{} objects differ between {} and {}", found.len(), args.first, args.second));
        }
    }
    Ok(exit)
}
