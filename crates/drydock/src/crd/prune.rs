//! Pruning: fields that a structural schema does not know are dropped
//! (apiextensions-apiserver `pkg/apiserver/schema/pruning`).

use serde_json::Value;

use crate::resource::CustomResource;

/// Drops unknown fields below the root; gives their paths in order.
pub(crate) fn prune(custom: &CustomResource, object: &mut Value) -> Vec<String> {
    let mut paths = Vec::new();
    if custom.preserve_unknown && !custom.schema["properties"].is_object() {
        return paths;
    }
    let Some(map) = object.as_object_mut() else { return paths };
    let preserve = custom.schema["x-kubernetes-preserve-unknown-fields"] == true || custom.preserve_unknown;
    let properties = &custom.schema["properties"];
    let keys: Vec<String> = map.keys().cloned().collect();
    for key in keys {
        if matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        match properties.get(&key) {
            Some(schema) => {
                if let Some(value) = map.get_mut(&key) {
                    walk(schema, value, &key, preserve, &mut paths);
                }
            }
            None if preserve => {}
            None => {
                map.remove(&key);
                paths.push(key);
            }
        }
    }
    paths
}

fn walk(schema: &Value, value: &mut Value, path: &str, preserving: bool, paths: &mut Vec<String>) {
    let preserve = preserving || schema["x-kubernetes-preserve-unknown-fields"] == true;
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(&schema["items"], item, &format!("{path}[{index}]"), false, paths);
            }
        }
        Value::Object(map) => {
            let embedded = schema["x-kubernetes-embedded-resource"] == true;
            let properties = schema.get("properties");
            let additional = schema.get("additionalProperties");
            if properties.is_none() && additional == Some(&Value::Bool(true)) {
                return;
            }
            let keys: Vec<String> = map.keys().cloned().collect();
            for key in keys {
                let below = format!("{path}.{key}");
                if embedded && matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
                    continue;
                }
                if let Some(schema) = properties.and_then(|properties| properties.get(&key)) {
                    if let Some(value) = map.get_mut(&key) {
                        walk(schema, value, &below, false, paths);
                    }
                } else if let Some(schema) = additional.filter(|schema| schema.is_object()) {
                    if let Some(value) = map.get_mut(&key) {
                        walk(schema, value, &below, false, paths);
                    }
                } else if additional == Some(&Value::Bool(true)) || preserve {
                } else {
                    map.remove(&key);
                    paths.push(below);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_are_dropped_and_named() {
        let custom = CustomResource {
            schema: json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "size": {"type": "integer"},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
            }}}}),
            ..CustomResource::default()
        };
        let mut object =
            json!({"kind": "W", "spec": {"size": 1, "zip": 2, "free": {"x": 1}, "map": {"a": "b"}}, "other": 1});
        assert_eq!(prune(&custom, &mut object), ["other", "spec.zip"]);
        assert_eq!(object, json!({"kind": "W", "spec": {"size": 1, "free": {"x": 1}, "map": {"a": "b"}}}));
    }
}
