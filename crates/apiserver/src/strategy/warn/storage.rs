//! What is told of volumes and of claims to them (`pkg/api/{persistentvolume,persistentvolumeclaim}/util.go`).

use landfall_object::Quantity;
use serde_json::Value;

use super::labels;
use crate::remarks::Remarks;

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";

/// Warns of a claim.
pub(super) fn claim(claim: &Value, remarks: &Remarks) {
    class(claim, remarks);
    requests(claim, "spec", remarks);
}

/// Warns of amounts of a claim, or a template of one, that are no whole bytes; `path` is where its spec stands.
pub(super) fn requests(claim: &Value, path: &str, remarks: &Remarks) {
    for list in ["requests", "limits"] {
        whole_bytes(&claim["spec"]["resources"][list], "storage", &format!("{path}.resources.{list}"), remarks);
    }
}

/// Warns of a volume.
pub(super) fn volume(volume: &Value, remarks: &Remarks) {
    class(volume, remarks);
    if !volume["metadata"]["annotations"][MOUNT_OPTIONS].is_null() {
        remarks.warn(format!(
            r#"metadata.annotations[{MOUNT_OPTIONS}]: deprecated since v1.31; use "mountOptions" attribute instead"#
        ));
    }
    let spec = &volume["spec"];
    if spec["persistentVolumeReclaimPolicy"] == "Recycle" {
        remarks.warn(
            "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach \
             is to use dynamic provisioning.",
        );
    }
    let terms = &spec["nodeAffinity"]["required"]["nodeSelectorTerms"];
    for (index, term) in terms.as_array().into_iter().flatten().enumerate() {
        labels::of_term(term, &format!("spec.nodeAffinity.required.nodeSelectorTerms[{index}]"), remarks);
    }
}

fn class(object: &Value, remarks: &Remarks) {
    if !object["metadata"]["annotations"][CLASS].is_null() {
        remarks.warn(format!(
            r#"metadata.annotations[{CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead"#
        ));
    }
}

/// Warns of an amount of bytes that is no whole number: `128m` is an eighth of one.
pub(super) fn whole_bytes(amounts: &Value, name: &str, path: &str, remarks: &Remarks) {
    let Some(text) = amounts[name].as_str() else { return };
    if text.parse::<Quantity>().is_ok_and(|amount| amount.millis() % 1000 != 0) {
        remarks.warn(format!("{path}[{name}]: fractional byte value {text:?} is invalid, must be an integer"));
    }
}
