//! Between the version that a request names and the one that is stored.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::resource::{Registry, Resource};

/// Makes an object of the request's version one of the version that stores.
pub(crate) fn to_storage(registry: &Registry, resource: &Resource, object: &mut Value) {
    let Some(stores) = registry.stored(&resource.id) else { return };
    if stores.group == resource.group && stores.version == resource.version {
        return;
    }
    object["apiVersion"] = json!(stores.api_version());
}

/// Shows a stored object in the request's version.
pub(crate) fn from_storage<'a>(registry: &Registry, resource: &Resource, object: &'a Value) -> Cow<'a, Value> {
    let Some(stores) = registry.stored(&resource.id) else { return Cow::Borrowed(object) };
    if stores.group == resource.group && stores.version == resource.version {
        return Cow::Borrowed(object);
    }
    let mut object = object.clone();
    object["apiVersion"] = json!(resource.api_version());
    Cow::Owned(object)
}
