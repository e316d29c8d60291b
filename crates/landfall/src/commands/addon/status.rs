//! `landfall addon status`.

use std::time::Instant;

use clap::Args;
use landfall_delivery::{InstalledChart, UnitStatus};
use landfall_diag::Diagnostic;
use landfall_host::{Failure, Hosting};
use serde_json::{Value, json};

use super::AddonListArgs;
use super::catalogue;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report::Report;
use crate::ui::{Output, Style, Table, Ui};
use crate::verb::Verb;

/// Arguments of `addon status`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddonStatusArgs {
    #[command(flatten)]
    which: AddonListArgs,
}

impl Verb for AddonStatusArgs {
    fn output(&self) -> Output {
        self.which.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self.which).await
    }
}

async fn run(context: &Context, args: AddonListArgs) -> Outcome {
    let started = Instant::now();
    let wanted = catalogue(&args.names)?;
    let place = context.host.cluster_place(None, &args.cluster.query()).await?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let found = live::with_progress(context, &mut connection, started, |session| async move {
        let installed = session.addons().await?;
        if installed.is_empty() {
            return Ok((installed, Vec::new()));
        }
        let releases: Vec<(String, String)> =
            installed.iter().map(|one| (one.namespace.clone(), one.release.clone())).collect();
        let status = session.status(&releases).await?;
        Ok::<_, Vec<Diagnostic>>((installed, status.units))
    })
    .await;
    connection.close().await;
    let (installed, units) = found.map_err(Failure::from)?;
    let is_wanted = |chart: &str| wanted.iter().flat_map(|addon| addon.charts).any(|known| known.name == chart);
    let missing = args
        .names
        .iter()
        .any(|name| wanted.iter().any(|addon| addon.name == name && addon.installed(&installed).is_none()));
    let mut exit = if missing { Exit::Unhealthy } else { Exit::Done };
    let mut lines = Vec::new();
    for one in installed.iter().filter(|one| is_wanted(&one.chart)) {
        let Some(unit) = units.iter().find(|unit| unit.name == one.release && unit.namespace == one.namespace) else {
            continue;
        };
        if unit.status != "deployed" || !unit.problems.is_empty() {
            exit = Exit::Unhealthy;
        }
        lines.push((one, unit));
    }
    context.report(&AddonStatus { cluster: &connection.name, addons: &lines }, exit, started);
    Ok(exit)
}

/// How installed addons do.
struct AddonStatus<'a> {
    cluster: &'a str,
    addons: &'a [(&'a InstalledChart, &'a UnitStatus)],
}

impl Report for AddonStatus<'_> {
    const KIND: &'static str = "AddonStatus";

    fn data(&self) -> Value {
        let addons: Vec<Value> = self
            .addons
            .iter()
            .map(|(one, unit)| json!({"installed": one, "workloads": unit.workloads, "problems": unit.problems}))
            .collect();
        json!({"cluster": self.cluster, "addons": addons})
    }

    fn names(&self, ui: &Ui) {
        self.addons.iter().for_each(|(one, _)| ui.name(&format!("{}/{}", one.namespace, one.release)));
    }

    fn text(&self, ui: &Ui) {
        if self.addons.is_empty() {
            ui.line(&format!("no addon is installed on {}", self.cluster));
        }
        for (one, unit) in self.addons {
            let state = if unit.problems.is_empty() { one.status.as_str() } else { "not healthy" };
            let style = if state == "deployed" { Style::Healthy } else { Style::Degraded };
            let name = ui.out_style(Style::Strong, &one.chart);
            ui.line(&format!("{name} {} in {}   {}", one.version, one.namespace, ui.out_style(style, state)));
            let mut workloads = Table::headless(2);
            for workload in &unit.workloads {
                let name = format!("{}/{}", workload.kind, workload.name);
                workloads.row([name, workload.ready.clone(), workload.message.clone()]);
            }
            ui.table(&workloads);
            for problem in &unit.problems {
                ui.wrong(&format!("  ! {}/{}: {}", problem.object.gvk.kind, problem.object.name, problem.message));
            }
        }
    }
}
