//! OpenAPI v3 documents from the tables, as far as `kubectl explain`, `apply`, `--validate` and Helm read them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::table::{Field, Shape, Table, Type};
use super::{ListKind, Resource, Schemas};
use crate::Gvk;

impl Schemas {
    /// The OpenAPI v3 document of a group version (core: the empty group), without descriptions.
    pub fn openapi_v3(&self, group: &str, version: &str) -> Option<Value> {
        let table = Table::builtin();
        let Some(served) = table.groups.iter().find(|served| served.group == group && served.version == version) else {
            return self.custom_openapi_v3(group, version);
        };
        let mut reachable = BTreeSet::new();
        for (gvk, id) in &table.kinds {
            if gvk.group == group && gvk.version == version || gvk.group.is_empty() && gvk.kind == "Status" {
                reach(table, *id, &mut reachable);
            }
        }
        let mut schemas = Map::new();
        for id in reachable {
            let ty = &table.types[id as usize];
            let gvks: Vec<&Gvk> = table.kinds.iter().filter(|(_, kind)| **kind == id).map(|(gvk, _)| gvk).collect();
            schemas.insert(ty.name.to_string(), type_schema(table, ty, &gvks));
        }
        for (name, schema) in special_schemas() {
            schemas.insert(name.to_owned(), schema);
        }
        let mut paths = Map::new();
        let base = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        for resource in &served.resources {
            resource_paths(&base, group, version, resource, &mut paths);
        }
        Some(json!({
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": format!("v{}", table.version)},
            "paths": paths,
            "components": {"schemas": schemas},
        }))
    }
}

