//! Nodes: made at the start, kept ready.

use serde_json::{Value, json};

use super::desk::{Desk, Outcome};
use super::fields::{child, condition, text};
use super::kind::NODE;
use crate::clock::rfc3339;
use crate::status::Status;
use crate::world::{Actor, World};

/// A node of the embedded cluster; by default one with 4 CPU, 8 GiB and room for 110 pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// The name, also its hostname label.
    pub name: String,
    /// Cores, as a quantity.
    pub cpu: String,
    /// Memory, as a quantity.
    pub memory: String,
    /// The most pods.
    pub pods: u32,
    /// Further labels.
    pub labels: Vec<(String, String)>,
    /// Taints, as in `spec.taints`.
    pub taints: Vec<Value>,
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self {
            name: "landfall-0".to_owned(),
            cpu: "4".to_owned(),
            memory: "8Gi".to_owned(),
            pods: 110,
            labels: Vec::new(),
            taints: Vec::new(),
        }
    }
}

/// Makes the nodes where there are none.
pub(super) fn ensure(world: &mut World, specs: &[NodeSpec]) {
    if world.count(NODE.qualified()) > 0 {
        return;
    }
    let actor = Actor::system("kubelet");
    for (index, spec) in specs.iter().enumerate() {
        // A node whose name or quantities are wrong is left out: the cluster then says that it has none.
        if let Err(refusal) = world
            .create(&actor, NODE.qualified(), node(spec, index))
            .and_then(|made| world.update_status(&actor, NODE.qualified(), with_status(&made, spec, index)))
        {
            tracing::warn!(node = spec.name, %refusal, "node not made");
        }
    }
}

fn node(spec: &NodeSpec, index: usize) -> Value {
    let mut labels = json!({
        "kubernetes.io/hostname": spec.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": "amd64",
        "landfall.dev/simulated": "true",
    });
    if index == 0 {
        labels["node-role.kubernetes.io/control-plane"] = "true".into();
    }
    for (key, value) in &spec.labels {
        labels[key] = value.clone().into();
    }
    let mut node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": spec.name, "labels": labels},
        "spec": {"podCIDR": format!("10.42.{index}.0/24"), "podCIDRs": [format!("10.42.{index}.0/24")]},
    });
    if !spec.taints.is_empty() {
        node["spec"]["taints"] = spec.taints.clone().into();
    }
    node
}

fn with_status(made: &Value, spec: &NodeSpec, index: usize) -> Value {
    let mut node = made.clone();
    let resources = json!({
        "cpu": spec.cpu, "memory": spec.memory, "pods": spec.pods.to_string(), "ephemeral-storage": "100Gi",
    });
    node["status"] = json!({
        "capacity": resources,
        "allocatable": resources,
        "addresses": [
            {"type": "InternalIP", "address": format!("10.0.0.{}", index + 1)},
            {"type": "Hostname", "address": spec.name},
        ],
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "osImage": "simulated", "kernelVersion": "simulated",
            "kubeletVersion": "v1.36.3+landfall", "kubeProxyVersion": "", "containerRuntimeVersion": "simulated://1",
            "machineID": "", "systemUUID": "", "bootID": "",
        },
    });
    node
}

/// Keeps one node's conditions.
pub(super) fn reconcile(desk: &mut Desk<'_>, name: &str) -> Result<Outcome, Status> {
    let Some(node) = desk.get(&NODE, "", name) else { return Ok(Outcome::done()) };
    if condition(&node, "Ready").is_some() {
        return Ok(Outcome::done());
    }
    let now = rfc3339(desk.now());
    let made = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message,
               "lastHeartbeatTime": now, "lastTransitionTime": now})
    };
    let mut changed = node.value().clone();
    let status = child(&mut changed, "status");
    status["conditions"] = json!([
        made("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        made("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        made("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        made("Ready", "True", "KubeletReady", "kubelet is posting ready status (simulated)"),
    ]);
    if text(status, "/phase").is_empty() && status.get("daemonEndpoints").is_none() {
        status["daemonEndpoints"] = json!({"kubeletEndpoint": {"Port": 10250}});
    }
    desk.update_status(&NODE, changed)?;
    Ok(Outcome::done())
}
