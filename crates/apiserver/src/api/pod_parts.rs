//! Binding of pods to nodes.

use std::sync::Arc;

use landfall_object::Gvk;
use serde_json::{Map, Value, json};

use super::Call;
use super::answer::Answer;
use super::body::{self, FieldValidation};
use super::target::Target;
use crate::clock::rfc3339;
use crate::plane::Plane;
use crate::status::{FieldError, Status};
use crate::world::{Actor, ObjectRef, Part, Stored, World};

/// Where a pod is to run, and what whoever decided it says of the choice, such as which device it gets.
struct Assignment<'a> {
    node: &'a str,
    annotations: Option<&'a Map<String, Value>>,
    labels: Option<&'a Map<String, Value>>,
}

impl World {
    /// Assigns a pod to a node, as the scheduler does by `/binding`.
    pub fn bind_pod(&mut self, actor: &Actor, pod: &ObjectRef, node: &str) -> Result<Arc<Stored>, Status> {
        self.assign_pod(actor, pod, &Assignment { node, annotations: None, labels: None })
    }

    /// As `assignPod` and `setPodNodeAndMetadata` (`pkg/registry/core/pod/storage/storage.go`): what the binding says replaces what
    /// the pod said under the same name.
    fn assign_pod(
        &mut self,
        actor: &Actor,
        pod: &ObjectRef,
        assignment: &Assignment<'_>,
    ) -> Result<Arc<Stored>, Status> {
        let current = self.get("pods", &pod.namespace, &pod.name)?;
        let conflict = |why: &str| Err(Status::conflict("", "pods/binding", &pod.name, why));
        if current.is_deleting() {
            return conflict(&format!("pod {} is being deleted, cannot be assigned to a host", pod.name));
        }
        let bound = current["spec"]["nodeName"].as_str().unwrap_or_default();
        if !bound.is_empty() {
            return conflict(&format!("pod {} is already assigned to node \"{bound}\"", pod.name));
        }
        if current["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
            return conflict(&format!("pod {} has non-empty .spec.schedulingGates", pod.name));
        }
        let now = rfc3339(self.now());
        self.modify(actor, pod, Part::Binding, |pod| {
            pod["spec"]["nodeName"] = json!(assignment.node);
            for (field, added) in [("annotations", assignment.annotations), ("labels", assignment.labels)] {
                for (name, value) in added.into_iter().flatten() {
                    pod["metadata"][field][name] = value.clone();
                }
            }
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
    let kind = binding["target"]["kind"].as_str().unwrap_or_default();
    let mut errors = Vec::new();
    if !matches!(kind, "" | "Node") {
        errors.push(FieldError::not_supported("target.kind", kind, &["Node", "<empty>"]).to_string());
    }
    if node.is_empty() {
        errors.push(FieldError::required("target.name", "").to_string());
    }
    // The real server hands these on without a code of their own.
    match errors.as_slice() {
        [] => {}
        [one] => return Err(Status::plain_error(one.as_str())),
        several => return Err(Status::plain_error(format!("[{}]", several.join(", ")))),
    }
    let actor = call.actor();
    if call.query.effect("CreateOptions")? == crate::world::Effect::Commit {
        let metadata = |field: &str| binding["metadata"][field].as_object();
        let assignment = Assignment { node, annotations: metadata("annotations"), labels: metadata("labels") };
        plane.world.lock().assign_pod(&actor, &pod, &assignment)?;
    }
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201});
    Ok(Answer::value(201, &status, call.accept.encoding))
}
