//! RuntimeClass: what a pod's runtime takes for itself, and the nodes that have it
//! (`plugin/pkg/admission/runtimeclass/admission.go`).

use std::collections::BTreeMap;

use landfall_object::Quantity;
use serde_json::{Value, json};

use super::Review;
use crate::status::Status;
use crate::world::World;

/// Gives a pod the overhead, the nodes and the tolerations of its class, and refuses what does not agree with them.
pub(super) fn assign(world: &World, review: &mut Review<'_>) -> Result<(), Status> {
    if !review.creates("pods") {
        return Ok(());
    }
    let name = review.object["spec"]["runtimeClassName"].as_str().map(str::to_owned);
    let overhead = Some(review.object["spec"]["overhead"].clone()).filter(|it| !it.is_null());
    let class = match &name {
        None => None,
        Some(name) => match world.find("runtimeclasses.node.k8s.io", "", name) {
            None => return Err(review.forbid(format!("pod rejected: RuntimeClass {name:?} not found"))),
            class => class,
        },
    };
    let fixed = class.as_ref().map(|class| &class["overhead"]["podFixed"]).filter(|it| it.is_object()).cloned();
    match (fixed, overhead) {
        (None, Some(_)) => {
            return Err(
                review.forbid("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
            );
        }
        (Some(fixed), Some(given)) if !are_equal(&fixed, &given) => {
            return Err(review.forbid("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"));
        }
        (Some(fixed), _) => review.object["spec"]["overhead"] = fixed,
        (None, None) => {}
    }
    let Some(class) = class else { return Ok(()) };
    place(review, &class["scheduling"])
}

/// Whether two lists of amounts are the same, however each is written.
fn are_equal(one: &Value, other: &Value) -> bool {
    let read = |amounts: &Value| -> Option<BTreeMap<String, Quantity>> {
        let amounts = amounts.as_object()?.iter();
        amounts.map(|(name, amount)| Some((name.clone(), Quantity::from_json(amount).ok()?))).collect()
    };
    read(one) == read(other)
}

/// Brings the class's selector of nodes and its tolerations into the pod's.
fn place(review: &mut Review<'_>, scheduling: &Value) -> Result<(), Status> {
    for (key, value) in scheduling["nodeSelector"].as_object().into_iter().flatten() {
        let own = &review.object["spec"]["nodeSelector"][key];
        if !own.is_null() && own != value {
            let (wanted, own) = (value.as_str().unwrap_or_default(), own.as_str().unwrap_or_default());
            let why = format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {wanted}; pod.spec.nodeSelector[{key}] = {own}"
            );
            return Err(review.forbid(why));
        }
    }
    let spec = &mut review.object["spec"];
    for (key, value) in scheduling["nodeSelector"].as_object().into_iter().flatten() {
        spec["nodeSelector"][key] = value.clone();
    }
    let more = scheduling["tolerations"].as_array().into_iter().flatten();
    let own = spec["tolerations"].as_array().cloned().unwrap_or_default();
    let missing: Vec<Value> = more.filter(|it| !own.contains(it)).cloned().collect();
    if !missing.is_empty() {
        spec["tolerations"] = json!([own, missing].concat());
    }
    Ok(())
}
