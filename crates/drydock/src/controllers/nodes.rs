//! Nodes: made at the start, kept ready.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::{DeleteOptions, Status, rfc3339};
use landfall_object::SIMULATED;
use serde_json::{Value, json};

use super::desk::{Desk, Found, Outcome};
use super::fields::{annotation, child, condition, name, namespace, text, uid};
use super::kind::{NODE, POD};
use super::loops::{After, Call, Loop, Wake};
use super::queue::Role;

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

/// Since when nodes that pods name have been missing.
pub(super) type Missing = BTreeMap<String, Timestamp>;

/// How long a node may be missing before its pods go (`pkg/controller/podgc`).
const QUARANTINE: SignedDuration = SignedDuration::from_secs(40);

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop =
    Loop { role: Role::Node, kinds: &[NODE], wakes: &[Wake { after: After::These(&[POD.id]), queue: of_pod }] };

/// A pod may be on a node that is not there any more.
fn of_pod(call: &mut Call<'_>) {
    let node = text(call.object(), "/spec/nodeName");
    if !node.is_empty() && !call.is_deleted() && call.world.find(NODE.qualified(), "", node).is_none() {
        call.look_at(&NODE, "", node);
    }
}

/// Keeps one node's conditions; without the node, lets its pods go.
pub(super) fn reconcile(desk: &mut Desk<'_>, missing: &mut Missing, node_name: &str) -> Result<Outcome, Status> {
    let Some(node) = desk.get(&NODE, "", node_name) else { return collect(desk, missing, node_name) };
    missing.remove(node_name);
    // A stranger's node is ready once somebody says so who looks after it.
    if !is_simulated(&node) && condition(&node, "Ready").is_none_or(|ready| text(ready, "/status") != "True") {
        return Ok(Outcome::done());
    }
    if condition(&node, "Ready").is_some() {
        let mut ready = node.value().clone();
        landfall_apiserver::untaint(&mut ready);
        if &ready != node.value() {
            desk.update(&NODE, ready)?;
        }
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

/// Whether a node's kubelet is the simulated one. Nodes that others register are theirs: their own agents would fight with it.
pub(crate) fn is_simulated(node: &Value) -> bool {
    annotation(node, SIMULATED).is_some()
}

/// Pods of a node that has been missing for a while go at once: nobody is there to end them.
fn collect(desk: &mut Desk<'_>, missing: &mut Missing, node_name: &str) -> Result<Outcome, Status> {
    let pods: Vec<Found> =
        desk.list(&POD, "").into_iter().filter(|pod| text(pod, "/spec/nodeName") == node_name).collect();
    if pods.is_empty() {
        missing.remove(node_name);
        return Ok(Outcome::done());
    }
    let since = *missing.entry(node_name.to_owned()).or_insert(desk.now());
    let end = since.checked_add(QUARANTINE).unwrap_or(since);
    if desk.now() < end {
        return Ok(Outcome::again_at(Some(end)));
    }
    desk.speaks_as("pod-garbage-collector");
    for pod in &pods {
        let options =
            DeleteOptions { grace_seconds: Some(0), uid: Some(uid(pod).to_owned()), ..DeleteOptions::default() };
        desk.delete_with(&POD, namespace(pod), name(pod), options)?;
    }
    missing.remove(node_name);
    Ok(Outcome::done())
}
