//! OpenAPI v3 documents from the tables, as far as `kubectl explain`, `apply`, `--validate` and Helm read them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::operations::{Installer, Kinds, reference};
use super::table::{Field, Shape, Table, Type};
use super::{ListKind, Schemas};
use crate::Gvk;

impl Schemas {
    /// The OpenAPI v3 document of a group version (core: the empty group), without descriptions.
    pub fn openapi_v3(&self, group: &str, version: &str) -> Option<Value> {
        let table = Table::builtin();
        let Some(served) = table.groups.iter().find(|served| served.group == group && served.version == version) else {
            return self.custom_openapi_v3(group, version);
        };
        let mut paths = Map::new();
        let schema = |gvk: &Gvk| built_in(table, gvk);
        let installer = Installer { kinds: Kinds::BuiltIn, group, version, schema: &schema };
        installer.root(&mut paths);
        for resource in &served.resources {
            installer.resource(resource, &format!("{}List", resource.kind), &mut paths);
        }
        let mut reachable = BTreeSet::new();
        reach_named(table, &paths, &mut reachable);
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
        let table = Table::builtin();
        let (mut schemas, mut paths) = (Map::new(), Map::new());
        let reversed: Vec<&str> = group.rsplit('.').collect();
        let schema = |gvk: &Gvk| {
            let own = || format!("{}.{version}.{}", reversed.join("."), gvk.kind);
            if gvk.group == group && gvk.version == version { own() } else { built_in(table, gvk) }
        };
        let installer = Installer { kinds: Kinds::Custom, group, version, schema: &schema };
        for (gvk, custom) in self.custom.iter().filter(|(gvk, _)| gvk.group == group && gvk.version == version) {
            let mut published = custom.published.clone();
            published["type"] = "object".into();
            if !published["properties"].is_object() {
                published["properties"] = json!({});
            }
            published["properties"]["metadata"] =
                json!({"allOf": [reference("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")]});
            let listed = Gvk { kind: custom.list_kind.clone(), ..gvk.clone() };
            let list = json!({
                "type": "object", "required": ["items"],
                "properties": {
                    "items": {"type": "array", "items": reference(&schema(gvk))},
                    "metadata": {"allOf": [reference("io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta")]},
                },
            });
            for (gvk, mut made) in [(gvk, published), (&listed, list)] {
                made["properties"]["apiVersion"] = json!({"type": "string"});
                made["properties"]["kind"] = json!({"type": "string"});
                made["x-kubernetes-group-version-kind"] =
                    json!([{"group": gvk.group, "version": gvk.version, "kind": gvk.kind}]);
                schemas.insert(schema(gvk), made);
            }
            installer.resource(&custom.resource, &custom.list_kind, &mut paths);
        }
        if schemas.is_empty() {
            return None;
        }
        let mut reachable = BTreeSet::new();
        reach(table, table.object_meta, &mut reachable);
        reach_named(table, &paths, &mut reachable);
        reach_named(table, &schemas, &mut reachable);
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

/// What the schema of a built-in kind is called.
fn built_in(table: &Table, gvk: &Gvk) -> String {
    table.kinds.get(gvk).map(|id| table.types[*id as usize].name.to_string()).unwrap_or_default()
}

/// Reaches what paths and schemas refer to.
fn reach_named(table: &Table, within: &Map<String, Value>, reachable: &mut BTreeSet<u32>) {
    let mut names = BTreeSet::new();
    within.values().for_each(|value| references(value, &mut names));
    for (ty, id) in table.types.iter().zip(0..) {
        if names.contains(&*ty.name) {
            reach(table, id, reachable);
        }
    }
}

fn references<'a>(value: &'a Value, names: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(map) => {
            let reference = map.get("$ref").and_then(Value::as_str);
            names.extend(reference.and_then(|reference| reference.strip_prefix("#/components/schemas/")));
            map.values().for_each(|value| references(value, names));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, names)),
        _ => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_defines_what_it_refers_to() {
        let schemas = Schemas::builtin();
        assert!(schemas.group_versions().len() > 20);
        for served in schemas.group_versions() {
            let document = schemas.openapi_v3(&served.group, &served.version).expect("served");
            let mut found = BTreeSet::new();
            references(&document, &mut found);
            for name in found {
                let is_defined = document["components"]["schemas"][name].is_object();
                assert!(is_defined, "{} {}: {name}", served.group, served.version);
            }
            for resource in &served.resources {
                let kind = schemas.kind(&Gvk::new(&*served.group, &*served.version, &*resource.kind));
                assert!(kind.is_some(), "{} has no schema", resource.name);
            }
        }
    }

    #[test]
    fn operations_say_what_clients_look_for() {
        let core = Schemas::builtin().openapi_v3("", "v1").expect("served");
        assert_eq!(core["paths"].as_object().map(Map::len), Some(113));
        let document = Schemas::builtin().openapi_v3("apps", "v1").expect("served");
        assert_eq!(document["paths"].as_object().map(Map::len), Some(38));
        let patch = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert_eq!(patch["operationId"], "patchAppsV1NamespacedDeployment");
        assert_eq!(
            patch["x-kubernetes-group-version-kind"],
            json!({"group": "apps", "version": "v1", "kind": "Deployment"})
        );
        // kubectl looks for the parameter, kwok for the media types.
        let parameters = patch["parameters"].as_array().expect("a list");
        assert!(parameters.iter().any(|it| it["name"] == "fieldValidation"));
        let patches = patch["requestBody"]["content"].as_object().expect("media types");
        assert!(patches.contains_key("application/strategic-merge-patch+json"), "{patches:?}");
        let scale = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"]["put"];
        assert_eq!(scale["operationId"], "replaceAppsV1NamespacedDeploymentScale");
        assert_eq!(scale["x-kubernetes-group-version-kind"]["kind"], "Scale");
    }

    #[test]
    fn custom_kinds_have_their_subresources_and_no_strategic_patches() {
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "geese.ex.io"},
            "spec": {
                "group": "ex.io", "scope": "Namespaced",
                "names": {"kind": "Goose", "plural": "geese", "listKind": "Gaggle"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}},
                    "subresources": {"status": {}, "scale": {"specReplicasPath": ".a", "statusReplicasPath": ".b"}},
                }],
            },
        });
        let mut schemas = Schemas::builtin();
        schemas.join(&crate::Object::from_value(definition).expect("an object")).expect("a definition");
        let document = schemas.openapi_v3("ex.io", "v1").expect("served");
        let item = "/apis/ex.io/v1/namespaces/{namespace}/geese/{name}";
        let paths = document["paths"].as_object().expect("paths");
        let all: Vec<&String> = paths.keys().collect();
        let (scale, status) = (format!("{item}/scale"), format!("{item}/status"));
        let collection = item.trim_end_matches("/{name}");
        assert_eq!(all, ["/apis/ex.io/v1/geese", collection, item, &scale, &status]);
        assert_eq!(paths[collection]["delete"]["operationId"], "deleteExIoV1CollectionNamespacedGoose");
        assert_eq!(paths[&status]["put"]["operationId"], "replaceExIoV1NamespacedGooseStatus");
        let patches = paths[item]["patch"]["requestBody"]["content"].as_object().expect("media types");
        assert!(!patches.contains_key("application/strategic-merge-patch+json"), "{patches:?}");
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.contains("io.ex.v1.Gaggle"), "{found:?}");
        for name in found {
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
        }
    }
}
