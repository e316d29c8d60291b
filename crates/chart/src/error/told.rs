//! Errors told to people: the user's file first, then the chart's.

mod files;
mod given;

use landfall_diag::{Diagnose, Diagnostic, code, nearest};

use self::files::{bad_metadata, in_subchart, no_chart, not_accepted_here, unreadable};
use self::given::{missing_dependencies, not_a_table, schema, set};
use super::exec::exec;
use super::rendered::{Around, manifest};
use super::secretive::{without_sources, without_value};
use super::{ChartError, Evidence};
use crate::archive::ArchiveError;

impl Diagnose for ChartError {
    fn diagnose(&self) -> Diagnostic {
        let diagnostic = told(self);
        if self.is_ours() {
            return diagnostic;
        }
        let diagnostic = diagnostic.note(format!("helm: {}", shortened(&self.to_string())));
        match self.evidence() {
            Some(evidence) => without_value(diagnostic, evidence),
            None => diagnostic,
        }
    }
}

impl ChartError {
    /// Whether Helm knows nothing of the kind, so that the words are ours alone.
    fn is_ours(&self) -> bool {
        matches!(
            self,
            ChartError::ChartDepth(_)
                | ChartError::ValuesSize { .. }
                | ChartError::Spent { .. }
                | ChartError::RenderedSize { .. }
                | ChartError::Documents { .. }
                | ChartError::Archive(ArchiveError::Spent(..))
                | ChartError::NameTemplate(_)
        )
    }

    fn evidence(&self) -> Option<&Evidence> {
        match self {
            ChartError::Exec { evidence, .. } => Some(evidence),
            ChartError::Helm4 { error, .. } => error.evidence(),
            _ => None,
        }
    }
}

/// The error in our words.
fn told(error: &ChartError) -> Diagnostic {
    match error {
        ChartError::ChartDepth(_)
        | ChartError::ValuesSize { .. }
        | ChartError::Spent { .. }
        | ChartError::RenderedSize { .. }
        | ChartError::Documents { .. }
        | ChartError::Archive(ArchiveError::Spent(..)) => {
            Diagnostic::error(code::LIMIT, error.to_string()).note("this is a limit of landfall's own")
        }
        ChartError::Archive(error) => {
            Diagnostic::error(code::BAD_ARCHIVE, format!("the chart archive cannot be read: {error}"))
        }
        ChartError::Ignore { place, problem } => {
            Diagnostic::error(code::BAD_IGNORE_RULE, format!("a rule of .helmignore cannot be read: {problem}"))
                .primary((**place).clone(), "this rule")
                .help("write one pattern per line; `**` is not known, a pattern without `/` matches at any depth")
        }
        ChartError::NoChartFile { location } => no_chart(location),
        ChartError::File { broken, problem, place, .. } => unreadable(*broken, problem, place),
        ChartError::Metadata { error, place } => bad_metadata(error, place),
        ChartError::Subchart { name, error, .. } => in_subchart(name, error),
        ChartError::SubchartFile { name, .. } => Diagnostic::error(
            code::SUBCHART_DIRECTORY,
            format!("charts/{name} is a directory, but its name is that of an archive"),
        ),
        ChartError::ApiVersion(version) => Diagnostic::error(
            code::BAD_CHART_FILE,
            format!("Chart.yaml is of apiVersion {version}, which Helm 4 does not install"),
        )
        .help("write `apiVersion: v2`"),
        ChartError::Set { flag, text, problem } => set(*flag, text, problem),
        ChartError::SetJson(text) => {
            Diagnostic::error(code::BAD_SET, format!("--set-json {text} is not a JSON object"))
                .help("write `{\"key\": value}`, or `key=value` with a JSON value")
        }
        ChartError::Helm4 { error, .. } => told(error),
        ChartError::Mismatch { mismatch, setting } => not_a_table(mismatch, setting.as_deref()),
        ChartError::Schema { violations, .. } => schema(violations),
        ChartError::NotInstallable { kind } => {
            Diagnostic::error(code::LIBRARY_CHART, format!("a {kind} chart cannot be rendered on its own"))
                .help("render a chart that depends on it")
        }
        ChartError::MissingDependencies { names, location } => missing_dependencies(names, location),
        ChartError::KubeVersion { wanted, found, place } => not_accepted_here(wanted, found, place),
        ChartError::ReleaseName(name) => {
            Diagnostic::error(code::NO_RELEASE_NAME, format!("{name:?} cannot be a release's name")).help(
                "use up to 53 lower-case letters, digits, `-` and `.`, beginning and ending with a letter or digit",
            )
        }
        ChartError::NoReleaseName => Diagnostic::error(code::NO_RELEASE_NAME, "the release has no name"),
        ChartError::Parse { error, place } => {
            Diagnostic::error(code::TEMPLATE_SYNTAX, format!("the template cannot be read: {}", error.message))
                .primary((**place).clone(), "here")
        }
        ChartError::Exec { error, evidence } => exec(error, evidence),
        ChartError::Manifest { path, broken, problem, rendered, line, place, settings, secret } => {
            let around = Around { path, lines: rendered, line: *line, place: place.as_deref() };
            let diagnostic = manifest(*broken, problem, &around, settings);
            if *secret { without_sources(diagnostic) } else { diagnostic }
        }
        ChartError::NoTemplate { name, known } => no_template(name, known),
        ChartError::NameTemplate(text) => {
            Diagnostic::error(code::BAD_NAME_TEMPLATE, format!("the release's name cannot be made: {text}"))
        }
        ChartError::SchemaJson => Diagnostic::error(code::SCHEMA_NOT_JSON, "values.schema.json is not JSON"),
        ChartError::ChartName(name) => {
            Diagnostic::error(code::BAD_CHART_NAME, format!("{name:?} cannot be a chart's name"))
        }
    }
}

/// `--show-only` names nothing.
fn no_template(name: &str, known: &[String]) -> Diagnostic {
    let diagnostic = Diagnostic::error(code::NO_SUCH_TEMPLATE, format!("no template {name} renders anything"));
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => diagnostic.note("no template of the chart does"),
        None => diagnostic.help(format!("templates that render something: {}", known.join(", "))),
    }
}

/// Helm's words without the middle of an endless chain: the beginning and the end are what is searched for.
fn shortened(text: &str) -> String {
    const KEPT: usize = 400;
    let text = &*landfall_diag::without_known(text);
    let length = text.chars().count();
    if length <= 2 * KEPT {
        return text.to_owned();
    }
    let start: String = text.chars().take(KEPT).collect();
    let end: String = text.chars().skip(length - KEPT).collect();
    format!("{start} […] {end}")
}
