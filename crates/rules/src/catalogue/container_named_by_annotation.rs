use landfall_diag::{Finding, Severity};

use crate::pods::Container;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF185",
    title: "annotations and variables name containers and volumes that the pod has",
    severity: Severity::Warning,
    why: "An annotation that names a container tells a tool which one is meant: whose log is shown, which profile holds \
          it, where a backup freezes the database. With a name that the pod does not have, the tool does nothing, or \
          something to another container, and says so to nobody. A variable that takes a limit from a container that is \
          not there keeps its own from starting.",
    advice: "Write the container's name as the pod template has it.",
    check,
};

/// Annotations of pods whose value is the name of a container.
const BY_VALUE: &[&str] = &[
    "kubectl.kubernetes.io/default-container",
    "kubectl.kubernetes.io/default-logs-container",
    "kubectl.kubernetes.io/default-exec-container",
    "pre.hook.backup.velero.io/container",
    "post.hook.backup.velero.io/container",
    "post.hook.restore.velero.io/container",
];

/// Annotations of pods that end with the name of a container.
const BY_KEY: &[&str] =
    &["container.apparmor.security.beta.kubernetes.io/", "container.seccomp.security.alpha.kubernetes.io/"];

/// Annotations of pods whose value is a list of volumes.
const VOLUMES: &[&str] = &["backup.velero.io/backup-volumes", "backup.velero.io/backup-volumes-excludes"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let containers = template.containers();
        let known: Vec<&str> = containers.iter().map(|container| container.name).collect();
        let claims = desired.object.list_at("/spec/volumeClaimTemplates").iter();
        let volumes: Vec<&str> = template
            .volumes()
            .iter()
            .filter_map(|volume| volume["name"].as_str())
            .chain(claims.filter_map(|claim| claim["metadata"]["name"].as_str()))
            .collect();
        findings.extend(limits_of_another(desired, &containers, &known));
        let metadata = template.path.strip_suffix("spec").unwrap_or_default();
        for (key, value) in template.annotations().into_iter().flatten() {
            let text = value.as_str().unwrap_or_default();
            let by_key = BY_KEY.iter().find_map(|begin| key.strip_prefix(begin));
            let (what, named, among): (&str, Vec<&str>, &[&str]) = if BY_VALUE.contains(&key.as_str()) {
                ("container", vec![text], &known)
            } else if let Some(name) = by_key {
                ("container", vec![name], &known)
            } else if VOLUMES.contains(&key.as_str()) {
                ("volume", text.split(',').map(str::trim).collect(), &volumes)
            } else {
                continue;
            };
            for name in named.into_iter().filter(|name| !name.is_empty() && !among.contains(name)) {
                let finding = RULE
                    .finding(format!("annotation `{key}` names the {what} `{name}`, which the pod does not have"))
                    .at(desired.spot_at(&format!("{metadata}metadata.annotations[{key}]")));
                findings.push(match landfall_diag::nearest(name, among.iter().copied()) {
                    Some(near) => finding.help(format!("did you mean `{near}`?")),
                    None => finding.help(format!("the pod has {}", among.join(", "))),
                });
            }
        }
    }
    findings
}

/// Variables that are to hold what another container may use, which the pod does not have.
fn limits_of_another(desired: &Desired, containers: &[Container<'_>], known: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for container in containers {
        for (at, name, variable) in container.env() {
            let of = variable.pointer("/valueFrom/resourceFieldRef/containerName").and_then(|of| of.as_str());
            let Some(of) = of.filter(|of| !of.is_empty() && !known.contains(of)) else { continue };
            let finding = RULE
                .finding(format!(
                    "variable `{name}` asks for a limit of the container `{of}`, which the pod does not have"
                ))
                .weighing(Severity::Error)
                .because(format!("container `{}` cannot be made without it", container.name))
                .at(desired.spot_at(&format!("{}.env[{at}].valueFrom.resourceFieldRef.containerName", container.path)));
            findings.push(match landfall_diag::nearest(of, known.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!("the pod has {}", known.join(", "))),
            });
        }
    }
    findings
}
