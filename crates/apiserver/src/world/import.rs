//! A whole cluster's objects, out and in.

use landfall_object::Object;
use serde_json::json;

use super::{Change, Effect, ObjectRef, World};

impl World {
    /// All objects that are stored, by resource, namespace and name.
    pub fn objects_of_all(&self) -> Vec<Object> {
        self.objects.values().flat_map(|objects| objects.values()).map(|stored| stored.object().clone()).collect()
    }

    /// Puts objects in place as they are, without admission, under new resource versions; gives those of kinds that
    /// are not served.
    pub fn import(&mut self, objects: Vec<Object>) -> Vec<Object> {
        let (definitions, rest): (Vec<Object>, Vec<Object>) =
            objects.into_iter().partition(|object| object.kind() == "CustomResourceDefinition");
        let mut unknown = Vec::new();
        for object in definitions.into_iter().chain(rest) {
            let gvk = object.gvk();
            let Some(resource) = self.registry.stores_kind(&gvk.group, &gvk.kind).cloned() else {
                unknown.push(object);
                continue;
            };
            let reference = ObjectRef {
                resource: resource.id.clone(),
                namespace: object.namespace().unwrap_or_default().to_owned(),
                name: object.name().to_owned(),
            };
            let mut value = object.into_value();
            // Of several served versions one is stored; fields that differ between them are the exception.
            value["apiVersion"] = json!(resource.api_version());
            let change = match self.find_ref(&reference) {
                Some(_) => Change::Modified,
                None => Change::Added,
            };
            self.commit(reference, change, value, Effect::Commit);
        }
        unknown
    }
}
