//! What `install` and `upgrade` have in common: flags, the chart, its rendering against the cluster, and the words for
//! a failure.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use landfall_chart::{
    Capabilities, Chart, ChartError, Dialect, ReleaseInfo, RenderOptions, Rendered, ValueLayers, Values, Warnings,
    render_values, render_warning,
};
use landfall_cluster::Cluster;
use landfall_delivery::{Draws, Part, RenderedUnit, keep_drawn_once};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_release::{
    Apply, ArgoHooks, Content, Delivered, DeployOptions, Force, HookRuns, OwnershipCheck, Pods, Record, Remainder, Wait,
};

use super::flags::{DETERMINISTIC, Flags, Kind, Spec, Support, flag, short};
use super::four::Otherwise;
use super::session::Session;
use super::{Refusal, Stop, Voice, World, four, log, place, template, values};

use Kind::{Bool, Optional, Pairs, Repeat, Text};
use Support::Works;

/// Flags of `install` and `upgrade`, Helm 4's names beside Helm 3's.
pub(super) const DEPLOY: &[Spec] = &[
    flag("atomic", Bool, Works, "undo what was done when it fails; sets --wait"),
    flag("rollback-on-failure", Bool, Works, "as --atomic"),
    flag("create-namespace", Bool, Works, "create the release namespace if not present"),
    flag(
        "dependency-update",
        Bool,
        Support::Works,
        "update dependencies if they are missing before installing the chart",
    ),
    flag("description", Text, Works, "add a custom description"),
    flag("disable-openapi-validation", Bool, Support::NoEffect, ""),
    flag("dry-run", Optional("client"), Works, "simulate: client, server or none"),
    flag("enable-dns", Bool, Works, "enable DNS lookups when rendering templates"),
    flag("force", Bool, Works, "force resource updates through a replacement strategy"),
    flag("force-replace", Bool, Works, "as --force"),
    flag("force-conflicts", Bool, Works, "server-side apply takes over fields of others"),
    flag("server-side", Optional("true"), Works, "let the server merge: true, false or auto"),
    flag("helm-dialect", Text, Works, "v3 or v4: whose manner is kept"),
    DETERMINISTIC,
    flag("hide-notes", Bool, Works, "do not show notes in the output"),
    flag("hide-secret", Bool, Works, "hide Kubernetes Secrets when also using the --dry-run flag"),
    short("labels", 'l', Pairs, Works, "labels that would be added to release metadata"),
    flag("no-hooks", Bool, Works, "prevent hooks from running"),
    short("output", 'o', Kind::Format, Works, "prints the output in the specified format: table, json, yaml"),
    flag("post-renderer", Kind::Program, Works, "the path to an executable to be used for post rendering"),
    flag("post-renderer-args", Repeat, Works, "an argument to the post-renderer"),
    flag("render-subchart-notes", Bool, Works, "render subchart notes along with the parent"),
    flag("skip-crds", Bool, Works, "install no CRDs"),
    flag("skip-schema-validation", Bool, Works, "disable JSON schema validation"),
    flag("take-ownership", Bool, Works, "take over existing resources of others"),
    flag("timeout", Kind::Duration, Works, "time to wait for any individual operation (default 5m0s)"),
    flag("wait", Optional("true"), Works, "wait until all resources are ready"),
    flag("wait-for-jobs", Bool, Works, "with --wait, wait for Jobs too"),
];

/// Whether and how far an operation is only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DryRun {
    /// It is carried out.
    No,
    /// Templates see nothing of the cluster.
    Client,
    /// Templates see the cluster.
    Server,
}

impl DryRun {
    /// What `--dry-run` asks for (cmd/helm/install.go, validateDryRunOptionFlag).
    pub(super) fn of(flags: &Flags) -> Result<DryRun, Stop> {
        match flags.text("dry-run") {
            None | Some("" | "none" | "false") => Ok(DryRun::No),
            Some("client" | "true") => Ok(DryRun::Client),
            Some("server") => Ok(DryRun::Server),
            Some(_) => Err(Stop::words(
                code::BAD_HELM_ARGUMENT,
                "Invalid dry-run flag. Flag must one of the following: false, true, none, client, server",
            )),
        }
    }

    /// What Helm 4 says of the flag before anything else, and refuses.
    pub(super) fn check(world: &World<'_>, flags: &Flags) -> Result<(), Stop> {
        if four::is_spoken(world, flags) { four::heed_dry_run(flags, false) } else { Ok(()) }
    }

