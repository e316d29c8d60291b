//! What the kernel keeps containers from: AppArmor, SELinux, seccomp.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Found;
use crate::go_quote;
use crate::pod_security::{Container, Pod, named, plural, quoted};

const APP_ARMOR_ANNOTATIONS: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_ANNOTATION: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_ANNOTATIONS: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// The type of a profile that is set, whatever it is.
fn profile<'a>(security: &'a Value, field: &str) -> Option<&'a str> {
    let profile = &security[field];
    (!profile.is_null()).then(|| profile["type"].as_str().unwrap_or_default())
}

fn is_allowed(profile: &str) -> bool {
    matches!(profile, "RuntimeDefault" | "Localhost")
}

/// Who sets a profile that is not allowed, and which: the pod, containers.
fn setting<'a>(pod: Pod<'a>, field: &str) -> (Vec<String>, BTreeSet<&'a str>) {
    let wrong = |security: &'a Value| profile(security, field).filter(|profile| !is_allowed(profile));
    let mut setters = Vec::new();
    let mut values = BTreeSet::new();
    if let Some(value) = wrong(pod.security()) {
        setters.push("pod".to_owned());
        values.insert(value);
    }
    let mut names = Vec::new();
    for container in pod.containers() {
        if let Some(value) = wrong(container.security()) {
            names.push(container.name());
            values.insert(value);
        }
    }
    if !names.is_empty() {
        setters.push(named(&names));
    }
    (setters, values)
}

fn annotations<'a>(pod: Pod<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let entries = pod.annotations.as_object().into_iter().flatten();
    entries.map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
}

/// `appArmorProfile`.
pub(super) fn app_armor(pod: Pod<'_>) -> Option<Found> {
    let (mut setters, values) = setting(pod, "appArmorProfile");
    let allowed = |value: &str| value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
    let annotated: BTreeSet<String> = annotations(pod)
        .filter(|(key, value)| key.starts_with(APP_ARMOR_ANNOTATIONS) && !allowed(value))
        .map(|(key, value)| format!("{key}={}", go_quote(value)))
        .collect();
    if !annotated.is_empty() {
        setters.push(plural("annotation", "annotations", annotated.len()).to_owned());
    }
    if setters.is_empty() {
        return None;
    }
    let count = values.len() + annotated.len();
    let values = values.into_iter().chain(annotated.iter().map(String::as_str));
    Found::new(
        plural("forbidden AppArmor profile", "forbidden AppArmor profiles", count),
        format!("{} must not set AppArmor profile type to {}", setters.join(" and "), quoted(values)),
    )
}

/// `seccompProfile_baseline` before 1.19.
pub(super) fn seccomp_annotations(pod: Pod<'_>) -> Option<Found> {
    let allowed =
        |value: &str| matches!(value, "runtime/default" | "docker/default") || value.starts_with("localhost/");
    let of_containers = pod.containers().map(|container| format!("{SECCOMP_ANNOTATIONS}{}", container.name()));
    let keys: BTreeSet<String> = of_containers.chain([SECCOMP_ANNOTATION.to_owned()]).collect();
    let forbidden: BTreeSet<String> = annotations(pod)
        .filter(|(key, value)| keys.contains(*key) && !allowed(value))
        .map(|(key, value)| format!("{key}={}", go_quote(value)))
        .collect();
    if forbidden.is_empty() {
        return None;
    }
    let word = plural("annotation", "annotations", forbidden.len());
    let list: Vec<String> = forbidden.into_iter().collect();
    Found::new("seccompProfile", format!("forbidden {word} {}", list.join(", ")))
}

/// `seccompProfile_baseline` from 1.19 on.
pub(super) fn seccomp_unless_unset(pod: Pod<'_>) -> Option<Found> {
    let (setters, values) = setting(pod, "seccompProfile");
    if setters.is_empty() {
        return None;
    }
    Found::new(
        "seccompProfile",
        format!("{} must not set securityContext.seccompProfile.type to {}", setters.join(" and "), quoted(values)),
    )
}

/// `seccompProfile_restricted` before 1.25.
pub(super) fn seccomp(pod: Pod<'_>) -> Option<Found> {
    if let Some(found) = seccomp_unless_unset(pod) {
        return Some(found);
    }
    let of_pod = profile(pod.security(), "seccompProfile").is_some_and(is_allowed);
    let silent: Vec<&str> = pod
        .containers()
        .filter(|container| !of_pod && profile(container.security(), "seccompProfile").is_none())
        .map(Container::name)
        .collect();
    if silent.is_empty() {
        return None;
    }
    let names = named(&silent);
    Found::new(
        "seccompProfile",
        format!(r#"pod or {names} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost""#),
    )
}

/// `seccompProfile_restricted` from 1.25 on: a Windows pod cannot set it.
pub(super) fn seccomp_but_on_windows(pod: Pod<'_>) -> Option<Found> {
    if pod.is_windows() { None } else { seccomp(pod) }
}

const SE_LINUX_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// `seLinuxOptions` before 1.31.
pub(super) fn se_linux(pod: Pod<'_>) -> Option<Found> {
    se_linux_of(pod, &SE_LINUX_TYPES[..4])
}

/// `seLinuxOptions` from 1.31 on.
pub(super) fn se_linux_1_31(pod: Pod<'_>) -> Option<Found> {
    se_linux_of(pod, &SE_LINUX_TYPES)
}

fn se_linux_of(pod: Pod<'_>, allowed: &[&str]) -> Option<Found> {
    fn set<'a>(security: &'a Value, field: &str) -> &'a str {
        security["seLinuxOptions"][field].as_str().unwrap_or_default()
    }
    let wrong = |security: &Value| {
        !allowed.contains(&set(security, "type"))
            || !set(security, "user").is_empty()
            || !set(security, "role").is_empty()
    };
    let mut setters = Vec::new();
    let mut wrongs = Vec::new();
    if wrong(pod.security()) {
        setters.push("pod".to_owned());
        wrongs.push(pod.security());
    }
    let containers: Vec<Container<'_>> = pod.containers().filter(|container| wrong(container.security())).collect();
    if !containers.is_empty() {
        let names: Vec<&str> = containers.iter().map(|container| container.name()).collect();
        setters.push(named(&names));
        wrongs.extend(containers.iter().map(|container| container.security()));
    }
    if setters.is_empty() {
        return None;
    }
    let types: BTreeSet<&str> =
        wrongs.iter().map(|security| set(security, "type")).filter(|of| !allowed.contains(of)).collect();
    let mut data = Vec::new();
    if !types.is_empty() {
        data.push(format!("{} {}", plural("type", "types", types.len()), quoted(types)));
    }
    for field in ["user", "role"] {
        if wrongs.iter().any(|security| !set(security, field).is_empty()) {
            data.push(format!("{field} may not be set"));
        }
    }
    Found::new(
        "seLinuxOptions",
        format!("{} set forbidden securityContext.seLinuxOptions: {}", setters.join(" and "), data.join("; ")),
    )
}
