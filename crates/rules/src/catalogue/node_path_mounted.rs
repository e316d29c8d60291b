use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::{Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF276",
    title: "what reaches into the node is named",
    severity: Severity::Info,
    why: "A workload that mounts a directory of its node runs there alone: elsewhere the directory is empty or not there, and \
          what it wrote stays behind. Some of these directories are the node itself: its container runtime's socket, its root.",
    advice: "Keep data in a PersistentVolumeClaim; where it has to be the node's, say on which node the pod runs.",
    check,
};

/// Directories that are the node: whoever has one, has the machine.
///
/// ORIGIN: the sockets of containerd, CRI-O and Docker, and kubelet's own directory, as their documents name them.
const THE_NODE: &[&str] = &[
    "/",
    "/etc",
    "/root",
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/var/run/crio/crio.sock",
    "/var/lib/kubelet",
    "/etc/kubernetes",
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    // A protected environment is LF140's, which is an error there.
    if subject.is_protected() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        let object = &desired.object;
        // An agent that runs on every node is there for what is on the node.
        if object.kind() == "DaemonSet" {
            continue;
        }
        for (at, volume) in template.volumes().iter().enumerate() {
            let Some(path) = volume["hostPath"]["path"].as_str() else { continue };
            let bare = if path == "/" { path } else { path.trim_end_matches('/') };
            let is_node = THE_NODE.contains(&bare);
            findings.push(
                RULE.finding(format!("{} `{}` mounts `{path}` of its node", object.kind(), object.name()))
                    .weighing(if is_node { Severity::Warning } else { RULE.severity })
                    .because(if is_node {
                        "whoever gets into the container has the node"
                    } else {
                        "another node has another directory of that name, or none"
                    })
                    .at(desired.spot_at(&format!("{}.volumes[{at}].hostPath", template.path))),
            );
        }
    }
    findings
}
