//! Client-side three-way merge: what was last delivered, what is wanted, what is there.

use landfall_cluster::Patch;
use landfall_object::merge::{merge_patch, strategic};
use landfall_object::schema::Schemas;
use landfall_object::{Gvk, Object, Quantity};
use serde_json::{Map, Value};

/// The patch that brings a live object to the desired state; `None` when it is there already.
///
/// Kinds that Kubernetes itself serves take a strategic merge patch, as `kubectl apply` and Helm 3 send; others a
/// merge patch in which lists of named entries are merged here, so that what the server has defaulted inside a list
/// is no difference.
pub(super) fn patch(previous: Option<&Object>, desired: &Object, live: &Object) -> Option<Patch> {
    let schemas = Schemas::builtin();
    if let Some(patch) = strategic_patch(&schemas, previous, desired, live) {
        let unchanged = after(&schemas, live, &patch).is_none_or(|next| next == *live);
        return (!unchanged).then_some(Patch::Strategic(Value::Object(patch)));
    }
    let next = predict_custom(previous, desired, live);
    let body = merge_patch::diff(live.map(), next.map());
    if body.is_empty() { None } else { Some(Patch::Merge(Value::Object(body))) }
}

/// What the live object would become.
pub(super) fn predict(previous: Option<&Object>, desired: &Object, live: &Object) -> Object {
    let schemas = Schemas::builtin();
    strategic_patch(&schemas, previous, desired, live)
        .and_then(|patch| after(&schemas, live, &patch))
        .unwrap_or_else(|| predict_custom(previous, desired, live))
}

/// The strategic three-way patch; `None` for kinds without a built-in schema and where the merge has no answer.
fn strategic_patch(
    schemas: &Schemas,
    previous: Option<&Object>,
    desired: &Object,
    live: &Object,
) -> Option<Map<String, Value>> {
    let gvk = desired.gvk();
    let schema = schemas.kind(&gvk)?;
    let desired = canonical(schemas, &gvk, desired);
    let previous = previous.map_or_else(|| desired.clone(), |previous| canonical(schemas, &gvk, previous));
    strategic::three_way(previous.as_object()?, desired.as_object()?, live.map(), schema).ok()
}

/// An object as the server writes its values (quantities, times, `stringData`), with no field that it does not name.
pub(super) fn canonical(schemas: &Schemas, gvk: &Gvk, object: &Object) -> Value {
    let mut object = object.clone();
    encode_string_data(&mut object);
    match schemas.decode(gvk, object.value()).map(|decoded| decoded.value) {
        // The typed round trip leaves empty structs behind that the manifest does not name.
        Ok(Value::Object(map)) => within(&Value::Object(map), object.value()),
        _ => object.into_value(),
    }
}

/// The canonical value, but only with the fields that the manifest has.
fn within(canonical: &Value, written: &Value) -> Value {
    match (canonical, written) {
        (Value::Object(a), Value::Object(b)) => Value::Object(
            b.iter()
                // What is not there was dropped by the typed round trip: empty, null, or not a field at all.
                .filter_map(|(name, written)| a.get(name).map(|value| (name.clone(), within(value, written))))
                .collect(),
        ),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            Value::Array(a.iter().zip(b).map(|(value, written)| within(value, written)).collect())
        }
        _ => canonical.clone(),
    }
}

fn after(schemas: &Schemas, live: &Object, patch: &Map<String, Value>) -> Option<Object> {
    let gvk = live.gvk();
    let next = strategic::apply(live.map(), patch, schemas.kind(&gvk)?).ok()?;
    Some(Object::from_map(next))
}

