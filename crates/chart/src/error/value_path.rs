//! A path of values, for people.

/// A path of values as templates read it.
pub(super) fn shown(path: &[String]) -> String {
    if path.is_empty() { "values".to_owned() } else { format!(".Values.{}", path.join(".")) }
}
