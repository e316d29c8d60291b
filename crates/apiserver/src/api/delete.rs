//! Deleting one object.

use std::sync::Arc;

use landfall_object::Gvk;
use landfall_object::schema::returns_deleted;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::target::Target;
use super::{Call, view};
use crate::plane::Plane;
use crate::status::{FieldError, Status};
use crate::world::{DeleteOptions, Deleted, Effect, Propagation};

pub(crate) fn delete(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let options = options(plane, call)?;
    let mut world = plane.world.lock();
    let path = target.path;
    let deleted = world.delete_as(&call.actor(), target.resource, &path.namespace, &path.name, &options)?;
    let (registry, now) = (world.registry().clone(), world.now());
    drop(world);
    match deleted {
        Deleted::Gone(object) if !returns_deleted(&target.resource.id) && &*target.resource.id != "namespaces" => {
            let mut details = json!({"name": path.name, "kind": path.resource, "uid": object.uid()});
            if !path.group.is_empty() {
                details["group"] = json!(path.group);
            }
            let status =
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details});
            Ok(Answer::value(200, &status, call.accept.encoding))
        }
        Deleted::Gone(object) | Deleted::Going(object) => {
            view::object(&registry, target.resource, &object, call, 200, now)
        }
    }
}

/// From the body, or from the query when there is none.
pub(crate) fn options(plane: &Plane, call: &Call) -> Result<DeleteOptions, Status> {
    let mut given = json!({});
    if !call.body.is_empty() {
        let gvk = Gvk::new("", "v1", "DeleteOptions");
        given = match body::typed(&plane.schemas(), &gvk, &call.headers, &call.body, FieldValidation::Ignore) {
            Ok((value, _)) => value,
            Err(status) => renamed(plane, call).unwrap_or(Err(status))?,
        };
    }
    from_value(&given, call, call.query.effect("DeleteOptions")?)
}

/// The body may name any group's DeleteOptions (`meta.k8s.io/v1`, `apps/v1`), and is nothing else: what cannot be read asks for nothing.
fn renamed(plane: &Plane, call: &Call) -> Option<Result<Value, Status>> {
    let mut value: Value = serde_json::from_slice(&call.body).ok()?;
    if value["kind"] != "DeleteOptions" || value["apiVersion"] == "v1" {
        return None;
    }
    value["apiVersion"] = json!("v1");
    let gvk = Gvk::new("", "v1", "DeleteOptions");
    let text = value.to_string();
    let read = body::typed(&plane.schemas(), &gvk, &call.headers, text.as_bytes(), FieldValidation::Ignore);
    Some(read.map(|(value, _)| value))
}

/// From a `DeleteOptions` as JSON; what it does not say, the query may.
pub(crate) fn from_value(given: &Value, call: &Call, mut effect: Effect) -> Result<DeleteOptions, Status> {
    for value in given["dryRun"].as_array().into_iter().flatten() {
        match value.as_str() {
            Some("All") => effect = Effect::DryRun,
            _ => {
                let error = FieldError::not_supported("dryRun", given["dryRun"].clone(), &["All"]);
                return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", vec![error]));
            }
        }
    }
    if given["propagationPolicy"].is_string() && given["orphanDependents"].is_boolean() {
        let error = FieldError::invalid(
            "propagationPolicy",
            given["propagationPolicy"].clone(),
            "orphanDependents and deletionPropagation cannot be both set",
        );
        return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", vec![error]));
    }
    let policy = given["propagationPolicy"].as_str().unwrap_or_else(|| call.query.get("propagationPolicy"));
    let propagation = match policy {
        "" => match given["orphanDependents"].as_bool() {
            Some(true) => Some(Propagation::Orphan),
            Some(false) => Some(Propagation::Background),
            None => None,
        },
        "Orphan" => Some(Propagation::Orphan),
        "Background" => Some(Propagation::Background),
        "Foreground" => Some(Propagation::Foreground),
        other => {
            let error =
                FieldError::not_supported("propagationPolicy", other, &["Foreground", "Background", "Orphan", "nil"]);
            return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", vec![error]));
        }
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let grace = call.query.whole("gracePeriodSeconds")?;
    Ok(DeleteOptions {
        grace_seconds: given["gracePeriodSeconds"].as_i64().or(grace),
        propagation,
        uid: text(&given["preconditions"]["uid"]),
        version: text(&given["preconditions"]["resourceVersion"]),
        effect,
    })
}
