//! `helm upgrade`.

use std::io::Write;
use std::path::PathBuf;

use landfall_chart::{Operation, ReleaseInfo, Values, recorded_values, values_from_json, values_over};
use landfall_delivery::Part;
use landfall_diag::code;
use landfall_engine::Action;
use landfall_release::{DeployOptions, Prepared, Record, Status, UpgradeOptions};

use super::deploy::{self, Asked, DEPLOY, DryRun, Rendering, prefixed};
use super::flags::{CHART, Flags, GLOBAL, Kind, Spec, Support, VALUES, flag, short};
use super::glass::{self, GLASS};
use super::install::{check_chart, check_dependencies, install, warn_deprecated};
use super::journal::Journal;
use super::refusal::{Source, refuse_invalid, refuse_unserved};
use super::release_text::{Detail, Format, text};
use super::session::{Session, on_cluster, told};
use super::verb::{Names, Verb};
use super::{Refusal, Stop, World, exactly, four, log, parse, template};

use Kind::{Bool, Int};
use Support::Works;

const FLAGS: &[Spec] = &[
    flag("cleanup-on-fail", Bool, Works, "delete resources created in this upgrade when it fails"),
    flag(
        "history-max",
        Int,
        Works,
        "limit the maximum number of revisions saved per release; 0 for no limit (default 10)",
    ),
    short("install", 'i', Bool, Works, "if a release by this name doesn't already exist, run an install"),
    flag("recreate-pods", Bool, Works, "performs pods restart for the resource if applicable"),
    flag("reset-then-reuse-values", Bool, Works, "the chart's values, the last release's over them, then those given"),
    flag("reset-values", Bool, Works, "reset the values to the ones built into the chart"),
    flag("reuse-values", Bool, Works, "reuse the last release's values and merge in those given"),
];

/// What Helm says of a flag that it still takes.
const DEPRECATED: &str = "Flag --recreate-pods has been deprecated, functionality will no longer be updated. Consult the \
                          documentation for other methods to recreate pods";

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["upgrade"],
    about: "upgrade a release",
    parts: &[],
    flags: |_| &[FLAGS, GLASS, DEPLOY, VALUES, CHART, GLOBAL],
    behind: |at| if at == 0 { Names::Releases } else { Names::Files },
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "upgrade [RELEASE] [CHART] [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, GLASS, DEPLOY, VALUES, CHART, GLOBAL], words)? else {
        return Ok(0);
    };
    if flags.text("recreate-pods").is_some() {
        writeln!(landfall_terminal::err(), "{DEPRECATED}")?;
    }
    exactly(&flags, "upgrade", 2, usage)?;
    let post_renderer = template::find_post_renderer(world, &flags)?;
    DryRun::check(world, &flags)?;
    let format = Format::of(&flags);
    let name = flags.arguments[0].clone();
    let record = on_cluster(world, &flags, async |session| {
        if flags.is("install") && is_absent(session, &name).await? {
            if format == Format::Table {
                writeln!(landfall_terminal::out(), "Release {name:?} does not exist. Installing it now.")?;
            }
            let replace = !session.releases.history(&name).await.map_err(|error| told(&error))?.is_empty();
            let asked = deploy::asked(world, &flags, &flags.arguments[1])?;
            check_chart(world, &flags, &asked)?;
            let dry_run = DryRun::of(&flags)?;
            let broken = if dry_run.is_on() { None } else { glass::guard(session, &name, "upgrade").await? };
            let ended = install(session, &name, &asked, dry_run, post_renderer, replace).await;
            if let Some(broken) = broken {
                broken.end(&ended).await;
            }
            return ended;
        }
        // What is wrong with the chart or the values stands alone, as Helm has it.
        let dry_run = DryRun::of(&flags)?;
        let asked = deploy::asked(world, &flags, &flags.arguments[1])?;
        check_dependencies(&asked).map_err(|stop| deploy::spoken(world, &flags, stop))?;
        warn_deprecated(world, &flags, &asked)?;
        let record = upgrade(session, &name, &asked, dry_run, post_renderer)
            .await
            .map_err(|stop| prefixed("UPGRADE FAILED", deploy::spoken(world, &flags, stop)))?;
        if format == Format::Table {
            writeln!(landfall_terminal::out(), "Release {name:?} has been upgraded. Happy Helming!")?;
        }
        Ok(record)
    })
    .map_err(|stop| match &stop {
        // Without --install nothing else is looked for before, and Helm tells it as the upgrade's failure.
        Stop::Words { refusal: Refusal::Unreachable | Refusal::Lost, .. } if !flags.is("install") => {
            prefixed("UPGRADE FAILED", stop)
        }
        _ => stop,
    })?;
    let dialect = super::dialect(world, &flags)?;
    let detail = Detail {
        all: flags.is("debug"),
        without_notes: flags.is("hide-notes"),
        fresh: true,
        dialect,
        ..Detail::default()
    };
    landfall_terminal::out().write_all(text(&record, format, detail, None)?.as_bytes())?;
    Ok(0)
}

/// Whether there is nothing to upgrade: no revision, or the last one uninstalled.
async fn is_absent(session: &Session<'_>, name: &str) -> Result<bool, Stop> {
    if landfall_release::validate_release_name(name).is_err() {
        return Err(Stop::words(code::BAD_RELEASE_NAME, format!("release name is invalid: {name}")));
    }
    let history = session.releases.history(name).await.map_err(|error| told(&error))?;
    Ok(history.last().is_none_or(|last| last.info.status == Status::Uninstalled))
}

