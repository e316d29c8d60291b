//! Probes of pods that declare no ports, which ask beside all that their Services lead to.

use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::super::measured_at_another_port::chooses;
use super::{RULE, declared, listed, probed, speaks_of, word};
use crate::operated::is_operated;
use crate::pods::{ContainerRole, PodTemplate};
use crate::subject::{Desired, Role, Subject};

/// Probes at a number that nobody is told of, of a pod whose only known ports are those that its Services lead to. A
/// program may well open a port that nobody has declared: it is an info.
pub(super) fn asked(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Vec<Finding> {
    if desired.role != Role::Manifest || !declared(std::slice::from_ref(template)).is_empty() {
        return Vec::new();
    }
    let Some(known) = led_to(subject, desired, template) else { return Vec::new() };
    if is_operated(subject, &desired.unit) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
        for (field, port) in probed(container) {
            if known.contains(&port) || speaks_of(subject, desired, template, port) {
                continue;
            }
            findings.push(
                RULE.finding(format!(
                    "the {} of container `{}` asks at port {port}, and its Services lead to {} alone",
                    word(field),
                    container.name,
                    listed(&known)
                ))
                .weighing(Severity::Info)
                .because("it declares no port and is told of none: most likely nobody answers there")
                .help("ask at the port that the Service leads to, and declare it")
                .at(desired.spot_at(&format!("{}.{field}", container.path))),
            );
        }
    }
    findings
}

/// The ports that the Services in front of a pod lead to; none where there is no such Service, or one leads to a port
/// by its name.
fn led_to(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>) -> Option<BTreeSet<u64>> {
    let mut known = BTreeSet::new();
    let services = subject.of_kind("", "Service").map(|it| &it.object);
    for service in services.filter(|it| it.namespace() == desired.object.namespace() && chooses(it, template)) {
        for port in service.list_at("/spec/ports") {
            let target = port.get("targetPort").filter(|it| !it.is_null()).unwrap_or(&port["port"]);
            let number = match target {
                Value::String(text) => text.parse().ok(),
                other => other.as_u64(),
            };
            known.insert(number.filter(|it| *it > 0)?);
        }
    }
    (!known.is_empty()).then_some(known)
}
