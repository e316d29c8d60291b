//! Client-side three-way merge: what was last delivered, what is wanted, what is there.

use landfall_cluster::Patch;
use landfall_object::{Object, Quantity};
use serde_json::{Map, Value};

/// The patch that brings a live object to the desired state; `None` when it is there already.
pub(super) fn patch(previous: Option<&Object>, desired: &Object, live: &Object) -> Option<Patch> {
    let next = predict(previous, desired, live);
    let body = merge_patch(live.value(), next.value());
    if body.as_object().is_none_or(Map::is_empty) { None } else { Some(Patch::Merge(body)) }
}

/// What the live object would become.
pub(super) fn predict(previous: Option<&Object>, desired: &Object, live: &Object) -> Object {
    let mut desired = desired.clone();
    encode_string_data(&mut desired);
    let mut previous = previous.cloned();
    if let Some(previous) = &mut previous {
        encode_string_data(previous);
    }
    let none = Value::Null;
    let next = merged(previous.as_ref().map_or(&none, Object::value), desired.value(), live.value(), "");
    Object::from_value(next).unwrap_or(desired)
}

/// A Secret's `stringData` as the server stores it.
fn encode_string_data(object: &mut Object) {
    if object.kind() != "Secret" || !object.group().is_empty() {
        return;
    }
    let Some(Value::Object(texts)) = object.map_mut().remove("stringData") else { return };
    let data = object.map_mut().entry("data").or_insert_with(|| Value::Object(Map::new()));
    if let Some(data) = data.as_object_mut() {
        for (name, text) in texts {
            let text = text.as_str().unwrap_or_default();
            data.insert(name, base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text).into());
        }
    }
}

fn merged(previous: &Value, desired: &Value, live: &Value, field: &str) -> Value {
    match (desired, live) {
        (Value::Object(wanted), Value::Object(current)) => {
            let mut next = current.clone();
            if let Some(before) = super::as_map(previous) {
                for name in before.keys() {
                    if wanted.get(name).is_none_or(Value::is_null) {
                        next.remove(name);
                    }
                }
            }
            for (name, value) in wanted {
                if value.is_null() {
                    next.remove(name);
                    continue;
                }
                let before = previous.get(name).unwrap_or(&Value::Null);
                let value = match current.get(name) {
                    Some(current) => merged(before, value, current, name),
                    None if is_empty(value) => continue,
                    None => without_nulls(value),
                };
                next.insert(name.clone(), value);
            }
            Value::Object(next)
        }
        (Value::Array(wanted), Value::Array(current)) => {
            let key = merge_key(wanted, current);
            let before = previous.as_array().map_or(&[][..], Vec::as_slice);
            match key {
                Some(key) => {
                    let find = |list: &'_ [Value], item: &Value| -> Value {
                        list.iter().find(|other| other.get(key) == item.get(key)).cloned().unwrap_or(Value::Null)
                    };
                    let mut next: Vec<Value> = wanted
                        .iter()
                        .map(|item| match find(current, item) {
                            Value::Null => without_nulls(item),
                            live => merged(&find(before, item), item, &live, field),
                        })
                        .collect();
                    // What others have added stays; what we delivered before and no longer want goes.
                    for item in current {
                        if find(wanted, item).is_null() && find(before, item).is_null() {
                            next.push(item.clone());
                        }
                    }
                    Value::Array(next)
                }
                None if wanted.len() == current.len() => Value::Array(
                    wanted
                        .iter()
                        .zip(current)
                        .enumerate()
                        .map(|(index, (item, live))| {
                            merged(before.get(index).unwrap_or(&Value::Null), item, live, field)
                        })
                        .collect(),
                ),
                None => desired.clone(),
            }
        }
        (wanted, current) if same_quantity(wanted, current) => current.clone(),
        (wanted, _) => without_nulls(wanted),
    }
}

/// The field by which entries of both lists are told apart, when there is one.
fn merge_key(wanted: &[Value], current: &[Value]) -> Option<&'static str> {
    ["name", "containerPort", "mountPath", "port", "topologyKey", "uid", "ip"].into_iter().find(|key| {
        [wanted, current].iter().all(|list| {
            let mut seen = Vec::new();
            list.iter().all(|item| match item.get(*key) {
                Some(value) if !seen.contains(&value) => {
                    seen.push(value);
                    true
                }
                _ => false,
            })
        })
    })
}

/// Fields with an empty map or list are dropped by the server where the type says so; absent and empty are alike.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => !map.is_empty() && map.values().all(Value::is_null),
        _ => false,
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect(),
        ),
        Value::Array(list) => Value::Array(list.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// `1000m` and `1`: the server writes quantities in their canonical form.
fn same_quantity(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    if a == b {
        return true;
    }
    let (Some(a), Some(b)) = (text(a), text(b)) else { return false };
    let starts = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    if !starts(&a) || !starts(&b) {
        return false;
    }
    matches!((a.parse::<Quantity>(), b.parse::<Quantity>()), (Ok(a), Ok(b)) if a == b)
}

/// RFC 7386: the patch from one value to another; lists are taken whole.
fn merge_patch(from: &Value, to: &Value) -> Value {
    let (Some(a), Some(b)) = (from.as_object(), to.as_object()) else { return to.clone() };
    let mut patch = Map::new();
    for name in a.keys() {
        if !b.contains_key(name) {
            patch.insert(name.clone(), Value::Null);
        }
    }
    for (name, value) in b {
        match a.get(name) {
            Some(before) if before == value => {}
            Some(before) if before.is_object() && value.is_object() => {
                patch.insert(name.clone(), merge_patch(before, value));
            }
            _ => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    #[test]
    fn what_the_server_has_defaulted_is_no_difference() {
        let desired = object(
            json!({"kind": "D", "spec": {"containers": [{"name": "a", "image": "x", "resources": {"limits": {"cpu": "1000m"}}}]}}),
        );
        let live = object(
            json!({"kind": "D", "spec": {"replicas": 1, "containers": [{"name": "a", "image": "x", "resources": {"limits": {"cpu": "1"}}, "imagePullPolicy": "Always"}]}}),
        );
        assert_eq!(patch(Some(&desired), &desired, &live), None);
    }

    #[test]
    fn a_field_no_longer_delivered_goes_and_one_set_by_others_stays() {
        let previous = object(json!({"kind": "C", "data": {"a": "1", "b": "2"}}));
        let desired = object(json!({"kind": "C", "data": {"a": "1"}}));
        let live = object(json!({"kind": "C", "data": {"a": "drift", "b": "2", "c": "3"}}));
        assert_eq!(patch(Some(&previous), &desired, &live), Some(Patch::Merge(json!({"data": {"a": "1", "b": null}}))));
    }
}
