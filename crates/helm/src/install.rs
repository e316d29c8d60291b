//! `helm install`.

use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_chart::{ReleaseInfo, release_name};
use landfall_delivery::Part;
use landfall_diag::code;
use landfall_release::{InstallOptions, Record};

use super::deploy::{self, Asked, DEPLOY, DryRun, Rendering, prefixed};
use super::flags::{CHART, Flags, GLOBAL, Kind, Spec, Support, VALUES, flag, short};
use super::journal::Journal;
use super::refusal::{Source, refuse_invalid, refuse_unserved};
use super::release_text::{Detail, Format, text};
use super::session::{Session, on_cluster, told};
use super::verb::{Names, Verb};
use super::{Stop, World, four, namespace, parse, template};

const FLAGS: &[Spec] = &[
    short("generate-name", 'g', Kind::Bool, Support::Works, "generate the name (and omit the NAME parameter)"),
    flag("name-template", Kind::Text, Support::Works, "specify template used to name the release"),
    flag("replace", Kind::Bool, Support::Works, "re-use the given name, only if that name is a deleted release"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["install"],
    about: "install a chart",
    parts: &[],
    flags: |_| &[FLAGS, DEPLOY, VALUES, CHART, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let usage = "install [NAME] [CHART] [flags]";
    let Some(flags) = parse(world, usage, &[FLAGS, DEPLOY, VALUES, CHART, GLOBAL], words)? else {
        return Ok(0);
    };
    if flags.arguments.is_empty() {
        return Err(Stop::Usage(format!("\"helm install\" requires at least 1 argument\n\nUsage:  helm {usage}")));
    }
    DryRun::check(world, &flags)?;
    let post_renderer = template::find_post_renderer(world, &flags)?;
    let record = prepare_and_run(world, &flags, post_renderer)
        .map_err(|stop| deploy::unreachable_first(world, &flags, stop))
        .map_err(|stop| prefixed("INSTALLATION FAILED", deploy::spoken(world, &flags, stop)))?;
    shown(world, &record, &flags)
}

/// Prints what became of it.
fn shown(world: &World<'_>, record: &Record, flags: &Flags) -> Result<u8, Stop> {
    let dialect = super::dialect(world, flags)?;
    let detail = Detail {
        all: flags.is("debug"),
        without_notes: flags.is("hide-notes"),
        fresh: true,
        dialect,
        ..Detail::default()
    };
    let text = text(record, Format::of(flags), detail, None)?;
    landfall_terminal::out().write_all(text.as_bytes())?;
    Ok(0)
}

fn prepare_and_run(world: &World<'_>, flags: &Flags, post_renderer: Option<PathBuf>) -> Result<Record, Stop> {
    let (name, reference) = name_and_chart(flags)?;
    let asked = deploy::asked(world, flags, &reference)?;
    check_chart(world, flags, &asked)?;
    let dry_run = DryRun::of(flags)?;
    // Helm 3 asks for the cluster all the same.
    if dry_run == DryRun::Client && four::is_spoken(world, flags) {
        return without_cluster(world, flags, &name, &asked, post_renderer);
    }
    on_cluster(world, flags, async |session| {
        install(session, &name, &asked, dry_run, post_renderer, flags.is("replace")).await
    })
}

/// What would be recorded, as Helm 4 tells it without any cluster: no name is taken, no kind is unknown.
fn without_cluster(
    world: &World<'_>,
    flags: &Flags,
    name: &str,
    asked: &Asked,
    post_renderer: Option<PathBuf>,
) -> Result<Record, Stop> {
    if let Err(error) = landfall_release::validate_release_name(name) {
        return Err(deploy::bad_name(name, &error));
    }
    let namespace = namespace::namespace(world, flags);
    let options = template::render_options(world, flags)?;
    let rendering =
        Rendering { options, post_renderer, capabilities: landfall_chart::Capabilities::default(), cluster: None };
    let release = ReleaseInfo::install(name, &namespace);
    let (content, _) = world.wait_for(deploy::content(world, flags, asked, None, rendering, release))?;
    let deploy = deploy::options(world, flags, None)?;
    let record = landfall_release::first_record(name, &namespace, content, &deploy, jiff::Timestamp::now());
    let mut record = record.map_err(|error| told(&error))?;
    record.info.description = "Dry run complete".to_owned();
    Ok(record)
}

/// What Helm checks of a chart before it talks to the cluster.
pub(super) fn check_chart(world: &World<'_>, flags: &Flags, asked: &Asked) -> Result<(), Stop> {
    let metadata = &asked.chart.metadata;
    if !matches!(metadata.kind.as_str(), "" | "application") {
        return Err(Stop::words(code::LIBRARY_CHART, format!("{} charts are not installable", metadata.kind)));
    }
    warn_deprecated(world, flags, asked)?;
    check_dependencies(asked)
}

/// Says that a chart is not kept any more.
pub(super) fn warn_deprecated(world: &World<'_>, flags: &Flags, asked: &Asked) -> Result<(), Stop> {
    if asked.chart.metadata.deprecated && four::is_spoken(world, flags) {
        four::log(four::Level::Warn, "this chart is deprecated", &[]);
    } else if asked.chart.metadata.deprecated {
        writeln!(landfall_terminal::err(), "WARNING: This chart is deprecated")?;
    }
    Ok(())
}

/// All dependencies have to lie in `charts/`.
pub(super) fn check_dependencies(asked: &Asked) -> Result<(), Stop> {
    let missing = asked.chart.missing_dependencies();
    if missing.is_empty() {
        return Ok(());
    }
    let error = landfall_chart::ChartError::MissingDependencies {
        names: missing.into_iter().map(str::to_owned).collect(),
        location: asked.chart.location.clone(),
    };
    Err(deploy::chart_error(&error))
}

/// Installs on a cluster that answers; also what `upgrade --install` does for a release that is not there.
pub(super) async fn install(
    session: &Session<'_>,
    name: &str,
    asked: &Asked,
    dry_run: DryRun,
    post_renderer: Option<PathBuf>,
    replace: bool,
) -> Result<Record, Stop> {
    if dry_run.is_on() {
        return install_with(session, name, asked, dry_run, post_renderer, replace, None).await;
    }
    session
        .journalled(name, async |journal| {
            install_with(session, name, asked, dry_run, post_renderer, replace, Some(journal)).await
        })
        .await
}

async fn install_with(
    session: &Session<'_>,
    name: &str,
    asked: &Asked,
    dry_run: DryRun,
    post_renderer: Option<PathBuf>,
    replace: bool,
    journal: Option<&Journal>,
) -> Result<Record, Stop> {
    let flags = session.flags;
    if flags.is("hide-secret") && !dry_run.is_on() {
        return Err(deploy::hidden_for_nothing());
    }
    if let Err(error) = landfall_release::validate_release_name(name) {
        return Err(deploy::bad_name(name, &error));
    }
    let namespace = session.releases.namespace().to_owned();
    if let Some(journal) = journal {
        session.recover(name, journal).await?;
        session.heed_signals(&flags.arguments[0]);
        let history = session.releases.history(name).await.map_err(|error| told(&error))?;
        let taken = history.last().is_some_and(|last| {
            use landfall_release::Status::{Failed, Uninstalled};
            !(replace && matches!(last.info.status, Uninstalled | Failed))
        });
        if taken {
            return Err(told(&landfall_release::Error::NameInUse { name: name.to_owned() }));
        }
    }
    let skip_crds = flags.is("skip-crds");
    let mut capabilities = session.reached.capabilities().await?;
    if !skip_crds && !dry_run.is_on() {
        capabilities = capabilities.with_definitions_of(&asked.chart);
    }
    let mut render = template::render_options(session.world, flags)?;
    if dry_run != DryRun::Client {
        render.lookup = Some(session.lookup());
    }
    let release = ReleaseInfo::install(name, &namespace);
    let rendering =
        Rendering { options: render, post_renderer, capabilities, cluster: Some(session.cluster().clone()) };
    let crds = if skip_crds || dry_run.is_on() { Part::LeftOut } else { Part::Taken };
    let source = Source { asked, recorded: None, rendering: rendering.clone(), release: release.clone(), crds };
    let (content, rendered) = deploy::content(session.world, flags, asked, None, rendering, release).await?;
    refuse_unserved(session, rendered, &source).await?;
    let options = InstallOptions {
        deploy: deploy::options(session.world, flags, None)?,
        create_namespace: flags.is("create-namespace"),
        replace,
        // On a dry run Helm installs none, and refuses what is of their kinds.
        skip_crds: skip_crds || dry_run.is_on(),
        rehearsal: dry_run.is_on(),
    };
    let mut prepared = session.releases.prepare_install(name, content, &options).await.map_err(|error| told(&error))?;
    let Some(journal) = journal else {
        prepared.record.info.description = "Dry run complete".to_owned();
        return Ok(prepared.record);
    };
    refuse_invalid(session, &mut prepared, journal, &source).await?;
    let delivered = session.run(&prepared, journal).await?;
    if delivered.succeeded() {
        return Ok(delivered.record);
    }
    Err(deploy::failed(session, name, &delivered, "uninstalled"))
}

/// The release's name and the chart's (pkg/action/install.go, NameAndChart).
fn name_and_chart(flags: &Flags) -> Result<(String, String), Stop> {
    let arguments = &flags.arguments;
    let template = flags.text("name-template").filter(|template| !template.is_empty());
    let refuse = |words: &str| Err(Stop::words(code::BAD_HELM_ARGUMENT, words));
    match arguments.as_slice() {
        [_, _, rest @ ..] if !rest.is_empty() => Err(Stop::words(
            code::BAD_HELM_ARGUMENT,
            format!("expected at most two arguments, unexpected arguments: {}", rest.join(", ")),
        )),
        [_, _] if flags.is("generate-name") => refuse("cannot set --generate-name and also specify a name"),
        [_, _] if template.is_some() => refuse("cannot set --name-template and also specify a name"),
        [name, chart] => Ok((name.clone(), chart.clone())),
        [chart, ..] => match template {
            Some(template) => Ok((release_name(template, &landfall_source::surroundings())?, chart.clone())),
            None if flags.is("generate-name") => Ok((generated(chart), chart.clone())),
            None => refuse("must either provide a name or specify --generate-name"),
        },
        [] => refuse("must either provide a name or specify --generate-name"),
    }
}

fn generated(chart: &str) -> String {
    let base = chart.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let base = if base.is_empty() || base == "." { "chart" } else { base };
    let base = base.split('.').next().unwrap_or_default();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
    format!("{base}-{seconds}")
}
