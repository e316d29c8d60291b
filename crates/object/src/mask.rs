//! Secrets as they may be shown: which keys there are and which differ, never what is in them.

use serde_json::{Map, Value};

use crate::Object;

/// What stands for a hidden value.
pub const MASK: &str = "++++++++";

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether the object holds values that must not be shown.
pub fn is_secret(object: &Object) -> bool {
    object.kind() == "Secret" && object.group().is_empty()
}

/// The object with every secret value replaced by [`MASK`]; anything but a Secret is returned as it is.
pub fn mask(object: &Object) -> Object {
    pair(Some(object), None).0.unwrap_or_else(|| object.clone())
}

/// Two states of one object, masked so that equal values stay equal and different ones differ.
pub fn pair(left: Option<&Object>, right: Option<&Object>) -> (Option<Object>, Option<Object>) {
    if !left.into_iter().chain(right).any(is_secret) {
        return (left.cloned(), right.cloned());
    }
    let (mut left, mut right) = (left.cloned(), right.cloned());
    for field in ["data", "stringData"] {
        let (before, after) = (values(left.as_ref(), field), values(right.as_ref(), field));
        for object in [&mut left, &mut right].into_iter().flatten() {
            match object.map_mut().get_mut(field) {
                None => {}
                Some(Value::Object(map)) => {
                    // The left side shows the plain mask; a right value that differs from its left one a longer mask.
                    for value in map.values_mut() {
                        *value = Value::Null;
                    }
                }
                Some(other) => *other = Value::String(MASK.to_owned()),
            }
        }
        fill(left.as_mut(), field, |_| MASK.to_owned());
        fill(right.as_mut(), field, |key| {
            let differs = before.get(key).is_some_and(|value| after.get(key) != Some(value));
            if differs { format!("{MASK}+") } else { MASK.to_owned() }
        });
    }
    for object in [&mut left, &mut right].into_iter().flatten() {
        if object.annotation(LAST_APPLIED).is_some() {
            object.set_annotation(LAST_APPLIED, MASK);
        }
    }
    (left, right)
}

fn values(object: Option<&Object>, field: &str) -> Map<String, Value> {
    object.and_then(|object| object.map().get(field)).and_then(Value::as_object).cloned().unwrap_or_default()
}

fn fill(object: Option<&mut Object>, field: &str, mask: impl Fn(&str) -> String) {
    if let Some(Value::Object(map)) = object.and_then(|object| object.map_mut().get_mut(field)) {
        for (key, value) in map.iter_mut() {
            *value = Value::String(mask(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(data: Value) -> Object {
        let annotations = json!({LAST_APPLIED: "{\"data\":\"c2VjcmV0\"}"});
        let value =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": annotations}, "data": data});
        Object::from_value(value).expect("a map")
    }

    #[test]
    fn values_are_hidden_and_differences_stay_visible() {
        let (before, after) = pair(
            Some(&secret(json!({"same": "YQ==", "other": "Yg==", "gone": "Yw=="}))),
            Some(&secret(json!({"same": "YQ==", "other": "WA==", "new": "Yw=="}))),
        );
        assert_eq!(before.expect("given").at("/data"), Some(&json!({"same": MASK, "other": MASK, "gone": MASK})));
        let after = after.expect("given");
        assert_eq!(after.at("/data"), Some(&json!({"same": MASK, "other": "+++++++++", "new": MASK})));
        assert_eq!(after.annotation(LAST_APPLIED), Some(MASK));
    }

    #[test]
    fn other_kinds_are_left_alone() {
        let object =
            Object::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}})).expect("a map");
        assert_eq!(mask(&object), object);
    }
}
