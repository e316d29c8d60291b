//! Deleting what a list would show.

use std::sync::Arc;

use super::answer::Answer;
use super::delete::options;
use super::list::Page;
use super::target::Target;
use super::{Call, list};
use crate::plane::Plane;
use crate::status::Status;
use crate::world::Deleted;

/// Deletes the page of the collection that a list with the same parameters would show, and no more than that.
pub(crate) fn delete(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let options = options(plane, call)?;
    let Page { objects, metadata, registry, now } = list::page(plane, call, target)?;
    let actor = call.actor();
    let mut world = plane.world.lock();
    let mut left = Vec::new();
    for object in objects {
        match world.delete_as(&actor, target.resource, object.namespace(), object.name(), &options) {
            Ok(Deleted::Gone(_) | Deleted::Going(_)) => left.push(object),
            Err(status) if status.is_not_found() => {}
            Err(status) => return Err(status),
        }
    }
    drop(world);
    list::answer(&registry, target.resource, &left, metadata, call, now)
}