impl Schemas {
    fn custom_openapi_v3(&self, group: &str, version: &str) -> Option<Value> {
        let (mut schemas, mut paths) = (Map::new(), Map::new());
        let reversed: Vec<&str> = group.rsplit('.').collect();
        for (gvk, custom) in self.custom.iter().filter(|(gvk, _)| gvk.group == group && gvk.version == version) {
            let mut schema = custom.published.clone();
            schema["type"] = "object".into();
            schema["x-kubernetes-group-version-kind"] =
                json!([{"group": gvk.group, "version": gvk.version, "kind": gvk.kind}]);
            if !schema["properties"].is_object() {
                schema["properties"] = json!({});
            }
            schema["properties"]["apiVersion"] = json!({"type": "string"});
            schema["properties"]["kind"] = json!({"type": "string"});
            schema["properties"]["metadata"] =
                json!({"allOf": [reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")]});
            schemas.insert(format!("{}.{version}.{}", reversed.join("."), gvk.kind), schema);
            resource_paths(&format!("/apis/{group}/{version}"), group, version, &custom.resource, &mut paths);
        }
        if schemas.is_empty() {
            return None;
        }
        let table = Table::builtin();
        let mut reachable = BTreeSet::new();
        reach(table, table.object_meta, &mut reachable);
        for id in reachable {
            let ty = &table.types[id as usize];
            schemas.insert(ty.name.to_string(), type_schema(table, ty, &[]));
        }
        for (name, schema) in special_schemas() {
            schemas.insert(name.to_owned(), schema);
        }
        Some(json!({
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"},
            "paths": paths,
            "components": {"schemas": schemas},
        }))
    }
}

fn reach(table: &Table, id: u32, reachable: &mut BTreeSet<u32>) {
    if !reachable.insert(id) {
        return;
    }
    for field in table.types[id as usize].fields() {
        reach_shape(table, &field.shape, reachable);
    }
}

fn reach_shape(table: &Table, shape: &Shape, reachable: &mut BTreeSet<u32>) {
    match shape {
        Shape::Ref { id, .. } => reach(table, *id, reachable),
        Shape::List { item, .. } | Shape::Map { item, .. } => reach_shape(table, item, reachable),
        _ => {}
    }
}

fn type_schema(table: &Table, ty: &Type, gvks: &[&Gvk]) -> Value {
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    let mut properties = Map::new();
    for field in ty.fields() {
        properties.insert(field.json.to_string(), field_schema(table, field));
    }
    if !properties.is_empty() {
        schema.insert("properties".into(), Value::Object(properties));
    }
    let mut required: Vec<&str> = ty.fields().iter().filter(|field| field.required).map(|field| &*field.json).collect();
    required.sort_unstable();
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    if ty.atomic {
        schema.insert("x-kubernetes-map-type".into(), "atomic".into());
    }
    if !gvks.is_empty() {
        let mut gvks: Vec<&Gvk> = gvks.to_vec();
        gvks.sort();
        let gvks: Vec<Value> =
            gvks.into_iter().map(|gvk| json!({"group": gvk.group, "version": gvk.version, "kind": gvk.kind})).collect();
        schema.insert("x-kubernetes-group-version-kind".into(), Value::Array(gvks));
    }
    Value::Object(schema)
}

fn field_schema(table: &Table, field: &Field) -> Value {
    let mut schema = match shape_schema(table, &field.shape) {
        Value::Object(map) if map.contains_key("$ref") => {
            let mut wrapped = Map::new();
            wrapped.insert("allOf".into(), json!([map]));
            wrapped
        }
        Value::Object(map) => map,
        _ => Map::new(),
    };
    match &field.shape {
        Shape::Map { atomic: true, .. } | Shape::Ref { atomic: true, .. } => {
            schema.insert("x-kubernetes-map-type".into(), "atomic".into());
        }
        _ => {}
    }
    let strategy = match (field.patch_merge, field.patch_retain_keys) {
        (true, true) => "merge,retainKeys",
        (true, false) => "merge",
        (false, true) => "retainKeys",
        (false, false) if field.patch_replace => "replace",
        (false, false) => "",
    };
    if !strategy.is_empty() {
        schema.insert("x-kubernetes-patch-strategy".into(), strategy.into());
    }
    if let Some(key) = &field.merge_key {
        schema.insert("x-kubernetes-patch-merge-key".into(), (**key).into());
    }
    if let Some(default) = &field.default {
        schema.insert("default".into(), default.clone());
    }
    Value::Object(schema)
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

const APIEXTENSIONS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

fn shape_schema(table: &Table, shape: &Shape) -> Value {
    match shape {
        Shape::Str(named) => {
            let values = named.and_then(|named| table.named.get(usize::from(named))).map(|named| &named.values);
            match values {
                Some(values) if !values.is_empty() => json!({"type": "string", "enum": values}),
                _ => json!({"type": "string"}),
            }
        }
        Shape::Bytes => json!({"type": "string", "format": "byte"}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Int32 => json!({"type": "integer", "format": "int32"}),
        Shape::Int64 => json!({"type": "integer", "format": "int64"}),
        Shape::Float => json!({"type": "number", "format": "double"}),
        Shape::Quantity => reference("io.k8s.apimachinery.pkg.api.resource.Quantity"),
        Shape::IntOrString => reference("io.k8s.apimachinery.pkg.util.intstr.IntOrString"),
        Shape::Time => reference("io.k8s.apimachinery.pkg.apis.meta.v1.Time"),
        Shape::MicroTime => reference("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime"),
        Shape::FieldsV1 => reference("io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"),
        Shape::Raw => json!({"type": "object"}),
        Shape::Any => reference(&format!("{APIEXTENSIONS}.JSON")),
        Shape::PropsOrArray => reference(&format!("{APIEXTENSIONS}.JSONSchemaPropsOrArray")),
        Shape::PropsOrBool => reference(&format!("{APIEXTENSIONS}.JSONSchemaPropsOrBool")),
        Shape::PropsOrStrings => reference(&format!("{APIEXTENSIONS}.JSONSchemaPropsOrStringArray")),
        Shape::Ref { id, .. } => reference(&table.types[*id as usize].name),
        Shape::Meta => reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"),
        Shape::List { item, kind, .. } => {
            let mut schema = json!({"type": "array", "items": shape_schema(table, item)});
            match kind {
                ListKind::Atomic => schema["x-kubernetes-list-type"] = "atomic".into(),
                ListKind::Set => schema["x-kubernetes-list-type"] = "set".into(),
                ListKind::Map(keys) => {
                    schema["x-kubernetes-list-type"] = "map".into();
                    schema["x-kubernetes-list-map-keys"] = json!(keys);
                }
            }
            schema
        }
        Shape::Map { item, .. } => json!({"type": "object", "additionalProperties": shape_schema(table, item)}),
    }
}

/// Definitions that are no object types; an unused one does no harm.
fn special_schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("io.k8s.apimachinery.pkg.api.resource.Quantity", json!({"oneOf": [{"type": "string"}, {"type": "number"}]})),
        (
            "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}),
        ),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.Time", json!({"type": "string", "format": "date-time"})),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", json!({"type": "string", "format": "date-time"})),
        ("io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", json!({"type": "object"})),
        ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON", json!({})),
        ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray", json!({})),
        ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool", json!({})),
        ("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray", json!({})),
    ]
}

/// The operations of a resource; `kubectl` looks among them for the parameter `fieldValidation`.
pub(crate) fn resource_paths(
    base: &str,
    group: &str,
    version: &str,
    resource: &Resource,
    paths: &mut Map<String, Value>,
) {
    let namespaced = if resource.namespaced { "/namespaces/{namespace}" } else { "" };
    let collection = format!("{base}{namespaced}/{}", resource.name);
    let gvk = json!({"group": group, "version": version, "kind": resource.kind});
    let operation = |verb: &str, action: &str, parameters: &[&str]| {
        let parameters: Vec<Value> = parameters
            .iter()
            .map(|name| {
                let ty = if *name == "force" { "boolean" } else { "string" };
                json!({"name": name, "in": "query", "schema": {"type": ty, "uniqueItems": true}})
            })
            .collect();
        json!({
            "operationId": format!("{verb}{}", resource.kind),
            "parameters": parameters,
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
        })
    };
    let has = |verb: &str| resource.verbs.iter().any(|known| known == verb);
    let mut on_collection = Map::new();
    let mut on_item = Map::new();
    let change = ["dryRun", "fieldManager", "fieldValidation"];
    if has("list") {
        on_collection
            .insert("get".into(), operation("list", "list", &["labelSelector", "fieldSelector", "limit", "continue"]));
    }
    if has("create") {
        on_collection.insert("post".into(), operation("create", "post", &change));
    }
    if has("get") {
        on_item.insert("get".into(), operation("read", "get", &[]));
    }
    if has("update") {
        on_item.insert("put".into(), operation("replace", "put", &change));
    }
    if has("patch") {
        on_item.insert(
            "patch".into(),
            operation("patch", "patch", &["dryRun", "fieldManager", "fieldValidation", "force"]),
        );
    }
    if has("delete") {
        on_item.insert(
            "delete".into(),
            operation("delete", "delete", &["dryRun", "gracePeriodSeconds", "propagationPolicy"]),
        );
    }
    if !on_item.is_empty() {
        paths.insert(format!("{collection}/{{name}}"), Value::Object(on_item));
    }
    if !on_collection.is_empty() {
        paths.insert(collection, Value::Object(on_collection));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(reference)) = map.get("$ref") {
                    found.push(reference.clone());
                }
                map.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_document_defines_what_it_refers_to() {
        let schemas = Schemas::builtin();
        assert!(schemas.group_versions().len() > 20);
        for served in schemas.group_versions() {
            let document = schemas.openapi_v3(&served.group, &served.version).expect("served");
            let mut found = Vec::new();
            references(&document, &mut found);
            for reference in found {
                let pointer = reference.trim_start_matches('#');
                assert!(document.pointer(pointer).is_some(), "{} {}: {reference}", served.group, served.version);
            }
            for resource in &served.resources {
                let kind = schemas.kind(&Gvk::new(&*served.group, &*served.version, &*resource.kind));
                assert!(kind.is_some(), "{} has no schema", resource.name);
            }
        }
    }

    #[test]
    fn patch_operations_name_the_parameter_kubectl_looks_for() {
        let document = Schemas::builtin().openapi_v3("apps", "v1").expect("served");
        let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(
            patch["x-kubernetes-group-version-kind"],
            json!({"group": "apps", "version": "v1", "kind": "Deployment"})
        );
        let names: Vec<&str> =
            patch["parameters"].as_array().expect("a list").iter().filter_map(|p| p["name"].as_str()).collect();
        assert!(names.contains(&"fieldValidation"));
    }
}
