//! Making and removing pods on behalf of a controller, and saying so (`controller_utils.go`, RealPodControl).

use landfall_apiserver::Status;
use serde_json::{Value, json};

use super::desk::{Desk, EventType, Found};
use super::fields::{controller_reference, map, name, namespace};
use super::kind::POD;

/// A pod from `template`, owned by `owner`, named by the owner's name and a generated suffix.
pub(super) fn from_template(template: &Value, owner: &Value) -> Value {
    let mut metadata = json!({
        "generateName": format!("{}-", name(owner)),
        "namespace": namespace(owner),
        "ownerReferences": [controller_reference(owner)],
    });
    for part in ["labels", "annotations"] {
        if let Some(entries) = map(template, &format!("/metadata/{part}")).filter(|m| !m.is_empty()) {
            metadata[part] = Value::Object(entries.clone());
        }
    }
    if let Some(finalizers) = template.pointer("/metadata/finalizers") {
        metadata["finalizers"] = finalizers.clone();
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template.get("spec").cloned().unwrap_or_else(|| json!({})),
    })
}

/// The most pods the simulation holds: a chart that asks for billions must not take the machine with it.
const MOST_PODS: usize = 10_000;

/// Creates a pod unless there are too many already.
pub(super) fn create_within_limit(desk: &mut Desk<'_>, pod: Value) -> Result<Found, Status> {
    if desk.world().count(POD.id) >= MOST_PODS {
        let why = format!("the embedded cluster holds at most {MOST_PODS} pods");
        return Err(Status::forbidden("", "pods", "", why));
    }
    desk.create(&POD, pod)
}

/// Creates a pod and reports it on the owner.
pub(super) fn create(desk: &mut Desk<'_>, pod: Value, owner: &Value) -> Result<Found, Status> {
    match create_within_limit(desk, pod) {
        Ok(created) => {
            desk.event(owner, EventType::Normal, "SuccessfulCreate", &format!("Created pod: {}", name(&created)));
            Ok(created)
        }
        Err(refusal) => {
            if !is_namespace_terminating(&refusal) {
                let message = format!("Error creating: {}", refusal.message);
                desk.event(owner, EventType::Warning, "FailedCreate", &message);
            }
            Err(refusal)
        }
    }
}

/// Deletes a pod with its grace and reports it on the owner.
pub(super) fn delete(desk: &mut Desk<'_>, pod: &Value, owner: &Value) -> Result<(), Status> {
    match desk.delete(&POD, namespace(pod), name(pod)) {
        Ok(()) => {
            desk.event(owner, EventType::Normal, "SuccessfulDelete", &format!("Deleted pod: {}", name(pod)));
            Ok(())
        }
        Err(refusal) => {
            desk.event(owner, EventType::Warning, "FailedDelete", &format!("Error deleting: {}", refusal.message));
            Err(refusal)
        }
    }
}

/// Whether a write was refused because the namespace is on its way out, which nobody needs to report.
pub(super) fn is_namespace_terminating(refusal: &Status) -> bool {
    refusal.details.as_ref().is_some_and(|d| d.causes.iter().any(|c| c.reason == "NamespaceTerminating"))
}

/// Attempts in batches of 1, 2, 4, … that stop after the first batch with a failure (`slowStartBatch`).
///
/// Gives the number of successes and the first refusal.
pub(super) fn slow_start(
    wanted: usize,
    mut attempt: impl FnMut(usize) -> Result<(), Status>,
) -> (usize, Option<Status>) {
    let (mut done, mut successes, mut batch) = (0, 0, 1);
    while done < wanted {
        let size = batch.min(wanted - done);
        let mut refused = None;
        for index in done..done + size {
            match attempt(index) {
                Ok(()) => successes += 1,
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        if refused.is_some() {
            return (successes, refused);
        }
        done += size;
        batch *= 2;
    }
    (successes, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_start_stops_after_the_batch_that_failed() {
        let mut tried = 0;
        let (successes, refused) = slow_start(100, |index| {
            tried += 1;
            if index >= 2 { Err(Status::bad_request("full")) } else { Ok(()) }
        });
        assert_eq!((tried, successes), (3, 2));
        assert!(refused.is_some());
    }
}
