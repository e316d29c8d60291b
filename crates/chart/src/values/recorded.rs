//! Values that a release's record holds.

use std::sync::Arc;

use landfall_gotemplate::{Map, Origin};
use serde_json::Value;

use super::coalesce::{Nulls, coalesce_values, deep_copy_map, tables};
use super::json::to_value;
use crate::chart::{Chart, Without};
use crate::error::ChartError;
use crate::metadata::Metadata;
use crate::warning::{Warning, Warnings};

/// Values as Go reads them out of a record: every number a `float64`.
pub fn values_from_json(values: &serde_json::Map<String, Value>) -> Map {
    values.iter().map(|(key, value)| (key.as_str(), to_value(value, Origin::NONE))).collect()
}

/// Values given now, with those recorded earlier under them (helm: `CoalesceTables`).
pub fn values_over(given: &Map, recorded: &Map) -> (Map, Vec<Warning>) {
    let mut warnings = Warnings::default();
    let merged = deep_copy_map(given);
    tables(&merged, &deep_copy_map(recorded), "", Nulls::Remove, &mut warnings);
    (merged, warnings.0)
}

/// The values that a recorded chart was rendered with: its defaults under what the user gave.
///
/// A record holds no subcharts, so that theirs are left out, as Helm leaves them out.
///
/// # Errors
/// [`ChartError::Mismatch`] as in a rendering.
pub fn recorded_values(chart: &Value, config: &Map) -> Result<(Map, Vec<Warning>), ChartError> {
    let name = chart.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let defaults = chart.get("values").and_then(Value::as_object).map(values_from_json).unwrap_or_default();
    let chart = Chart {
        metadata: Metadata { name: name.to_owned(), ..Metadata::default() },
        lock: None,
        templates: Arc::from([]),
        values: defaults,
        schema: None,
        files: Arc::from([]),
        raw: Arc::from([]),
        dependencies: Vec::new(),
        location: String::new(),
        warnings: Vec::new(),
        loaded_name: None,
        switched_off: Vec::new(),
        without: Without::default(),
    };
    let mut warnings = Warnings::default();
    let values = coalesce_values(&chart, config, Nulls::Remove, &mut warnings)
        .map_err(|mismatch| ChartError::Mismatch { mismatch, setting: None })?;
    Ok((values, warnings.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::values_to_json;

    fn map(value: Value) -> Map {
        values_from_json(value.as_object().expect("a map"))
    }

    #[test]
    fn what_is_given_lies_over_what_was_recorded() {
        let (merged, _) = values_over(&map(json!({"a": {"x": 1}})), &map(json!({"a": {"x": 2, "y": 3}, "b": 4})));
        assert_eq!(values_to_json(&merged), json!({"a": {"x": 1, "y": 3}, "b": 4}));
    }

    #[test]
    fn a_recorded_null_takes_a_default_away() {
        let chart = json!({"metadata": {"name": "c"}, "values": {"a": 1, "b": {"c": 2, "d": 3}}});
        let (values, _) = recorded_values(&chart, &map(json!({"a": null, "b": {"c": 5}}))).expect("coalesces");
        assert_eq!(values_to_json(&values), json!({"b": {"c": 5, "d": 3}}));
    }
}
