//! What a pod takes of its node: namespaces, ports, addresses, the Windows host's processes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Found;
use crate::pod_security::{Container, Pod, named, plural, quoted};

/// `hostNamespaces`.
pub(super) fn namespaces(pod: Pod<'_>) -> Option<Found> {
    let shared: Vec<String> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| pod.spec[*field] == true)
        .map(|field| format!("{field}=true"))
        .collect();
    if shared.is_empty() {
        return None;
    }
    Found::new("host namespaces", shared.join(", "))
}

/// `hostPorts`.
pub(super) fn ports(pod: Pod<'_>) -> Option<Found> {
    let mut names = Vec::new();
    let mut taken = BTreeSet::new();
    for container in pod.containers() {
        let ports = container.0["ports"].as_array().into_iter().flatten();
        let own: Vec<i64> = ports.filter_map(|port| port["hostPort"].as_i64()).filter(|port| *port != 0).collect();
        if !own.is_empty() {
            names.push(container.name());
            taken.extend(own.iter().map(i64::to_string));
        }
    }
    if names.is_empty() {
        return None;
    }
    let uses = plural("uses", "use", names.len());
    let word = plural("hostPort", "hostPorts", taken.len());
    let list: Vec<String> = taken.into_iter().collect();
    Found::new("hostPort", format!("{} {uses} {word} {}", named(&names), list.join(", ")))
}

/// Where a container may name a host that is asked.
const ASKED: [&str; 10] = [
    "/livenessProbe/httpGet/host",
    "/livenessProbe/tcpSocket/host",
    "/readinessProbe/httpGet/host",
    "/readinessProbe/tcpSocket/host",
    "/startupProbe/httpGet/host",
    "/startupProbe/tcpSocket/host",
    "/lifecycle/postStart/httpGet/host",
    "/lifecycle/postStart/tcpSocket/host",
    "/lifecycle/preStop/httpGet/host",
    "/lifecycle/preStop/tcpSocket/host",
];

/// `hostProbesAndHostLifecycle`: probes and hooks that ask another host than the pod.
pub(super) fn probes(pod: Pod<'_>) -> Option<Found> {
    let mut names = BTreeSet::new();
    let mut hosts = BTreeSet::new();
    for container in pod.containers() {
        let asked = ASKED.iter().filter_map(|field| container.0.pointer(field)?.as_str());
        let asked: Vec<&str> = asked.filter(|host| !host.is_empty()).collect();
        if !asked.is_empty() {
            names.insert(container.name());
            hosts.extend(asked);
        }
    }
    if names.is_empty() {
        return None;
    }
    let names: Vec<&str> = names.into_iter().collect();
    let uses = plural("uses", "use", names.len());
    let word = plural("probe or lifecycle host", "probe or lifecycle hosts", hosts.len());
    Found::new("probe or lifecycle host", format!("{} {uses} {word} {}", named(&names), quoted(hosts)))
}

/// `windowsHostProcess`.
pub(super) fn windows_process(pod: Pod<'_>) -> Option<Found> {
    fn is_set(security: &Value) -> bool {
        security["windowsOptions"]["hostProcess"] == true
    }
    let mut setters = Vec::new();
    if is_set(pod.security()) {
        setters.push("pod".to_owned());
    }
    let names: Vec<&str> =
        pod.containers().filter(|container| is_set(container.security())).map(Container::name).collect();
    if !names.is_empty() {
        setters.push(named(&names));
    }
    if setters.is_empty() {
        return None;
    }
    Found::new(
        "hostProcess",
        format!("{} must not set securityContext.windowsOptions.hostProcess=true", setters.join(" and ")),
    )
}
