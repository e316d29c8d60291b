//! What pods wait for: a node to run on, and what they refer to.

use landfall_apiserver::{Change, Stored};
use landfall_object::references::provides;

use super::fields::{is_true, text};
use super::kind::{CLAIM, CONFIG_MAP, NODE, POD, SECRET, STORAGE_CLASS, VOLUME};
use super::loops::{After, Call, Loop, Wake};
use super::pods::is_terminated;
use super::queue::Role;
use crate::operators::wakes_operators;

/// Gives pods to nodes.
pub(super) const SCHEDULER: Loop = Loop {
    role: Role::Scheduler,
    kinds: &[POD],
    wakes: &[
        Wake { after: After::Any, queue: |call| waiting(call, is_unscheduled) },
        Wake { after: After::These(&[VOLUME.id, STORAGE_CLASS.id, NODE.id, POD.id]), queue: room },
    ],
};

/// Runs them.
pub(super) const KUBELET: Loop = Loop {
    role: Role::Kubelet,
    kinds: &[POD],
    wakes: &[
        Wake { after: After::Any, queue: |call| waiting(call, |pod| !is_unscheduled(pod)) },
        Wake { after: After::These(&[NODE.id]), queue: of_new_node },
    ],
};

fn is_unscheduled(pod: &Stored) -> bool {
    text(pod, "/spec/nodeName").is_empty()
}

/// Pods that are not ready yet: what they lack may be there now.
fn waiting(call: &mut Call<'_>, takes: fn(&Stored) -> bool) {
    for namespace in namespaces_with_news(call) {
        for pod in call.world.list(POD.qualified(), Some(&namespace)) {
            if !is_terminated(pod) && !is_true(pod, "ContainersReady") && takes(pod) {
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

/// Pods that no node has: there may be room, a volume or a node for them now.
fn room(call: &mut Call<'_>) {
    if call.resource() == POD.id && !call.is_deleted() && !is_terminated(call.object()) {
        return;
    }
    for pod in call.world.list(POD.qualified(), None) {
        if is_unscheduled(pod) && !is_terminated(pod) {
            call.look_at(&POD, pod.namespace(), pod.name());
        }
    }
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
