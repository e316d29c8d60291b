//! YAML in and out, as JSON values.

use serde_json::Value;

/// Reads one YAML document.
pub(crate) fn to_json(text: &str) -> Result<Value, String> {
    let value = landfall_yaml::to_json(text).map_err(|error| error.to_string())?;
    serde_json::to_value(&value).map_err(|error| error.to_string())
}

/// Whether no key of a document occurs twice; what cannot be read at all has no keys.
pub(crate) fn check_repeated(text: &[u8]) -> Result<(), String> {
    let Ok(text) = std::str::from_utf8(text) else { return Ok(()) };
    match landfall_yaml::to_json_strict(text) {
        Err(error @ landfall_yaml::Error::Duplicates(_)) => Err(format!("error converting YAML to JSON: {error}")),
        _ => Ok(()),
    }
}

/// Writes a value as YAML; as JSON, which is YAML too, where YAML has no form for it.
pub(crate) fn emit(value: &Value) -> String {
    landfall_yaml::emit(value).unwrap_or_else(|_| value.to_string())
}
