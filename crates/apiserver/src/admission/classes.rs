//! Default storage and ingress classes, protection and growth of volumes.

use landfall_object::Quantity;
use serde_json::{Value, json};

use super::{Operation, Review};
use crate::status::Status;
use crate::world::{Stored, World};

/// DefaultStorageClass.
pub(super) fn storage(world: &World, review: &mut Review<'_>) {
    const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
    if !review.creates("persistentvolumeclaims")
        || !review.object["spec"]["storageClassName"].is_null()
        || review.object["metadata"]["annotations"].get("volume.beta.kubernetes.io/storage-class").is_some()
    {
        return;
    }
    if let Some(name) = newest(world.list("storageclasses.storage.k8s.io", None).map(|class| &**class), DEFAULT) {
        review.object["spec"]["storageClassName"] = json!(name);
    }
}

/// DefaultIngressClass.
pub(super) fn ingress(world: &World, review: &mut Review<'_>) {
    const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
    if !review.creates("ingresses.networking.k8s.io")
        || review.object["spec"]["ingressClassName"].is_string()
        || review.object["metadata"]["annotations"].get("kubernetes.io/ingress.class").is_some()
    {
        return;
    }
    if let Some(name) = newest(world.list("ingressclasses.networking.k8s.io", None).map(|class| &**class), DEFAULT) {
        review.object["spec"]["ingressClassName"] = json!(name);
    }
}

/// Of several defaults the newest counts, then the first by name.
fn newest<'a>(classes: impl Iterator<Item = &'a Stored>, annotation: &str) -> Option<String> {
    let mut chosen: Option<&Stored> = None;
    for class in classes.filter(|class| class.annotation(annotation) == Some("true")) {
        let created = |class: &Stored| class["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
        if chosen.is_none_or(|known| created(class) > created(known)) {
            chosen = Some(class);
        }
    }
    chosen.map(|class| class.name().to_owned())
}

/// StorageObjectInUseProtection.
pub(super) fn protect_volumes(review: &mut Review<'_>) {
    let finalizer = if review.creates("persistentvolumeclaims") {
        "kubernetes.io/pvc-protection"
    } else if review.creates("persistentvolumes") {
        "kubernetes.io/pv-protection"
    } else {
        return;
    };
    let finalizers = &mut review.object["metadata"]["finalizers"];
    match finalizers.as_array_mut() {
        Some(list) if list.iter().any(|known| known == finalizer) => {}
        Some(list) => list.push(json!(finalizer)),
        None => *finalizers = json!([finalizer]),
    }
}

/// TaintNodesByCondition: a new node takes no pods until it is known to be ready.
pub(super) fn taint(review: &mut Review<'_>) {
    if !review.creates("nodes") {
        return;
    }
    let taints = &mut review.object["spec"]["taints"];
    let taint = json!({"key": NOT_READY, "effect": "NoSchedule"});
    match taints.as_array_mut() {
        Some(list) if list.contains(&taint) => {}
        Some(list) => list.push(taint),
        None => *taints = json!([taint]),
    }
}

/// Takes away what [`taint`] put on a node.
pub fn untaint(node: &mut Value) {
    let Some(spec) = node.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let Some(list) = spec.get_mut("taints").and_then(Value::as_array_mut) else { return };
    list.retain(|taint| taint["key"] != NOT_READY);
    if list.is_empty() {
        spec.remove("taints");
    }
}

const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// PersistentVolumeClaimResize: only claims of a class that allows it may grow.
pub(super) fn resize(world: &World, review: &Review<'_>) -> Result<(), Status> {
    if &*review.resource.id != "persistentvolumeclaims"
        || review.operation != Operation::Update
        || !review.subresource.is_empty()
    {
        return Ok(());
    }
    let Some(old) = review.old else { return Ok(()) };
    let size = |claim: &Value| Quantity::from_json(&claim["spec"]["resources"]["requests"]["storage"]).ok();
    let (Some(before), Some(after)) = (size(old), size(review.object)) else { return Ok(()) };
    if after <= before || old["status"]["phase"] != "Bound" {
        return Ok(());
    }
    let class = old["spec"]["storageClassName"].as_str().unwrap_or_default();
    let allowed = world
        .find("storageclasses.storage.k8s.io", "", class)
        .is_some_and(|class| class["allowVolumeExpansion"] == true);
    if allowed {
        return Ok(());
    }
    Err(review.forbid(
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
    ))
}
