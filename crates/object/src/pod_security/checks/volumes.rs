//! What is mounted: volumes by kind, and how much of `/proc` is seen.

use std::collections::BTreeSet;

use super::Found;
use crate::pod_security::{Pod, named, plural, quoted};

/// The kinds that the restricted level lets in.
const ALLOWED: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];
/// All others, in the order in which they are looked for.
const OTHERS: [&str; 21] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

/// `hostPathVolumes`.
pub(super) fn host_paths(pod: Pod<'_>) -> Option<Found> {
    let names: Vec<&str> = pod
        .volumes()
        .filter(|volume| !volume["hostPath"].is_null())
        .map(|volume| volume["name"].as_str().unwrap_or_default())
        .collect();
    if names.is_empty() {
        return None;
    }
    let word = plural("volume", "volumes", names.len());
    Found::new("hostPath volumes", format!("{word} {}", quoted(names)))
}

/// `restrictedVolumes`.
pub(super) fn of_other_kinds(pod: Pod<'_>) -> Option<Found> {
    let mut names = Vec::new();
    let mut kinds = BTreeSet::new();
    for volume in pod.volumes() {
        let is = |kind: &&&str| !volume[**kind].is_null();
        if ALLOWED.iter().any(|kind| is(&kind)) {
            continue;
        }
        names.push(volume["name"].as_str().unwrap_or_default());
        kinds.insert(OTHERS.iter().find(is).copied().unwrap_or("unknown"));
    }
    if names.is_empty() {
        return None;
    }
    let (word, uses) = (plural("volume", "volumes", names.len()), plural("uses", "use", names.len()));
    let types = plural("restricted volume type", "restricted volume types", kinds.len());
    Found::new("restricted volume types", format!("{word} {} {uses} {types} {}", quoted(names), quoted(kinds)))
}

/// `procMount` before 1.35, `procMount_restricted` since.
pub(super) fn proc_mount(pod: Pod<'_>) -> Option<Found> {
    let mut names = Vec::new();
    let mut mounts = BTreeSet::new();
    for container in pod.containers() {
        if let Some(mount) = container.security()["procMount"].as_str().filter(|mount| *mount != "Default") {
            names.push(container.name());
            mounts.insert(mount);
        }
    }
    if names.is_empty() {
        return None;
    }
    Found::new("procMount", format!("{} must not set securityContext.procMount to {}", named(&names), quoted(mounts)))
}

/// `procMount` from 1.35 on: a pod with users of its own may see all.
pub(super) fn proc_mount_of_host_users(pod: Pod<'_>) -> Option<Found> {
    if pod.has_own_users() { None } else { proc_mount(pod) }
}
