//! Priority and DefaultTolerationSeconds.

use serde_json::{Value, json};

use super::{Operation, Review};
use crate::status::Status;
use crate::world::World;

pub(super) fn priority(world: &World, review: &mut Review<'_>) -> Result<(), Status> {
    if &*review.resource.id == "pods" && review.operation == Operation::Update && review.subresource.is_empty() {
        // What was computed at creation stays when the client leaves it out.
        for field in ["priority", "preemptionPolicy"] {
            let before = review.old.map_or(Value::Null, |old| old["spec"][field].clone());
            if review.object["spec"][field].is_null() && !before.is_null() {
                review.object["spec"][field] = before;
            }
        }
        return Ok(());
    }
    if !review.creates("pods") {
        return Ok(());
    }
    let name = review.object["spec"]["priorityClassName"].as_str().unwrap_or_default().to_owned();
    let class = if name.is_empty() {
        world.list("priorityclasses.scheduling.k8s.io", None).find(|class| class["globalDefault"] == true).cloned()
    } else {
        match world.find("priorityclasses.scheduling.k8s.io", "", &name) {
            Some(class) => Some(class),
            None => return Err(review.forbid(format!("no PriorityClass with name {name} was found"))),
        }
    };
    let value = class.as_ref().map_or(0, |class| class["value"].as_i64().unwrap_or(0));
    let policy = class.as_ref().and_then(|class| class["preemptionPolicy"].as_str()).unwrap_or("PreemptLowerPriority");
    let given = review.object["spec"]["priority"].as_i64();
    if let Some(given) = given.filter(|given| *given != value) {
        return Err(review.forbid(format!(
            "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {value} from the given PriorityClass name"
        )));
    }
    let spec = &mut review.object["spec"];
    if let Some(class) = &class {
        spec["priorityClassName"] = json!(class.name());
    }
    spec["priority"] = json!(value);
    spec["preemptionPolicy"] = json!(policy);
    Ok(())
}

/// Only one class is for pods that name none.
pub(super) fn one_default(world: &World, review: &Review<'_>) -> Result<(), Status> {
    let is_class = &*review.resource.id == "priorityclasses.scheduling.k8s.io" && review.subresource.is_empty();
    if !is_class || review.operation == Operation::Delete || review.object["globalDefault"] != true {
        return Ok(());
    }
    let classes = world.list("priorityclasses.scheduling.k8s.io", None);
    let lowest = classes.filter(|class| class["globalDefault"] == true).min_by_key(|class| class["value"].as_i64());
    match lowest {
        Some(other) if review.operation == Operation::Create || review.object["metadata"]["name"] != other.name() => {
            let name = other.name();
            Err(review.forbid(format!("PriorityClass {name} is already marked as default. Only one default can exist")))
        }
        _ => Ok(()),
    }
}

pub(super) fn tolerations(review: &mut Review<'_>) {
    if &*review.resource.id != "pods" || !review.subresource.is_empty() || review.operation == Operation::Delete {
        return;
    }
    let mut tolerations = review.object["spec"]["tolerations"].as_array().cloned().unwrap_or_default();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let covered = tolerations.iter().any(|toleration| {
            let of = |field: &str| toleration[field].as_str().unwrap_or_default();
            (of("key") == key || of("key").is_empty()) && matches!(of("effect"), "" | "NoExecute")
        });
        if !covered {
            tolerations
                .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
        }
    }
    review.object["spec"]["tolerations"] = Value::Array(tolerations);
}
