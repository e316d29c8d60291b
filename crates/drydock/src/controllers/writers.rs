//! Who has written a field, by `managedFields`.

use serde_json::Value;

use super::fields::{list, text};

/// The managers of a field but for `own`.
pub(crate) fn writers_of<'a>(object: &'a Value, field: &'a str, own: &'a str) -> impl Iterator<Item = &'a Value> {
    let entries = list(object, "/metadata/managedFields").iter();
    entries.filter(move |entry| text(entry, "/manager") != own && entry["fieldsV1"].get(field).is_some())
}

/// Whether somebody but `own` has written a field.
pub(crate) fn is_written_by_others(object: &Value, field: &str, own: &str) -> bool {
    writers_of(object, field, own).next().is_some()
}
