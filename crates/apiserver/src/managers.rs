//! `metadata.managedFields`: who set what, and server-side apply.

use landfall_object::Gvk;
use landfall_object::merge::managed::{self, ApplyError, OnConflict, Writer};
use serde_json::Value;

use crate::clock::rfc3339;
use crate::resource::Resource;
use crate::status::{Cause, Status};
use crate::world::World;

/// A server-side apply.
pub(crate) struct Apply<'a> {
    /// In the version the request names.
    pub(crate) resource: &'a Resource,
    /// What is applied.
    pub(crate) applied: &'a Value,
    pub(crate) manager: &'a str,
    pub(crate) subresource: &'a str,
    /// Whether fields are taken over from other managers.
    pub(crate) on_conflict: OnConflict,
}

/// Fields that a write to this part never sets.
fn reset(resource: &Resource, subresource: &str) -> &'static [&'static [&'static str]] {
    match subresource {
        "" if resource.has_status() => &[&["status"]],
        "status" => &[&["spec"]],
        _ => &[],
    }
}

/// Records what an update by `manager` changed.
pub(crate) fn record_update(
    world: &World,
    resource: &Resource,
    live: Option<&Value>,
    object: &mut Value,
    manager: &str,
    subresource: &str,
) {
    let gvk = Gvk::new(&*resource.group, &*resource.version, &*resource.kind);
    let Some(schema) = world.schemas().kind(&gvk) else { return };
    let writer = Writer {
        manager,
        api_version: &resource.api_version(),
        subresource,
        time: &rfc3339(world.now()),
        reset: reset(resource, subresource),
    };
    *object = managed::update(live, object, schema, &writer);
    if subresource == "scale" {
        forget_scale_times(object);
    }
}

/// Entries made through `/scale` carry no time (`scalehandler.go` builds them anew).
fn forget_scale_times(object: &mut Value) {
    for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
        if entry["subresource"] == "scale"
            && let Some(entry) = entry.as_object_mut()
        {
            entry.remove("time");
        }
    }
}

/// The object that an apply leads to, with its managed fields.
pub(crate) fn apply(world: &World, live: Option<&Value>, request: &Apply<'_>) -> Result<Value, Status> {
    let resource = request.resource;
    let gvk = Gvk::new(&*resource.group, &*resource.version, &*resource.kind);
    let Some(schema) = world.schemas().kind(&gvk) else {
        return Err(Status::internal(format!("no schema is known for {}", resource.kind)));
    };
    let writer = Writer {
        manager: request.manager,
        api_version: &resource.api_version(),
        subresource: request.subresource,
        time: &rfc3339(world.now()),
        reset: reset(resource, request.subresource),
    };
    let applied = managed::apply(live, request.applied, schema, &writer, request.on_conflict);
    let applied = applied.map(|mut object| {
        if request.subresource == "scale" {
            forget_scale_times(&mut object);
        }
        object
    });
    applied.map_err(|error| match error {
        ApplyError::BadRequest(why) => Status::bad_request(why),
        ApplyError::Schema(why) => Status::plain_error(why),
        ApplyError::Conflict(conflicts) => {
            let causes = conflicts.list.iter().map(|conflict| Cause {
                reason: "FieldManagerConflict".to_owned(),
                message: conflict.message(),
                field: conflict.field(),
            });
            Status::apply_conflict(conflicts.to_string(), causes.collect())
        }
    })
}
