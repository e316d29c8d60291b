//! `metadata.managedFields`: who set what.

use serde_json::Value;

use crate::resource::Resource;
use crate::world::World;

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