async fn upgrade(
    session: &Session<'_>,
    name: &str,
    asked: &Asked,
    dry_run: DryRun,
    post_renderer: Option<PathBuf>,
) -> Result<Record, Stop> {
    if dry_run.is_on() {
        return upgrade_with(session, name, asked, dry_run, post_renderer, None).await;
    }
    let broken = glass::guard(session, name, "upgrade").await?;
    let ended = session
        .journalled(name, async |journal| {
            upgrade_with(session, name, asked, dry_run, post_renderer, Some(journal)).await
        })
        .await;
    if let Some(broken) = broken {
        broken.end(&ended).await;
    }
    ended
}

async fn upgrade_with(
    session: &Session<'_>,
    name: &str,
    asked: &Asked,
    dry_run: DryRun,
    post_renderer: Option<PathBuf>,
    journal: Option<&Journal>,
) -> Result<Record, Stop> {
    let flags = session.flags;
    if landfall_release::validate_release_name(name).is_err() {
        return Err(Stop::words(code::BAD_RELEASE_NAME, format!("release name is invalid: {name}")));
    }
    if flags.is("hide-secret") && !dry_run.is_on() {
        return Err(deploy::hidden_for_nothing());
    }
    if let Some(journal) = journal {
        session.recover(name, journal).await?;
        session.heed_signals(name);
    }
    let (last, base) = session.releases.base_of(name).await.map_err(|error| told(&error))?;
    let (chart, recorded) = reused(flags, asked, &base)?;
    let asked = Asked { chart, layers: asked.layers.clone(), values: asked.values.clone() };
    let capabilities = session.reached.capabilities().await?;
    let mut render = template::render_options(session.world, flags)?;
    if dry_run != DryRun::Client {
        render.lookup = Some(session.lookup());
    }
    let release = ReleaseInfo {
        name: name.to_owned(),
        namespace: base.namespace.clone(),
        revision: last.version + 1,
        operation: Operation::Upgrade,
    };
    let rendering =
        Rendering { options: render, post_renderer, capabilities, cluster: Some(session.cluster().clone()) };
    let source = Source {
        asked: &asked,
        recorded: recorded.clone(),
        rendering: rendering.clone(),
        release: release.clone(),
        crds: Part::LeftOut,
    };
    let (content, rendered) = deploy::content(session.world, flags, &asked, recorded, rendering, release).await?;
    refuse_unserved(session, rendered, &source).await?;
    let options = UpgradeOptions {
        deploy: DeployOptions { pods: deploy::pods(flags), ..deploy::options(session.world, flags, Some(&base))? },
    };
    let prepared = session.releases.prepare_upgrade(name, content, &options).await;
    let mut prepared = prepared.map_err(|error| {
        // Helm builds the new objects once before it begins, and says no more then.
        match error.before_upgrade() {
            Some(bare) => Stop::said(bare, landfall_diag::Diagnose::diagnose(&error)),
            None => told(&error),
        }
    })?;
    let Some(journal) = journal else {
        prepared.record.info.description = options.deploy.description.unwrap_or_else(|| "Dry run complete".to_owned());
        return Ok(prepared.record);
    };
    refuse_invalid(session, &mut prepared, journal, &source).await?;
    let delivered = session.run(&prepared, journal).await?;
    if delivered.succeeded() {
        warn_kept(&prepared)?;
        return Ok(delivered.record);
    }
    if four::is_spoken(session.world, flags) {
        let words = delivered.failure_words.as_deref().unwrap_or_default();
        four::log(four::Level::Warn, "upgrade failed", &[("name", name), ("error", words)]);
    }
    Err(deploy::failed(session, name, &delivered, "rolled back"))
}

/// The chart with the defaults it is rendered with, and the values when they are not only those given (pkg/action/
/// upgrade.go, reuseValues).
fn reused(flags: &Flags, asked: &Asked, base: &Record) -> Result<(landfall_chart::Chart, Option<Values>), Stop> {
    let mut chart = asked.chart.clone();
    if flags.is("reset-values") {
        return Ok((chart, None));
    }
    let recorded = values_from_json(&base.config);
    if flags.is("reuse-values") {
        let (defaults, warnings) = recorded_values(&base.chart, &recorded)
            .map_err(|error| prefixed("failed to rebuild old values", deploy::chart_error(&error)))?;
        log(&warnings);
        let (values, warnings) = values_over(&asked.values, &recorded);
        log(&warnings);
        chart.values = defaults;
        return Ok((chart, Some(values)));
    }
    if flags.is("reset-then-reuse-values") {
        let (values, warnings) = values_over(&asked.values, &recorded);
        log(&warnings);
        return Ok((chart, Some(values)));
    }
    let nothing_given = asked.values.entries().is_empty();
    Ok((chart, (nothing_given && !base.config.is_empty()).then_some(recorded)))
}

/// Names what left the chart and stays all the same, because of what is generated once; Helm itself says nothing of what it keeps.
fn warn_kept(prepared: &Prepared) -> Result<(), Stop> {
    let kept = prepared.plan.steps().filter(|step| step.action == Action::Keep);
    for (step, why) in kept.filter_map(|step| Some((step, step.why.strip_prefix("kept: ")?))) {
        let (kind, name) = (&step.key.gvk.kind, &step.key.name);
        writeln!(landfall_terminal::err(), "WARNING: {kind}/{name} is no longer in the chart and is kept: {why}")?;
    }
    Ok(())
}
