//! Between the version that a request names and the one that is stored.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::resource::{Registry, Resource};

/// Makes an object of the request's version one of the version that stores.
pub(crate) fn to_storage(registry: &Registry, resource: &Resource, object: &mut Value) {
    let Some(stores) = registry.stored(&resource.id) else { return };
    if stores.group == resource.group && stores.version == resource.version {
        return;
    }
    object["apiVersion"] = json!(stores.api_version());
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("events.k8s.io", _) => rename(object, &EVENT_FIELDS, |(core, new)| (new, core)),
        ("autoscaling", _) => autoscaler_to_v2(object),
        _ => {}
    }
}

/// Shows a stored object in the request's version.
pub(crate) fn from_storage<'a>(registry: &Registry, resource: &Resource, object: &'a Value) -> Cow<'a, Value> {
    let Some(stores) = registry.stored(&resource.id) else { return Cow::Borrowed(object) };
    if stores.group == resource.group && stores.version == resource.version {
        return Cow::Borrowed(object);
    }
    let mut object = object.clone();
    object["apiVersion"] = json!(resource.api_version());
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("events.k8s.io", _) => {
            rename(&mut object, &EVENT_FIELDS, |pair| pair);
            // Always printed in core/v1, here only when set.
            if let Some(map) = object.as_object_mut() {
                map.retain(|field, value| {
                    !matches!(field.as_str(), "reportingController" | "reportingInstance") || value != ""
                });
            }
        }
        ("autoscaling", _) => autoscaler_to_v1(&mut object),
        _ => {}
    }
    Cow::Owned(object)
}

/// Names of the same field in core/v1 and in events.k8s.io/v1.
const EVENT_FIELDS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("reportingComponent", "reportingController"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
];

fn rename(
    object: &mut Value,
    fields: &[(&'static str, &'static str)],
    direction: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) {
    let Some(map) = object.as_object_mut() else { return };
    for pair in fields {
        let (from, to) = direction(*pair);
        if let Some(value) = map.remove(from) {
            map.insert(to.to_owned(), value);
        }
    }
}

fn autoscaler_to_v2(object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(target) = spec.remove("targetCPUUtilizationPercentage") {
        spec.insert(
            "metrics".to_owned(),
            json!([{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}}]),
        );
    }
}

fn autoscaler_to_v1(object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    if let Some(spec) = map.get_mut("spec").and_then(Value::as_object_mut) {
        let metrics = spec.remove("metrics");
        spec.remove("behavior");
        let cpu = metrics.as_ref().and_then(Value::as_array).into_iter().flatten().find_map(|metric| {
            let resource = &metric["resource"];
            (resource["name"] == "cpu").then(|| resource["target"]["averageUtilization"].as_i64()).flatten()
        });
        if let Some(target) = cpu {
            spec.insert("targetCPUUtilizationPercentage".to_owned(), json!(target));
        }
    }
    let mut status = Map::new();
    if let Some(old) = map.get("status").and_then(Value::as_object) {
        for field in ["observedGeneration", "lastScaleTime"] {
            if let Some(value) = old.get(field) {
                status.insert(field.to_owned(), value.clone());
            }
        }
        for field in ["currentReplicas", "desiredReplicas"] {
            status.insert(field.to_owned(), old.get(field).cloned().unwrap_or_else(|| json!(0)));
        }
    }
    map.insert("status".to_owned(), Value::Object(status));
}
