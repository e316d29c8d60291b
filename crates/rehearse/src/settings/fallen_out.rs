//! Keys of one table that a template prints into two: what is indented for the first one alone.

use landfall_delivery::RenderedUnit;
use landfall_diag::Spot;
use landfall_object::Object;
use landfall_rules::SettingFault;
use serde_json::Value;

use super::choice::{Layer, Other};
use super::samples::ANYTHING;

/// What is wrong where a table was given two keys and the second one is found above the first one.
pub(super) fn fallen_out(other: &Other, rendered: &RenderedUnit) -> Option<SettingFault> {
    let Layer::Anything(_) = other.layer else { return None };
    let firsts: Vec<&str> = other.beside.iter().map(String::as_str).chain([ANYTHING.0]).collect();
    rendered.all_objects().find(|object| firsts.iter().any(|first| falls(object.value(), first, false))).map(told)
}

fn told(object: &Object) -> SettingFault {
    SettingFault {
        words: format!(
            "a second key of the table falls out of it in {} `{}`: it is indented for the first one alone",
            object.kind(),
            object.name()
        ),
        spot: Some(Spot::object(None, object.key())),
        place: None,
        wants_more: false,
    }
}

/// Whether a table has the first key alone, and one above it the second one alone.
fn falls(value: &Value, first: &str, is_above: bool) -> bool {
    match value {
        Value::Object(map) => {
            let (has_first, has_second) = (map.contains_key(first), map.contains_key(ANYTHING.1));
            (has_first && !has_second && is_above)
                || map.values().any(|inner| falls(inner, first, is_above || (has_second && !has_first)))
        }
        Value::Array(list) => list.iter().any(|inner| falls(inner, first, is_above)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_second_key_falls_out_where_it_stands_above_the_first() {
        let (one, two) = ANYTHING;
        assert!(falls(&json!({"spec": {one: 1}, two: 1}), one, false));
        assert!(falls(&json!({"a": [{"b": {"own": 1}}], two: 1}), "own", false));
        for right in [
            json!({"spec": {one: 1, two: 1}}),
            json!({"a": {one: 1}, "b": {two: 1}}),
            json!([{one: 1}, {two: 1}]),
            json!({one: {two: 1}}),
            json!({"a": {one: 1, two: 1}, "b": {"own": 1}}),
        ] {
            assert!(!falls(&right, one, false), "{right}");
        }
    }
}
