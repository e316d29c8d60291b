//! What a writer is told although the write is taken (`WarningsOnCreate`, `WarningsOnUpdate`).

mod addresses;
mod definition;
mod labels;
mod overlaps;
mod pod;
mod service;
mod storage;

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
    of_kind(&resource.id, object, (live, is_new), remarks);
    if let Some(pointer) = template(&resource.id)
        && let Some(template) = object.pointer(pointer).filter(|template| template.is_object() && is_new)
    {
        pod::of_pod(template, &pointer[1..].replace('/', "."), remarks);
    }
    if &*resource.id == "statefulsets.apps" {
        stateful_set(object, live, remarks);
    }
}

/// What is told of a kind's own fields (`pkg/registry/*/strategy.go` of each).
fn of_kind(id: &str, object: &Value, (live, is_new): (Option<&Value>, bool), remarks: &Remarks) {
    match id {
        "services" => service::warn(object, remarks),
        "persistentvolumeclaims" => storage::claim(object, remarks),
        "persistentvolumes" => storage::volume(object, remarks),
        "storageclasses.storage.k8s.io" => labels::of_class(object, remarks),
        "runtimeclasses.node.k8s.io" => labels::of_runtime(object, remarks),
        "ingresses.networking.k8s.io" if live.is_none() => ingress(object, remarks),
        "serviceaccounts" if live.is_none() => service_account(object, remarks),
        "jobs.batch" => {
            if live.is_none() {
                name_of_pods(object, remarks);
            }
            if is_new {
                job(object, remarks);
            }
        }
        "cronjobs.batch" if live.is_none() => name_of_pods(object, remarks),
        "customresourcedefinitions.apiextensions.k8s.io" => definition::warn(object, live, remarks),
        _ => {}
    }
}

fn ingress(object: &Value, remarks: &Remarks) {
    if !object["metadata"]["annotations"]["kubernetes.io/ingress.class"].is_null() {
        remarks.warn(
            r#"annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead"#,
        );
    }
}

fn service_account(object: &Value, remarks: &Remarks) {
    const MOUNTABLE: &str = "kubernetes.io/enforce-mountable-secrets";
    if !object["metadata"]["annotations"][MOUNTABLE].is_null() {
        remarks.warn(format!(
            "metadata.annotations[{MOUNTABLE}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets"
        ));
    }
}

/// An index of more than so many, by more than so many pods at a time, may not be kept.
const MANY_COMPLETIONS: i64 = 100_000;
const MANY_AT_ONCE: i64 = 10_000;

fn job(object: &Value, remarks: &Remarks) {
    let spec = &object["spec"];
    let above = |field: &str, most: i64| spec[field].as_i64().is_some_and(|count| count > most);
    let is_indexed = spec["completionMode"] == "Indexed";
    if is_indexed && above("completions", MANY_COMPLETIONS) && above("parallelism", MANY_AT_ONCE) {
        remarks.warn(
            "spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, \
             Kubernetes might not be able to track completedIndexes when a big number of indexes fail",
        );
    }
}

/// A name that is no label makes host names of pods that are none.
fn name_of_pods(object: &Value, remarks: &Remarks) {
    if object["metadata"]["name"].as_str().is_some_and(|name| name.contains('.')) {
        remarks.warn(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is \
             recommended: [must not contain dots]",
        );
    }
}

fn stateful_set(object: &Value, live: Option<&Value>, remarks: &Remarks) {
    let spec = &object["spec"];
    for (index, template) in spec["volumeClaimTemplates"].as_array().into_iter().flatten().enumerate() {
        // As the real one says it of a new one, and of one that is changed.
        let path = if live.is_none() { "" } else { ".Spec" };
        storage::requests(template, &format!("spec.volumeClaimTemplates[{index}]{path}"), remarks);
    }
    if spec["revisionHistoryLimit"].as_i64().is_some_and(|limit| limit < 0) {
        remarks.warn(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended",
        );
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
