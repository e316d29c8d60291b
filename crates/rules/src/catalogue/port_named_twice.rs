use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};

use super::measured_at_another_port::chooses;
use crate::pods::{ContainerRole, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF352",
    title: "no two containers of a pod call a port alike",
    severity: Severity::Warning,
    why: "The name of a port is looked up in the whole pod, and the first container that has it answers: a Service or a monitor \
          that means the second one reaches the first. The API takes it with a warning that few read.",
    advice: "Give the ports of a pod names of their own.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        for Twice { name, first, second, field } in twice(&template) {
            let (kind, named) = (desired.object.kind(), desired.object.name());
            let finding = RULE
                .finding(format!("two containers of {kind} `{named}` call a port `{name}`"))
                .keyed(format!("{kind}/{named} {name}"))
                .at(desired.spot_at(&field));
            findings.push(match asked_by(subject, desired, &template, &name) {
                Some(asking) => finding.because(format!(
                    "{asking} asks for that name, and reaches the one of `{first}`, never that of `{second}`"
                )),
                None => finding.weighing(Severity::Info).because(format!(
                    "whoever asks for that name reaches the one of `{first}`, never that of `{second}`"
                )),
            });
        }
    }
    findings
}

/// A name that two containers give to ports of other numbers.
struct Twice {
    name: String,
    first: String,
    second: String,
    field: String,
}

fn twice(template: &PodTemplate<'_>) -> Vec<Twice> {
    let mut known: BTreeMap<String, (String, u64)> = BTreeMap::new();
    let mut found = Vec::new();
    for container in template.containers().iter().filter(|it| it.role != ContainerRole::Init) {
        for (index, (number, name)) in container.ports().enumerate().filter(|(_, (_, name))| !name.is_empty()) {
            match known.get(name) {
                Some((first, port)) if *port != number && first != container.name => found.push(Twice {
                    name: name.to_owned(),
                    first: first.clone(),
                    second: container.name.to_owned(),
                    field: format!("{}.ports[{index}].name", container.path),
                }),
                Some(_) => {}
                None => drop(known.insert(name.to_owned(), (container.name.to_owned(), number))),
            }
        }
    }
    found
}

/// Who asks for a port of the pods by its name: a Service, or a monitor of the pods.
fn asked_by(subject: &Subject<'_>, desired: &Desired, template: &PodTemplate<'_>, name: &str) -> Option<String> {
    let services = || {
        let here = subject.of_kind("", "Service").map(|it| &it.object);
        here.filter(|it| it.namespace() == desired.object.namespace() && chooses(it, template))
    };
    let by_service = services().find(|it| it.list_at("/spec/ports").iter().any(|port| port["targetPort"] == name));
    let by_monitor = |kind: &'static str, field: &str, wanted: &str| {
        let pointer = format!("/spec/{field}");
        let monitors = subject.of_kind("monitoring.coreos.com", kind).map(|it| &it.object);
        monitors.into_iter().find(|it| it.list_at(&pointer).iter().any(|endpoint| endpoint[wanted] == name))
    };
    let asking = by_service
        .or_else(|| by_monitor("ServiceMonitor", "endpoints", "targetPort").filter(|_| services().next().is_some()))
        .or_else(|| by_monitor("PodMonitor", "podMetricsEndpoints", "port"))?;
    Some(format!("{} `{}`", asking.kind(), asking.name()))
}
