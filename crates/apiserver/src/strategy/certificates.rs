//! Requests for certificates: what was asked stays as it was asked (`pkg/registry/certificates/certificates/strategy.go`).

use jiff::Timestamp;
use serde_json::Value;

use crate::clock::rfc3339;
use crate::world::Part;

pub(super) const REQUESTS: &str = "certificatesigningrequests.certificates.k8s.io";

/// No write changes what is asked for and who asked; an approval changes conditions only.
pub(super) fn protect(part: Part, object: &mut Value, live: &Value) {
    super::copy_field(object, live, "spec");
    if part == Part::Approval {
        let conditions = object["status"]["conditions"].take();
        super::copy_field(object, live, "status");
        if !conditions.is_null() {
            object["status"]["conditions"] = conditions;
        } else if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
            status.remove("conditions");
        }
    }
}

/// What the signer's write may not touch stays: who approved or denied, and when. Conditions without times get them: that
/// of the last change from the one before, where it says the same.
pub(super) fn settle(part: Part, now: Timestamp, object: &mut Value, live: &Value) {
    let before = live["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(conditions) = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut) else { return };
    if part == Part::Status {
        for kind in ["Approved", "Denied"] {
            let of = |condition: &&Value| condition["type"] == kind;
            let old: Vec<&Value> = before.iter().filter(of).collect();
            // More or fewer of them are refused later on.
            if conditions.iter().filter(|condition| of(condition)).count() == old.len() {
                let new = conditions.iter_mut().filter(|condition| condition["type"] == kind);
                new.zip(old).for_each(|(new, old)| new.clone_from(old));
            }
        }
    }
    for condition in conditions {
        if condition["lastUpdateTime"].is_null() {
            condition["lastUpdateTime"] = rfc3339(now).into();
        }
        if condition["lastTransitionTime"].is_null() {
            let same = before.iter().find(|old| {
                old["type"] == condition["type"]
                    && old["status"] == condition["status"]
                    && old["lastTransitionTime"].is_string()
            });
            condition["lastTransitionTime"] =
                same.map_or_else(|| rfc3339(now).into(), |old| old["lastTransitionTime"].clone());
        }
    }
}
