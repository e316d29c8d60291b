//! Settings of the kernel.

use super::Found;
use crate::pod_security::Pod;

/// Those that concern the pod alone, with the minor version from which on they are taken for safe.
const SAFE: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

pub(super) fn of_1_0(pod: Pod<'_>) -> Option<Found> {
    as_of(0, pod)
}

pub(super) fn of_1_27(pod: Pod<'_>) -> Option<Found> {
    as_of(27, pod)
}

pub(super) fn of_1_29(pod: Pod<'_>) -> Option<Found> {
    as_of(29, pod)
}

pub(super) fn of_1_32(pod: Pod<'_>) -> Option<Found> {
    as_of(32, pod)
}

fn as_of(minor: u32, pod: Pod<'_>) -> Option<Found> {
    let set = pod.security()["sysctls"].as_array().into_iter().flatten();
    let set = set.map(|sysctl| sysctl["name"].as_str().unwrap_or_default());
    let is_safe = |name: &str| SAFE.iter().any(|(safe, since)| *safe == name && *since <= minor);
    let forbidden: Vec<&str> = set.filter(|name| !is_safe(name)).collect();
    if forbidden.is_empty() {
        return None;
    }
    Found::new("forbidden sysctls", forbidden.join(", "))
}
