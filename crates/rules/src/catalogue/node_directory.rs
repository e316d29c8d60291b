use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;

pub(super) static RULE: Rule = Rule {
    id: "LF140",
    title: "no pod of a protected environment reaches into its node",
    severity: Severity::Error,
    why: "What is written to a hostPath stays on one node: the next pod may run on another and find nothing, and no \
          backup takes it along. What is read from it is the node's own, and a way out of the container.",
    advice: "Keep data in a PersistentVolumeClaim, and hand files over in a ConfigMap or Secret.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    if !subject.is_protected() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let object = &desired.object;
        // An agent that runs on every node is there for what is on the node.
        if object.kind() == "DaemonSet" {
            continue;
        }
        for (at, volume) in template.volumes().iter().enumerate() {
            let Some(path) = volume["hostPath"]["path"].as_str() else { continue };
            findings.push(
                RULE.finding(format!("{} `{}` mounts `{path}` of its node", object.kind(), object.name()))
                    .because("its data is on whichever node it ran, and the container can reach the node's own files")
                    .at(desired.spot_at(&format!("{}.volumes[{at}].hostPath", template.path))),
            );
        }
    }
    for desired in subject.of_kind("", "PersistentVolume") {
        let Some(path) = desired.object.str_at("/spec/hostPath/path") else { continue };
        findings.push(
            RULE.finding(format!("PersistentVolume `{}` is the directory `{path}` of a node", desired.object.name()))
                .because("a pod that moves to another node finds it empty")
                .help("use a StorageClass, or `local` with a node affinity")
                .at(desired.spot_at("spec.hostPath")),
        );
    }
    findings
}
