//! Replacing by PUT.

use std::sync::Arc;

use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::target::Target;
use super::{Call, view};
use crate::plane::Plane;
use crate::status::Status;
use crate::world::{Create, Part, Tracking, Update, VersionRule};

pub(crate) fn update(plane: &Arc<Plane>, call: &Call, target: &Target<'_>, part: Part) -> Result<Answer, Status> {
    let effect = call.query.effect("UpdateOptions")?;
    call.check_manager("UpdateOptions")?;
    let validation = FieldValidation::of(&call.query, "UpdateOptions")?;
    let (object, findings) = body::object(&plane.schemas(), target.resource, &call.headers, &call.body, validation)?;
    call.remarks.warn_all(view::deprecation(target).into_iter().chain(findings));
    let path = target.path;
    let given = object["metadata"]["name"].as_str().unwrap_or_default();
    if given.is_empty() {
        return Err(Status::bad_request("the name of the object must be provided"));
    }
    if given != path.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({given}) does not match the name on the URL ({})",
            path.name
        )));
    }
    let actor = call.actor();
    let mut world = plane.world.lock();
    let exists = world.find(&target.resource.id, &path.namespace, &path.name).is_some();
    let (stored, code) = if !exists && part == Part::Main && target.resource.creates_on_update {
        let create = Create {
            actor: &actor,
            resource: target.resource,
            namespace: &path.namespace,
            asked: &path.name,
            object,
            effect,
            tracking: Tracking::Update,
            remarks: &call.remarks,
        };
        (world.create_as(create)?, 201)
    } else {
        let update = Update {
            actor: &actor,
            resource: target.resource,
            namespace: &path.namespace,
            name: &path.name,
            part,
            effect,
            tracking: Tracking::Update,
            remarks: &call.remarks,
            version_rule: VersionRule::AsResourceSays,
        };
        (world.update_as(update, |_, _| Ok(object))?, 200)
    };
    let (registry, now) = (world.registry().clone(), world.now());
    drop(world);
    view::object(&registry, target.resource, &stored, call, code, now)
}
