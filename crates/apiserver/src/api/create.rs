//! Creating by POST.

use std::sync::Arc;

use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::target::Target;
use super::{Call, view};
use crate::plane::Plane;
use crate::status::Status;
use crate::world::{Create, Tracking, User, needs_name};

/// How often a generated name that is taken is drawn again.
const ATTEMPTS: usize = 8;

pub(crate) fn create(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let effect = call.query.effect("CreateOptions")?;
    call.check_manager("CreateOptions")?;
    let validation = FieldValidation::of(&call.query, "CreateOptions")?;
    let (mut object, findings) =
        body::object(&plane.schemas(), target.resource, &call.headers, &call.body, validation)?;
    call.remarks.warn_all(view::deprecation(target).into_iter().chain(findings));
    let actor = call.actor();
    if &*target.resource.id == "certificatesigningrequests.certificates.k8s.io" {
        sign_for(&mut object, &actor.user);
    }
    let mut attempts = if needs_name(&object) { ATTEMPTS } else { 1 };
    let mut world = plane.world.lock();
    let stored = loop {
        attempts -= 1;
        let result = world.create_as(Create {
            actor: &actor,
            resource: target.resource,
            namespace: &target.path.namespace,
            asked: "",
            object: if attempts > 0 { object.clone() } else { std::mem::take(&mut object) },
            effect,
            tracking: Tracking::Update,
            remarks: &call.remarks,
        });
        match result {
            Err(status) if status.is_already_exists() && attempts > 0 => {}
            other => break other?,
        }
    };
    let (registry, now) = (world.registry().clone(), world.now());
    drop(world);
    view::object(&registry, target.resource, &stored, call, 201, now)
}

/// A signing request says who asked, whatever the client wrote.
fn sign_for(request: &mut Value, user: &User) {
    let spec = &mut request["spec"];
    for (field, value) in [
        ("username", json!(user.name)),
        ("uid", json!(user.uid)),
        ("groups", json!(user.groups)),
        ("extra", json!(user.extra)),
    ] {
        let empty = matches!(&value, Value::String(text) if text.is_empty())
            || matches!(&value, Value::Object(map) if map.is_empty());
        if empty {
            if let Some(map) = spec.as_object_mut() {
                map.remove(field);
            }
        } else {
            spec[field] = value;
        }
    }
}
