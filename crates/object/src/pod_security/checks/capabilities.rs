//! What containers may do beyond what any process may.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Found;
use crate::pod_security::{Container, Pod, named, quoted};

/// What container runtimes give to every container.
const USUAL: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// The only one that the restricted level lets in.
const LOW_PORTS: &str = "NET_BIND_SERVICE";

fn listed<'a>(container: Container<'a>, field: &str) -> impl Iterator<Item = &'a str> {
    container.security()["capabilities"][field].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Containers that add other capabilities than those allowed, and which.
fn adding<'a>(pod: Pod<'a>, allowed: &[&str]) -> (Vec<&'a str>, BTreeSet<&'a str>) {
    let mut names = Vec::new();
    let mut added = BTreeSet::new();
    for container in pod.containers() {
        let wrong: Vec<&str> = listed(container, "add").filter(|name| !allowed.contains(name)).collect();
        if !wrong.is_empty() {
            names.push(container.name());
            added.extend(wrong);
        }
    }
    (names, added)
}

fn told(names: &[&str], added: BTreeSet<&str>) -> String {
    format!("{} must not include {} in securityContext.capabilities.add", named(names), quoted(added))
}

/// `capabilities_baseline`.
pub(super) fn beyond_the_usual(pod: Pod<'_>) -> Option<Found> {
    let (names, added) = adding(pod, &USUAL);
    if names.is_empty() {
        return None;
    }
    Found::new("non-default capabilities", told(&names, added))
}

/// `capabilities_restricted` before 1.25.
pub(super) fn not_dropped(pod: Pod<'_>) -> Option<Found> {
    let keeping: Vec<&str> = pod
        .containers()
        .filter(|container| !listed(*container, "drop").any(|name| name == "ALL"))
        .map(Container::name)
        .collect();
    let (names, added) = adding(pod, &[LOW_PORTS]);
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", named(&keeping)));
    }
    if !names.is_empty() {
        details.push(told(&names, added));
    }
    if details.is_empty() {
        return None;
    }
    Found::new("unrestricted capabilities", details.join("; "))
}

/// `capabilities_restricted` from 1.25 on: a Windows pod cannot set them.
pub(super) fn not_dropped_but_on_windows(pod: Pod<'_>) -> Option<Found> {
    if pod.is_windows() { None } else { not_dropped(pod) }
}
