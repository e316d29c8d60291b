//! Claims: a pod waits for those that must be bound first, and decides where the others are made.

use landfall_apiserver::Status;
use serde_json::Value;

use super::{claims_of, select_node};
use crate::controllers::desk::Desk;
use crate::controllers::fields::{deleting, entries, label, list, namespace, text};
use crate::controllers::kind::{CLAIM, NODE, STORAGE_CLASS, VOLUME};
use crate::controllers::selector::expression_matches;

/// Whether the claim's volume is only made once a pod has a node.
pub(crate) fn waits_for_consumer(desk: &Desk<'_>, claim: &Value) -> bool {
    let class = text(claim, "/spec/storageClassName");
    desk.get(&STORAGE_CLASS, "", class).is_some_and(|c| text(&c, "/volumeBindingMode") == "WaitForFirstConsumer")
}

fn is_bound(claim: &Value) -> bool {
    text(claim, "/status/phase") == "Bound"
}

/// Whether the pod's claims let it be placed at all; otherwise why not.
pub(super) fn check(desk: &Desk<'_>, pod: &Value) -> Result<(), String> {
    let mut unbound = false;
    for name in claims_of(pod) {
        let Some(claim) = desk.get(&CLAIM, namespace(pod), &name) else {
            return Err(format!("persistentvolumeclaim \"{name}\" not found"));
        };
        if deleting(&claim) {
            return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
        }
        let volume = text(&claim, "/spec/volumeName");
        if is_bound(&claim) && desk.get(&VOLUME, "", volume).is_none() {
            return Err(format!(
                "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{volume}\""
            ));
        }
        unbound |= !is_bound(&claim) && !waits_for_consumer(desk, &claim);
    }
    if unbound { Err("pod has unbound immediate PersistentVolumeClaims".to_owned()) } else { Ok(()) }
}

/// Whether volumes that are tied to nodes are tied to this one.
pub(super) fn fits_node(desk: &Desk<'_>, pod: &Value, node: &Value) -> Result<(), String> {
    for name in claims_of(pod) {
        let Some(claim) = desk.get(&CLAIM, namespace(pod), &name).filter(|c| is_bound(c)) else { continue };
        let Some(volume) = desk.get(&VOLUME, "", text(&claim, "/spec/volumeName")) else { continue };
        let terms = list(&volume, "/spec/nodeAffinity/required/nodeSelectorTerms");
        let fits = terms.is_empty()
            || terms.iter().any(|term| {
                list(term, "/matchExpressions").iter().all(|e| expression_matches(e, label(node, text(e, "/key"))))
            });
        if !fits {
            return Err("node(s) didn't match PersistentVolume's node affinity".to_owned());
        }
    }
    Ok(())
}

/// Names the node to all claims that wait for it; whether the pod must wait for them now.
pub(super) fn announce_node(desk: &mut Desk<'_>, pod: &Value, node: &str) -> Result<bool, Status> {
    let mut waits = false;
    for name in claims_of(pod) {
        let Some(claim) = desk.get(&CLAIM, namespace(pod), &name).filter(|c| !is_bound(c)) else { continue };
        if waits_for_consumer(desk, &claim) {
            select_node(desk, pod, &name, node)?;
            waits = true;
        }
    }
    Ok(waits)
}

/// The node that a pod without one is promised: its claims are made there, or are there already.
pub(super) fn promised_node(desk: &Desk<'_>, pod: &Value) -> Option<String> {
    claims_of(pod).into_iter().find_map(|name| {
        let claim = desk.get(&CLAIM, namespace(pod), &name)?;
        let node = selected_node(&claim)?;
        let volume = || desk.get(&VOLUME, "", text(&claim, "/spec/volumeName"));
        // A volume that is reached from everywhere ties nobody to the node of its first pod.
        let ties = !is_bound(&claim) || volume().is_some_and(|it| it.pointer("/spec/nodeAffinity").is_some());
        ties.then(|| node.to_owned())
    })
}

/// Whether a node was chosen for the pod for which its claims are still made.
pub(super) fn is_being_bound(desk: &Desk<'_>, pod: &Value) -> bool {
    claims_of(pod).into_iter().any(|name| {
        desk.get(&CLAIM, namespace(pod), &name).is_some_and(|claim| {
            !is_bound(&claim)
                && !deleting(&claim)
                && waits_for_consumer(desk, &claim)
                && selected_node(&claim).is_some_and(|node| desk.get(&NODE, "", node).is_some())
        })
    })
}

/// The node a claim's first pod goes to.
pub(crate) fn selected_node(claim: &Value) -> Option<&str> {
    entries(claim, "/metadata/annotations")
        .find(|(key, _)| *key == "volume.kubernetes.io/selected-node")
        .map(|(_, node)| node)
}
