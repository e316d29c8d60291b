//! What can go wrong with a chart, in Helm's words.

mod exec;
mod helm4;
mod problem;
mod rendered;
mod secretive;
mod told;
mod value_path;

use landfall_diag::{Place, is_mutant};
use landfall_gotemplate::{ExecError, ParseError};
use landfall_object::mask;
use landfall_yaml::Mark;

use crate::archive::ArchiveError;
use crate::budget::Spent;
use crate::chart::File;
use crate::decode::DecodeError;
use crate::ignore::IgnoreProblem;
use crate::metadata::InvalidMetadata;
use crate::origin::Setting;
use crate::set_flag::SetFlag;

/// Why a chart cannot be loaded, rendered or packed.
///
/// [`ChartError::helm_text`] gives what Helm prints behind `Error: `; [`landfall_diag::Diagnose`] gives places, origins
/// and help, with Helm's words as a note.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// `.helmignore` cannot be read.
    #[error("{problem}")]
    Ignore {
        /// The line.
        place: Box<Place>,
        /// What is wrong with it.
        problem: IgnoreProblem,
    },
    /// There is no `Chart.yaml`.
    #[error("Chart.yaml file is missing")]
    NoChartFile {
        /// Where it should be.
        location: String,
    },
    /// A file of the chart, or a values file, is not YAML or holds something of the wrong type.
    #[error("{reading}: {broken}{problem}")]
    File {
        /// Which; displays as Helm's words in front, such as `cannot load Chart.yaml`.
        reading: Reading,
        /// What is wrong with it; displays as Helm's words in front of the problem.
        broken: Broken,
        /// The problem.
        problem: Problem,
        /// Where.
        place: Box<Place>,
    },
    /// `Chart.yaml` says something that Helm does not accept.
    #[error("{error}")]
    Metadata {
        /// What.
        error: InvalidMetadata,
        /// Where.
        place: Box<Place>,
    },
    /// A chart in `charts/` cannot be loaded.
    #[error("error unpacking subchart {name} in {parent}: {error}")]
    Subchart {
        /// Its directory or archive.
        name: String,
        /// The chart that holds it.
        parent: String,
        /// Why not.
        error: Box<ChartError>,
    },
    /// A directory in `charts/` that is called like an archive.
    #[error("error unpacking subchart tar in {parent}: expected {name}, got {found}")]
    SubchartFile {
        /// The chart that holds it.
        parent: String,
        /// Its name.
        name: String,
        /// What was found.
        found: String,
    },
    /// Charts in charts in charts.
    #[error("charts are nested deeper than {0} levels")]
    ChartDepth(usize),
    /// More than may be read of a chart, archives in it included (our own limit).
    #[error("{} cannot be read: {spent}", if location.is_empty() { "the chart" } else { location })]
    Spent {
        /// The chart that was being read.
        location: String,
        /// What of the budget is used up.
        spent: Spent,
    },
    /// A template printed more documents than are taken (our own limit).
    #[error("{path} prints more than {} documents", crate::limits::MAX_DOCUMENTS)]
    Documents {
        /// The template.
        path: String,
    },
    /// Templates printed more than is taken (our own limit).
    #[error("what the templates print has {size} bytes; at most {} are taken", crate::limits::MAX_RENDERED)]
    RenderedSize {
        /// How much it is, in bytes.
        size: usize,
    },
    /// A values file too large to be read.
    #[error("values file {name} is larger than the maximum size {}", crate::limits::MAX_VALUES_SIZE)]
    ValuesSize {
        /// The file.
        name: String,
        /// Its size in bytes.
        size: usize,
    },
    /// A line of the `--set` family cannot be read.
    #[error("{}", set_words(*.flag, .text, .problem))]
    Set {
        /// Which flag.
        flag: SetFlag,
        /// What was given.
        text: String,
        /// Helm's words.
        problem: String,
    },
    /// A whole object of `--set-json` cannot be read (Helm 4).
    #[error("failed parsing --set-json data JSON: {0}")]
    SetJson(String),
    /// A version of charts that Helm 4 does not know, or does not install.
    #[error("{}", if .0 == "v3" { "invalid chart apiVersion" } else { "unsupported chart version" })]
    ApiVersion(String),
    /// Another error in Helm 4's words.
    #[error("{words}")]
    Helm4 {
        /// The words.
        words: String,
        /// The error.
        error: Box<ChartError>,
    },
    /// A subchart's name holds something other than a table in the values.
    #[error("{mismatch}")]
    Mismatch {
        /// Which, and what.
        mismatch: Mismatch,
        /// Where the value was set.
        setting: Option<Box<Setting>>,
    },
    /// Values do not fit a schema.
    #[error("values don't meet the specifications of the schema(s) in the following chart(s):\n{text}")]
    Schema {
        /// Helm's block.
        text: String,
        /// Each thing that does not fit.
        violations: Vec<SchemaViolation>,
    },
    /// A library chart cannot be installed.
    #[error("{kind} charts are not installable")]
    NotInstallable {
        /// Its type.
        kind: String,
    },
    /// Dependencies that are declared and not there.
    #[error(
        "An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
        .names.join(", ")
    )]
    MissingDependencies {
        /// Their names.
        names: Vec<String>,
        /// Where the chart lies.
        location: String,
    },
    /// The cluster's version is not one the chart wants.
    #[error("chart requires kubeVersion: {wanted} which is incompatible with Kubernetes {found}")]
    KubeVersion {
        /// The constraint.
        wanted: String,
        /// The cluster's version.
        found: String,
        /// Where the chart says so.
        place: Box<Place>,
    },
    /// The release's name is not one.
    #[error(
        "release name {0:?}: invalid release name, must match regex ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
    )]
    ReleaseName(String),
    /// A release without a name.
    #[error("release name \"\": no name provided")]
    NoReleaseName,
    /// A template is not one.
    #[error("parse error at ({}:{}): {}", .error.name, .error.line, last_token(&.error.message))]
    Parse {
        /// Go's error.
        error: Box<ParseError>,
        /// The template's line.
        place: Box<Place>,
    },
    /// A template failed.
    #[error("{}", exec_words(.error))]
    Exec {
        /// Go's error.
        error: Box<ExecError>,
        /// What is known about it.
        evidence: Box<Evidence>,
    },
    /// Something that a template wrote is not a manifest.
    #[error("YAML parse error on {path}: {broken}{problem}")]
    Manifest {
        /// The template.
        path: String,
        /// What is wrong with it; displays as Helm's words in front of the problem.
        broken: Broken,
        /// The problem.
        problem: Problem,
        /// The rendered lines around, with their numbers in the template's output.
        rendered: Vec<(usize, String)>,
        /// Which of them is meant, as its number; 0 when not known.
        line: usize,
        /// The template's line that wrote it.
        place: Option<Box<Place>>,
        /// Where values in that line were set.
        settings: Vec<Setting>,
        /// Whether it holds a Secret, so that no line of it or of what is in it may be shown.
        secret: bool,
    },
    /// `--show-only` names a template that is not there or renders nothing.
    #[error("could not find template {name} in chart")]
    NoTemplate {
        /// As given.
        name: String,
        /// The templates that render something.
        known: Vec<String>,
    },
    /// A template of a release's name failed.
    #[error("{0}")]
    NameTemplate(String),
    /// A schema file that is no JSON stops packing.
    #[error("Invalid JSON in values.schema.json")]
    SchemaJson,
    /// A chart's name that cannot be a directory's.
    #[error("{0:?} is not a valid chart name")]
    ChartName(String),
}

