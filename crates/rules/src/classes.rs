//! Classes that are asked for by name and that clusters bring, not deliveries: of storage, of priorities, of runtimes.
//!
//! Without them no volume is bound and no pod created. Of a cluster that was not read they are taken as there, as the kinds
//! of its operators are; the rules tell which (LF132).

use landfall_object::references::references;
use landfall_object::{ASSUMED, Object, SIMULATED};
use serde_json::{Value, json};

use crate::inventory::Inventory;

/// Whether an object is there only because a rehearsal took it as there.
pub fn is_assumed(object: &Object) -> bool {
    object.annotation(SIMULATED) == Some(ASSUMED)
}

/// The classes that objects ask for and that neither they bring nor the cluster has.
pub fn missing(delivered: &[&Object], there: &Inventory) -> Vec<Object> {
    let mut found = Inventory::default();
    for reference in delivered.iter().flat_map(|object| references(object)) {
        let (group, kind, name) = (reference.group.as_str(), reference.kind.as_str(), reference.name.as_str());
        let Some(class) = class(kind, name) else { continue };
        let is_it = |object: &&Object| (object.group(), object.kind(), object.name()) == (group, kind, name);
        if there.get(group, kind, None, name).is_none() && !delivered.iter().any(is_it) {
            found.insert(class);
        }
    }
    found.iter().cloned().collect()
}

/// A class as most clusters have it: volumes are made for whoever asks first, and may grow.
fn class(kind: &str, name: &str) -> Option<Object> {
    let (api_version, mut value) = match kind {
        "StorageClass" => (
            "storage.k8s.io/v1",
            json!({"provisioner": "landfall.dev/assumed", "volumeBindingMode": "WaitForFirstConsumer",
                "allowVolumeExpansion": true}),
        ),
        "PriorityClass" => ("scheduling.k8s.io/v1", json!({"value": 0})),
        "RuntimeClass" => ("node.k8s.io/v1", json!({"handler": "assumed"})),
        _ => return None,
    };
    value["apiVersion"] = Value::from(api_version);
    value["kind"] = kind.into();
    value["metadata"] = json!({"name": name, "annotations": {SIMULATED: ASSUMED}});
    Object::from_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_brings_is_missing() {
        let pod = |class: &str| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "n"},
                "spec": {"priorityClassName": class, "runtimeClassName": "gvisor"}})
        };
        let object = |value| Object::from_value(value).expect("a map");
        let objects = [object(pod("urgent")), object(pod("own")), class("PriorityClass", "own").expect("a class")];
        let there: Inventory = [class("RuntimeClass", "gvisor").expect("a class")].into_iter().collect();
        let missing = |there: &Inventory| {
            let objects: Vec<&Object> = objects.iter().collect();
            super::missing(&objects, there).iter().map(|it| format!("{}/{}", it.kind(), it.name())).collect::<Vec<_>>()
        };
        assert_eq!(missing(&there), ["PriorityClass/urgent"]);
        assert_eq!(missing(&Inventory::default()), ["RuntimeClass/gvisor", "PriorityClass/urgent"]);
    }
}
