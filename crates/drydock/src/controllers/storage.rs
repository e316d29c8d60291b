//! Claims and volumes: made by a simulated local-path provisioner, bound, protected, given back
//! (`pkg/controller/volume/persistentvolume`, `pvcprotection`).

use landfall_apiserver::{Change, Status, Stored};
use serde_json::{Value, json};

use super::desk::{Agent, Desk, EventType, Found, Outcome};
use super::fields::{
    add_finalizer, annotate, child, deleting, has_finalizer, list, name, namespace, remove, remove_finalizer, text,
    truth, uid,
};
use super::kind::{CLAIM, POD, STORAGE_CLASS, VOLUME};
use super::loops::{After, Call, Loop, Wake};
use super::pods::is_terminated;
use super::queue::Role;
use super::selector;
use crate::behaviour::Behaviour;
use crate::scheduler::{amount, claims_of, selected_node, waits_for_consumer};

const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";

/// What looks after claims, and what wakes it.
pub(super) const CLAIMS: Loop = Loop {
    role: Role::Claim,
    kinds: &[CLAIM],
    wakes: &[
        Wake { after: After::These(&[VOLUME.id, STORAGE_CLASS.id]), queue: bindable },
        Wake { after: After::These(&[POD.id]), queue: used },
    ],
};

/// What looks after volumes, and what wakes it.
pub(super) const VOLUMES: Loop = Loop {
    role: Role::Volume,
    kinds: &[VOLUME],
    wakes: &[Wake { after: After::These(&[CLAIM.id]), queue: |call| call.look_at_all(&VOLUME, "") }],
};

/// There may be a volume for a claim now, or its own is another.
fn bindable(call: &mut Call<'_>) {
    for claim in call.world.list(CLAIM.qualified(), None) {
        if text(claim, "/status/phase") != "Bound" || call.resource() == VOLUME.id {
            call.look_at(&CLAIM, claim.namespace(), claim.name());
        }
    }
}

/// A pod came, was given to a node or went: its claims may be bound for it, or deleted at last.
fn used(call: &mut Call<'_>) {
    let pod = call.object();
    let node = |state: &Stored| text(state, "/spec/nodeName").to_owned();
    let scheduled = call.event.previous.as_ref().is_some_and(|before| node(before) != node(pod));
    if !call.is_deleted() && !is_terminated(pod) && !scheduled && call.event.change != Change::Added {
        return;
    }
    for volume in list(pod, "/spec/volumes") {
        let claim = text(volume, "/persistentVolumeClaim/claimName");
        if !claim.is_empty() {
            call.look_at(&CLAIM, pod.namespace(), claim);
        }
        if volume.get("ephemeral").is_some() {
            call.look_at(&CLAIM, pod.namespace(), &format!("{}-{}", pod.name(), text(volume, "/name")));
        }
    }
}

/// Brings one claim towards a volume, or lets it go.
pub(super) fn reconcile_claim(
    desk: &mut Desk<'_>,
    behaviour: &Behaviour,
    namespace_: &str,
    name_: &str,
) -> Result<Outcome, Status> {
    desk.speaks_as("persistentvolume-controller");
    let Some(found) = desk.get(&CLAIM, namespace_, name_) else {
        make_ephemeral(desk, namespace_, name_)?;
        return Ok(Outcome::done());
    };
    if deleting(&found) {
        let used = users(desk, &found).next().is_some();
        let mut released = found.value().clone();
        if !used && remove_finalizer(&mut released, CLAIM_PROTECTION) {
            desk.update(&CLAIM, released)?;
        }
        return Ok(Outcome::done());
    }
    if !has_finalizer(&found, CLAIM_PROTECTION) {
        let mut protected = found.value().clone();
        add_finalizer(&mut protected, CLAIM_PROTECTION);
        desk.update(&CLAIM, protected)?;
        return Ok(Outcome::done());
    }
    let volume_name = text(&found, "/spec/volumeName");
    if !volume_name.is_empty() {
        match desk.get(&VOLUME, "", volume_name) {
            Some(volume) if is_for(&volume, &found) || volume.pointer("/spec/claimRef").is_none() => {
                bind(desk, &found, &volume)?;
            }
            None if text(&found, "/status/phase") == "Bound" => {
                let message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
                set_phase(desk, &found, "Lost", "ClaimLost", message)?;
            }
            _ => {}
        }
        return grow(desk, &found);
    }
    if behaviour.play().claim_is_unbound(&found) {
        let message = "waiting for a volume to be created: simulated fault `unbound`";
        desk.event(&found, EventType::Normal, "ProvisioningFailed", message);
        return Ok(Outcome::done());
    }
    if let Some(volume) = matching_volume(desk, &found) {
        bind(desk, &found, &volume)?;
        return Ok(Outcome::done());
    }
    let class_name = text(&found, "/spec/storageClassName");
    if class_name.is_empty() {
        let message = "no persistent volumes available for this claim and no storage class is set";
        return wait(desk, &found, EventType::Normal, "FailedBinding", message);
    }
    let Some(class) = desk.get(&STORAGE_CLASS, "", class_name) else {
        let message = format!("storageclass.storage.k8s.io \"{class_name}\" not found");
        return wait(desk, &found, EventType::Warning, "ProvisioningFailed", &message);
    };
    if waits_for_consumer(desk, &found) && selected_node(&found).is_none() {
        let message = "waiting for first consumer to be created before binding";
        return wait(desk, &found, EventType::Normal, "WaitForFirstConsumer", message);
    }
    if text(&class, "/provisioner") == "kubernetes.io/no-provisioner" {
        let message = "no persistent volumes available for this claim and no storage class is set";
        return wait(desk, &found, EventType::Normal, "FailedBinding", message);
    }
    provision(desk, &found, &class)
}

