//! Defaults of built-in and custom kinds.

use landfall_object::Object;
use serde_json::Value;

use crate::resource::Resource;
use crate::world::World;

/// Sets what the object leaves open.
pub(crate) fn apply(world: &World, object: &mut Value) {
    if let Ok(mut typed) = Object::from_value(object.take()) {
        landfall_object::defaults::apply(&mut typed, world.schemas());
        *object = typed.into_value();
    }
    if object["kind"] == "Pod" && object["apiVersion"] == "v1" {
        settle_pod_ips(object);
    }
}

/// Sets what the version that stores has defaults for and nobody wrote: a status of which creation has left nothing, fields of another version. The
/// real server does so whenever it reads an object.
pub(crate) fn apply_stored(world: &World, stores: &Resource, object: &mut Value) {
    if stores.custom.is_some() {
        apply(world, object);
    }
}

/// `podIP` is the first of `podIPs`; where they disagree, the single one counts (`pkg/apis/core/v1/conversion.go`).
fn settle_pod_ips(pod: &mut Value) {
    let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut) else { return };
    let first = status.get("podIPs").and_then(|list| list[0]["ip"].as_str()).unwrap_or_default().to_owned();
    match status.get("podIP").and_then(Value::as_str).unwrap_or_default() {
        "" if !first.is_empty() => {
            status.insert("podIP".to_owned(), first.into());
        }
        ip if ip != first && !ip.is_empty() => {
            let list = serde_json::json!([{"ip": ip}]);
            status.insert("podIPs".to_owned(), list);
        }
        _ => {}
    }
}
