//! `metadata.managedFields`: who set what, and server-side apply.

use landfall_object::schema::Schemas;
use serde_json::Value;

use crate::resource::Resource;
use crate::status::Status;
use crate::world::World;

/// A server-side apply.
pub(crate) struct Apply<'a> {
    /// In the version the request names.
    pub(crate) resource: &'a Resource,
    /// What is applied.
    pub(crate) applied: &'a Value,
    pub(crate) manager: &'a str,
    pub(crate) subresource: &'a str,
    /// Take fields over from other managers.
    pub(crate) force: bool,
}

/// Records what an update by `manager` changed.
pub(crate) fn record_update(
    _world: &World,
    _resource: &Resource,
    _live: Option<&Value>,
    _object: &mut Value,
    _manager: &str,
    _subresource: &str,
) {
}

/// The object that an apply leads to, with its managed fields.
pub(crate) fn apply(
    _world: &World,
    _schemas: &Schemas,
    live: Option<&Value>,
    request: &Apply<'_>,
) -> Result<Value, Status> {
    let _ = (request.manager, request.subresource, request.force, request.resource);
    Ok(match live {
        None => request.applied.clone(),
        Some(live) => landfall_object::merge::merge_patch::apply(live, request.applied),
    })
}
