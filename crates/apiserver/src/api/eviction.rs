//! Eviction: a deletion that disruption budgets may refuse (`pkg/registry/core/pod/storage/eviction.go`).

use std::sync::Arc;

use bytes::Bytes;
use landfall_object::Gvk;
use serde_json::{Value, json};

use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::target::Target;
use super::{Call, delete};
use crate::clock::rfc3339;
use crate::plane::Plane;
use crate::remarks::Remarks;
use crate::selector::LabelSelector;
use crate::status::{Cause, Status};
use crate::world::{Actor, DeleteOptions, Effect, ObjectRef, Part, Stored, Tracking, Update, VersionRule, World};

const BUDGETS: &str = "poddisruptionbudgets.policy";
const REFUSAL: &str = "Cannot evict pod as it would violate the pod's disruption budget.";
/// Evictions that the budget's controller has not confirmed; beyond this many no further one is let through.
const MOST_DISRUPTED: usize = 2000;

pub(crate) fn evict(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let gvk = Gvk::new("policy", "v1", "Eviction");
    let text = renamed(&call.body).unwrap_or_else(|| call.body.clone());
    let (eviction, _) = body::typed(&plane.schemas(), &gvk, &call.headers, &text, FieldValidation::Warn)?;
    let path = target.path;
    if eviction["metadata"]["name"].as_str().unwrap_or_default() != path.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let effect = call.query.effect("CreateOptions")?;
    let mut options = delete::from_value(&eviction["deleteOptions"], call, effect)?;
    let mut world = plane.world.lock();
    let pod = world.get("pods", &path.namespace, &path.name)?;
    if !needs_no_budget(&pod)
        && let Some(refusal) = ask_budgets(&mut world, &pod, options.effect)?
    {
        return Ok(Answer::value(201, &refusal, call.accept.encoding));
    }
    if options.effect == Effect::Commit {
        let marked = mark(&mut world, &call.actor(), &pod, &options)?;
        // The mark is a write of this eviction's own.
        options.version = options.version.map(|_| marked.version().to_string());
    }
    let pods = world.resource("pods")?;
    world.delete_as(&call.actor(), &pods, &path.namespace, &path.name, &options)?;
    drop(world);
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Answer::value(201, &status, call.accept.encoding))
}

/// The body of clients from before 1.22, whose version of it is still read.
fn renamed(body: &Bytes) -> Option<Bytes> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    if value["apiVersion"] != "policy/v1beta1" {
        return None;
    }
    value["apiVersion"] = json!("policy/v1");
    Some(value.to_string().into())
}

/// Whether the pod's going disrupts nothing: it does not run yet, no longer, or goes already.
fn needs_no_budget(pod: &Stored) -> bool {
    pod.is_deleting() || matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Pending"))
}

/// Takes one disruption from the budget that covers the pod; 429 when it has none left. What the real server answers
/// with 201 although it is a failure comes back as a value.
fn ask_budgets(world: &mut World, pod: &Stored, effect: Effect) -> Result<Option<Value>, Status> {
    let budgets: Vec<_> = world
        .list(BUDGETS, Some(pod.namespace()))
        .filter(|budget| LabelSelector::from_value(&budget["spec"]["selector"]).matches(&pod["metadata"]["labels"]))
        .cloned()
        .collect();
    let budget = match budgets.as_slice() {
        [] => return Ok(None),
        [budget] => budget,
        _ => {
            return Ok(Some(json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 500,
                "message": "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
            })));
        }
    };
    let healthy = number(budget, "currentHealthy");
    let desired = number(budget, "desiredHealthy");
    if !is_ready(pod) {
        let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
        if always || (healthy >= desired && desired > 0) {
            return Ok(None);
        }
    }
    take_one(world, pod, budget, effect).map(|()| None)
}

/// Whether the pod's Ready condition is `True`.
fn is_ready(pod: &Stored) -> bool {
    let conditions = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|condition| condition["type"] == "Ready").is_some_and(|ready| ready["status"] == "True")
}

fn number(budget: &Stored, field: &str) -> i64 {
    budget["status"][field].as_i64().unwrap_or(0)
}

