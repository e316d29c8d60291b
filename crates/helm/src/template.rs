//! `helm template`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufWriter, Write};
use std::mem::ManuallyDrop;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use landfall_chart::{
    Capabilities, ChartError, HookChoice, KubeVersion, NotesFrom, Operation, ReleaseInfo, RenderOptions, Rendered,
    SchemaCheck, TemplateOptions, Warnings, release_name, render_warning,
};

use landfall_diag::{Diagnostic, code};
use landfall_source::Order;
use landfall_sprig::{Clock, Random, Seeded};
use sha2::{Digest as _, Sha256};

use super::flags::{CHART, DETERMINISTIC, Flags, GLOBAL, Kind, Spec, Support, VALUES, flag, short};
use super::validate::{self, Work};
use super::verb::{Names, Verb};
use super::{Stop, World, dialect, four, log, namespace, parse, place, values};

use Kind::{Bool, List, Optional, Repeat, Text};
use Support::{NoEffect, Works};

const FLAGS: &[Spec] = &[
    short("show-only", 's', Repeat, Works, "only show manifests rendered from the given templates"),
    flag("output-dir", Text, Works, "writes the executed templates to files in output-dir instead of stdout"),
    flag("include-crds", Bool, Works, "include CRDs in the templated output"),
    flag("skip-tests", Bool, Works, "skip tests from templated output"),
    flag("is-upgrade", Bool, Works, "set .Release.IsUpgrade instead of .Release.IsInstall"),
    flag("kube-version", Text, Works, "Kubernetes version used for Capabilities.KubeVersion"),
    short("api-versions", 'a', List, Works, "Kubernetes api versions used for Capabilities.APIVersions"),
    flag("release-name", Bool, Works, "use release name in the output-dir path"),
    flag("no-hooks", Bool, Works, "leave hooks out"),
    short("generate-name", 'g', Bool, Works, "generate the name (and omit the NAME parameter)"),
    flag("name-template", Text, Works, "specify template used to name the release"),
    flag("render-subchart-notes", Bool, NoEffect, ""),
    flag("skip-schema-validation", Bool, Works, "disable JSON schema validation"),
    flag("enable-dns", Bool, Works, "enable DNS lookups when rendering templates"),
    flag("post-renderer", Kind::Program, Works, "the path to an executable to be used for post rendering"),
    flag("post-renderer-args", Repeat, Works, "an argument to the post-renderer"),
    flag("helm-dialect", Text, Works, "v3 or v4: whose bytes are reproduced"),
    DETERMINISTIC,
    flag("validate", Bool, Works, "validate against the Kubernetes cluster you are currently pointing at"),
    flag("dependency-update", Bool, Works, "update dependencies if they are missing before installing the chart"),
    flag("dry-run", Optional("client"), Works, "server lets templates look into the cluster"),
    flag("create-namespace", Bool, NoEffect, ""),
    flag("force", Bool, NoEffect, ""),
    flag("replace", Bool, NoEffect, ""),
    flag("timeout", Kind::Duration, NoEffect, ""),
    // Helm 4 says how to wait; Helm 3 only whether.
    flag("wait", Optional("watcher"), NoEffect, ""),
    flag("wait-for-jobs", Bool, NoEffect, ""),
    flag("description", Text, NoEffect, ""),
    flag("disable-openapi-validation", Bool, NoEffect, ""),
    // Helm 3's names and Helm 4's.
    flag("atomic", Bool, NoEffect, ""),
    flag("rollback-on-failure", Bool, NoEffect, ""),
    flag("force-replace", Bool, NoEffect, ""),
    flag("force-conflicts", Bool, NoEffect, ""),
    flag("server-side", Optional("true"), NoEffect, ""),
    flag("hide-secret", Bool, NoEffect, ""),
    flag("skip-crds", Bool, NoEffect, ""),
    short("labels", 'l', Kind::Pairs, NoEffect, ""),
    flag("hide-notes", Bool, NoEffect, ""),
    flag("take-ownership", Bool, NoEffect, ""),
];

