use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use crate::decoded::texts;
use crate::pods::{Container, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Found, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF367",
    title: "what settings take from variables is set where they are read",
    severity: Severity::Warning,
    why: "A file that takes a value from a variable (`${env:K8S_NODE_NAME}`) gets nothing in its place where the container has none of \
          that name: the program watches all nodes in place of its own, or logs in without a password.",
    advice: "Set the variable on the container that mounts the file, or write a default (`${env:NAME:-value}`).",
    check,
};

/// How a variable is asked for.
// ORIGIN: opentelemetry.io/docs/collector/configuration/#environment-variables.
const ASKED: &str = "${env:";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        for volume in template.volumes() {
            let Some(name) = volume["configMap"]["name"].as_str() else { continue };
            let Some(Found::Desired(map)) = subject.find("", "ConfigMap", desired.object.namespace(), name) else {
                continue;
            };
            let all = template.containers();
            let readers: Vec<&Container<'_>> = all.iter().filter(|it| mounts(it, volume)).collect();
            // Whoever takes whole Secrets has more variables than are seen here.
            let is_open = |it: &&Container<'_>| it.value["envFrom"].as_array().is_some_and(|list| !list.is_empty());
            if readers.is_empty() || readers.iter().any(is_open) {
                continue;
            }
            findings.extend(missing(map, desired, &template, &readers));
        }
    }
    findings
}

/// Whether a container mounts a volume of its pod.
pub(super) fn mounts(container: &Container<'_>, volume: &Value) -> bool {
    let mounts = container.value["volumeMounts"].as_array().into_iter().flatten();
    mounts.into_iter().any(|mount| !volume["name"].is_null() && mount["name"] == volume["name"])
}

fn missing(map: &Desired, desired: &Desired, template: &PodTemplate<'_>, readers: &[&Container<'_>]) -> Vec<Finding> {
    let mut told = BTreeSet::new();
    let mut findings = Vec::new();
    for (_, text, field) in texts(&map.object) {
        for asked in text.split(ASKED).skip(1) {
            let Some((name, _)) = asked.split_once('}') else { continue };
            let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
            let is_set = readers.iter().any(|it| it.env().any(|(_, known, _)| known == name));
            if !is_name || is_set || !told.insert(name.to_owned()) {
                continue;
            }
            let reader = readers[0].name;
            findings.push(
                RULE.finding(format!(
                    "ConfigMap `{}` takes the variable `{name}`, which container `{reader}` of {} `{}` has not",
                    map.object.name(),
                    desired.object.kind(),
                    desired.object.name()
                ))
                .keyed(format!("{} {name}", map.object.name()))
                .because("nothing stands in its place")
                .at(map.spot_at(&field))
                .at(desired.spot_at(&format!("{}.containers", template.path))),
            );
        }
    }
    findings
}
