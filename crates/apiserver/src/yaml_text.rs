//! YAML in and out, as JSON values.

use serde_json::Value;

/// Reads one YAML document.
pub(crate) fn to_json(text: &str) -> Result<Value, String> {
    let value = landfall_yaml::to_json(text).map_err(|error| error.to_string())?;
    serde_json::to_value(&value).map_err(|error| error.to_string())
}

/// Writes a value as YAML; as JSON, which is YAML too, where YAML has no form for it.
pub(crate) fn emit(value: &Value) -> String {
    landfall_yaml::emit(value).unwrap_or_else(|_| value.to_string())
}
