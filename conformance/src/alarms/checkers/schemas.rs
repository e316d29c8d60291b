//! JSON Schemas for kubeconform, of the tables that Landfall's cluster serves as OpenAPI: strict, as its own published ones are.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::embedded::{Embedded, Shape};
use crate::peers;

/// Writes a file for each kind, `GROUP/KIND_VERSION.json`, into a folder that goes with the value.
pub(super) fn write() -> Result<tempfile::TempDir, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let document = served()?;
    let definitions = document["definitions"].as_object().ok_or("OpenAPI without definitions")?;
    for (name, definition) in definitions {
        for kind in definition["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let part = |field: &str| kind[field].as_str().unwrap_or_default();
            let group = folder.path().join(part("group"));
            fs::create_dir_all(&group)?;
            let file = group.join(format!("{}_{}.json", part("kind").to_lowercase(), part("version")));
            fs::write(file, serde_json::to_vec(&schema(definitions, name))?)?;
        }
    }
    Ok(folder)
}

/// What the embedded cluster says of its kinds.
fn served() -> Result<Value, Box<dyn Error>> {
    let cluster = Embedded::start(Shape::ApiOnly, 0)?;
    let kubeconfig = tempfile::NamedTempFile::new()?;
    fs::write(kubeconfig.path(), cluster.kubeconfig())?;
    let mut command = Command::new(peers::binary("kubectl")?);
    let output = command.arg("--kubeconfig").arg(kubeconfig.path()).args(["get", "--raw", "/openapi/v2"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// One kind's schema with all that it reaches.
fn schema(definitions: &Map<String, Value>, name: &str) -> Value {
    let (mut reached, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
    let mut own = Map::new();
    while let Some(name) = open.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        let definition = definitions.get(&name).map_or(Value::Bool(true), |definition| strict(&name, definition));
        named(&definition, &mut open);
        own.insert(name, definition);
    }
    json!({"$ref": format!("#/definitions/{name}"), "definitions": own})
}

/// The names that a schema refers to.
fn named(schema: &Value, into: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(Value::as_str) {
                into.extend(name.strip_prefix("#/definitions/").map(str::to_owned));
            }
            fields.values().for_each(|field| named(field, into));
        }
        Value::Array(items) => items.iter().for_each(|item| named(item, into)),
        _ => {}
    }
}

/// A definition that allows no other field than its own, null for every field, and what the API takes besides: numbers for
/// quantities, both for what may be either.
fn strict(name: &str, definition: &Value) -> Value {
    if name.ends_with(".api.resource.Quantity") {
        return json!({"type": ["string", "number"]});
    }
    if name.ends_with(".util.intstr.IntOrString") {
        return json!({"type": ["string", "integer"]});
    }
    closed(definition)
}

fn closed(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else { return schema.clone() };
    if fields.get("x-kubernetes-int-or-string").is_some() || fields.get("format") == Some(&json!("int-or-string")) {
        return json!({"type": ["string", "integer"]});
    }
    let mut out = Map::new();
    for (field, value) in fields {
        match (field.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                let properties = properties.iter().map(|(name, it)| (name.clone(), or_null(closed(it)))).collect();
                out.insert(field.clone(), Value::Object(properties));
            }
            ("items" | "additionalProperties", _) => {
                out.insert(field.clone(), closed(value));
            }
            ("type" | "$ref" | "required" | "enum", _) => {
                out.insert(field.clone(), value.clone());
            }
            _ => {}
        }
    }
    let is_open = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if out.contains_key("properties") && !out.contains_key("additionalProperties") && !is_open {
        out.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    Value::Object(out)
}

fn or_null(schema: Value) -> Value {
    if schema.as_object().is_some_and(Map::is_empty) {
        return schema;
    }
    json!({"anyOf": [schema, {"type": "null"}]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_carries_all_that_it_reaches_and_allows_nothing_else() {
        let definitions = json!({
            "a.Pod": {"type": "object", "required": ["spec"], "properties": {"spec": {"$ref": "#/definitions/a.Spec"}}},
            "a.Spec": {"type": "object", "properties": {
                "port": {"type": "string", "format": "int-or-string"}, "labels": {"type": "object", "additionalProperties": {"type": "string"}}}},
            "a.Other": {"type": "object"},
        });
        let schema = schema(definitions.as_object().expect("definitions"), "a.Pod");
        assert_eq!(schema["$ref"], "#/definitions/a.Pod");
        let own = schema["definitions"].as_object().expect("definitions");
        assert_eq!(own.keys().collect::<Vec<_>>(), ["a.Pod", "a.Spec"]);
        assert_eq!(own["a.Pod"]["additionalProperties"], false);
        let spec = &own["a.Spec"]["properties"];
        assert_eq!(spec["port"]["anyOf"][0]["type"], json!(["string", "integer"]));
        assert_eq!(spec["labels"]["anyOf"][0]["additionalProperties"], json!({"type": "string"}));
    }
}