/// What is wrong with a text in YAML; displays as what Helm says in front of the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It is not YAML.
    Yaml,
    /// It is, and holds something else than is wanted.
    Shape,
    /// Something that Helm says without words in front.
    Other,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Broken::Yaml => "error converting YAML to JSON: ",
            Broken::Shape => "error unmarshaling JSON: while decoding JSON: ",
            Broken::Other => "",
        })
    }
}

/// A value that does not fit its chart's schema.
#[derive(Debug, Clone)]
pub struct SchemaViolation {
    /// The chart.
    pub chart: String,
    /// Keys down to the value.
    pub path: Vec<String>,
    /// What is wrong, in the words of Helm's validator.
    pub text: String,
    /// Where the value was set.
    pub setting: Option<Box<Setting>>,
}

/// What was found out about a template's failure, for people.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The template's line where it went wrong.
    pub place: Option<Place>,
    /// The template's line where rendering began, when that is another one.
    pub outer: Option<Place>,
    /// The values path that the failing expression reads, such as `web.image.tag`.
    pub path: Vec<String>,
    /// What each layer says about the path or its nearest parent, lowest first.
    pub settings: Vec<Setting>,
    /// The part of the path that is nil or not a table.
    pub culprit: Vec<String>,
    /// Keys that exist beside the missing one.
    pub siblings: Vec<String>,
    /// Names of templates that exist, when one was missing.
    pub templates: Vec<String>,
}

fn set_words(flag: SetFlag, text: &str, problem: &str) -> String {
    match flag {
        SetFlag::Json => format!("failed parsing --set-json data {text}"),
        flag => format!("failed parsing {} data: {problem}", flag.name()),
    }
}

/// Helm shows only what stands behind the last `: ` of a parse error.
fn last_token(message: &str) -> &str {
    message.rsplit(": ").next().unwrap_or(message)
}

