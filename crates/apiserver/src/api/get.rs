//! Reading one object.

use std::sync::Arc;

use super::answer::Answer;
use super::target::Target;
use super::{Call, list, view};
use crate::plane::Plane;
use crate::status::Status;

pub(crate) fn get(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let (found, registry, now) = {
        let world = plane.world.lock();
        let path = target.path;
        let asked = list::parse_version(call.query.get("resourceVersion"))?;
        if asked > world.version() {
            return Err(Status::too_large_resource_version(asked, world.version()));
        }
        let found = match world.find(&target.resource.id, &path.namespace, &path.name) {
            Some(found) => found,
            None => return Err(Status::not_found(&path.group, &path.resource, &path.name)),
        };
        (found, world.registry().clone(), world.now())
    };
    let answer = view::object(&registry, target.resource, &found, call, 200, now)?;
    Ok(answer.warn(&view::deprecation(target)))
}