    /// Whether nothing is to be changed.
    pub(super) fn is_on(self) -> bool {
        self != DryRun::No
    }
}

/// Whether the operation is to be undone when it fails.
pub(super) fn atomic(flags: &Flags) -> bool {
    flags.is("atomic") || flags.is("rollback-on-failure")
}

/// What is waited for; Helm 4's strategies are `watcher`, `legacy` and `hookOnly`.
pub(super) fn wait(flags: &Flags) -> Result<Wait, Stop> {
    let asked = match flags.text("wait") {
        None | Some("" | "false" | "hookOnly") => false,
        Some("true" | "watcher" | "legacy") => true,
        Some(other) => {
            return Err(Stop::Usage(format!(
                "invalid argument {other:?} for \"--wait\" flag: strconv.ParseBool: parsing {other:?}: invalid syntax"
            )));
        }
    };
    Ok(match (asked || atomic(flags), flags.is("wait-for-jobs")) {
        (false, _) => Wait::No,
        (true, false) => Wait::Ready,
        (true, true) => Wait::ReadyAndJobs,
    })
}

/// The time an operation may take.
pub(super) fn timeout(flags: &Flags) -> Duration {
    flags.duration("timeout").unwrap_or(Duration::from_secs(300))
}

/// How many revisions are kept.
pub(super) fn max_history(world: &World<'_>, flags: &Flags) -> usize {
    let set = world.env("HELM_MAX_HISTORY").and_then(|text| text.parse().ok());
    usize::try_from(flags.int("history-max").or(set).unwrap_or(10)).unwrap_or(0)
}

/// Who merges: Helm 4 leaves it to the server, on an upgrade where the revision before was made so.
pub(super) fn apply(flags: &Flags, dialect: Dialect, before: Option<&Record>) -> Apply {
    let recorded =
        || before.is_none_or(|record| record.further.get("apply_method").and_then(|it| it.as_str()) == Some("ssa"));
    let server_side = match flags.text("server-side") {
        Some("true") => true,
        Some("false") => false,
        _ => dialect == Dialect::V4 && recorded(),
    };
    match (server_side, flags.is("force-conflicts")) {
        (false, _) => Apply::ClientSide,
        (true, false) => Apply::ServerSide,
        (true, true) => Apply::ServerSideTakingOver,
    }
}

/// Whether objects are replaced as a whole.
pub(super) fn force(flags: &Flags) -> Force {
    if flags.is("force") || flags.is("force-replace") { Force::Replace } else { Force::No }
}

/// Helm 4 does not replace what the server merges.
pub(super) fn check_force(force: Force, apply: Apply) -> Result<(), Stop> {
    if force == Force::Replace && apply != Apply::ClientSide {
        let words = "invalid operation: cannot use server-side apply and force replace together";
        return Err(Stop::words(code::BAD_HELM_ARGUMENT, words));
    }
    Ok(())
}

/// The options that flags ask for.
pub(super) fn options(world: &World<'_>, flags: &Flags, before: Option<&Record>) -> Result<DeployOptions, Stop> {
    let dialect = super::dialect(world, flags)?;
    let (apply, force) = (apply(flags, dialect, before), force(flags));
    check_force(force, apply)?;
    Ok(DeployOptions {
        hooks: if flags.is("no-hooks") { HookRuns::Skip } else { HookRuns::Run },
        wait: wait(flags)?,
        timeout: timeout(flags),
        force,
        ownership: if flags.is("take-ownership") { OwnershipCheck::Take } else { OwnershipCheck::Strict },
        description: flags.text("description").filter(|text| !text.is_empty()).map(str::to_owned),
        atomic: atomic(flags),
        cleanup_on_fail: flags.is("cleanup-on-fail"),
        max_history: max_history(world, flags),
        apply,
        dialect,
        argo_hooks: ArgoHooks::Patched,
        remainder: Remainder::Written,
        pods: Pods::LeftAlone,
    })
}

/// What becomes of the pods of what is updated.
pub(super) fn pods(flags: &Flags) -> Pods {
    if flags.is("recreate-pods") { Pods::Recreated } else { Pods::LeftAlone }
}

/// A chart to be delivered, and the values for it.
pub(super) struct Asked {
    /// The chart.
    pub(super) chart: Chart,
    /// What the user gave.
    pub(super) layers: ValueLayers,
    /// The same, merged.
    pub(super) values: Values,
}

