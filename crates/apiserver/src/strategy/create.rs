//! What the server fills in when an object is created.

use serde_json::{Value, json};

use super::{forget_empty_lists, gates, merge_string_data, service};
use crate::resource::Resource;
use crate::status::Status;
use crate::world::World;

/// Settles what clients may not set and what the server allocates; works on the stored version.
pub(crate) fn prepare_create(world: &mut World, resource: &Resource, object: &mut Value) -> Result<(), Status> {
    // A kubelet may bring its node's status along.
    if resource.has_status()
        && &*resource.id != "nodes"
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
    forget_empty_lists(resource, object);
    gates::drop_disabled(resource, object, None);
    match &*resource.id {
        "namespaces" => namespace(object),
        "pods" => pod(world, object),
        "jobs.batch" => job(object),
        "services" => service::create(world, object)?,
        "secrets" => merge_string_data(object),
        "persistentvolumeclaims" => object["status"] = json!({"phase": "Pending"}),
        "persistentvolumes" => {
            let now = crate::clock::rfc3339(world.now());
            object["status"] = json!({"phase": "Pending", "lastPhaseTransitionTime": now});
        }
        "nodes" if !object["status"].is_object() => {
            object["status"] = json!({
                "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
                "nodeInfo": {
                    "architecture": "", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "",
                    "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "", "operatingSystem": "", "osImage": "",
                    "systemUUID": "",
                },
            })
        }
        "customresourcedefinitions.apiextensions.k8s.io" => crate::crd::prepare(object),
        "certificatesigningrequests.certificates.k8s.io" => object["status"] = json!({}),
        "deployments.apps"
        | "replicasets.apps"
        | "daemonsets.apps"
        | "statefulsets.apps"
        | "cronjobs.batch"
        | "poddisruptionbudgets.policy"
        | "horizontalpodautoscalers.autoscaling"
        | "resourcequotas"
        | "replicationcontrollers"
        | "ingresses.networking.k8s.io"
        | "validatingadmissionpolicies.admissionregistration.k8s.io"
        | "apiservices.apiregistration.k8s.io" => {
            empty_status(resource, object);
        }
        _ => {}
    }
    Ok(())
}

/// Go's non-pointer status fields show even when nothing is known yet.
fn empty_status(resource: &Resource, object: &mut Value) {
    object["status"] = match &*resource.id {
        "replicasets.apps" | "replicationcontrollers" => json!({"replicas": 0}),
        "statefulsets.apps" => json!({"availableReplicas": 0, "replicas": 0}),
        "daemonsets.apps" => {
            json!({"currentNumberScheduled": 0, "desiredNumberScheduled": 0, "numberMisscheduled": 0, "numberReady": 0})
        }
        "poddisruptionbudgets.policy" => {
            json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0})
        }
        "horizontalpodautoscalers.autoscaling" => json!({"currentMetrics": null, "desiredReplicas": 0}),
        "ingresses.networking.k8s.io" => json!({"loadBalancer": {}}),
        _ => json!({}),
    };
}

fn namespace(object: &mut Value) {
    let finalizers = object["spec"]["finalizers"].as_array().cloned().unwrap_or_default();
    let mut finalizers: Vec<Value> = finalizers;
    if !finalizers.iter().any(|known| known == "kubernetes") {
        finalizers.push(json!("kubernetes"));
    }
    object["spec"]["finalizers"] = Value::Array(finalizers);
    object["status"] = json!({"phase": "Active"});
    // Defaulting set it where the name was given; a generated one is known by now.
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"].clone();
}

fn pod(world: &World, object: &mut Value) {
    let grace = &mut object["spec"]["terminationGracePeriodSeconds"];
    if grace.as_i64().is_some_and(|seconds| seconds < 0) {
        *grace = json!(1);
    }
    object["status"] = json!({"phase": "Pending", "qosClass": qos_class(&object["spec"])});
    if object["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty()) {
        object["status"]["conditions"] = json!([{
            "lastProbeTime": null, "lastTransitionTime": crate::clock::rfc3339(world.now()), "message": "Scheduling is blocked due to non-empty scheduling gates",
            "reason": "SchedulingGated", "status": "False", "type": "PodScheduled",
        }]);
    }
}

/// `Guaranteed`, `Burstable` or `BestEffort` (pkg/apis/core/v1/helper/qos).
pub(crate) fn qos_class(spec: &Value) -> &'static str {
    let mut any = false;
    let mut guaranteed = true;
    let containers =
        ["containers", "initContainers"].into_iter().flat_map(|field| spec[field].as_array().into_iter().flatten());
    for container in containers {
        for resource in ["cpu", "memory"] {
            let zero =
                |value: &Value| value.is_null() || matches!(value.as_str(), Some("0")) || value.as_i64() == Some(0);
            let (request, limit) =
                (&container["resources"]["requests"][resource], &container["resources"]["limits"][resource]);
            any |= !zero(request) || !zero(limit);
            guaranteed &= !zero(limit) && (zero(request) || same_quantity(request, limit));
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

fn same_quantity(a: &Value, b: &Value) -> bool {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (text(a).parse::<landfall_object::Quantity>(), text(b).parse::<landfall_object::Quantity>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn job(object: &mut Value) {
    object["status"] = json!({});
    generate_selector(object);
    // Defaulted when read back: a job without labels has its template's.
    let unlabelled = object["metadata"]["labels"].as_object().is_none_or(serde_json::Map::is_empty);
    let labels = &object["spec"]["template"]["metadata"]["labels"];
    if unlabelled && labels.as_object().is_some_and(|labels| !labels.is_empty()) {
        object["metadata"]["labels"] = labels.clone();
    }
}

fn generate_selector(object: &mut Value) {
    if object["spec"]["manualSelector"] == true {
        return;
    }
    let name = object["metadata"]["name"].clone();
    let uid = object["metadata"]["uid"].clone();
    let labels = &mut object["spec"]["template"]["metadata"]["labels"];
    for (label, value) in [
        ("job-name", &name),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("batch.kubernetes.io/controller-uid", &uid),
    ] {
        if labels.get(label).is_none() {
            labels[label] = value.clone();
        }
    }
    // Reading back defaults once more: a job without labels gets its template's.
    if object["metadata"]["labels"].as_object().is_none_or(|labels| labels.is_empty()) {
        object["metadata"]["labels"] = object["spec"]["template"]["metadata"]["labels"].clone();
    }
    let selector = &mut object["spec"]["selector"]["matchLabels"];
    if selector.get("batch.kubernetes.io/controller-uid").is_none() {
        selector["batch.kubernetes.io/controller-uid"] = uid;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qos_follows_requests_and_limits() {
        let spec = |resources: Value| json!({"containers": [{"resources": resources}]});
        assert_eq!(qos_class(&spec(json!({}))), "BestEffort");
        assert_eq!(qos_class(&spec(json!({"requests": {"cpu": "1"}}))), "Burstable");
        let same = json!({"cpu": "1", "memory": "1Gi"});
        assert_eq!(qos_class(&spec(json!({"requests": same, "limits": same}))), "Guaranteed");
    }
}
