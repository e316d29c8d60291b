//! What pods wait for: a node to run on, and what they refer to.

use landfall_apiserver::{Change, Stored};
use landfall_object::references::provides;
use serde_json::Value;

use super::fields::{is_true, list, text};
use super::kind::{CLAIM, CONFIG_MAP, NAMESPACE, NODE, POD, SECRET, STORAGE_CLASS, VOLUME};
use super::loops::{After, Call, Loop, Wake};
use super::pods::is_terminated;
use super::queue::Role;
use crate::operators::wakes_operators;
use crate::scheduler::claims_of;

/// Gives pods to nodes. A pod that none takes is tried again after what may help it and nothing else, as by the queueing hints of
/// kube-scheduler: each try looks at all nodes and pods, and a write waits for it.
pub(super) const SCHEDULER: Loop = Loop {
    role: Role::Scheduler,
    kinds: &[POD],
    wakes: &[
        Wake { after: After::These(&[NODE.id]), queue: of_changed_node },
        Wake { after: After::These(&[CLAIM.id, VOLUME.id, STORAGE_CLASS.id]), queue: of_volumes },
        Wake { after: After::These(&[POD.id]), queue: of_other_pod },
        Wake { after: After::These(&[NAMESPACE.id]), queue: of_namespace },
    ],
};

/// Runs them.
pub(super) const KUBELET: Loop = Loop {
    role: Role::Kubelet,
    kinds: &[POD],
    wakes: &[Wake { after: After::Any, queue: waiting }, Wake { after: After::These(&[NODE.id]), queue: of_new_node }],
};

fn is_unscheduled(pod: &Stored) -> bool {
    text(pod, "/spec/nodeName").is_empty()
}

/// Pods that are not ready yet: what they lack may be there now.
fn waiting(call: &mut Call<'_>) {
    for namespace in namespaces_with_news(call) {
        for pod in call.world.list(POD.qualified(), Some(&namespace)) {
            if !is_terminated(pod) && !is_true(pod, "ContainersReady") && !is_unscheduled(pod) {
                call.look_at(&POD, &namespace, pod.name());
            }
        }
    }
}

/// Where a change may have made what pods wait for.
fn namespaces_with_news(call: &Call<'_>) -> Vec<String> {
    let own = || vec![call.object().namespace().to_owned()];
    let resource = call.resource();
    if [CONFIG_MAP.id, SECRET.id, CLAIM.id].contains(&resource) || resource == POD.id && has_begun_or_ended(call) {
        return own();
    }
    // Pods may wait for what an operator makes of it.
    if is_custom(resource) && !wakes_operators(resource) && !call.is_deleted() {
        let made = provides(call.object().object());
        return made.into_iter().map(|made| made.namespace.unwrap_or_default()).collect();
    }
    Vec::new()
}

/// Whether a pod's program, one that may speak to the API, has started or come to its end: it may make what others wait for.
fn has_begun_or_ended(call: &Call<'_>) -> bool {
    let pod = call.object();
    let phase = |state: &Stored| text(state, "/status/phase").to_owned();
    !matches!(text(pod, "/spec/serviceAccountName"), "" | "default")
        && matches!(phase(pod).as_str(), "Running" | "Succeeded")
        && call.event.previous.as_ref().is_none_or(|before| phase(before) != phase(pod))
}

/// Whether a resource is of a group that Kubernetes does not bring itself.
fn is_custom(resource: &str) -> bool {
    resource.split_once('.').is_some_and(|(_, group)| group.contains('.') && !group.ends_with(".k8s.io"))
}

/// Those of the pods without a node that a change may help are to be tried again.
fn try_again(call: &mut Call<'_>, is_helped: impl Fn(&Stored) -> bool) {
    let census = call.census;
    for (namespace, name) in census.waiting() {
        if call.world.find(POD.qualified(), namespace, name).is_some_and(|pod| is_helped(&pod)) {
            call.look_at(&POD, namespace, name);
        }
    }
}

/// Whether one of these parts is another than before; an object that is new or gone is another in all.
fn differs(call: &Call<'_>, parts: &[&str]) -> bool {
    let before = call.event.previous.as_ref().filter(|_| !call.is_deleted());
    before.is_none_or(|before| parts.iter().any(|part| before.pointer(part) != call.object().pointer(part)))
}

/// A node came, went, has another size or takes others; its heartbeats help nobody.
fn of_changed_node(call: &mut Call<'_>) {
    if differs(call, &["/spec", "/metadata/labels", "/status/allocatable"]) {
        try_again(call, |_| true);
    }
}

/// Pods with volumes: what theirs lack may be there.
fn of_volumes(call: &mut Call<'_>) {
    let within = call.object().namespace();
    try_again(call, |pod| (within.is_empty() || pod.namespace() == within) && !claims_of(pod).is_empty());
}

/// A pod that leaves room helps all; one that comes to a node, or is labelled otherwise, those that look at their neighbours.
fn of_other_pod(call: &mut Call<'_>) {
    let pod = call.object();
    // A node may be promised to a pod whose claims are being bound.
    let had_room = !is_unscheduled(pod) || !claims_of(pod).is_empty();
    let ends = is_terminated(pod) && call.event.previous.as_ref().is_none_or(|before| !is_terminated(before));
    let leaves_room =
        call.is_deleted() || ends || call.event.change == Change::Modified && differs(call, &["/spec/containers"]);
    if had_room && leaves_room {
        try_again(call, |_| true);
    } else if had_room && !is_terminated(pod) && differs(call, &["/spec/nodeName", "/metadata/labels"]) {
        try_again(call, |pod| looks_at_neighbours(pod));
    }
}

/// Neighbours are chosen by the labels of their namespaces, too, and those that stand already choose whom they repel.
fn of_namespace(call: &mut Call<'_>) {
    if call.event.change == Change::Modified && differs(call, &["/metadata/labels"]) {
        try_again(call, |_| true);
    }
}

/// Whether a pod's place depends on where others are.
pub(crate) fn looks_at_neighbours(pod: &Value) -> bool {
    ["/spec/affinity/podAffinity", "/spec/affinity/podAntiAffinity"].iter().any(|rule| pod.pointer(rule).is_some())
        || !list(pod, "/spec/topologySpreadConstraints").is_empty()
}

/// Pods that were given to a node before it was there.
fn of_new_node(call: &mut Call<'_>) {
    if call.event.change != Change::Added {
        return;
    }
    for pod in call.world.list(POD.qualified(), None) {
        if text(pod, "/spec/nodeName") == call.object().name() {
            call.look_at(&POD, pod.namespace(), pod.name());
        }
    }
}
