//! How Helm 4 tells what Helm 3 told otherwise.

use std::fmt::Write as _;

use landfall_gotemplate::{Cause, ExecError, FuncError};

use super::{ChartError, DocumentStep, Problem, Reading};

/// The error as Helm 4 tells it.
pub(crate) fn in_helm4s_words(error: ChartError) -> ChartError {
    let three = error.to_string();
    let four = match &error {
        ChartError::Exec { error, .. } if error.failure().is_none() => traced(error).unwrap_or_else(|| three.clone()),
        ChartError::File { reading: reading @ Reading::Chart("values.yaml"), broken, problem, .. } => {
            format!("{}: {broken}{problem}", reading.clone().document(DocumentStep::Read))
        }
        ChartError::File {
            reading: reading @ Reading::Chart("Chart.yaml"),
            broken,
            problem: Problem::Type(error),
            ..
        } => {
            format!("{reading}: {broken}{}", error.clone().with_type(in_helm4s_package))
        }
        ChartError::NoChartFile { location } if location.ends_with(".tgz") => {
            "unable to detect chart version, no Chart.yaml found".to_owned()
        }
        ChartError::ReleaseName(_) | ChartError::NoReleaseName => format!("release name check failed: {three}"),
        ChartError::MissingDependencies { names, .. } => format!(
            "an error occurred while checking for chart dependencies. You may need to run 'helm dependency build' to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: {}",
            names.join(", ")
        ),
        _ => return error,
    };
    if four == three { error } else { ChartError::Helm4 { words: four, error: Box::new(error) } }
}

/// The name of a Go type of Helm 3's for charts in Helm 4, which looks at the chart's version first, and keeps its types
/// in other packages.
fn in_helm4s_package(wanted: &str) -> String {
    if wanted == "chart.Metadata" { "loader.chartBase".to_owned() } else { wanted.replace("*chart.", "*v2.") }
}

/// There is no chart at all in the directory: Helm 4 sees that before it looks for what is to be ignored.
pub(crate) fn no_chart(location: &str) -> ChartError {
    let file = format!("{location}/Chart.yaml");
    ChartError::Helm4 {
        words: format!("unable to detect chart at {file}: open {file}: no such file or directory"),
        error: Box::new(ChartError::NoChartFile { location: location.to_owned() }),
    }
}

/// The subchart's values are no table: Helm 4 says at which step it saw that.
pub(crate) fn in_dependencies(error: ChartError) -> ChartError {
    let words = format!("chart dependencies processing failed: {error}");
    ChartError::Helm4 { words, error: Box::new(error) }
}

/// A template's failure on lines of their own for each place (helm 4: `reformatExecErrorMsg`). `None` where Helm finds
/// something in the chain of errors that no template wrote: it then shows all on one line, as Helm 3 does.
fn traced(error: &ExecError) -> Option<String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut next = Some(error);
    while let Some(here) = next {
        next = None;
        steps.push(Step::read(&here.to_string())?);
        if let Cause::Call { error, .. } = &here.cause {
            match &**error {
                FuncError::Exec { prefix, error } if prefix.is_empty() => next = Some(error),
                other => steps.push(Step::read(&other.to_string())?),
            }
        }
    }
    steps.dedup();
    let mut text = String::new();
    for Step { place, executing, message } in steps {
        for (part, behind) in [(place, "\n  "), (executing, "\n    "), (message, "\n")] {
            if !part.is_empty() {
                let _infallible = write!(text, "{part}{behind}");
            }
        }
    }
    Some(text.trim().to_owned())
}

/// One error of the chain, taken apart as Helm does: by looking for words, which names that hold them can mislead.
#[derive(PartialEq)]
struct Step {
    place: String,
    executing: String,
    message: String,
}

impl Step {
    fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Step { place: String::new(), executing: String::new(), message: text.to_owned() });
        }
        let own = |message: &str| message.split(" template:").next().unwrap_or_default().to_owned();
        let executing = || {
            let (place, behind) = rest.split_once(": executing ")?;
            let (name, behind) = behind.strip_prefix('"')?.split_once('"')?;
            let (expression, message) = behind.strip_prefix(" at <")?.split_once(">: ")?;
            let executing = format!("executing \"{name}\" at <{expression}>:");
            Some(Step { place: place.to_owned(), executing, message: own(message) })
        };
        executing().or_else(|| {
            let (place, message) = rest.rsplit_once(": ")?;
            Some(Step { place: place.to_owned(), executing: String::new(), message: own(message) })
        })
    }
}
