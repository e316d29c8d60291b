//! Validation of built-in and custom objects.

use serde_json::Value;

use crate::resource::Resource;
use crate::status::FieldError;
use crate::world::{Part, World};

/// What is wrong with a new object.
pub(crate) fn create(_world: &World, _resource: &Resource, object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if object["metadata"]["name"].as_str().unwrap_or_default().is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    }
    errors
}

/// What is wrong with a changed object.
pub(crate) fn update(
    _world: &World,
    _resource: &Resource,
    _part: Part,
    _object: &Value,
    _live: &Value,
) -> Vec<FieldError> {
    Vec::new()
}