/// Says once why the claim waits.
fn wait(desk: &mut Desk<'_>, claim: &Value, kind: EventType, reason: &str, message: &str) -> Result<Outcome, Status> {
    if desk.first_reported(claim, reason).is_none() {
        desk.event(claim, kind, reason, message);
    }
    Ok(Outcome::done())
}

/// Pods that use the claim and have not ended.
fn users<'a>(desk: &Desk<'_>, claim: &'a Value) -> impl Iterator<Item = Found> + use<'a> {
    let pods = desk.list(&POD, namespace(claim));
    pods.into_iter().filter(move |pod| !is_terminated(pod) && claims_of(pod).iter().any(|c| c == name(claim)))
}

/// The claim of a generic ephemeral volume, made on behalf of its pod.
fn make_ephemeral(desk: &mut Desk<'_>, namespace: &str, claim: &str) -> Result<(), Status> {
    for pod in desk.list(&POD, namespace) {
        for volume in list(&pod, "/spec/volumes").iter().filter(|_| !deleting(&pod)) {
            let Some(template) = volume.pointer("/ephemeral/volumeClaimTemplate") else { continue };
            if format!("{}-{}", pod.name(), text(volume, "/name")) != claim {
                continue;
            }
            let mut made = template.clone();
            made["apiVersion"] = "v1".into();
            made["kind"] = "PersistentVolumeClaim".into();
            let metadata = child(&mut made, "metadata");
            metadata["name"] = claim.into();
            metadata["namespace"] = namespace.into();
            metadata["ownerReferences"] = json!([super::fields::controller_reference(&pod)]);
            desk.create(&CLAIM, made)?;
            return Ok(());
        }
    }
    Ok(())
}

fn is_for(volume: &Value, claim: &Value) -> bool {
    text(volume, "/spec/claimRef/name") == name(claim)
        && text(volume, "/spec/claimRef/namespace") == namespace(claim)
        && (text(volume, "/spec/claimRef/uid").is_empty() || text(volume, "/spec/claimRef/uid") == uid(claim))
}

/// The smallest volume that is there already and will do.
fn matching_volume(desk: &Desk<'_>, claim: &Value) -> Option<Found> {
    let asked = claim.pointer("/spec/resources/requests/storage").map_or(0, |q| amount("storage", q));
    let size = |v: &Value| v.pointer("/spec/capacity/storage").map_or(0, |q| amount("storage", q));
    let volumes = desk.list(&VOLUME, "");
    if let Some(reserved) = volumes.iter().find(|v| is_for(v, claim)) {
        return Some(reserved.clone());
    }
    volumes
        .into_iter()
        .filter(|v| v.pointer("/spec/claimRef").is_none() && !deleting(v) && text(v, "/status/phase") == "Available")
        .filter(|v| text(v, "/spec/storageClassName") == text(claim, "/spec/storageClassName"))
        .filter(|v| size(v) >= asked)
        .filter(|v| {
            let modes = list(v, "/spec/accessModes");
            list(claim, "/spec/accessModes").iter().all(|mode| modes.contains(mode))
        })
        .filter(|v| claim.pointer("/spec/selector").is_none_or(|s| selector::matches(Some(s), v)))
        .min_by_key(|v| (size(v), v.name().to_owned()))
}

