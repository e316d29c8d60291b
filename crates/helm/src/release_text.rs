//! A release as Helm prints it (cmd/helm/status.go, statusPrinter).

use std::fmt::Write as _;

use landfall_chart::{Dialect, recorded_values, values_from_json, values_to_json};
use landfall_diag::code;
use landfall_release::Record;
use serde_json::Value;

use super::gojson::{self, RELEASE};
use super::session::told;
use super::{Stop, log, moment};

/// What is shown beside the usual lines.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Detail {
    /// Values, hooks and manifest.
    pub(super) all: bool,
    /// The description.
    pub(super) description: bool,
    /// The chart's name and versions.
    pub(super) metadata: bool,
    /// No notes.
    pub(super) without_notes: bool,
    /// No chart in machine-readable formats.
    pub(super) without_chart: bool,
    /// The record has just been made: an empty map of values was not left out of it yet.
    pub(super) fresh: bool,
    /// Only simulated containers have run the tests.
    pub(super) simulated: bool,
    /// Whose manner is kept: Helm 4 shows the description always.
    pub(super) dialect: Dialect,
}

/// In what form data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Table,
    /// One line of JSON.
    Json,
    /// YAML.
    Yaml,
}

impl Format {
    /// The form that flags ask for.
    pub(super) fn of(flags: &super::flags::Flags) -> Format {
        match flags.text("output") {
            Some("json") => Format::Json,
            Some("yaml") => Format::Yaml,
            _ => Format::Table,
        }
    }
}

/// A value as YAML, keys sorted.
pub(super) fn yaml(value: &Value) -> Result<String, Stop> {
    landfall_yaml::emit(value)
        .map_err(|error| Stop::words(code::FILES, format!("unable to write YAML output: {error}")))
}

/// A release in a form; `resources` is a ready text for people.
pub(super) fn text(record: &Record, format: Format, detail: Detail, resources: Option<&str>) -> Result<String, Stop> {
    if format == Format::Table {
        return for_people(record, detail, resources);
    }
    let mut value = record.to_value(detail.dialect).map_err(|error| told(&error))?;
    if detail.without_chart
        && let Some(map) = value.as_object_mut()
    {
        map.remove("chart");
    }
    if format == Format::Json { Ok(gojson::line(&value, &RELEASE)) } else { yaml(&value) }
}

fn for_people(record: &Record, detail: Detail, resources: Option<&str>) -> Result<String, Stop> {
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _infallible = writeln!(out, "{name}: {value}");
    };
    line("NAME", &record.name);
    if let Some(at) = record.info.last_deployed {
        line("LAST DEPLOYED", &moment::ansic(at));
    }
    line("NAMESPACE", &record.namespace);
    line("STATUS", record.info.status.word());
    line("REVISION", &record.version.to_string());
    if detail.metadata {
        line("CHART", record.chart_name());
        line("VERSION", record.chart_version());
        line("APP_VERSION", record.app_version());
    }
    if detail.description || detail.dialect == Dialect::V4 {
        line("DESCRIPTION", &record.info.description);
    }
    if let Some(resources) = resources {
        let _infallible = writeln!(out, "RESOURCES:\n{resources}");
    }
    let tests: Vec<_> = record
        .hooks
        .iter()
        .filter(|hook| hook.events.iter().any(|event| event == "test" || event == "test-success"))
        .collect();
    if tests.is_empty() {
        out.push_str("TEST SUITE: None\n");
    }
    for hook in tests {
        let Some(started) = hook.last_run.started_at else { continue };
        let completed = match hook.last_run.completed_at {
            Some(at) => moment::ansic(at),
            None => "Mon Jan  1 00:00:00 0001".to_owned(),
        };
        let _infallible = writeln!(
            out,
            "TEST SUITE:     {}\nLast Started:   {}\nLast Completed: {completed}\nPhase:          {}{}",
            hook.name,
            moment::ansic(started),
            hook.last_run.phase,
            if detail.simulated { " ~" } else { "" }
        );
    }
    if detail.all {
        let config = values_from_json(&record.config);
        let (values, warnings) = recorded_values(&record.chart, &config)?;
        log(&warnings);
        let _infallible = writeln!(
            out,
            "USER-SUPPLIED VALUES:\n{}\nCOMPUTED VALUES:\n{}",
            if detail.fresh && record.config.is_empty() { "{}\n".to_owned() } else { user_values(record)? },
            yaml(&values_to_json(&values))?
        );
    }
    if detail.all || record.info.description.eq_ignore_ascii_case("dry run complete") {
        let _infallible = writeln!(out, "HOOKS:\n{}MANIFEST:\n{}", hooks(record), record.manifest);
    }
    if !detail.without_notes && !record.info.notes.is_empty() {
        let _infallible = writeln!(out, "NOTES:\n{}", record.info.notes.trim());
    }
    Ok(out)
}

/// The user's values as YAML; `null` where a record holds none.
pub(super) fn user_values(record: &Record) -> Result<String, Stop> {
    // Go leaves an empty map out of the record and reads none back.
    if record.config.is_empty() { Ok("null\n".to_owned()) } else { yaml(&Value::Object(record.config.clone())) }
}

/// A release's hooks, each behind its own line of three dashes.
pub(super) fn hooks(record: &Record) -> String {
    record.hooks.iter().map(|hook| format!("---\n# Source: {}\n{}\n", hook.path, hook.manifest)).collect()
}
