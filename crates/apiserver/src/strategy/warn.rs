//! What a writer is told although the write is taken (`WarningsOnCreate`, `WarningsOnUpdate`).

mod pod;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::remarks::Remarks;
use crate::resource::Resource;
use crate::validate::STANDARD_FINALIZERS;
use crate::world::Part;

/// Warnings of a write that is valid; `live` is what it changes.
pub(crate) fn warn(resource: &Resource, part: Part, object: &Value, live: Option<&Value>, remarks: &Remarks) {
    if part != Part::Main {
        return;
    }
    if resource.custom.is_some() {
        finalizers(object, live, remarks);
    }
    if &*resource.id == "pods" && live.is_none() {
        pod::of_pod(object, "", remarks);
    }
    // What changes nothing of what is desired is told nothing.
    let is_new = live.is_none_or(|live| live["metadata"]["generation"] != object["metadata"]["generation"]);
    if let Some(pointer) = template(&resource.id)
        && let Some(template) = object.pointer(pointer).filter(|template| template.is_object() && is_new)
    {
        pod::of_pod(template, &pointer[1..].replace('/', "."), remarks);
    }
}

/// What a new object's annotations say becomes fields.
pub(crate) fn take_over(resource: &Resource, object: &mut Value, remarks: &Remarks) {
    if &*resource.id == "pods" {
        pod::annotations_to_fields(object, remarks);
    }
}

/// Where a kind keeps its pod template.
fn template(id: &str) -> Option<&'static str> {
    match id {
        "podtemplates" => Some("/template"),
        "cronjobs.batch" => Some("/spec/jobTemplate/spec/template"),
        "deployments.apps"
        | "replicasets.apps"
        | "statefulsets.apps"
        | "daemonsets.apps"
        | "jobs.batch"
        | "replicationcontrollers" => Some("/spec/template"),
        _ => None,
    }
}

/// New finalizers of custom resources that may meet those of others (`customresource/strategy.go`): core kinds refuse them.
fn finalizers(object: &Value, live: Option<&Value>, remarks: &Remarks) {
    fn of(object: &Value) -> BTreeSet<&str> {
        object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
    let known = live.map(of).unwrap_or_default();
    for name in of(object).difference(&known) {
        if name.contains('/') || STANDARD_FINALIZERS.contains(name) {
            continue;
        }
        let path = if name.contains('.') { " including a path (/)" } else { "" };
        remarks.warn(format!(
            "metadata.finalizers: {name:?}: prefer a domain-qualified finalizer name{path} to avoid accidental conflicts with other finalizer writers"
        ));
    }
}
