use std::borrow::Cow;

use landfall_diag::{Finding, Severity};
use landfall_object::references::references;
use serde_json::Value;

use crate::decoded::texts;
use crate::pods::PodTemplate;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF155",
    title: "no pod calls its developer's machine",
    severity: Severity::Warning,
    why: "Names such as `host.k3d.internal` or `host.docker.internal` are put into containers by the tool on somebody's desk. \
          In a pod of another cluster they do not resolve, and what calls them fails from the first request.",
    advice: "Call a Service, or give the pod the name's address with `hostAliases`.",
    check,
};

/// Names by which tools for local clusters know the machine they run on.
const NAMES: &[&str] = &[
    "host.k3d.internal",
    "host.docker.internal",
    "gateway.docker.internal",
    "kubernetes.docker.internal",
    "docker.for.mac.localhost",
    "docker.for.win.localhost",
    "host.minikube.internal",
    "host.lima.internal",
    "host.rancher-desktop.internal",
    "host.containers.internal",
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let known: Vec<&str> = template.spec["hostAliases"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|alias| alias["hostnames"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        let said = said(subject, desired, &template);
        for name in NAMES.iter().filter(|name| !known.contains(*name)) {
            let Some((field, _)) = said.iter().find(|(_, text)| has(text, name)) else { continue };
            let (kind, owner) = (desired.object.kind(), desired.object.name());
            findings.push(
                RULE.finding(format!("{kind} `{owner}` calls `{name}`, which its pods do not know"))
                    .because("the name resolves where a tool has put it, and nowhere else")
                    .at(desired.spot_at(field)),
            );
        }
    }
    findings
}

/// What a pod is told, and the field through which it comes to it.
fn said<'a>(subject: &Subject<'a>, desired: &'a Desired, template: &PodTemplate<'a>) -> Vec<(String, Cow<'a, str>)> {
    let mut said = Vec::new();
    for container in template.containers() {
        for (at, _, variable) in container.env() {
            let value = variable["value"].as_str();
            said.extend(value.map(|value| (format!("{}.env[{at}].value", container.path), Cow::Borrowed(value))));
        }
        for field in ["command", "args"] {
            let words = container.value[field].as_array().into_iter().flatten().filter_map(Value::as_str);
            said.extend(words.map(|word| (format!("{}.{field}", container.path), Cow::Borrowed(word))));
        }
    }
    for reference in references(&desired.object) {
        if !matches!(reference.kind.as_str(), "ConfigMap" | "Secret") {
            continue;
        }
        let source = subject.desired("", &reference.kind, reference.namespace.as_deref(), &reference.name);
        let Some(source) = source else { continue };
        let key = reference.key.as_deref();
        let texts = texts(&source.object).into_iter().filter(|(of, _, _)| key.is_none_or(|key| key == *of));
        said.extend(texts.map(|(_, text, _)| (reference.path.clone(), Cow::Owned(text))));
    }
    said
}

/// Whether a text holds a host as a whole.
fn has(text: &str, host: &str) -> bool {
    let is_part = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_alphanumeric() || it == '-' || it == '.');
    // What stands behind `#` in a file's line is for people.
    text.lines().map(|line| line.trim_start()).filter(|line| !line.starts_with('#')).any(|line| {
        line.match_indices(host)
            .any(|(at, _)| !is_part(line[..at].chars().next_back()) && !is_part(line[at + host.len()..].chars().next()))
    })
}
