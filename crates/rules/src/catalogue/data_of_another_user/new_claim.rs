//! Claims that are new with the release, in pods of a user of their own whom nobody lets write there.

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::{RULE, hands_over, main, mounts, number, user};
use crate::pods::{Container, ContainerRole, PodTemplate};
use crate::subject::{Desired, Subject};
use crate::texts::own_texts;

/// Parts of the names of storage classes whose volumes anybody may write to, or of which root is none.
const OPEN: &[&str] = &["azurefile", "cephfs", "efs", "host-path", "hostpath", "local-path", "nfs", "smb"];

/// A pod that writes to a new claim as a user of its own, and has no `fsGroup`.
pub(super) fn without_group(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Option<Finding> {
    if number(template.spec, "fsGroup").is_some() || hands_over(template) {
        return None;
    }
    let claims = new_claims(subject, template);
    let (claim, user) = main(template).iter().find_map(|container| {
        let user = user(template, container).filter(|user| *user != 0)?;
        let claim = claims.iter().find(|claim| mount_of(container, claim).is_some_and(|it| it["readOnly"] != true))?;
        Some((*claim, user))
    })?;
    if is_prepared(template, claim) || subject.is_borrowed(desired) || is_of_openshift(subject, desired) {
        return None;
    }
    let (kind, name) = (desired.object.kind(), desired.object.name());
    Some(
        RULE.finding(format!("{kind} `{name}` writes to its claim `{claim}` as user {user} and has no fsGroup"))
            .weighing(Severity::Info)
            .because("a new volume belongs to root on most storage, and nobody hands it over")
            .help("say `fsGroup` in the pod's `securityContext`")
            .at(desired.spot_at(&format!("{}.securityContext", template.path))),
    )
}

/// The volumes of a pod whose claims are made with it, each for one node.
fn new_claims<'a>(subject: &'a Subject<'_>, template: &'a PodTemplate<'_>) -> Vec<&'a str> {
    let own = template.owner.list_at("/spec/volumeClaimTemplates").iter();
    let own = own.filter_map(|claim| Some((claim["metadata"]["name"].as_str()?, &claim["spec"])));
    let named = template.volumes().iter().filter_map(|volume| {
        let name = volume["persistentVolumeClaim"]["claimName"].as_str()?;
        let claim = subject.desired("", "PersistentVolumeClaim", template.owner.namespace(), name)?;
        Some((volume["name"].as_str()?, &claim.object.value()["spec"]))
    });
    own.chain(named).filter(|(_, spec)| is_of_one_node(spec)).map(|(name, _)| name).collect()
}

/// Whether a claim asks for an empty disk of one node.
fn is_of_one_node(spec: &Value) -> bool {
    let modes = spec["accessModes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let class = spec["storageClassName"].as_str().unwrap_or_default();
    let is_filled = ["volumeName", "dataSource", "dataSourceRef", "selector"].iter().any(|it| !spec[*it].is_null());
    let is_shared = modes.iter().any(|it| it == "ReadWriteMany" || it == "ReadOnlyMany");
    !is_filled && !is_shared && spec["volumeMode"] != "Block" && !OPEN.iter().any(|it| class.contains(it))
}

/// Where a container mounts a claim.
fn mount_of<'c>(container: &Container<'c>, claim: &str) -> Option<&'c Value> {
    mounts(container).iter().find(|mount| mount["name"] == claim)
}

/// Whether a container before the others may hand a claim over: it is root, or nobody knows.
fn is_prepared(template: &PodTemplate<'_>, claim: &str) -> bool {
    let mut before = template.containers().into_iter().filter(|it| it.role != ContainerRole::Main);
    before.any(|it| user(template, &it).is_none_or(|user| user == 0) && mount_of(&it, claim).is_some())
}

/// Whether a chart knows OpenShift, which gives each pod a group of its own.
fn is_of_openshift(subject: &Subject<'_>, desired: &Desired) -> bool {
    let mut allowed = subject.of_kind("security.openshift.io", "SecurityContextConstraints");
    let texts = subject.unit(&desired.unit).into_iter().flat_map(|it| &it.rendered.charts).flat_map(own_texts);
    let mut texts = texts.map(|it| it.text);
    allowed.next().is_some() || texts.any(|it| it.to_ascii_lowercase().contains("openshift"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_disk_of_one_node_is_told_from_what_others_share_or_have_filled() {
        assert!(is_of_one_node(&json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "fast"})));
        for spec in [
            json!({"accessModes": ["ReadWriteOnce", "ReadWriteMany"]}),
            json!({"accessModes": ["ReadWriteOnce"], "storageClassName": "nfs-client"}),
            json!({"accessModes": ["ReadWriteOnce"], "volumeName": "old"}),
            json!({"accessModes": ["ReadWriteOnce"], "volumeMode": "Block"}),
        ] {
            assert!(!is_of_one_node(&spec), "{spec}");
        }
    }
}