/// What a pipe takes at once.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["template"],
    about: "locally render templates",
    parts: &[],
    flags: |_| &[FLAGS, VALUES, CHART, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let Some(flags) = parse(world, "template [NAME] [CHART] [flags]", &[FLAGS, VALUES, CHART, GLOBAL], words)? else {
        return Ok(0);
    };
    if flags.arguments.is_empty() {
        return Err(Stop::Usage(
            "\"helm template\" requires at least 1 argument\n\nUsage:  helm template [NAME] [CHART] [flags]".to_owned(),
        ));
    }
    if four::is_spoken(world, &flags) {
        four::heed_dry_run(&flags, true)?;
    }
    let post_renderer = find_post_renderer(world, &flags)?;
    let mut capabilities = Capabilities::default();
    if let Some(text) = flags.text("kube-version").filter(|text| !text.is_empty()) {
        let version = KubeVersion::parse_as(text, dialect(world, &flags)?).map_err(|error| {
            Stop::words(code::BAD_KUBE_VERSION_FLAG, format!("invalid kube version '{text}': {error}"))
        })?;
        capabilities = capabilities.with_kube_version(version);
    }
    capabilities = capabilities.with_api_versions(flags.all("api-versions").iter().map(String::as_str));
    let options = render_options(world, &flags)?;
    let (name, reference) = name_and_chart(&flags, &options)?;
    let path = place::locate(world, &flags, &reference)?;
    let layers = values::layers(world, &flags)?;
    // Helm reads all values before it looks at the chart.
    layers.merge()?;
    // The process ends with the output; giving back every value of a large chart one by one would only take time.
    let chart = ManuallyDrop::new(place::load_for_template(world, &flags, &path, &reference)?);
    if chart.metadata.deprecated && chart.metadata.kind != "library" && four::is_spoken(world, &flags) {
        four::log(four::Level::Warn, "this chart is deprecated", &[]);
    } else if chart.metadata.deprecated && chart.metadata.kind != "library" {
        writeln!(landfall_terminal::err(), "WARNING: This chart is deprecated")?;
    }
    // Helm 3 looks at it this late.
    super::deploy::DryRun::of(&flags)?;
    let operation = if flags.is("is-upgrade") { Operation::Upgrade } else { Operation::Install };
    let release = ReleaseInfo { name, namespace: namespace::namespace(world, &flags), revision: 1, operation };
    let work =
        Work { chart: &chart, layers: &layers, release: &release, capabilities: &capabilities, options: &options };
    let rendered = ManuallyDrop::new(match validate::live(world, &flags, &work)? {
        Some(rendered) => rendered,
        None => {
            let mut before = Warnings::default();
            let outcome = render_warning(&chart, &layers, &release, &capabilities, &options, &mut before);
            log(&before.0);
            outcome.map_err(|error| with_debug(error, &flags))?
        }
    });
    log(&rendered.warnings);
    let output = TemplateOptions {
        include_crds: flags.is("include-crds"),
        hooks: match (flags.is("no-hooks"), flags.is("skip-tests")) {
            (true, _) => HookChoice::None,
            (_, true) => HookChoice::NoTests,
            _ => HookChoice::All,
        },
        show_only: flags.all("show-only").to_vec(),
    };
    if let Some(directory) = flags.text("output-dir").filter(|directory| !directory.is_empty()) {
        return write_files(world, &flags, directory, &release.name, &rendered, &output);
    }
    let mut out = BufWriter::with_capacity(WRITTEN_AT_ONCE, landfall_terminal::out());
    match post_renderer {
        None => rendered.write_output(&output, &mut out)??,
        Some(program) => {
            let manifest = post_rendered(world, &flags, &program, rendered.manifest_text(output.include_crds))
                .map_err(|stop| hinted(stop, &flags))?;
            out.write_all(rendered.output_around(&manifest, &output)?.as_bytes())?;
        }
    }
    out.flush()?;
    Ok(0)
}

/// What has been rendered, but not printed, can be seen with `--debug`, as Helm says.
fn hinted(stop: Stop, flags: &Flags) -> Stop {
    match stop {
        Stop::Words { helm, diagnostic, .. } if !flags.is("debug") => {
            Stop::said(format!("{helm}\n\nUse --debug flag to render out invalid YAML"), *diagnostic)
        }
        other => other,
    }
}

/// With `--debug`, Helm leaves its hint at `--debug` out.
fn with_debug(error: ChartError, flags: &Flags) -> Stop {
    if flags.is("debug") {
        let helm = error.to_string();
        return Stop::said(helm, landfall_diag::Diagnose::diagnose(&error));
    }
    error.into()
}

pub(super) fn render_options(world: &World<'_>, flags: &Flags) -> Result<RenderOptions, Stop> {
    let mut options = RenderOptions {
        dialect: dialect(world, flags)?,
        documents: world.host.schema_documents(),
        ..RenderOptions::new(landfall_source::surroundings())
    };
    if flags.is("skip-schema-validation") {
        options.schema = SchemaCheck::Skip;
    }
    if flags.is("render-subchart-notes") {
        options.notes = NotesFrom::All;
    }
    if let Some(seed) = flags.text("deterministic") {
        (options.sprig.random, options.sprig.clock) = repeatable(world, seed);
    }
    if flags.is("enable-dns") {
        options.sprig.hosts = Some(Arc::new(|host: &str| {
            let found = std::net::ToSocketAddrs::to_socket_addrs(&(host, 0));
            found.map(|all| all.map(|address| address.ip().to_string()).collect()).unwrap_or_default()
        }));
    }
    Ok(options)
}

/// Randomness that follows from a seed, any text, and a clock that stands still: at `SOURCE_DATE_EPOCH`, or at the
/// beginning of 2000.
fn repeatable(world: &World<'_>, seed: &str) -> (Arc<dyn Random>, Arc<dyn Clock>) {
    let digest = Sha256::digest(seed.as_bytes());
    let seed = digest[..8].iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    let epoch = world.env("SOURCE_DATE_EPOCH").and_then(|seconds| seconds.parse().ok());
    let moment = jiff::Timestamp::from_second(epoch.unwrap_or(946_684_800)).unwrap_or_default();
    (Arc::new(Seeded::new(seed)), Arc::new(moment))
}

