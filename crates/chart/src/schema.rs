//! Values held against `values.schema.json`, with the messages of Helm's validator (`santhosh-tekuri/jsonschema` v6).
//!
//! Messages and their nesting follow the validator's own walk over a schema, which no general library exposes, so the
//! walk is ours: it reads the schema as it stands, without compiling it.

mod documents;
mod draft;
mod evaluate;
mod format;
mod meta;
mod metaschema;
mod words;

use landfall_gotemplate::{Map, Value};

use crate::chart::Chart;
use crate::error::{ChartError, SchemaViolation};
use crate::values::{ValueLayers, json};
pub use documents::SchemaDocuments;
use evaluate::{Evaluator, Problem};

/// Values that do not fit.
pub(crate) struct Failure {
    /// Helm's block, without its first line.
    text: String,
    /// Chart path (keys from the root's values), path below, words.
    violations: Vec<(String, Vec<String>, Vec<String>, String)>,
}

impl Failure {
    /// Helm's block, without its first line.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Validates the values of a chart and its subcharts, each against its own schema (helm: `ValidateAgainstSchema`).
pub(crate) fn validate(chart: &Chart, values: &Map, documents: &SchemaDocuments) -> Result<(), Failure> {
    if !has_schema(chart) {
        return Ok(());
    }
    let mut failure = Failure { text: String::new(), violations: Vec::new() };
    let json = json::from_value(&Value::from(values.clone()));
    validate_below(chart, &json, documents, &mut Vec::new(), &mut failure);
    if failure.text.is_empty() { Ok(()) } else { Err(failure) }
}

fn has_schema(chart: &Chart) -> bool {
    chart.schema.is_some() || chart.dependencies.iter().any(has_schema)
}

fn validate_below(
    chart: &Chart,
    values: &serde_json::Value,
    documents: &SchemaDocuments,
    scope: &mut Vec<String>,
    failure: &mut Failure,
) {
    if let Some(schema) = &chart.schema {
        let schema = documents.read_once(schema, read).map_err(Unfit::Schema);
        match schema.and_then(|schema| check(&schema, values, documents)) {
            Ok(()) => {}
            Err(Unfit::Values(problems)) => {
                failure.text.push_str(&format!("{}:\n{}\n", chart.name(), evaluate::block(&problems)));
                let mut leaves = Vec::new();
                problems.iter().for_each(|problem| problem.leaves(&mut leaves));
                for (path, words) in leaves {
                    failure.violations.push((chart.name().to_owned(), scope.clone(), path, words));
                }
            }
            Err(Unfit::Schema(words)) => {
                failure.text.push_str(&format!("{}:\n{words}", chart.name()));
                failure.violations.push((chart.name().to_owned(), scope.clone(), Vec::new(), words));
            }
        }
    }
    for dependency in &chart.dependencies {
        let Some(table) = values.get(dependency.name()).filter(|table| !table.is_null()) else { continue };
        scope.push(dependency.name().to_owned());
        validate_below(dependency, table, documents, scope, failure);
        scope.pop();
    }
}

/// Validates one chart's values against a schema's text; the error is what Helm says, ending in a newline where Helm's
/// does (helm: `ValidateAgainstSingleSchema`).
pub(crate) fn validate_single(schema: &[u8], values: &Map, documents: &SchemaDocuments) -> Result<(), String> {
    let json = json::from_value(&Value::from(values.clone()));
    let schema = read(schema)?;
    check(&schema, &json, documents).map_err(|unfit| match unfit {
        Unfit::Values(problems) => format!("{}\n", evaluate::block(&problems)),
        Unfit::Schema(words) => words,
    })
}

/// Why values cannot be accepted.
enum Unfit {
    /// They do not fit.
    Values(Vec<Problem>),
    /// The schema itself is none.
    Schema(String),
}

/// A schema that is one; else what Helm says of it.
fn read(text: &[u8]) -> Result<serde_json::Value, String> {
    let schema: serde_json::Value = serde_json::from_slice(text)
        .map_err(|error| if error.is_eof() { "unexpected EOF".to_owned() } else { json_words(&error, text) })?;
    meta::check(&schema)?;
    Ok(documents::at_its_own_address(&schema).unwrap_or(schema))
}

fn check(schema: &serde_json::Value, values: &serde_json::Value, documents: &SchemaDocuments) -> Result<(), Unfit> {
    let documents = documents.of(schema).map_err(Unfit::Schema)?;
    let problems = Evaluator::new(schema, &documents).run(values).map_err(Unfit::Schema)?;
    if problems.is_empty() { Ok(()) } else { Err(Unfit::Values(problems)) }
}

/// Go's words for JSON that is not well formed.
fn json_words(error: &serde_json::Error, text: &[u8]) -> String {
    let line_start: usize =
        text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let at = (line_start + error.column().saturating_sub(1)).min(text.len().saturating_sub(1));
    let found = text.get(at).copied().map_or(' ', char::from);
    format!("invalid character {found:?} looking for beginning of value")
}

/// Adds where the values were set.
pub(crate) fn explain(failure: Failure, chart: &Chart, layers: &ValueLayers) -> ChartError {
    let violations = failure
        .violations
        .into_iter()
        .map(|(name, scope, path, text)| {
            let whole: Vec<String> = scope.into_iter().chain(path).collect();
            // The value itself, or the nearest table that some file or flag sets.
            let setting = (1..=whole.len()).rev().find_map(|length| {
                let path: Vec<&str> = whole[..length].iter().map(String::as_str).collect();
                crate::evidence::settings(chart, layers, &path).pop()
            });
            SchemaViolation { chart: name, path: whole, text, setting: setting.map(Box::new) }
        })
        .collect();
    ChartError::Schema { text: failure.text, violations }
}