/// Reads the chart and the values, in Helm's order.
pub(super) fn asked(world: &World<'_>, flags: &Flags, reference: &str) -> Result<Asked, Stop> {
    let path = place::locate(world, flags, reference)?;
    let layers = values::layers(world, flags)?;
    let values = layers.merge()?;
    let chart = place::load_whole(world, flags, &path, reference)?;
    Ok(Asked { chart, layers, values })
}

/// How templates are rendered for a release.
#[derive(Clone)]
pub(super) struct Rendering {
    /// The options.
    pub(super) options: RenderOptions,
    /// The program that has the last word on the manifest.
    pub(super) post_renderer: Option<PathBuf>,
    /// What templates see of the cluster.
    pub(super) capabilities: Capabilities,
    /// Where the values live that are generated once; nowhere, where no cluster is asked.
    pub(super) cluster: Option<Cluster>,
}

/// Renders on a thread that may block, because `lookup` does.
///
/// `recorded` are values of an earlier revision that lie under those given; without them errors name the place of a
/// value.
pub(super) async fn content(
    world: &World<'_>,
    flags: &Flags,
    asked: &Asked,
    recorded: Option<Values>,
    mut rendering: Rendering,
    release: ReleaseInfo,
) -> Result<(Content, Rendered), Stop> {
    let (post_renderer, draws) = (rendering.post_renderer.clone(), Draws::default());
    rendering.options.sprig = landfall_source::noticed(rendering.options.sprig, &draws);
    let (outcome, before) = rendered(asked, recorded.clone(), rendering.clone(), release.clone()).await?;
    let mut outcome = outcome.map_err(|error| {
        log(&before.0);
        chart_error(&error)
    })?;
    log(&outcome.warnings);
    if draws.load(Ordering::Relaxed) {
        outcome = with_drawn_once(world, asked, recorded, &rendering, release, outcome).await?;
    }
    let rendered = outcome;
    let mut content = Content::of(&rendered).map_err(|error| super::session::told(&error))?;
    if flags.is("hide-secret") {
        content.manifest = without_secrets(&rendered);
    }
    if let Some(program) = &post_renderer {
        content.manifest = template::post_rendered(world, flags, program, content.manifest)?;
    }
    content.labels = flags.pairs("labels");
    Ok((content, rendered))
}

/// The rendering with the values as they live that its templates draw, where one of them is generated once, and says so.
async fn with_drawn_once(
    world: &World<'_>,
    asked: &Asked,
    recorded: Option<Values>,
    rendering: &Rendering,
    release: ReleaseInfo,
    outcome: Rendered,
) -> Result<Rendered, Stop> {
    let Some(cluster) = &rendering.cluster else { return Ok(outcome) };
    let (name, namespace) = (release.name.clone(), release.namespace.clone());
    let mut unit = RenderedUnit::of_chart(outcome, Part::LeftOut);
    let again = async || {
        let (outcome, _) = rendered(asked, recorded, rendering.clone(), release).await.ok()?;
        Some(RenderedUnit::of_chart(outcome.ok()?, Part::LeftOut))
    };
    for note in keep_drawn_once(cluster, &namespace, &mut unit, again).await {
        match world.voice {
            Voice::Helm => writeln!(landfall_terminal::err(), "WARNING: {note}")?,
            Voice::Landfall => {
                let told = Diagnostic::warning(code::DRAWN_ANEW, format!("{name}: {note}"));
                world.printer.diagnostic(&told);
            }
        }
    }
    Ok(unit.into_chart())
}

/// Renders on a thread that may block, and gives the warnings that came before the first template.
pub(super) async fn rendered(
    asked: &Asked,
    recorded: Option<Values>,
    rendering: Rendering,
    release: ReleaseInfo,
) -> Result<(Result<Rendered, ChartError>, Warnings), Stop> {
    let Rendering { options, capabilities, .. } = rendering;
    let (chart, layers) = (asked.chart.clone(), asked.layers.clone());
    let work = move || {
        let mut before = Warnings(chart.warnings.clone());
        let outcome = match recorded {
            Some(values) => render_values(&chart, values, &release, &capabilities, &options),
            None => render_warning(&chart, &layers, &release, &capabilities, &options, &mut before),
        };
        (outcome, before)
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Stop::words(code::BUG, format!("rendering ended unexpectedly: {error}")))
}

