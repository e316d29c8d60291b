//! As whom containers run, and whether they may become somebody else.

use serde_json::Value;

use super::Found;
use crate::pod_security::{Container, Pod, named};

/// The containers that a rule takes.
fn those<'a>(pod: Pod<'a>, is: impl Fn(&'a Value) -> bool) -> Vec<&'a str> {
    pod.containers().filter(|container| is(container.security())).map(Container::name).collect()
}

/// `privileged`.
pub(super) fn privileged(pod: Pod<'_>) -> Option<Found> {
    let names = those(pod, |security| security["privileged"] == true);
    if names.is_empty() {
        return None;
    }
    Found::new("privileged", format!("{} must not set securityContext.privileged=true", named(&names)))
}

/// `allowPrivilegeEscalation` before 1.25.
pub(super) fn escalation(pod: Pod<'_>) -> Option<Found> {
    let names = those(pod, |security| security["allowPrivilegeEscalation"] != false);
    if names.is_empty() {
        return None;
    }
    Found::new(
        "allowPrivilegeEscalation != false",
        format!("{} must set securityContext.allowPrivilegeEscalation=false", named(&names)),
    )
}

/// `allowPrivilegeEscalation` from 1.25 on: a Windows pod cannot set it.
pub(super) fn escalation_but_on_windows(pod: Pod<'_>) -> Option<Found> {
    if pod.is_windows() { None } else { escalation(pod) }
}

/// `runAsNonRoot` before 1.35.
pub(super) fn root_allowed(pod: Pod<'_>) -> Option<Found> {
    const REASON: &str = "runAsNonRoot != true";
    let of_pod = pod.security()["runAsNonRoot"].as_bool();
    let allowing = those(pod, |security| security["runAsNonRoot"] == false);
    let mut setters = Vec::new();
    if of_pod == Some(false) {
        setters.push("pod".to_owned());
    }
    if !allowing.is_empty() {
        setters.push(named(&allowing));
    }
    if !setters.is_empty() {
        return Found::new(
            REASON,
            format!("{} must not set securityContext.runAsNonRoot=false", setters.join(" and ")),
        );
    }
    let silent = those(pod, |security| !security["runAsNonRoot"].is_boolean() && of_pod != Some(true));
    if silent.is_empty() {
        return None;
    }
    Found::new(REASON, format!("pod or {} must set securityContext.runAsNonRoot=true", named(&silent)))
}

/// `runAsNonRoot` from 1.35 on: root among users of its own is nobody on the node.
pub(super) fn root_allowed_of_host_users(pod: Pod<'_>) -> Option<Found> {
    if pod.has_own_users() { None } else { root_allowed(pod) }
}

/// `runAsUser` before 1.35.
pub(super) fn root(pod: Pod<'_>) -> Option<Found> {
    fn is_root(security: &Value) -> bool {
        security["runAsUser"].as_i64() == Some(0)
    }
    let mut setters = Vec::new();
    if is_root(pod.security()) {
        setters.push("pod".to_owned());
    }
    let names = those(pod, is_root);
    if !names.is_empty() {
        setters.push(named(&names));
    }
    if setters.is_empty() {
        return None;
    }
    Found::new("runAsUser=0", format!("{} must not set runAsUser=0", setters.join(" and ")))
}

/// `runAsUser` from 1.35 on.
pub(super) fn root_of_host_users(pod: Pod<'_>) -> Option<Found> {
    if pod.has_own_users() { None } else { root(pod) }
}