pub(crate) use helm4::{in_dependencies, in_helm4s_words, no_chart};
pub use problem::{DocumentStep, Mismatch, Problem, Reading};

fn exec_words(error: &ExecError) -> String {
    match (error.failure(), &error.frame) {
        (Some(message), Some(frame)) => {
            format!("execution error at ({}:{}:{}): {message}", frame.file, frame.line, frame.column)
        }
        _ => error.to_string(),
    }
}

impl ChartError {
    /// What Helm prints behind `Error: `.
    pub fn helm_text(&self) -> String {
        let text = self.to_string();
        if self.has_release() { format!("{text}\n\nUse --debug flag to render out invalid YAML") } else { text }
    }

    /// Whether Helm had begun to make a release when it failed, and so speaks of `--debug`.
    fn has_release(&self) -> bool {
        matches!(
            self,
            ChartError::KubeVersion { .. }
                | ChartError::Parse { .. }
                | ChartError::Exec { .. }
                | ChartError::Manifest { .. }
        ) || matches!(self, ChartError::Helm4 { error, .. } if error.has_release())
    }

    pub(crate) fn yaml(reading: Reading, error: &landfall_yaml::Error, path: &str, text: &str) -> Self {
        ChartError::File {
            reading,
            broken: Broken::Yaml,
            problem: error.into(),
            place: Box::new(place_of(path, error.mark(), text)),
        }
    }

    pub(crate) fn values_shape(reading: Reading, name: &str, found: &str, text: &str) -> Self {
        let words = format!("json: cannot unmarshal {found} into Go value of type map[string]interface {{}}");
        ChartError::File {
            reading,
            broken: Broken::Shape,
            problem: Problem::Words(words.into()),
            place: Box::new(Place::line(name, 1).source_from(text)),
        }
    }

    pub(crate) fn decode(reading: Reading, error: DecodeError, file: &File, location: &str) -> Self {
        let path: Vec<&str> = error.path().split('.').filter(|part| !part.is_empty()).collect();
        let place = Box::new(key_place(file, location, &path));
        ChartError::File { reading, broken: Broken::Shape, problem: Problem::Type(Box::new(error)), place }
    }

    pub(crate) fn metadata(error: InvalidMetadata, file: Option<&File>, location: &str) -> Self {
        let place = match file {
            Some(file) => key_place(file, location, &[&error.path]),
            None => Place::file(location),
        };
        ChartError::Metadata { error, place: Box::new(place) }
    }

    pub(crate) fn manifest(
        path: &str,
        (broken, problem): (Broken, Problem),
        mark: Option<Mark>,
        content: &str,
        start: usize,
        document: &str,
    ) -> Self {
        let before = content[..start].matches('\n').count();
        let line = mark.map_or(0, |mark| before + mark.line());
        // One document that cannot be read may have swallowed the next.
        let secret = mask::names_a_secret(content) && !is_mutant("secrets-lines");
        let problem = problem.about(content);
        let shown = |text: &str| match (secret, text.trim_start()) {
            (false, _) | (true, "") => text.to_owned(),
            // The indentation is what is wrong with most of them.
            (true, hidden) => format!("{}{}", &text[..text.len() - hidden.len()], mask::MASK),
        };
        let rendered = content
            .lines()
            .enumerate()
            .map(|(index, text)| (index + 1, shown(text)))
            .filter(|(number, _)| match line {
                0 => *number > before && *number <= before + document.lines().count().min(3),
                line => number.abs_diff(line) <= 1,
            })
            .collect();
        ChartError::Manifest {
            path: path.to_owned(),
            broken,
            problem,
            rendered,
            line,
            place: None,
            settings: Vec::new(),
            secret,
        }
    }
}

fn place_of(path: &str, mark: Option<Mark>, text: &str) -> Place {
    match mark {
        None => Place::file(path),
        Some(mark) => Place::line(path, mark.line() as u32).columns(mark.column() as u32, 0).source_from(text),
    }
}

/// The place of a key in a YAML file, or of the nearest parent that is there.
pub(crate) fn key_place(file: &File, location: &str, path: &[&str]) -> Place {
    let name = if location.is_empty() { file.name.clone() } else { format!("{location}/{}", file.name) };
    let text = file.text();
    let Ok(Some(document)) = landfall_yaml::parse_first(&text) else { return Place::file(name) };
    let mut node = document.root();
    let mut span = None;
    for key in path {
        let Some((found, value)) = node.get_entry(key) else { break };
        span = Some(found.span());
        node = value;
    }
    match span {
        None => Place::file(name),
        Some(span) => Place::line(name, span.start.line() as u32)
            .columns(span.start.column() as u32, span.end.column() as u32)
            .source_from(&text),
    }
}