/// The manifest with its Secrets named and not shown.
fn without_secrets(rendered: &Rendered) -> String {
    rendered
        .manifests
        .iter()
        .map(|manifest| {
            let secret = manifest.head.kind == "Secret" && manifest.head.api_version == "v1";
            let text = if secret { "# HIDDEN: The Secret output has been suppressed" } else { manifest.text.as_str() };
            format!("---\n# Source: {}\n{text}\n", manifest.path)
        })
        .collect()
}

/// An error of a chart, without the hint that only `template` gives.
pub(super) fn chart_error(error: &ChartError) -> Stop {
    let stop = Stop::said(error.to_string(), error.diagnose());
    let ChartError::MissingDependencies { names, .. } = error else { return stop };
    let otherwise = Otherwise::said(format!(
        "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch \
         missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
        names.join(", ")
    ));
    stop.being(Refusal::Otherwise(Box::new(otherwise)))
}

/// The same refusal in Helm 4's words, where it has others; its log tells of some of them too.
pub(super) fn spoken(world: &World<'_>, flags: &Flags, stop: Stop) -> Stop {
    match stop {
        Stop::Words { refusal: Refusal::Otherwise(otherwise), diagnostic, .. } if four::is_spoken(world, flags) => {
            Stop::said(otherwise.told(), *diagnostic)
        }
        other => other,
    }
}

/// A cluster that does not answer, as Helm 4 tells it where it looks before anything else.
pub(super) fn unreachable_first(world: &World<'_>, flags: &Flags, stop: Stop) -> Stop {
    match stop {
        Stop::Words { helm, diagnostic, refusal: Refusal::Unreachable } if four::is_spoken(world, flags) => {
            let otherwise = Otherwise::logged(format!("cluster reachability check failed: {helm}"));
            Stop::said(otherwise.told(), *diagnostic)
        }
        other => other,
    }
}

/// A release's name that is none, as an installation tells it.
pub(super) fn bad_name(name: &str, error: &landfall_release::Error) -> Stop {
    let words = format!("release name {name:?}: {error}");
    if name.is_empty() {
        return Stop::said(words, error.diagnose());
    }
    let otherwise = Otherwise::check("release name check", &words);
    Stop::said(words, error.diagnose()).being(Refusal::Otherwise(Box::new(otherwise)))
}

/// Values of Secrets are only hidden where nothing is changed.
pub(super) fn hidden_for_nothing() -> Stop {
    let otherwise = Otherwise::logged("hiding Kubernetes secrets requires a dry-run mode");
    Stop::words(code::BAD_HELM_ARGUMENT, "Hiding Kubernetes secrets requires a dry-run mode")
        .being(Refusal::Otherwise(Box::new(otherwise)))
}

/// An error with Helm's words in front of it.
pub(super) fn prefixed(prefix: &str, stop: Stop) -> Stop {
    match stop {
        Stop::Chart(error) => Stop::said(format!("{prefix}: {error}"), error.diagnose()),
        other => other.behind(prefix),
    }
}

/// What is said of a release whose failed operation was undone: `uninstalled` or `rolled back`.
pub(super) fn undone_words(session: &Session<'_>, name: &str, undone: &str) -> String {
    let helm_4 = session.dialect().is_ok_and(|dialect| dialect == Dialect::V4);
    let due_to = if helm_4 || session.flags.is("rollback-on-failure") { "rollback-on-failure" } else { "atomic" };
    format!("release {name} failed, and has been {undone} due to {due_to} being set")
}

/// Why an operation failed, and what has become of it when it was to be undone.
pub(super) fn failed(session: &Session<'_>, name: &str, delivered: &Delivered, undone: &str) -> Stop {
    let stop = session.failure(delivered);
    let Some(back) = &delivered.undone else {
        if atomic(session.flags) && undone == "rolled back" {
            let words =
                "unable to find a previously successful release when attempting to rollback. original upgrade error";
            return prefixed(words, stop);
        }
        return stop;
    };
    if back.succeeded() {
        return prefixed(&undone_words(session, name, undone), stop);
    }
    let verb = if undone == "uninstalled" { "uninstalling" } else { "rolling back" };
    let words = back.failure_words.clone().unwrap_or_default();
    let original = delivered.failure_words.clone().unwrap_or_default();
    let what = if undone == "uninstalled" { "install" } else { "upgrade" };
    let diagnostic = match stop {
        Stop::Words { diagnostic, .. } => diagnostic.note(format!("{verb} failed too: {words}")),
        _ => Diagnostic::error(code::REFUSED, original.clone()),
    };
    Stop::said(
        format!("an error occurred while {verb} the release. original {what} error: {original}: {words}"),
        diagnostic,
    )
}