/// Makes a volume for the claim, as the local-path provisioner does.
fn provision(desk: &mut Desk<'_>, claim: &Found, class: &Value) -> Result<Outcome, Status> {
    let provisioner = text(class, "/provisioner").to_owned();
    let volume_name = format!("pvc-{}", claim.uid());
    if desk.get(&VOLUME, "", &volume_name).is_some() {
        return Ok(Outcome::done());
    }
    let mut changed = claim.value().clone();
    let known = annotate(&mut changed, "volume.beta.kubernetes.io/storage-provisioner", &provisioner);
    if annotate(&mut changed, "volume.kubernetes.io/storage-provisioner", &provisioner) || known {
        desk.update(&CLAIM, changed)?;
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the \
             system administrator. If volume creation is delayed, please verify that the provisioner is running and \
             correctly registered."
        );
        desk.event(claim, EventType::Normal, "ExternalProvisioning", &message);
        return Ok(Outcome::done());
    }
    desk.acts_as(Agent::LocalPath);
    desk.speaks_as("simulated-provisioner");
    let node = selected_node(claim).unwrap_or_default();
    let mut volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": volume_name,
            "annotations": {"pv.kubernetes.io/provisioned-by": provisioner},
            "finalizers": [VOLUME_PROTECTION],
        },
        "spec": {
            "capacity": {"storage": claim.pointer("/spec/resources/requests/storage").cloned().unwrap_or(json!("1Gi"))},
            "accessModes": claim.pointer("/spec/accessModes").cloned().unwrap_or(json!(["ReadWriteOnce"])),
            "volumeMode": claim.pointer("/spec/volumeMode").cloned().unwrap_or(json!("Filesystem")),
            "persistentVolumeReclaimPolicy": class.get("reclaimPolicy").cloned().unwrap_or(json!("Delete")),
            "storageClassName": name(class),
            "claimRef": {
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace(claim),
                "name": name(claim), "uid": claim.uid(),
                "resourceVersion": text(claim, "/metadata/resourceVersion"),
            },
            "hostPath": {
                "path": format!("/var/lib/simulated/{volume_name}_{}_{}", namespace(claim), name(claim)),
                "type": "DirectoryOrCreate",
            },
        },
    });
    if !node.is_empty() {
        volume["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]}});
    }
    let provisioning =
        format!("External provisioner is provisioning volume for claim \"{}/{}\"", namespace(claim), name(claim));
    desk.event(claim, EventType::Normal, "Provisioning", &provisioning);
    desk.create(&VOLUME, volume)?;
    let message = format!("Successfully provisioned volume {volume_name}");
    desk.event(claim, EventType::Normal, "ProvisioningSucceeded", &message);
    Ok(Outcome::done())
}

/// Ties claim and volume together, both sides, then says so in both.
fn bind(desk: &mut Desk<'_>, claim: &Found, volume: &Found) -> Result<(), Status> {
    let mut bound_volume = volume.value().clone();
    let chosen_here = volume.pointer("/spec/claimRef").is_none();
    if chosen_here || text(volume, "/spec/claimRef/uid").is_empty() {
        bound_volume["spec"]["claimRef"] = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace(claim), "name": name(claim),
            "uid": claim.uid(), "resourceVersion": text(claim, "/metadata/resourceVersion"),
        });
        if chosen_here {
            annotate(&mut bound_volume, BOUND_BY_CONTROLLER, "yes");
        }
        bound_volume = desk.update(&VOLUME, bound_volume)?.value().clone();
    }
    if text(&bound_volume, "/status/phase") != "Bound" {
        child(&mut bound_volume, "status")["phase"] = "Bound".into();
        bound_volume = desk.update_status(&VOLUME, bound_volume)?.value().clone();
    }
    let mut bound = claim.value().clone();
    let before = bound.clone();
    if text(&bound, "/spec/volumeName").is_empty() {
        bound["spec"]["volumeName"] = volume.name().into();
        annotate(&mut bound, BOUND_BY_CONTROLLER, "yes");
    }
    annotate(&mut bound, "pv.kubernetes.io/bind-completed", "yes");
    if bound != before {
        bound = desk.update(&CLAIM, bound)?.value().clone();
    }
    if text(&bound, "/status/phase") != "Bound" {
        let status = child(&mut bound, "status");
        status["phase"] = "Bound".into();
        status["accessModes"] = bound_volume["spec"]["accessModes"].clone();
        status["capacity"] = bound_volume["spec"]["capacity"].clone();
        desk.update_status(&CLAIM, bound)?;
    }
    Ok(())
}

