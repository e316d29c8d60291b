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
        let asked = list::parse_plain_version(call.query.get("resourceVersion"))?;
        if asked > world.version() {
            return Err(Status::too_large_resource_version(asked, world.version()));
        }
        let found = match world.find(&target.resource.id, &path.namespace, &path.name) {
            Some(found) => found,
            None => {
                let none = || Status::not_found(&path.group, &path.resource, &path.name);
                if &*target.resource.id != "services" {
                    return Err(none());
                }
                let in_place = plane.containers.stands_for(&world, &path.namespace, &path.name, call.agent());
                let value =
                    view::shown(world.registry(), target.resource, &in_place.ok_or_else(none)?, call, world.now())?;
                return Ok(Answer::value(200, &value, call.accept.encoding));
            }
        };
        (found, world.registry().clone(), world.now())
    };
    let answer = view::object(&registry, target.resource, &found, call, 200, now)?;
    Ok(answer.warn(&view::deprecation(target)))
}
