//! OpenAPI: the v3 index and documents, v2 as JSON.

mod protobuf;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};

use crate::api::openapi_parts::{Answer, Call, with_etag};
use crate::plane::Plane;
use crate::resource::Registry;
use crate::status::Status;

/// `/openapi/v3`: which documents there are.
pub(crate) fn index(plane: &Arc<Plane>, call: &Call) -> Answer {
    let registry = plane.world.lock().registry().clone();
    let mut paths = Map::new();
    for group in registry.groups() {
        for version in registry.versions(group) {
            let path = document_path(group, version);
            let Some((_, hash)) = made(plane, &registry, group, version) else { continue };
            paths.insert(path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash={hash}")}));
        }
    }
    with_etag(call, Bytes::from(json!({"paths": paths}).to_string()), "application/json")
}

fn document_path(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `/openapi/v3/apis/GROUP/VERSION`.
pub(crate) fn document(plane: &Arc<Plane>, call: &Call, path: &str) -> Answer {
    let registry = plane.world.lock().registry().clone();
    let parts: Vec<&str> = path.split('/').collect();
    let (group, version) = match parts.as_slice() {
        ["api", version] => ("", *version),
        ["apis", group, version] => (*group, *version),
        _ => return Answer::text(404, "404 page not found\n"),
    };
    let Some((bytes, hash)) = made(plane, &registry, group, version) else {
        return Answer::text(404, "404 page not found\n");
    };
    let mut answer = with_etag(call, bytes, "application/json");
    if call.query.get("hash") == hash {
        answer.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, immutable"));
    }
    answer
}

/// The document of a group and version in which something is served.
fn made(plane: &Plane, registry: &Registry, group: &str, version: &str) -> Option<(Bytes, String)> {
    registry.versions(group).iter().find(|known| *known == version)?;
    let known = plane.documents.lock().at(registry).v3(group, version);
    if known.is_some() {
        return known;
    }
    let document = plane.schemas().openapi_v3(group, version)?;
    let bytes = Bytes::from(serde_json::to_vec(&document).ok()?);
    let hash: String = Sha512::digest(&bytes).iter().map(|byte| format!("{byte:02X}")).collect();
    plane.documents.lock().at(registry).keep_v3(registry, group, version, &bytes, &hash);
    Some((bytes, hash))
}

/// What clients that want protobuf ask for, and how it is answered.
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const PROTOBUF_ANSWER: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// `/openapi/v2`: one Swagger document of everything, as JSON or as gnostic's protobuf.
pub(crate) fn v2(plane: &Arc<Plane>, call: &Call) -> Result<Answer, Status> {
    let accept = call.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let protobuf =
        accept.split(',').map(str::trim).any(|range| range.starts_with(PROTOBUF) || range.starts_with(PROTOBUF_ANSWER));
    if !protobuf && !accept.is_empty() && !accept.contains("application/json") && !accept.contains("*/*") {
        return Err(Status::not_acceptable());
    }
    let registry = plane.world.lock().registry().clone();
    let known = {
        let mut documents = plane.documents.lock();
        let made = documents.at(&registry);
        if protobuf { made.v2_protobuf.clone() } else { made.v2.clone() }
    };
    let bytes = match known {
        Some(bytes) => bytes,
        None => {
            let document = swagger(plane, &registry);
            let bytes =
                Bytes::from(if protobuf { protobuf::document(&document) } else { document.to_string().into_bytes() });
            let mut documents = plane.documents.lock();
            let made = documents.at(&registry);
            let place = if protobuf { &mut made.v2_protobuf } else { &mut made.v2 };
            *place = Some(bytes.clone());
            bytes
        }
    };
    Ok(with_etag(call, bytes, if protobuf { PROTOBUF_ANSWER } else { "application/json" }))
}

/// The v3 documents joined, with v2's place for schemas.
fn swagger(plane: &Plane, registry: &Registry) -> Value {
    let (mut definitions, mut paths) = (Map::new(), Map::new());
    for group in registry.groups() {
        for version in registry.versions(group) {
            let Some((bytes, _)) = made(plane, registry, group, version) else { continue };
            let Ok(mut document) = serde_json::from_slice::<Value>(&bytes) else { continue };
            if let Value::Object(schemas) = document["components"]["schemas"].take() {
                for (name, schema) in schemas {
                    definitions.entry(name).or_insert(schema);
                }
            }
            if let Value::Object(more) = document["paths"].take() {
                for (path, operations) in more {
                    paths.insert(path, operations_v2(operations));
                }
            }
        }
    }
    let mut definitions = Value::Object(definitions);
    to_v2(&mut definitions);
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": format!("v{}", plane.schemas().kubernetes_version())},
        "paths": paths,
        "definitions": definitions,
    })
}

/// v2 has no request bodies of their own; the marks that say which kind an operation is about stay.
fn operations_v2(operations: Value) -> Value {
    let Value::Object(operations) = operations else { return json!({}) };
    let mut out = Map::new();
    for (method, operation) in operations {
        if !operation.is_object() || method == "parameters" {
            continue;
        }
        let mut kept = Map::new();
        for field in ["operationId", "x-kubernetes-action", "x-kubernetes-group-version-kind"] {
            if let Some(value) = operation.get(field) {
                kept.insert(field.to_owned(), value.clone());
            }
        }
        kept.insert("responses".to_owned(), json!({"200": {"description": "OK"}}));
        out.insert(method, Value::Object(kept));
    }
    Value::Object(out)
}

fn to_v2(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)) {
                // Readers of v2 would refuse what is not listed; so nothing is.
                map.remove("properties");
                map.remove("items");
            }
            if let Some(Value::Array(all)) = map.get("allOf")
                && let [one] = all.as_slice()
                && let Some(reference) = one.get("$ref").cloned()
            {
                map.remove("allOf");
                map.remove("default");
                map.insert("$ref".to_owned(), reference);
            }
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/components/schemas/")
            {
                *reference = format!("#/definitions/{name}");
            }
            map.values_mut().for_each(to_v2);
        }
        Value::Array(items) => items.iter_mut().for_each(to_v2),
        _ => {}
    }
}
