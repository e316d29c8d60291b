use landfall_object::Object;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Metadata that the server writes.
const SERVER_METADATA: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
];

/// Annotations that controllers write on objects of others.
const CONTROLLER_ANNOTATIONS: &[&str] = &[
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
    "control-plane.alpha.kubernetes.io/leader",
    crate::trial::claim::ON_TRIAL,
    crate::trial::claim::LEFT_OF_TRIAL,
];

/// An object without what servers and controllers write: what somebody declared.
///
/// The uid stays: an object deleted and made anew is another one.
pub fn normalised(object: &Object) -> Object {
    let mut map: Map<String, Value> = object.map().clone();
    map.remove("status");
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in SERVER_METADATA {
            metadata.remove(*field);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            for name in CONTROLLER_ANNOTATIONS {
                annotations.remove(*name);
            }
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
    Object::from_map(map)
}

/// The SHA-256 of what a live object declares, hexadecimal.
pub fn live_digest(object: &Object) -> String {
    hex(&Sha256::digest(normalised(object).value().to_string()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
