//! `helm lint`.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;

use landfall_chart::{
    Dialect, KubeVersion, LintOptions, LintTolerance, MAX_FILE_SIZE, SchemaCheck, Tree, lint, lint_line, read_archive,
};
use landfall_diag::{Diagnostic, Severity, code};
use landfall_source::{MAX_PACKED, read_bounded};

use super::flags::{GLOBAL, Kind, Spec, Support, VALUES, flag};
use super::verb::{Names, Verb};
use super::{Stop, World, log, namespace, parse, place, values};

const FLAGS: &[Spec] = &[
    flag("strict", Kind::Bool, Support::Works, "fail on lint warnings"),
    flag("with-subcharts", Kind::Bool, Support::Works, "lint dependent charts"),
    flag("quiet", Kind::Bool, Support::Works, "print only warnings and errors"),
    flag("skip-schema-validation", Kind::Bool, Support::Works, "disable JSON schema validation"),
    flag("kube-version", Kind::Text, Support::Works, "Kubernetes version used for capabilities and deprecation checks"),
];

/// The verb.
pub(super) const VERB: Verb = Verb {
    called: &["lint"],
    about: "examine a chart for possible issues",
    parts: &[],
    flags: |_| &[FLAGS, VALUES, GLOBAL],
    behind: |_| Names::Files,
    run,
};

fn run(world: &World<'_>, words: &[String]) -> Result<u8, Stop> {
    let Some(flags) = parse(world, "lint PATH [flags]", &[FLAGS, VALUES, GLOBAL], words)? else { return Ok(0) };
    let dialect = super::dialect(world, &flags)?;
    let mut paths = flags.arguments.clone();
    match (paths.is_empty(), dialect) {
        (false, _) => {}
        (true, Dialect::V3) => paths.push(".".to_owned()),
        (true, Dialect::V4) => {
            let words = "\"helm lint\" requires at least 1 argument\n\nUsage:  helm lint PATH [flags]";
            return Err(Stop::Usage(words.to_owned()));
        }
    }
    let mut options = LintOptions {
        dialect,
        namespace: namespace::namespace(world, &flags),
        documents: world.host.schema_documents(),
        ..LintOptions::new(landfall_source::surroundings())
    };
    if let Some(text) = flags.text("kube-version").filter(|text| !text.is_empty()) {
        let version = KubeVersion::parse(text).map_err(|error| {
            Stop::words(code::BAD_KUBE_VERSION_FLAG, format!("invalid kube version '{text}': {error}"))
        })?;
        options.kube_version = Some(version);
    }
    if flags.is("skip-schema-validation") {
        options.schema = SchemaCheck::Skip;
    }
    if flags.is("with-subcharts") {
        for path in paths.clone() {
            below(
                &world.host.directory.join(&path).join("charts"),
                &format!("{}/charts", path.trim_end_matches('/')),
                &mut paths,
            );
        }
    }
    let values = values::layers(world, &flags)?.merge()?;
    let tolerance = if flags.is("strict") { LintTolerance::Nothing } else { LintTolerance::Warnings };
    let quiet = flags.is("quiet");
    let mut text = String::new();
    let (mut failed, mut worth_saying) = (0, 0);
    for path in &paths {
        let found = lint_one(world, path, &values, &options);
        let (lines, failures, loud) = match &found {
            Err(error) => (vec![format!("Error {error}")], 1, true),
            Ok(found) => {
                let loud = found.findings.iter().any(|finding| finding.severity > Severity::Info);
                let lines = found
                    .findings
                    .iter()
                    .filter(|finding| !quiet || finding.severity > Severity::Info)
                    .map(lint_line)
                    .collect();
                (lines, found.failures(tolerance), loud)
            }
        };
        worth_saying += usize::from(loud);
        if quiet && !loud {
            continue;
        }
        let _infallible = writeln!(text, "==> Linting {path}");
        for line in lines {
            let _infallible = writeln!(text, "{line}");
        }
        failed += usize::from(failures > 0);
        text.push('\n');
    }
    let mut out = landfall_terminal::out();
    out.write_all(text.as_bytes())?;
    let summary = format!("{} chart(s) linted, {failed} chart(s) failed", paths.len());
    if failed > 0 {
        return Err(Stop::said(summary.clone(), Diagnostic::error(code::LINT, summary)));
    }
    if !quiet || worth_saying > 0 {
        writeln!(out, "{summary}")?;
    }
    Ok(0)
}

/// Charts below a directory, in the order of a walk.
fn below(directory: &Path, shown: &str, paths: &mut Vec<String>) {
    let mut names: Vec<String> = fs::read_dir(directory)
        .map(|entries| entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort();
    for name in names {
        let path = directory.join(&name);
        let is_dir = fs::symlink_metadata(&path).is_ok_and(|status| status.is_dir());
        if is_dir {
            below(&path, &format!("{shown}/{name}"), paths);
        } else if name == "Chart.yaml" {
            paths.push(shown.to_owned());
        } else if name.ends_with(".tgz") || name.ends_with(".tar.gz") {
            paths.push(format!("{shown}/{name}"));
        }
    }
}

/// Lints one chart; the error is Helm's text.
fn lint_one(
    world: &World<'_>,
    path: &str,
    values: &landfall_chart::Values,
    options: &LintOptions,
) -> Result<landfall_chart::Lint, String> {
    let place = world.host.directory.join(path);
    let words = |stop: Stop| match stop {
        Stop::Chart(error) => error.to_string(),
        Stop::Words { helm, .. } | Stop::Usage(helm) | Stop::Missing(helm) => helm,
        stop @ Stop::Refused(_) => stop.helm_words(),
        Stop::Closed => String::new(),
    };
    let mut links = Vec::new();
    let archive = path.ends_with(".tgz") || path.ends_with(".tar.gz");
    let tree: Tree = if archive {
        let bytes = read_bounded(&place, MAX_PACKED)
            .map_err(|error| format!("unable to open tarball: {}", place::go_words("open", path, &error)))?;
        read_archive(path, &bytes).map_err(|error| format!("unable to extract tarball: {error}"))?
    } else {
        let file = format!("{}/Chart.yaml", path.trim_end_matches('/'));
        let file = file.strip_prefix("./").unwrap_or(&file);
        if let Err(error) = fs::metadata(place.join("Chart.yaml")) {
            return Err(format!("unable to check Chart.yaml file in chart: {}", place::go_words("stat", file, &error)));
        }
        let mut tree = place::read_with_links(world, &place, &mut links).map_err(words)?;
        // Some rules look at these files themselves, whatever .helmignore says.
        for name in ["Chart.yaml", "values.yaml", "values.schema.json"] {
            if tree.get(name).is_none()
                && let Ok(bytes) = read_bounded(&place.join(name), MAX_FILE_SIZE)
            {
                let _clean = tree.insert(name, bytes);
            }
        }
        tree
    };
    let directory = fs::canonicalize(&place).unwrap_or(place).display().to_string();
    if options.dialect == Dialect::V4 {
        links.clear();
    }
    let options = LintOptions { directory, links, ..options.clone() };
    let found = lint(&tree, &place::shown(path), values, &options);
    log(&found.warnings);
    Ok(found)
}
