//! What a write means for each kind: what it may touch, what the server fills in, when `generation` grows
//! (`pkg/registry/*/strategy.go`).

mod certificates;
mod create;
mod gates;
mod service;
mod warn;

use serde_json::{Map, Value, json};

use crate::resource::Resource;
use crate::status::Status;
use crate::world::{Part, World};

pub(crate) use create::{prepare_create, qos_class};
pub(crate) use warn::{take_over, warn};

/// `creationTimestamp: null` is what Go clients send for "not set".
pub(crate) fn drop_null_creation_timestamp(object: &mut Value) {
    fn drop_in(metadata: &mut Value) {
        if let Some(metadata) = metadata.as_object_mut()
            && metadata.get("creationTimestamp").is_some_and(Value::is_null)
        {
            metadata.remove("creationTimestamp");
        }
    }
    drop_in(&mut object["metadata"]);
    for template in
        ["/spec/template/metadata", "/spec/jobTemplate/metadata", "/spec/jobTemplate/spec/template/metadata"]
    {
        if let Some(metadata) = object.pointer_mut(template) {
            drop_in(metadata);
        }
    }
    for claim in object.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(metadata) = claim.get_mut("metadata") {
            drop_in(metadata);
        }
    }
}

/// Puts back what a write to this part may not touch.
pub(crate) fn protect(resource: &Resource, part: Part, object: &mut Value, live: &Value) {
    match part {
        Part::Main if resource.has_status() => copy_field(object, live, "status"),
        Part::Status => {
            let (Some(new), Some(old)) = (object.as_object_mut(), live.as_object()) else { return };
            let status = new.remove("status");
            let metadata = new.remove("metadata");
            *new = old.clone();
            match status {
                Some(status) => new.insert("status".to_owned(), status),
                None => new.remove("status"),
            };
            if let Some(mut metadata) = metadata {
                if &*resource.id == "deployments.apps" {
                    copy_field(&mut metadata, &old["metadata"], "labels");
                }
                let kept =
                    if resource.custom.is_some() { with_managed_fields(&old["metadata"], &metadata) } else { metadata };
                new.insert("metadata".to_owned(), kept);
            }
        }
        Part::Main
        | Part::Scale
        | Part::Binding
        | Part::Finalize
        | Part::EphemeralContainers
        | Part::Resize
        | Part::Approval => {}
    }
    if &*resource.id == certificates::REQUESTS {
        certificates::protect(part, object, live);
    }
    if part == Part::Main && &*resource.id == "namespaces" {
        // Only /finalize changes them.
        copy_pointer(object, live, "spec", "finalizers");
    }
}

fn with_managed_fields(metadata: &Value, from: &Value) -> Value {
    let mut metadata = metadata.clone();
    match from.get("managedFields") {
        Some(fields) => metadata["managedFields"] = fields.clone(),
        None => {
            if let Some(map) = metadata.as_object_mut() {
                map.remove("managedFields");
            }
        }
    }
    metadata
}

fn copy_field(object: &mut Value, live: &Value, field: &str) {
    let Some(map) = object.as_object_mut() else { return };
    match live.get(field) {
        Some(value) => map.insert(field.to_owned(), value.clone()),
        None => map.remove(field),
    };
}

fn copy_pointer(object: &mut Value, live: &Value, parent: &str, field: &str) {
    match live[parent].get(field) {
        Some(value) => object[parent][field] = value.clone(),
        None => {
            if let Some(map) = object.get_mut(parent).and_then(Value::as_object_mut) {
                map.remove(field);
            }
        }
    }
}

/// Storing leaves no difference between an empty list and none; where Go always prints the list, that is null.
pub(crate) fn forget_empty_lists(resource: &Resource, object: &mut Value) {
    let fields: &[&str] = match &*resource.id {
        "roles.rbac.authorization.k8s.io" | "clusterroles.rbac.authorization.k8s.io" => &["rules"],
        "endpointslices.discovery.k8s.io" => &["endpoints", "ports"],
        _ => return,
    };
    for field in fields {
        if object[*field].as_array().is_some_and(Vec::is_empty) {
            object[*field] = Value::Null;
        }
    }
}

