use serde::{Deserialize, Deserializer};

/// Reads a field's value, and null as the field's empty value: programs written in Go print a list, map or text that was never
/// made as null. For `#[serde(default, deserialize_with = "…")]`, which serves a field that is not there, too.
///
/// # Errors
/// The value's own, where it is another type's.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
