//! Validation of built-in and custom objects, in the real server's words (`pkg/apis/*/validation`).
//!
//! Pure functions over decoded and defaulted values: [`of_create`] and [`of_update`]. Rules are those of the kinds that
//! charts and operators use; a field no rule looks at is accepted.

mod at;
mod autoscaler;
mod certificates;
mod cluster;
mod container;
mod definition;
mod endpoints;
mod isolation;
mod job;
mod limits;
mod metadata;
mod names;
mod network;
mod paths;
mod pod;
mod policy;
mod schedule;
mod service;
mod status;
mod storage;
mod volume;
mod webhook;
mod workload;

use landfall_object::Gvk;
use serde_json::Value;

use crate::resource::Resource;
use crate::status::FieldError;
use crate::world::{Part, World};
use at::{At, Errors};

pub(crate) use metadata::STANDARD_FINALIZERS;
pub(crate) use names::{is_label, is_subdomain, qualified_name};

/// What is wrong with a new object, which is in the version that stores; `asked` is what the request names.
pub(crate) fn create(world: &World, asked: &Resource, resource: &Resource, object: &Value) -> Vec<FieldError> {
    let gvk = Gvk::new(&*resource.group, &*resource.version, &*resource.kind);
    let mut errors = of_create(&gvk, object);
    if asked.group == "events.k8s.io" {
        errors.extend(of_new_event(object));
    }
    errors.extend(world.schemas().validate_custom(&gvk, object));
    errors
}

/// What is wrong with a changed object.
pub(crate) fn update(world: &World, resource: &Resource, part: Part, object: &Value, live: &Value) -> Vec<FieldError> {
    let gvk = Gvk::new(&*resource.group, &*resource.version, &*resource.kind);
    // The real server looks at metadata twice, for every kind and in the kind's own rules; each finding is a cause twice.
    let mut errors = of_metadata_update(object, live);
    errors.extend(match part {
        Part::Main | Part::Scale => of_update(&gvk, object, live),
        Part::Status => of_status_update(&gvk, object, live),
        Part::EphemeralContainers => of_ephemeral_containers(&gvk, object, live),
        _ => of_kinds_metadata_update(&gvk, object, live),
    });
    if &*resource.id == "certificatesigningrequests.certificates.k8s.io" {
        errors.extend(certificates::update(part, object, live));
    }
    errors.extend(world.schemas().validate_custom_update(&gvk, object, live));
    errors
}

/// Whether a kind's own rules apply: they are written for the built-in groups.
fn is_built_in(gvk: &Gvk) -> bool {
    !gvk.group.contains('.') || gvk.group.ends_with(".k8s.io")
}

/// Whether a kind's own rules ask for finalizers with a domain. Some groups have the general rules of metadata only, and so have two kinds
/// whose own rules say nothing of metadata.
fn knows_its_finalizers(gvk: &Gvk) -> bool {
    is_built_in(gvk)
        && !matches!(
            gvk.group.as_str(),
            "admissionregistration.k8s.io" | "apiextensions.k8s.io" | "apiregistration.k8s.io" | "coordination.k8s.io"
        )
        && !matches!(gvk.kind.as_str(), "Event" | "PodDisruptionBudget")
}

/// What is wrong with a new object, by its values alone.
pub(crate) fn of_create(gvk: &Gvk, object: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let object = At::new(object, "");
    let kind = if is_built_in(gvk) { gvk.kind.as_str() } else { "" };
    metadata::create(&mut errors, &object.get("metadata"), kind);
    if knows_its_finalizers(gvk) {
        metadata::known_finalizers(&mut errors, &object.get("metadata"));
    }
    of_kind(&mut errors, kind, &object, None);
    errors.0
}

/// Kinds of which a changed object is also validated as a new one would be.
const WHOLE_AGAIN: [&str; 9] = [
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "IngressClass",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
];

/// What is wrong with a changed object, by its values alone.
pub(crate) fn of_update(gvk: &Gvk, object: &Value, live: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let (object, live) = (At::new(object, ""), At::new(live, ""));
    kinds_metadata_update(&mut errors, gvk, &object, &live);
    if knows_its_finalizers(gvk) && WHOLE_AGAIN.contains(&gvk.kind.as_str()) {
        metadata::known_finalizers(&mut errors, &object.get("metadata"));
    }
    let kind = if is_built_in(gvk) { gvk.kind.as_str() } else { "" };
    of_kind(&mut errors, kind, &object, Some(&live));
    errors.0
}

/// What `events.k8s.io` asks of an event beyond what `v1` does.
fn of_new_event(object: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    let object = At::new(object, "");
    metadata::create(&mut errors, &object.get("metadata"), "");
    cluster::new_event(&mut errors, &object);
    errors.0
}

fn of_metadata_update(object: &Value, live: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    metadata::update(&mut errors, &At::new(object, "").get("metadata"), &At::new(live, "").get("metadata"));
    errors.0
}

/// As [`of_metadata_update`], by the rules of the kind.
fn of_kinds_metadata_update(gvk: &Gvk, object: &Value, live: &Value) -> Vec<FieldError> {
    let mut errors = Errors::default();
    kinds_metadata_update(&mut errors, gvk, &At::new(object, ""), &At::new(live, ""));
    errors.0
}

fn kinds_metadata_update(errors: &mut Errors, gvk: &Gvk, object: &At<'_>, live: &At<'_>) {
    metadata::update(errors, &object.get("metadata"), &live.get("metadata"));
    if knows_its_finalizers(gvk) {
        metadata::known_finalizers(errors, &object.get("metadata"));
    }
}

/// What is wrong with a changed status.
fn of_status_update(gvk: &Gvk, object: &Value, live: &Value) -> Vec<FieldError> {
    let mut errors = Errors(of_kinds_metadata_update(gvk, object, live));
    let kind = if is_built_in(gvk) { gvk.kind.as_str() } else { "" };
    status::validate(&mut errors, kind, &At::new(object, "").get("status"), &At::new(live, "").get("status"));
    errors.0
}

fn of_ephemeral_containers(gvk: &Gvk, object: &Value, live: &Value) -> Vec<FieldError> {
    let mut errors = Errors(of_kinds_metadata_update(gvk, object, live));
    pod::ephemeral(&mut errors, &At::new(object, "").get("spec"), &At::new(live, "").get("spec"));
    errors.0
}

fn of_kind(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    workload::validate(errors, kind, object, old);
    storage::validate(errors, kind, object, old);
    network::validate(errors, kind, object, old);
    if kind == "Service" {
        service::validate(errors, object, old);
    }
    cluster::validate(errors, kind, object, old);
    endpoints::validate(errors, kind, object, old);
    limits::validate(errors, kind, object, old);
    webhook::validate(errors, kind, object, old);
    policy::validate(errors, kind, object, old);
    if kind == "CustomResourceDefinition" {
        definition::validate(errors, object, old);
    }
}

#[cfg(test)]
mod tests;
