//! Conditions in a status, written as the controllers write them.

use jiff::Timestamp;
use landfall_apiserver::rfc3339;
use serde_json::{Value, json};

use super::fields::text;

/// A condition to be set.
#[derive(Clone, Debug)]
pub(crate) struct Condition<'a> {
    /// `type`.
    pub(crate) kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub(crate) status: &'a str,
    /// One word why.
    pub(crate) reason: &'a str,
    /// A sentence for people.
    pub(crate) message: &'a str,
}

/// The condition of a type in a status.
pub(crate) fn find<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    status.get("conditions")?.as_array()?.iter().find(|c| text(c, "/type") == kind)
}

/// Takes the condition of a type out of a status.
pub(crate) fn remove(status: &mut Value, kind: &str) {
    if let Some(list) = status.get_mut("conditions").and_then(Value::as_array_mut) {
        list.retain(|c| text(c, "/type") != kind);
        if list.is_empty()
            && let Some(map) = status.as_object_mut()
        {
            map.remove("conditions");
        }
    }
}

/// Adds a condition at the end of a status.
pub(crate) fn push(status: &mut Value, condition: Value) {
    match status.get_mut("conditions").and_then(Value::as_array_mut) {
        Some(list) => list.push(condition),
        None => status["conditions"] = json!([condition]),
    }
}

/// Sets a condition in place with `lastTransitionTime` changing only with `status`; whether anything changed.
pub(crate) fn set(status: &mut Value, wanted: &Condition<'_>, now: Timestamp) -> bool {
    let fresh = |since: Value| {
        let mut made = json!({"type": wanted.kind, "status": wanted.status, "lastTransitionTime": since});
        if !wanted.reason.is_empty() {
            made["reason"] = wanted.reason.into();
        }
        if !wanted.message.is_empty() {
            made["message"] = wanted.message.into();
        }
        made
    };
    if !status.is_object() {
        *status = json!({});
    }
    if !status["conditions"].is_array() {
        status["conditions"] = json!([]);
    }
    let Some(list) = status["conditions"].as_array_mut() else { return false };
    let Some(there) = list.iter_mut().find(|c| text(c, "/type") == wanted.kind) else {
        list.push(fresh(rfc3339(now).into()));
        return true;
    };
    let since = if text(there, "/status") == wanted.status && there["lastTransitionTime"].is_string() {
        there["lastTransitionTime"].clone()
    } else {
        rfc3339(now).into()
    };
    let mut made = fresh(since);
    for key in ["observedGeneration", "lastProbeTime", "lastUpdateTime"] {
        if let Some(kept) = there.get(key) {
            made[key] = kept.clone();
        }
    }
    let changed = *there != made;
    *there = made;
    changed
}
