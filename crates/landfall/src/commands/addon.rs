//! `landfall addon …`

use std::time::Instant;

use landfall_delivery::{
    ADDONS, Addon, AddonCharts, Candidate, InstalledChart, Outcome as Ended, References, Summary, UpOptions, addon,
};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Connection, Failure, Hosting, Place};
use landfall_project::AddonSpec;
use serde_json::{Value, json};

use crate::cli::{AddonInstallArgs, AddonListArgs};
use crate::commands::consent::{self, Question};
use crate::commands::shared;
use crate::context::Context;
use crate::exit::{Exit, Outcome, exit_of};
use crate::ui::{Output, Style, Table, seconds};

/// An addon that is to be installed.
struct Wanted {
    addon: &'static Addon,
    declared: Option<AddonSpec>,
}

pub(crate) async fn list(context: &Context, args: AddonListArgs) -> Outcome {
    let started = Instant::now();
    let wanted = catalogue(&args.names)?;
    let place = context.host.cluster_place(&args.cluster.query())?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let installed =
        shared::with_progress(context, &mut connection, started, |session| async move { session.addons().await }).await;
    connection.close().await;
    let installed = installed.map_err(Failure::from)?;
    let declared = |addon: &Addon| declared(&place).iter().find(|spec| spec.name == addon.name).cloned();
    let ui = &context.ui;
    match ui.output {
        Output::Json | Output::Yaml => {
            let addons: Vec<Value> = wanted
                .iter()
                .map(|addon| {
                    json!({
                        "name": addon.name,
                        "about": addon.about,
                        "repository": addon.repository,
                        "declared": declared(addon),
                        "installed": addon.installed(&installed),
                    })
                })
                .collect();
            let data = json!({"cluster": connection.name, "environment": place.environment, "addons": addons});
            ui.document(&shared::envelope("Addons", Exit::Done, data, started));
        }
        Output::Name => wanted.iter().for_each(|addon| ui.line(addon.name)),
        Output::Table => {
            let mut table = Table::new(["ADDON", "DECLARED", "INSTALLED", "NAMESPACE", "WHAT IT IS FOR"]);
            for addon in &wanted {
                let declared = declared(addon).map_or("-".to_owned(), |spec| spec.version.unwrap_or("any".to_owned()));
                let (version, namespace) = match addon.installed(&installed) {
                    Some(one) if one.status == "deployed" => (one.version.clone(), one.namespace.clone()),
                    Some(one) => (format!("{} ({})", one.version, one.status), one.namespace.clone()),
                    None => ("-".to_owned(), "-".to_owned()),
                };
                table.row([addon.name.to_owned(), declared, version, namespace, addon.about.to_owned()]);
            }
            ui.table(&table);
        }
    }
    Ok(Exit::Done)
}