/// What the server itself settles before an update is validated; works on the stored version.
pub(crate) fn prepare_update(
    world: &mut World,
    resource: &Resource,
    part: Part,
    object: &mut Value,
    live: &Value,
) -> Result<(), Status> {
    forget_empty_lists(resource, object);
    if part == Part::Main {
        gates::drop_disabled(resource, object, Some(live));
    }
    match (&*resource.id, part) {
        ("services", Part::Main) => service::update(world, object, live)?,
        ("secrets", Part::Main) => merge_string_data(object),
        ("pods", Part::Main) => copy_qos(object, live),
        ("daemonsets.apps", Part::Main) => count_templates(object, live),
        (certificates::REQUESTS, Part::Status | Part::Approval) => {
            certificates::settle(part, world.now(), object, live);
        }
        ("customresourcedefinitions.apiextensions.k8s.io", Part::Main) => {
            crate::crd::prepare_update(object, live);
        }
        _ => {}
    }
    Ok(())
}

/// How often a daemon set's template has changed; nobody else may say (`pkg/registry/apps/daemonset/strategy.go`).
fn count_templates(object: &mut Value, live: &Value) {
    let before = live["metadata"]["annotations"][TEMPLATE_GENERATION].as_str().and_then(|text| text.parse().ok());
    let changed = object["spec"]["template"] != live["spec"]["template"];
    let count: i64 = before.unwrap_or(1) + i64::from(changed);
    let annotations = &mut object["metadata"]["annotations"];
    if !annotations.is_object() {
        *annotations = json!({});
    }
    annotations[TEMPLATE_GENERATION] = json!(count.to_string());
}

fn copy_qos(object: &mut Value, live: &Value) {
    if live["status"]["qosClass"].is_string() {
        object["status"]["qosClass"] = live["status"]["qosClass"].clone();
    }
}

/// Where the published versions show a daemon set's template generation.
pub const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";

/// Secret's write-only `stringData` becomes `data`.
pub(crate) fn merge_string_data(object: &mut Value) {
    use base64::Engine as _;
    let Some(Value::Object(strings)) = object.as_object_mut().and_then(|map| map.remove("stringData")) else { return };
    if !object["data"].is_object() {
        object["data"] = Value::Object(Map::new());
    }
    for (key, text) in strings {
        let text = text.as_str().unwrap_or_default();
        object["data"][key] = json!(base64::engine::general_purpose::STANDARD.encode(text));
    }
}

/// Grows `generation` when what is desired has changed.
pub(crate) fn bump_generation(resource: &Resource, part: Part, object: &mut Value, live: &Value) {
    if !resource.tracks_generation || matches!(part, Part::Status | Part::Approval | Part::Binding) {
        return;
    }
    let changed = match &*resource.id {
        "deployments.apps" => {
            object["spec"] != live["spec"] || object["metadata"]["annotations"] != live["metadata"]["annotations"]
        }
        "priorityclasses.scheduling.k8s.io" => false,
        "endpointslices.discovery.k8s.io" => {
            without_metadata(object) != without_metadata(live)
                || object["metadata"]["labels"] != live["metadata"]["labels"]
        }
        _ => without_metadata(object) != without_metadata(live),
    };
    if changed {
        let generation = live["metadata"]["generation"].as_i64().unwrap_or(0);
        object["metadata"]["generation"] = json!(generation + 1);
    }
}

fn without_metadata(object: &Value) -> Vec<(&String, &Value)> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status" | "apiVersion" | "kind"))
        .collect()
}

/// True when nothing holds a deleted object any more.
pub(crate) fn is_finished(resource: &Resource, object: &Value) -> bool {
    let metadata = &object["metadata"];
    let empty = |list: &Value| list.as_array().is_none_or(Vec::is_empty);
    metadata["deletionTimestamp"].is_string()
        && empty(&metadata["finalizers"])
        && metadata["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) == 0
        && (&*resource.id != "namespaces" || empty(&object["spec"]["finalizers"]))
}
