//! Defaults of built-in and custom kinds.

use serde_json::Value;

use crate::resource::Resource;
use crate::world::World;

/// Sets what the object leaves open.
pub(crate) fn apply(_world: &World, resource: &Resource, object: &mut Value) {
    if &*resource.id == "namespaces"
        && let Some(name) = object["metadata"]["name"].as_str().map(str::to_owned)
    {
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = Value::String(name);
    }
}
