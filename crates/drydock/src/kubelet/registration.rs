//! Nodes as their kubelets register them in a new cluster.

use landfall_apiserver::{Actor, ObjectRef, Part, Status, World, rfc3339, untaint};
use landfall_object::SIMULATED;
use serde_json::json;

use crate::controllers::NodeSpec;

/// Makes the nodes in a world that has none yet.
///
/// # Errors
/// What the world itself refuses.
pub(crate) fn register(world: &mut World, nodes: &[NodeSpec]) -> Result<(), Status> {
    let actor = Actor::system("kube-apiserver");
    for (index, spec) in nodes.iter().enumerate() {
        node(world, &actor, index, spec)?;
    }
    Ok(())
}

fn node(world: &mut World, actor: &Actor, index: usize, spec: &NodeSpec) -> Result<(), Status> {
    let name = spec.name.clone();
    let mut labels = json!({
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
    });
    if index == 0 {
        labels["node-role.kubernetes.io/control-plane"] = json!("true");
    }
    for (key, value) in &spec.labels {
        labels[key] = json!(value);
    }
    let [a, b] = world.settings().pod_network;
    let range = format!("{a}.{b}.{index}.0/24");
    let mut node = json!({
        "metadata": {"name": name, "labels": labels, "annotations": {SIMULATED: "true"}},
        "spec": {"podCIDR": range, "podCIDRs": [range], "providerID": format!("landfall://{name}")},
    });
    if !spec.taints.is_empty() {
        node["spec"]["taints"] = json!(spec.taints);
    }
    world.create(actor, "nodes", node)?;
    let now = rfc3339(world.now());
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    let resources = json!({
        "cpu": spec.cpu, "memory": spec.memory, "ephemeral-storage": "100Gi", "pods": spec.pods.to_string(),
    });
    let version = format!("v{}", landfall_object::schema::Schemas::builtin().kubernetes_version());
    let status = json!({
        "capacity": resources,
        "allocatable": resources,
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status (simulated)"),
        ],
        "addresses": [
            {"type": "InternalIP", "address": format!("10.0.0.{}", index + 1)},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "osImage": "Landfall (simulated)",
            "kernelVersion": "simulated", "containerRuntimeVersion": "landfall://simulated",
            "kubeletVersion": version, "kubeProxyVersion": version,
            "bootID": "", "machineID": "", "systemUUID": "",
        },
    });
    let reference = ObjectRef { resource: "nodes".into(), namespace: String::new(), name };
    world.modify(&Actor::system("kubelet"), &reference, Part::Status, |node| node["status"] = status)?;
    world.modify(&Actor::system("kube-controller-manager"), &reference, Part::Main, untaint)?;
    Ok(())
}
