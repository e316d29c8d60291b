//! Binding and eviction of pods.

use std::sync::Arc;

use landfall_object::Gvk;
use serde_json::{Value, json};

use super::Call;
use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::dispatch::Target;
use crate::clock::rfc3339;
use crate::plane::Plane;
use crate::selector::LabelSelector;
use crate::status::{Cause, Status};
use crate::world::{Actor, DeleteOptions, ObjectRef, Part, Stored, World};

impl World {
    /// Assigns a pod to a node, as the scheduler does by `/binding`.
    pub fn bind_pod(&mut self, actor: &Actor, pod: &ObjectRef, node: &str) -> Result<Arc<Stored>, Status> {
        let current = self.get("pods", &pod.namespace, &pod.name)?;
        let conflict = |why: &str| Err(Status::conflict("", "pods/binding", &pod.name, why));
        if current.is_deleting() {
            return conflict(&format!("pod {} is being deleted, cannot be assigned to a host", pod.name));
        }
        let bound = current["spec"]["nodeName"].as_str().unwrap_or_default();
        if !bound.is_empty() {
            return conflict(&format!("pod {} is already assigned to node \"{bound}\"", pod.name));
        }
        let now = rfc3339(self.now());
        self.modify(actor, pod, Part::Binding, |pod| {
            pod["spec"]["nodeName"] = json!(node);
            let condition = json!({
                "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": now,
            });
            match pod["status"]["conditions"].as_array_mut() {
                Some(conditions) => {
                    conditions.retain(|known| known["type"] != "PodScheduled");
                    conditions.push(condition);
                }
                None => pod["status"]["conditions"] = json!([condition]),
            }
        })
    }
}

pub(crate) fn bind(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let gvk = Gvk::new("", "v1", "Binding");
    let (binding, _) = body::typed(&plane.schemas(), &gvk, &call.headers, &call.body, FieldValidation::Warn)?;
    let name = binding["metadata"]["name"].as_str().unwrap_or_default();
    let name = if target.path.name.is_empty() { name } else { &target.path.name };
    let pod = ObjectRef { resource: "pods".into(), namespace: target.path.namespace.clone(), name: name.to_owned() };
    let node = binding["target"]["name"].as_str().unwrap_or_default();
    if node.is_empty() {
        let error = crate::status::FieldError::required("target.name", "");
        return Err(Status::invalid("", "Binding", name, vec![error]));
    }
    let actor = call.actor();
    if call.query.effect("CreateOptions")? == crate::world::Effect::Commit {
        plane.world.lock().bind_pod(&actor, &pod, node)?;
    }
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Answer::value(201, &status, call.accept.encoding))
}

pub(crate) fn evict(plane: &Arc<Plane>, call: &Call, target: &Target<'_>) -> Result<Answer, Status> {
    let gvk = Gvk::new("policy", "v1", "Eviction");
    let (eviction, _) = body::typed(&plane.schemas(), &gvk, &call.headers, &call.body, FieldValidation::Warn)?;
    let path = target.path;
    let given = eviction["metadata"]["name"].as_str().unwrap_or_default();
    if !given.is_empty() && given != path.name {
        return Err(Status::bad_request("name in URL does not match name in Eviction object"));
    }
    let mut world = plane.world.lock();
    let pod = world.get("pods", &path.namespace, &path.name)?;
    let over = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed" | "Pending"));
    if !over {
        check_budgets(&world, &pod)?;
    }
    let given = &eviction["deleteOptions"];
    let options = DeleteOptions {
        grace_seconds: given["gracePeriodSeconds"].as_i64(),
        uid: given["preconditions"]["uid"].as_str().map(str::to_owned),
        effect: call.query.effect("CreateOptions")?,
        ..DeleteOptions::default()
    };
    let pods = world.resource("pods")?;
    world.delete_as(&call.actor(), &pods, &path.namespace, &path.name, &options)?;
    drop(world);
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Answer::value(201, &status, call.accept.encoding))
}

/// 429 when a disruption budget has nothing left.
fn check_budgets(world: &World, pod: &Stored) -> Result<(), Status> {
    let budgets: Vec<_> = world
        .list("poddisruptionbudgets.policy", Some(pod.namespace()))
        .filter(|budget| LabelSelector::from_value(&budget["spec"]["selector"]).matches(&pod["metadata"]["labels"]))
        .collect();
    if budgets.len() > 1 {
        return Err(Status::internal(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        ));
    }
    let Some(budget) = budgets.first() else { return Ok(()) };
    let name = budget.name();
    let status = &budget["status"];
    let number = |field: &str| status.get(field).and_then(Value::as_i64).unwrap_or(0);
    if number("disruptionsAllowed") > 0 {
        return Ok(());
    }
    let cause = Cause {
        reason: "DisruptionBudget".to_owned(),
        message: format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            number("desiredHealthy"),
            number("currentHealthy")
        ),
        field: String::new(),
    };
    Err(Status::too_many_requests("Cannot evict pod as it would violate the pod's disruption budget.", vec![cause]))
}