fn set_phase(desk: &mut Desk<'_>, claim: &Value, phase: &str, reason: &str, message: &str) -> Result<(), Status> {
    let mut changed = claim.clone();
    child(&mut changed, "status")["phase"] = phase.into();
    desk.update_status(&CLAIM, changed)?;
    desk.event(claim, EventType::Warning, reason, message);
    Ok(())
}

/// Follows a claim that asks for more, where its class allows that.
fn grow(desk: &mut Desk<'_>, claim: &Found) -> Result<Outcome, Status> {
    let Some(claim) = desk.get(&CLAIM, claim.namespace(), claim.name()) else { return Ok(Outcome::done()) };
    let asked = claim.pointer("/spec/resources/requests/storage").cloned().unwrap_or_default();
    let has = claim.pointer("/status/capacity/storage").cloned().unwrap_or_default();
    let class = desk.get(&STORAGE_CLASS, "", text(&claim, "/spec/storageClassName"));
    let allowed = class.is_some_and(|c| truth(&c, "/allowVolumeExpansion"));
    if text(&claim, "/status/phase") != "Bound" || !allowed || amount("storage", &asked) <= amount("storage", &has) {
        return Ok(Outcome::done());
    }
    if let Some(volume) = desk.get(&VOLUME, "", text(&claim, "/spec/volumeName")) {
        let mut larger = volume.value().clone();
        larger["spec"]["capacity"]["storage"] = asked.clone();
        desk.update(&VOLUME, larger)?;
    }
    let mut larger = claim.value().clone();
    larger["status"]["capacity"]["storage"] = asked;
    desk.update_status(&CLAIM, larger)?;
    Ok(Outcome::done())
}

/// Keeps one volume's phase, and gives it back when its claim is gone.
pub(super) fn reconcile_volume(desk: &mut Desk<'_>, name_: &str) -> Result<Outcome, Status> {
    desk.speaks_as("persistentvolume-controller");
    let Some(volume) = desk.get(&VOLUME, "", name_) else { return Ok(Outcome::done()) };
    let claim = volume.pointer("/spec/claimRef").map(|reference| {
        (
            text(reference, "/namespace").to_owned(),
            text(reference, "/name").to_owned(),
            text(reference, "/uid").to_owned(),
        )
    });
    let held = claim.as_ref().and_then(|(namespace, name, uid)| {
        desk.get(&CLAIM, namespace, name).filter(|c| uid.is_empty() || c.uid() == uid)
    });
    let in_use = held.is_some();
    if deleting(&volume) {
        let mut released = volume.value().clone();
        if !in_use && remove_finalizer(&mut released, VOLUME_PROTECTION) {
            desk.update(&VOLUME, released)?;
        }
        return Ok(Outcome::done());
    }
    if !has_finalizer(&volume, VOLUME_PROTECTION) {
        let mut protected = volume.value().clone();
        add_finalizer(&mut protected, VOLUME_PROTECTION);
        desk.update(&VOLUME, protected)?;
        return Ok(Outcome::done());
    }
    let phase = text(&volume, "/status/phase");
    let reserved = claim.as_ref().is_some_and(|(_, _, uid)| !uid.is_empty());
    let wanted = match (in_use, reserved) {
        (true, _) => return Ok(Outcome::done()),
        (false, true) => "Released",
        (false, false) => "Available",
    };
    if phase != wanted {
        let mut changed = volume.value().clone();
        child(&mut changed, "status")["phase"] = wanted.into();
        desk.update_status(&VOLUME, changed)?;
        return Ok(Outcome::done());
    }
    if wanted == "Released" {
        match text(&volume, "/spec/persistentVolumeReclaimPolicy") {
            "Delete" => desk.delete(&VOLUME, "", name_)?,
            "Recycle" => {
                let mut recycled = volume.value().clone();
                remove(&mut recycled, "/spec", "claimRef");
                desk.update(&VOLUME, recycled)?;
            }
            _ => {}
        }
    }
    Ok(Outcome::done())
}
