//! Nodes: made at the start, kept ready.

use serde_json::{Value, json};

use super::desk::{Desk, Outcome};
use super::fields::{child, condition, text};
use super::kind::NODE;
use crate::clock::rfc3339;
use crate::status::Status;

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

impl NodeSpec {
    /// A node of that name with so much CPU and memory, as quantities.
    pub fn named(name: impl Into<String>, cpu: &str, memory: &str) -> Self {
        Self { name: name.into(), cpu: cpu.to_owned(), memory: memory.to_owned(), ..Self::default() }
    }
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
