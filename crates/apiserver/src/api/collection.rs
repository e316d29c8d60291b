//! Deleting what a list would show.

use std::sync::Arc;

use serde_json::json;

use super::answer::Answer;
use super::delete::options;
use super::list::Selection;
use super::target::Target;
use super::{Call, list};
use crate::plane::Plane;
use crate::status::Status;
use crate::world::Deleted;

pub(crate) fn delete(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let options = options(plane, call)?;
    let selection = Selection::of(call, target)?;
    let actor = call.actor();
    let mut world = plane.world.lock();
    let chosen: Vec<_> = world
        .list(&target.resource.id, selection.namespace())
        .filter(|object| selection.matches(object))
        .cloned()
        .collect();
    let mut left = Vec::new();
    for object in chosen {
        match world.delete_as(&actor, target.resource, object.namespace(), object.name(), &options) {
            Ok(Deleted::Gone(_) | Deleted::Going(_)) => left.push(object),
            Err(status) if status.is_not_found() => {}
            Err(status) => return Err(status),
        }
    }
    let (registry, version, now) = (world.registry().clone(), world.version(), world.now());
    drop(world);
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if target.resource.custom.is_some() {
        metadata["continue"] = json!("");
    }
    list::answer(&registry, target.resource, &left, metadata, call, now)
}
