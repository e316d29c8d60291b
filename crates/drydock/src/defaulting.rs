//! Defaults of built-in and custom kinds.

use landfall_object::Object;
use serde_json::Value;

use crate::world::World;

/// Sets what the object leaves open.
pub(crate) fn apply(world: &World, object: &mut Value) {
    if let Ok(mut typed) = Object::from_value(object.take()) {
        landfall_object::defaults::apply(&mut typed, world.schemas());
        *object = typed.into_value();
    }
}