/// The release's name and the chart's (helm: `NameAndChart`).
fn name_and_chart(flags: &Flags, options: &RenderOptions) -> Result<(String, String), Stop> {
    let arguments = &flags.arguments;
    let template = flags.text("name-template").filter(|template| !template.is_empty());
    match arguments.as_slice() {
        [_, _, rest @ ..] if !rest.is_empty() => {
            Err(Stop::Usage(format!("expected at most two arguments, unexpected arguments: {}", rest.join(", "))))
        }
        [_, _] if flags.is("generate-name") => {
            Err(Stop::Usage("cannot set --generate-name and also specify a name".to_owned()))
        }
        [_, _] if template.is_some() => {
            Err(Stop::Usage("cannot set --name-template and also specify a name".to_owned()))
        }
        [name, chart] => Ok((name.clone(), chart.clone())),
        [chart] => match template {
            Some(template) => Ok((release_name(template, &options.sprig)?, chart.clone())),
            // Helm has set the default name already and so never generates one here.
            None => Ok(("release-name".to_owned(), chart.clone())),
        },
        _ => Ok((generated_name("chart"), String::new())),
    }
}

fn generated_name(chart: &str) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
    format!("{chart}-{seconds}")
}

/// The post-renderer's path.
pub(super) fn find_post_renderer(world: &World<'_>, flags: &Flags) -> Result<Option<PathBuf>, Stop> {
    flags.text("post-renderer").map(|program| find_program(world, program)).transpose().map_err(Stop::Usage)
}

/// A program's path, found as Go's `exec.LookPath` finds it; the error is in Helm's words.
pub(super) fn find_program(world: &World<'_>, program: &str) -> Result<PathBuf, String> {
    let refused = |why: String| format!("unable to find binary at {program}: exec: {program:?}: {why}");
    if program.contains('/') {
        let path: PathBuf = world.host.directory.join(program).components().collect();
        let status = fs::metadata(&path).map_err(|error| refused(place::go_words("stat", program, &error)))?;
        return match (status.is_dir(), status.permissions().mode() & 0o111) {
            (true, _) => Err(refused("is a directory".to_owned())),
            (false, 0) => Err(refused("permission denied".to_owned())),
            (false, _) => Ok(path),
        };
    }
    let path = world.env("PATH").unwrap_or_default();
    let runs = |path: &PathBuf| fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0);
    path.split(':')
        .map(|directory| Path::new(directory).join(program))
        .find(runs)
        .ok_or_else(|| refused("executable file not found in $PATH".to_owned()))
}

/// What a post-renderer makes of a manifest.
pub(super) fn post_rendered(
    world: &World<'_>,
    flags: &Flags,
    program: &Path,
    manifest: String,
) -> Result<String, Stop> {
    let failed = |text: String| {
        let helm = format!("error while running post render on files: {text}");
        Stop::said(helm, Diagnostic::error(code::POST_RENDERER, format!("the post-renderer failed: {text}")))
    };
    let order = Order::of_user(program, flags.all("post-renderer-args"))
        .in_directory(&world.host.directory)
        .with_input(manifest);
    let output = world.host.wait(order.run()).map_err(|error| {
        failed(format!("error while running command {}. error output:\n: {error}", program.display()))
    })?;
    if !output.is_success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().unwrap_or(-1);
        return Err(failed(format!(
            "error while running command {}. error output:\n{stderr}: exit status {code}",
            program.display()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Writes every template's output into its own file, as `--output-dir` asks.
fn write_files(
    world: &World<'_>,
    flags: &Flags,
    directory: &str,
    release: &str,
    rendered: &Rendered,
    options: &TemplateOptions,
) -> Result<u8, Stop> {
    let crds = if options.include_crds { rendered.crds.len() } else { 0 };
    let mut written = BTreeSet::new();
    let mut out = landfall_terminal::out();
    for (index, file) in rendered.output_files(options).into_iter().enumerate() {
        // Helm puts definitions beside the release's directory, not into it.
        let base = if flags.is("release-name") && index >= crds {
            Path::new(directory).join(release).to_string_lossy().into_owned()
        } else {
            directory.to_owned()
        };
        let name = format!("{base}/{}", file.path);
        let path = world.host.directory.join(&name);
        if let (Some(parent), Some(shown)) = (path.parent(), Path::new(&name).parent()) {
            place::make_directories(parent, shown)?;
        }
        if written.insert(name.clone()) {
            place::write_file(&path, &name, file.text.as_bytes())?;
        } else {
            let open = fs::OpenOptions::new().append(true).open(&path);
            open.and_then(|mut open| open.write_all(file.text.as_bytes()))
                .map_err(|error| place::unwritten("open", &name, error))?;
        }
        writeln!(out, "wrote {name}")?;
    }
    // What went into files is no longer there to be shown; Helm looks for it all the same.
    if let Some(path) = options.show_only.first() {
        return Err(Stop::words(code::NO_SUCH_TEMPLATE, format!("could not find template {path} in chart")));
    }
    writeln!(out)?;
    Ok(0)
}
