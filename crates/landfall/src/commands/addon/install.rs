//! `landfall addon install`.

use std::time::Instant;

use clap::Args;
use landfall_delivery::{
    ADDONS, Addon, AddonCharts, Candidate, InstalledChart, Outcome as Ended, References, Summary, UpOptions, addon,
};
use landfall_diag::{Diagnostic, code};
use landfall_host::{Act, Connection, Failure, Hosting, Place};
use landfall_project::{AddonSpec, Span};
use serde_json::{Value, json};

use super::declared;
use crate::arguments::{ClusterArgs, OutputArgs, ValuesArgs};
use crate::commands::plan::Plans;
use crate::commands::up::{Unmade, exit_code};
use crate::consent::{self, Question};
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::live;
use crate::report::{Again, Report, print_unit};
use crate::ui::{Output, Ui, seconds};
use crate::verb::Verb;

/// Arguments of `addon install`.
#[derive(Debug, Clone, Args)]
pub(crate) struct AddonInstallArgs {
    /// The addons (default: those that the environment declares)
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// The chart's version (default: the declared one; the installed one; the newest)
    #[arg(long, value_name = "V")]
    pub(crate) version: Option<String>,
    /// The chart's directory or archive, instead of its repository's
    #[arg(long, value_name = "DIR", conflicts_with_all = ["version", "repo"])]
    pub(crate) chart: Option<String>,
    /// The chart repository, instead of its maintainers'
    #[arg(long, value_name = "URL")]
    pub(crate) repo: Option<String>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Wait until everything is ready (this is what happens unless --no-wait is given)
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) wait: bool,
    /// Do not wait
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long it may take, as `90s` or `15m`
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<Span>,
    /// Print the plan and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask, where the environment is protected
    #[arg(short = 'y', long)]
    pub(crate) yes: bool,
}

impl Verb for AddonInstallArgs {
    fn output(&self) -> Output {
        self.output.output
    }

    async fn run(self, context: &Context) -> Outcome {
        run(context, self).await
    }
}

/// An addon that is to be installed.
struct Wanted {
    addon: &'static Addon,
    declared: Option<AddonSpec>,
}

async fn run(context: &Context, args: AddonInstallArgs) -> Outcome {
    let started = Instant::now();
    let place = context.host.cluster_place(None, &args.cluster.query()).await?;
    let wanted = wanted(&place, &args)?;
    let Some(wanted) = wanted else { return nothing_declared(context, &place, started) };
    let overrides = args.values.overrides(&context.host)?;
    confirm(context, &place, &args).await?;
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
        let plans = live::with_progress(context, &mut connection, started, |session| {
            let (candidates, options) = (&candidates, &options);
            async move { session.plan(candidates, None, options).await }
        })
        .await;
        connection.close().await;
        let plans = plans.map_err(Failure::from)?;
        let plans = Plans { place: &place, cluster: &connection.name, revision: None, plans: &plans };
        context.answer(&plans, Exit::Done);
        return Ok(Exit::Done);
    }
    let result = live::with_progress(context, &mut connection, started, |session| {
        let (candidates, options) = (&candidates, &options);
        async move { session.up(candidates, None, options).await }
    })
    .await;
    let summary = live::or_lost(&connection, result);
    connection.close().await;
    let summary = summary?;
    let exit = exit_code(&summary, Unmade::NotPassed);
    let report = Installed { cluster: &connection.name, summary: &summary, candidates: &candidates, exit, started };
    context.report(&report, exit, started);
    Ok(exit)
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
        live::with_progress(context, connection, started, |session| async move { session.addons().await }).await;
    let installed = installed.map_err(Failure::from)?;
    let mut candidates = Vec::new();
    for one in wanted {
        let charts = charts(context, place, args, one, &installed);
        let addon = one.addon;
        context.ui.detail(&format!("{}: {charts:?}", addon.name));
        let loaded = charts.load(addon).await.map_err(Failure::from)?;
        let declared = one.declared.as_ref().and_then(|spec| spec.namespace.as_deref());
        let namespace = args.cluster.namespace.as_deref().or(declared);
        let documents = context.host.schema_documents_if_reached();
        candidates.extend(addon.units(loaded, namespace, overrides, &installed, &documents).map_err(Failure::from)?);
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
        charts: Box::new(context.host.remote_charts(place)),
    }
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

fn nothing_declared(context: &Context, place: &Place, started: Instant) -> Outcome {
    match &place.environment {
        Some(environment) => {
            context.report(&Nothing { environment }, Exit::Done, started);
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
async fn confirm(context: &Context, place: &Place, args: &AddonInstallArgs) -> Result<(), Failure> {
    if args.dry_run {
        return Ok(());
    }
    let cluster = place.cluster.shown();
    consent::given(context, &place.permit(Act::InstallAddons), || Question {
        yes: args.yes,
        ask: format!("Install on {cluster}"),
        deed: format!("installing on `{cluster}`"),
        undone: "nothing was installed",
        instead: Some("look first with --dry-run"),
    })
    .await
}

/// An environment without addons.
struct Nothing<'a> {
    environment: &'a str,
}

impl Report for Nothing<'_> {
    const KIND: &'static str = "Addons";

    fn data(&self) -> Value {
        json!({"environment": self.environment, "units": []})
    }

    fn text(&self, ui: &Ui) {
        ui.line(&format!("environment `{}` declares no addons; nothing to do", self.environment));
    }

    fn names(&self, _ui: &Ui) {}
}

/// What was installed.
struct Installed<'a> {
    cluster: &'a str,
    summary: &'a Summary,
    candidates: &'a [Candidate],
    exit: Exit,
    started: Instant,
}

impl Report for Installed<'_> {
    const KIND: &'static str = "Addons";

    fn data(&self) -> Value {
        let mut data = json!(self.summary);
        data["cluster"] = json!(self.cluster);
        data
    }

    fn text(&self, ui: &Ui) {
        for unit in &self.summary.units {
            let chart = self.candidates.iter().find(|(name, _)| *name == unit.name);
            let chart = chart.and_then(|(_, unit)| unit.as_ref().ok()).and_then(|unit| unit.chart());
            let version = chart.map(|chart| chart.metadata.version.clone()).unwrap_or_default();
            print_unit(ui, unit, self.cluster, &version, &Again::default());
        }
        let took = seconds(self.started.elapsed());
        match self.exit {
            Exit::Done if self.summary.units.iter().all(|unit| unit.outcome == Ended::Unchanged) => {
                ui.line(&format!("no changes ({took})"));
            }
            Exit::Done => ui.line(&format!("done in {took} · landfall addon status")),
            _ => ui.line(&format!("not healthy after {took} · landfall addon status")),
        }
    }

    fn names(&self, ui: &Ui) {
        self.summary.units.iter().for_each(|unit| ui.name(&format!("{}/{}", unit.namespace, unit.name)));
    }
}
