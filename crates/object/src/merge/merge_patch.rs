//! JSON Merge Patch (RFC 7396), and the three-way form kubectl and Helm use where no schema is known.

use serde_json::{Map, Value};

/// Applies a merge patch: maps merge, null removes, everything else replaces.
///
/// As the server does it (evanphx/json-patch: `mergeDocs`): maps within a list lose their nulls, too, unless the list takes
/// a map's place.
pub fn apply(document: &Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else {
        return if document.is_object() { patch.clone() } else { without_nulls(patch) };
    };
    let mut result = document.as_object().cloned().unwrap_or_default();
    for (key, value) in patch {
        if value.is_null() {
            result.remove(key);
        } else {
            let merged = apply(result.get(key).unwrap_or(&Value::Null), value);
            result.insert(key.clone(), merged);
        }
    }
    Value::Object(result)
}

/// A value as it is stored where nothing was: maps without the keys that are null, here and below.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// The patch that turns `from` into `to`; an empty map when they are equal.
pub fn diff(from: &Map<String, Value>, to: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, value) in to {
        match (from.get(key), value) {
            (Some(Value::Object(before)), Value::Object(after)) => {
                let inner = diff(before, after);
                if !inner.is_empty() {
                    patch.insert(key.clone(), Value::Object(inner));
                }
            }
            (Some(before), after) if before == after => {}
            _ => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in from.keys().filter(|key| !to.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    patch
}

/// What to send so that `current` follows a change from `original` to `modified`, as
/// `jsonmergepatch.CreateThreeWayJSONMergePatch` of apimachinery.
///
/// Changes and additions are taken against `current`, deletions against `original`, so that fields others added stay.
pub fn three_way(
    original: &Map<String, Value>,
    modified: &Map<String, Value>,
    current: &Map<String, Value>,
) -> Map<String, Value> {
    let changes = filter_nulls(&diff(current, modified), Keep::Values);
    let mut patch = filter_nulls(&diff(original, modified), Keep::Nulls);
    overlay(&mut patch, changes);
    patch
}

#[derive(Clone, Copy, PartialEq)]
enum Keep {
    Values,
    Nulls,
}

fn filter_nulls(patch: &Map<String, Value>, keep: Keep) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, value) in patch {
        match value {
            Value::Null if keep == Keep::Nulls => {
                kept.insert(key.clone(), Value::Null);
            }
            Value::Null => {}
            // An empty map that is set explicitly is a value, not an empty patch.
            Value::Object(inner) if !inner.is_empty() => {
                let inner = filter_nulls(inner, keep);
                if !inner.is_empty() {
                    kept.insert(key.clone(), Value::Object(inner));
                }
            }
            _ if keep == Keep::Values => {
                kept.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    kept
}

fn overlay(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => overlay(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn null_removes_and_lists_are_replaced() {
        let document = json!({"a": {"b": 1, "c": 2}, "l": [1, 2]});
        assert_eq!(apply(&document, &json!({"a": {"b": null}, "l": [3]})), json!({"a": {"c": 2}, "l": [3]}));
        assert_eq!(apply(&json!("x"), &json!({"a": {"b": null}})), json!({"a": {}}));
        assert_eq!(apply(&json!({"l": [1]}), &json!({"l": [{"a": null}, null]})), json!({"l": [{}, null]}));
        assert_eq!(apply(&json!({"l": {"b": 1}}), &json!({"l": [{"a": null}]})), json!({"l": [{"a": null}]}));
    }

    #[test]
    fn three_way_keeps_what_others_added_and_removes_what_was_dropped() {
        let original = map(json!({"spec": {"a": 1, "gone": 1}}));
        let modified = map(json!({"spec": {"a": 2}}));
        let current = map(json!({"spec": {"a": 1, "gone": 1, "others": 1}}));
        assert_eq!(three_way(&original, &modified, &current), map(json!({"spec": {"a": 2, "gone": null}})));
    }
}