/// Writes into the budget's status that one more pod goes (`checkAndDecrement`).
fn take_one(world: &mut World, pod: &Stored, budget: &Stored, effect: Effect) -> Result<(), Status> {
    let name = budget.name();
    let refuse = |retry_after: u32, message: String| {
        let cause = Cause { reason: "DisruptionBudget".to_owned(), message, field: String::new() };
        let mut status = Status::too_many_requests(REFUSAL, vec![cause]);
        if let Some(details) = &mut status.details {
            details.retry_after_seconds = retry_after;
        }
        Err(status)
    };
    if number(budget, "observedGeneration") < budget.generation() {
        return refuse(10, format!("The disruption budget {name} is still being processed by the server."));
    }
    let allowed = number(budget, "disruptionsAllowed");
    let forbid = |why| Err(Status::forbidden("policy", "poddisruptionbudget", name, why));
    if allowed < 0 {
        return forbid("pdb disruptions allowed is negative");
    }
    if budget["status"]["disruptedPods"].as_object().is_some_and(|pods| pods.len() > MOST_DISRUPTED) {
        return forbid("DisruptedPods map too big - too many evictions not confirmed by PDB controller");
    }
    if allowed == 0 {
        return refuse(0, why_none_is_left(budget));
    }
    if effect == Effect::DryRun {
        return Ok(());
    }
    let now = rfc3339(world.now());
    let reference =
        ObjectRef { resource: BUDGETS.into(), namespace: budget.namespace().to_owned(), name: name.to_owned() };
    world.modify(&Actor::system("kube-apiserver"), &reference, Part::Status, |budget| {
        let status = &mut budget["status"];
        status["disruptionsAllowed"] = json!(allowed - 1);
        status["disruptedPods"][pod.name()] = json!(now);
        if allowed > 1 {
            return;
        }
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            if condition["type"] == "DisruptionAllowed" {
                condition["status"] = json!("False");
                condition["reason"] = json!("InsufficientPods");
                condition["lastTransitionTime"] = json!(now);
            }
        }
    })?;
    Ok(())
}

fn why_none_is_left(budget: &Stored) -> String {
    let name = budget.name();
    let conditions = budget["status"]["conditions"].as_array().into_iter().flatten();
    let mut denied = conditions.filter(|c| c["type"] == "DisruptionAllowed" && c["status"] == "False");
    let (reason, message) = denied.next().map_or(("", ""), |condition| {
        (condition["reason"].as_str().unwrap_or_default(), condition["message"].as_str().unwrap_or_default())
    });
    let (healthy, desired) = (number(budget, "currentHealthy"), number(budget, "desiredHealthy"));
    let none = format!("The disruption budget {name} does not allow evicting pods currently");
    match message {
        message if !message.is_empty() && reason == "SyncFailed" => {
            format!("{none} because it failed sync: {message}")
        }
        _ if healthy <= desired => {
            format!("The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")
        }
        "" => none,
        message => format!("{none} ({reason}): {message}"),
    }
}

/// Writes into the pod's conditions why it goes; no field manager is recorded, as on the real server.
fn mark(world: &mut World, actor: &Actor, pod: &Stored, options: &DeleteOptions) -> Result<Arc<Stored>, Status> {
    let pods = world.resource("pods")?;
    let (uid, version) = (options.uid.clone(), options.version.clone());
    let now = rfc3339(world.now());
    let update = Update {
        actor,
        resource: &pods,
        namespace: pod.namespace(),
        name: pod.name(),
        part: Part::Status,
        effect: Effect::Commit,
        tracking: Tracking::Done,
        version_rule: VersionRule::Unconditional,
        remarks: &Remarks::default(),
    };
    world.update_as(update, |_, live| {
        let mismatch = |what: &str, asked: &str, there: &Value, fate: &str| {
            let why = format!(
                "the {what} in the precondition ({asked}) does not match the {what} in record ({}). The object might have been {fate}",
                there.as_str().unwrap_or_default(),
            );
            Err(Status::conflict("", "Pod", pod.name(), &why))
        };
        let metadata = &live["metadata"];
        if let Some(uid) = uid.filter(|uid| metadata["uid"] != uid.as_str()) {
            return mismatch("UID", &uid, &metadata["uid"], "deleted and then recreated");
        }
        if let Some(version) = version.filter(|version| metadata["resourceVersion"] != version.as_str()) {
            return mismatch("ResourceVersion", &version, &metadata["resourceVersion"], "modified");
        }
        let mut object = live.clone();
        let mut conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let mut made = json!({
            "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
            "message": "Eviction API: evicting", "lastProbeTime": null, "lastTransitionTime": now,
        });
        match conditions.iter_mut().find(|known| known["type"] == "DisruptionTarget") {
            Some(known) => {
                if known["status"] == "True" {
                    made["lastTransitionTime"] = known["lastTransitionTime"].clone();
                }
                *known = made;
            }
            None => conditions.push(made),
        }
        object["status"]["conditions"] = json!(conditions);
        Ok(object)
    })
}