fn predict_custom(previous: Option<&Object>, desired: &Object, live: &Object) -> Object {
    let none = Value::Null;
    let next = merged(previous.map_or(&none, Object::value), desired.value(), live.value());
    Object::from_value(next).unwrap_or_else(|_| desired.clone())
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

fn merged(previous: &Value, desired: &Value, live: &Value) -> Value {
    match (desired, live) {
        (Value::Object(wanted), Value::Object(current)) => {
            let mut next = current.clone();
            if let Some(before) = super::as_map(previous) {
                for name in before.keys().filter(|name| !wanted.contains_key(*name)) {
                    next.remove(name);
                }
            }
            for (name, value) in wanted {
                let before = previous.get(name);
                if value.is_null() {
                    // A null that was delivered before is stored as one, and stays.
                    if before.is_none_or(|before| !before.is_null()) {
                        next.remove(name);
                    }
                    continue;
                }
                let value = match current.get(name) {
                    Some(current) => merged(before.unwrap_or(&Value::Null), value, current),
                    // The server has dropped it, and would again.
                    None if before == Some(value) && is_empty(value) => continue,
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
                            live => merged(&find(before, item), item, &live),
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
                        .map(|(index, (item, live))| merged(before.get(index).unwrap_or(&Value::Null), item, live))
                        .collect(),
                ),
                None => desired.clone(),
            }
        }
        // A text that looks like a number is another one when the chart has changed it.
        (wanted, current) if previous == wanted && same_quantity(wanted, current) => current.clone(),
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
    fn a_built_in_kind_takes_a_strategic_patch_and_no_patch_when_it_is_as_desired() {
        let desired = object(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w", "labels": null}, "spec": {"template": {"metadata": {"creationTimestamp": null}, "spec": {"containers": [{"name": "a", "image": "x", "env": [], "resources": {"limits": {"cpu": "1000m"}}}]}}}}),
        );
        let mut live = object(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "w", "uid": "1"}, "spec": {"replicas": 1, "template": {"metadata": {}, "spec": {"restartPolicy": "Always", "containers": [{"name": "a", "image": "x", "resources": {"limits": {"cpu": "1"}}, "imagePullPolicy": "Always"}]}}}}),
        );
        assert_eq!(patch(Some(&desired), &desired, &live), None);
        *live.at_mut("/spec/template/spec/containers/0/image").expect("is there") = json!("y");
        let Some(Patch::Strategic(body)) = patch(Some(&desired), &desired, &live) else { panic!("a strategic patch") };
        assert_eq!(body.pointer("/spec/template/spec/containers/0"), Some(&json!({"name": "a", "image": "x"})));
    }

    #[test]
    fn a_secrets_string_data_is_no_difference_once_it_is_stored() {
        let desired =
            object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "x"}}));
        let live = object(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "data": {"a": "eA=="}}),
        );
        assert_eq!(patch(Some(&desired), &desired, &live), None);
    }

    #[test]
    fn nulls_and_types_of_custom_resources_are_those_of_the_manifest() {
        let of = |spec: Value| object(json!({"apiVersion": "a.example/v1", "kind": "C", "spec": spec}));
        let before = of(json!({"none": null, "gone": null, "version": "1.10", "count": 1, "list": [{"a": null}]}));
        // What is not changed sends nothing, nulls that are stored among it.
        assert_eq!(patch(Some(&before), &before, &before), None);
        let desired =
            of(json!({"none": null, "version": "1.1", "count": "1", "list": [{"a": null}], "map": {"a": null}}));
        assert_eq!(
            patch(Some(&before), &desired, &before),
            Some(Patch::Merge(json!({"spec": {"gone": null, "version": "1.1", "count": "1", "map": {}}})))
        );
    }

    #[test]
    fn a_field_no_longer_delivered_goes_and_one_set_by_others_stays() {
        let previous = object(json!({"kind": "C", "data": {"a": "1", "b": "2"}}));
        let desired = object(json!({"kind": "C", "data": {"a": "1"}}));
        let live = object(json!({"kind": "C", "data": {"a": "drift", "b": "2", "c": "3"}}));
        assert_eq!(patch(Some(&previous), &desired, &live), Some(Patch::Merge(json!({"data": {"a": "1", "b": null}}))));
    }
}