pub(crate) async fn status(context: &Context, args: AddonListArgs) -> Outcome {
    let started = Instant::now();
    let wanted = catalogue(&args.names)?;
    let place = context.host.cluster_place(&args.cluster.query())?;
    let mut connection = context.host.connect(&place, Hosting::Attach, &[]).await?;
    let found = shared::with_progress(context, &mut connection, started, |session| async move {
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
    let ui = &context.ui;
    if matches!(ui.output, Output::Json | Output::Yaml) {
        let addons: Vec<Value> = lines
            .iter()
            .map(|(one, unit)| json!({"installed": one, "workloads": unit.workloads, "problems": unit.problems}))
            .collect();
        let data = json!({"cluster": connection.name, "addons": addons});
        ui.document(&shared::envelope("AddonStatus", exit, data, started));
        return Ok(exit);
    }
    if lines.is_empty() {
        ui.line(&format!("no addon is installed on {}", connection.name));
    }
    for (one, unit) in lines {
        let state = if unit.problems.is_empty() { one.status.as_str() } else { "not healthy" };
        let style = if state == "deployed" { Style::Healthy } else { Style::Degraded };
        let name = ui.out_style(Style::Strong, &one.chart);
        ui.line(&format!("{name} {} in {}   {}", one.version, one.namespace, ui.out_style(style, state)));
        for workload in &unit.workloads {
            ui.line(
                format!("  {}/{:<40} {} {}", workload.kind, workload.name, workload.ready, workload.message).trim_end(),
            );
        }
        for problem in &unit.problems {
            ui.line(&format!("  ! {}/{}: {}", problem.object.gvk.kind, problem.object.name, problem.message));
        }
    }
    Ok(exit)
}

pub(crate) async fn install(context: &Context, args: AddonInstallArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.cluster_place(&args.cluster.query())?;
    let wanted = wanted(&place, &args)?;
    let Some(wanted) = wanted else { return nothing_declared(context, &place) };
    let overrides = shared::overrides(context, &args.values)?;
    confirm(context, &place, &args)?;
    let options = UpOptions {
        revision: wanted.iter().map(|one| one.addon.name).collect::<Vec<_>>().join(" "),
        wait: !args.no_wait,
        references: References::MayCome,
        timeout: match &args.timeout {
            Some(timeout) => timeout.duration(),
            None => UpOptions::default().timeout,
        },
        ..UpOptions::default()
    };
    let hosting = match (args.dry_run, context.host.env.is_ci()) {
        (true, _) => Hosting::Attach,
        (false, true) => Hosting::InProcess,
        (false, false) => Hosting::Background,
    };
    let _delivering = if args.dry_run {
        None
    } else {
        Some(context.host.deliver_alone(&place.state, "addon install", options.timeout).await?)
    };
    let mut connection = context.host.connect(&place, hosting, &[]).await?;
    let candidates = candidates(context, &place, &args, &wanted, &overrides, &mut connection, started).await;
    let candidates = match candidates {
        Ok(candidates) => candidates,
        Err(failure) => {
            connection.close().await;
            return Err(failure);
        }
    };
    if args.dry_run {
        let plans = shared::with_progress(context, &mut connection, started, |session| {
            let (candidates, options) = (&candidates, &options);
            async move { session.plan(candidates, options).await }
        })
        .await;
        connection.close().await;
        shared::print_plans(context, &place, &connection, None, &plans.map_err(Failure::from)?);
        return Ok(Exit::Done);
    }
    let result = shared::with_progress(context, &mut connection, started, |session| {
        let (candidates, options) = (&candidates, &options);
        async move { session.up(candidates, None, options).await }
    })
    .await;
    let summary = shared::or_lost(&connection, result);
    connection.close().await;
    let summary = summary?;
    Ok(print(context, &connection, &summary, &candidates, started))
}

/// Warns of addons that a real cluster's environment declares and that are not on it.
pub(crate) async fn tell_missing(
    context: &Context,
    place: &Place,
    connection: &mut Connection,
    started: Instant,
) -> Result<(), Failure> {
    let declared = declared(place);
    if declared.is_empty() || place.cluster.is_kept_in_state() {
        return Ok(());
    }
    let installed =
        shared::with_progress(context, connection, started, |session| async move { session.addons().await }).await;
    let installed = installed.map_err(Failure::from)?;
    let environment = place.environment.as_deref().unwrap_or_default();
    for spec in declared {
        let known = addon(&spec.name).map_err(Failure::usage)?;
        if known.installed(&installed).is_none() {
            context.ui.diagnostic(
                &Diagnostic::warning(
                    code::ADDON_MISSING,
                    format!("environment `{environment}` declares the addon {}, and it is not installed", spec.name),
                )
                .help(format!("landfall addon install --env {environment}")),
            );
        }
    }
    Ok(())
}

/// Loads the charts and makes releases of them.
async fn candidates(
    context: &Context,
    place: &Place,
    args: &AddonInstallArgs,
    wanted: &[Wanted],
    overrides: &landfall_delivery::Overrides,
    connection: &mut Connection,
    started: Instant,
) -> Result<Vec<Candidate>, Failure> {
    let installed =
        shared::with_progress(context, connection, started, |session| async move { session.addons().await }).await;
    let installed = installed.map_err(Failure::from)?;
    let mut candidates = Vec::new();
    for one in wanted {
        let charts = charts(context, place, args, one, &installed);
        let addon = one.addon;
        context.ui.detail(&format!("{}: {charts:?}", addon.name));
        // Asking servers blocks.
        let loaded = tokio::task::spawn_blocking(move || charts.load(addon)).await.map_err(|error| {
            Failure::from(Diagnostic::error(code::BUG, "fetching ended unexpectedly").note(error.to_string()))
        })?;
        let loaded = loaded.map_err(Failure::from)?;
        let declared = one.declared.as_ref().and_then(|spec| spec.namespace.as_deref());
        let namespace = args.cluster.namespace.as_deref().or(declared);
        candidates.extend(addon.units(loaded, namespace, overrides, &installed).map_err(Failure::from)?);
    }
    Ok(candidates)
}

/// Where an addon's charts come from: the flags, the environment's declaration, the version that is installed already,
/// the newest of its maintainers' repository.
fn charts(
    context: &Context,
    place: &Place,
    args: &AddonInstallArgs,
    wanted: &Wanted,
    installed: &[InstalledChart],
) -> AddonCharts {
    let declared = wanted.declared.as_ref();
    if let Some(chart) = &args.chart {
        return AddonCharts::Local(context.host.directory.join(chart));
    }
    if let (Some(chart), None, None) = (declared.and_then(|spec| spec.chart.as_ref()), &args.version, &args.repo)
        && let Some(root) = context.host.project_root()
    {
        return AddonCharts::Local(root.join(chart.as_str()));
    }
    let version = args
        .version
        .clone()
        .or_else(|| declared.and_then(|spec| spec.version.clone()))
        .or_else(|| wanted.addon.installed(installed).map(|one| one.version.clone()));
    AddonCharts::Repository {
        url: args.repo.clone().unwrap_or_else(|| wanted.addon.repository.to_owned()),
        version,
        charts: shared::remote_charts(context, place),
    }
}

fn declared(place: &Place) -> &[AddonSpec] {
    place.declared().map_or(&[], |environment| environment.addons.as_slice())
}

/// What is to be installed; none when nothing is named and nothing declared.
fn wanted(place: &Place, args: &AddonInstallArgs) -> Result<Option<Vec<Wanted>>, Failure> {
    let declared = declared(place);
    let names: Vec<&str> = match args.names.as_slice() {
        [] => declared.iter().map(|spec| spec.name.as_str()).collect(),
        names => names.iter().map(String::as_str).collect(),
    };
    if names.is_empty() {
        return Ok(None);
    }
    if names.len() > 1 && (args.chart.is_some() || args.version.is_some() || args.repo.is_some()) {
        return Err(Failure::usage(
            Diagnostic::error(
                code::SEVERAL_ADDONS,
                "--version, --chart and --repo are about one addon, and several are named",
            )
            .help("install them one by one, or declare their versions under `addons:` in landfall.yaml"),
        ));
    }
    let mut wanted = Vec::new();
    for name in names {
        let declared = declared.iter().find(|spec| spec.name == name).cloned();
        wanted.push(Wanted { addon: addon(name).map_err(Failure::usage)?, declared });
    }
    Ok(Some(wanted))
}

fn catalogue(names: &[String]) -> Result<Vec<&'static Addon>, Failure> {
    if names.is_empty() {
        return Ok(ADDONS.iter().collect());
    }
    names.iter().map(|name| addon(name).map_err(Failure::usage)).collect()
}

fn nothing_declared(context: &Context, place: &Place) -> Outcome {
    match &place.environment {
        Some(environment) => {
            context.ui.line(&format!("environment `{environment}` declares no addons; nothing to do"));
            Ok(Exit::Done)
        }
        None => Err(Failure::usage(
            Diagnostic::error(code::WHICH_ADDON, "which addon?")
                .note(format!("addons: {}", ADDONS.iter().map(|addon| addon.name).collect::<Vec<_>>().join(", ")))
                .help("landfall addon install NAME"),
        )),
    }
}

/// A protected environment asks, as every change of it does.
fn confirm(context: &Context, place: &Place, args: &AddonInstallArgs) -> Result<(), Failure> {
    if args.yes || args.dry_run {
        return Ok(());
    }
    consent::given(context, &place.permit(Act::InstallAddons), |consent| {
        let environment = place.environment.as_deref().unwrap_or(&consent.cluster);
        let text = format!("Install on the protected environment {environment}? Type its name: ");
        let needs = format!("environment `{environment}` is protected, and nobody is there to say yes");
        Question::new(text, needs, "say it with --yes, or look first with --dry-run", "nothing was installed")
    })
}

fn print(
    context: &Context,
    connection: &Connection,
    summary: &Summary,
    candidates: &[Candidate],
    started: Instant,
) -> Exit {
    let failed = summary.units.iter().find(|unit| unit.outcome == Ended::Failed);
    let exit = match failed {
        Some(unit) => unit.diagnostics.first().map_or(Exit::Failed, exit_of),
        None if summary.units.iter().any(|unit| matches!(unit.outcome, Ended::Interrupted | Ended::NotBegun)) => {
            Exit::Interrupted
        }
        None => Exit::Done,
    };
    let ui = &context.ui;
    match ui.output {
        Output::Json | Output::Yaml => {
            let mut data = serde_json::to_value(summary).unwrap_or_default();
            data["cluster"] = json!(connection.name);
            ui.document(&shared::envelope("Addons", exit, data, started));
        }
        Output::Name => summary.units.iter().for_each(|unit| ui.line(&format!("{}/{}", unit.namespace, unit.name))),
        Output::Table => {
            for unit in &summary.units {
                let chart = candidates.iter().find(|(name, _)| *name == unit.name);
                let chart = chart.and_then(|(_, unit)| unit.as_ref().ok()).and_then(|unit| unit.chart());
                let version = chart.map(|chart| chart.metadata.version.clone()).unwrap_or_default();
                shared::print_unit(context, unit, &connection.name, &version);
            }
            let took = seconds(started.elapsed());
            match exit {
                Exit::Done if summary.units.iter().all(|unit| unit.outcome == Ended::Unchanged) => {
                    ui.line(&format!("no changes ({took})"));
                }
                Exit::Done => ui.line(&format!("done in {took} · landfall addon status")),
                _ => ui.line(&format!("not healthy after {took} · landfall addon status")),
            }
        }
    }
    exit
}
