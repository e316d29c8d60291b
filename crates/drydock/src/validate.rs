//! Validation of built-in and custom objects.

use landfall_object::Gvk;
use serde_json::Value;

use crate::resource::Resource;
use crate::status::FieldError;
use crate::world::{Part, World};

/// What is wrong with a new object.
pub(crate) fn create(world: &World, resource: &Resource, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if object["metadata"]["name"].as_str().unwrap_or_default().is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    }
    errors.extend(custom(world, resource, object));
    errors
}

fn custom(world: &World, resource: &Resource, object: &Value) -> Vec<FieldError> {
    let gvk = Gvk::new(&*resource.group, &*resource.version, &*resource.kind);
    world.schemas().validate_custom(&gvk, object)
}

/// What is wrong with a changed object.
pub(crate) fn update(
    world: &World,
    resource: &Resource,
    _part: Part,
    object: &Value,
    _live: &Value,
) -> Vec<FieldError> {
    custom(world, resource, object)
}
