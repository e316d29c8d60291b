//! Capabilities of Linux that containers are given or denied by a name that the runtime does not know.

use landfall_diag::Finding;

use super::{slip, told};
use crate::pods::Container;
use crate::subject::Desired;

// ORIGIN: Linux v6.12 `include/uapi/linux/capability.h`, without `CAP_`.
const CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

// ORIGIN: containerd `pkg/oci/spec_opts.go` and `internal/cri/server/container_create.go` (`"CAP_" + strings.ToUpper(c)`).
const EFFECT: &str = "the runtime puts `CAP_` in front of the name itself, and knows no such capability: \
                      the container starts without what is meant, or not at all";

/// Capabilities with `CAP_` in front, and such as are nearly one that there is.
pub(super) fn capabilities(desired: &Desired, container: &Container<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for list in ["add", "drop"] {
        let words = container.value["securityContext"]["capabilities"][list].as_array().into_iter().flatten();
        for (at, word) in words.enumerate().filter_map(|(at, word)| Some((at, word.as_str()?))) {
            let Some(meant) = meant(word) else { continue };
            let field = format!("{}.securityContext.capabilities.{list}[{at}]", container.path);
            findings.push(told(desired, "the capability", word, &meant, EFFECT, &field));
        }
    }
    findings
}

/// The name that was meant by one which is not known.
fn meant(word: &str) -> Option<String> {
    // The runtime takes small letters for capitals.
    let word = word.to_ascii_uppercase();
    if word == "ALL" {
        return None;
    }
    if let Some(name) = word.strip_prefix("CAP_") {
        let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_uppercase() || it == b'_');
        return is_name.then(|| name.to_owned());
    }
    slip(&word, CAPABILITIES).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capability_is_named_without_its_prefix() {
        assert_eq!(CAPABILITIES.len(), 41);
        for (word, name) in [
            ("CAP_SYS_RESOURCE", Some("SYS_RESOURCE")),
            ("cap_net_raw", Some("NET_RAW")),
            ("NET_BIND_SERVICES", Some("NET_BIND_SERVICE")),
            ("SYS_LOG", Some("SYSLOG")),
            ("ALL", None),
            ("all", None),
            ("net_admin", None),
            ("BPF", None),
            ("CAP_", None),
            ("OWN_THING", None),
        ] {
            assert_eq!(meant(word).as_deref(), name, "{word}");
        }
    }
}
