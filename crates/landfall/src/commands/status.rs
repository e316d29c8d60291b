//! `landfall status`.

use std::time::Instant;

use clap::Args;
use landfall_delivery::{Routes, SystemStatus, UnitStatus, trial};
use landfall_diag::Diagnostic;
use landfall_host::{Failure, Hosting};
use landfall_object::HealthStatus;
use serde_json::{Value, json};

use crate::arguments::{Behind, Environments, Named, OutputArgs, TargetArgs};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report;
use crate::report::Report;
use crate::ui::{Output, Style, Table, Ui};
use crate::verb::Verb;

/// Arguments of `status`.
#[derive(Debug, Clone, Args)]
#[command(
    before_help = "Examples:\n  landfall status\n  landfall status examples/luckyplans      the system of another directory\n  landfall status luckyplans               one release, as helm shows it\n  landfall status -o json"
)]
pub(crate) struct StatusArgs {
    /// A directory, chart or archive; then releases (default: all)
    #[arg(value_name = "TARGET|RELEASE")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) place: TargetArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

impl Verb for StatusArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

async fn run(context: &Context, args: StatusArgs) -> Outcome {
    let started = Instant::now();
    let named = Named::of(&context.host.directory, &args.words, Behind::Names);
    let place = context.host.declared_place(named.target.as_deref(), &args.place.query()).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let namespace = args.place.namespace.as_deref();
    let status = live::with_progress(context, &mut connection, started, |session| {
        let (named, host, place) = (&named, &context.host, &place);
        async move {
            let environments = Environments::of(host, place);
            let is_meant =
                |unit: &UnitStatus| namespace.is_some() || !environments.is_anothers(&unit.namespace, &unit.name);
            let all = session.status(&[]).await?;
            Ok::<_, Vec<Diagnostic>>(match named.among(host, &all.clone().only(is_meant), namespace)? {
                Some(wanted) => session.with_amiss(session.status(&wanted).await?).await,
                None => session.with_amiss(all).await.only(is_meant),
            })
        }
    })
    .await;
    connection.close().await;
    let status = status.map_err(Failure::from)?;
    let exit = if status.healthy { Exit::Done } else { Exit::Unhealthy };
    let is_there = !place.cluster.is_kept_in_state() || place.state.has_cluster();
    let report = Status { cluster: &connection.name, is_there, routes: &connection.routes, status: &status };
    context.report(&report, exit, started);
    Ok(exit)
}

/// What runs on a cluster.
struct Status<'a> {
    cluster: &'a str,
    /// Whether it is more than an empty one of this process.
    is_there: bool,
    routes: &'a Routes,
    status: &'a SystemStatus,
}

impl Report for Status<'_> {
    const KIND: &'static str = "Status";

    fn data(&self) -> Value {
        let mut data = json!(self.status);
        data["cluster"] = json!(self.cluster);
        data["ingress"] = json!({"http": self.routes.http, "https": self.routes.https});
        data
    }

    fn text(&self, ui: &Ui) {
        if self.is_there {
            ui.line(&format!("cluster {} ({})", self.cluster, self.status.version));
        }
        print(ui, self.status);
    }

    fn names(&self, ui: &Ui) {
        self.status.units.iter().for_each(|unit| ui.name(&format!("{}/{}", unit.namespace, unit.name)));
    }
}

/// Tells of namespaces that a delivery has left behind which was refused.
fn left(ui: &Ui, status: &SystemStatus) {
    for name in &status.left {
        ui.folded(&format!(
            "namespace {name} was made for a delivery that was refused, and stays: something is in it · {}",
            trial::way_out(name)
        ));
    }
}

fn print(ui: &Ui, status: &SystemStatus) {
    if status.units.is_empty() {
        ui.line("nothing is delivered here · landfall up");
        left(ui, status);
        return;
    }
    for unit in &status.units {
        ui.line("");
        let word = if unit.status == "deployed" { Style::Healthy } else { Style::Degraded };
        let mut line = ui.out_style(Style::Strong, &unit.name);
        if !unit.namespace.is_empty() {
            line.push_str(&format!(" in {}", unit.namespace));
        }
        if unit.revision > 0 {
            line.push_str(&format!("   revision {}", unit.revision));
        }
        let updated = if unit.updated.is_empty() { String::new() } else { report::ago(&unit.updated) };
        for part in [&ui.out_style(word, &unit.status), &unit.chart, &updated].iter().filter(|part| !part.is_empty()) {
            line.push_str(&format!("   {part}"));
        }
        ui.folded(&line);
        let mut table = Table::new(["  WORKLOAD", "READY", "HEALTH", "IMAGE"]);
        for workload in &unit.workloads {
            let style = match workload.health {
                HealthStatus::Healthy => Style::Healthy,
                HealthStatus::Progressing | HealthStatus::Suspended => Style::Progressing,
                _ => Style::Degraded,
            };
            let mark = if workload.simulated { "~" } else { " " };
            table.row([
                format!("{mark} {}/{}", workload.kind, workload.name),
                workload.ready.clone(),
                ui.out_style(style, &workload.health.to_string()),
                workload.images.join(" "),
            ]);
        }
        ui.table(&table);
        let mut pods = Table::new(["  POD", "READY", "STATUS", "RESTARTS", "NODE"]);
        for pod in &unit.pods {
            let mark = if pod.simulated { "~" } else { " " };
            pods.row([
                format!("{mark} {}", pod.name),
                pod.ready.clone(),
                pod.status.clone(),
                pod.restarts.to_string(),
                pod.node.clone(),
            ]);
        }
        ui.table(&pods);
        if !unit.services.is_empty() {
            ui.folded(&format!("  services: {}", unit.services.join(", ")));
        }
        for route in &unit.routes {
            ui.folded(&format!("  route {route}"));
        }
        for problem in &unit.problems {
            let object = format!("{}/{}", problem.object.gvk.kind, problem.object.name);
            ui.wrong(&format!(
                "  {} {object} {}: {}",
                ui.out_style(Style::Degraded, "!"),
                problem.health,
                problem.message
            ));
            if let Some(hint) = &problem.hint {
                ui.wrong(&format!("    {hint}"));
            }
        }
    }
    if !status.stale.is_empty() {
        ui.line("");
    }
    for stale in &status.stale {
        ui.wrong(&format!(
            "{} {} · landfall secrets pending --restart",
            ui.out_style(Style::Degraded, "!"),
            stale.words()
        ));
    }
    left(ui, status);
    if status.units.iter().any(|unit| unit.workloads.iter().any(|workload| workload.simulated)) {
        ui.line("");
        ui.line(&ui.out_style(Style::Muted, "~ containers are simulated"));
    }
}
