use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use crate::pods::{ContainerRole, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF261",
    title: "annotations name the port at which pods are measured",
    severity: Severity::Warning,
    why: "`prometheus.io/port` is the port of the pod itself: what scrapes puts it behind the pod's address. The port of the \
          Service in front of it leads to the pod under another number, and nobody answers at that one. The target is down \
          from the first minute, or nobody has missed it.",
    advice: "Name the container's port, the one that the Service sends its own to.",
    check,
};

/// The annotation that Prometheus' own example of a configuration for Kubernetes reads.
const PORT: &str = "prometheus.io/port";

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        let Some((port, ports)) = elsewhere(&template) else { continue };
        let Some(service) = in_front(subject, desired, &template, port) else { continue };
        let (kind, name) = (desired.object.kind(), desired.object.name());
        let field = format!("{}.annotations[{PORT}]", metadata_of(template.path));
        findings.push(
            RULE.finding(format!(
                "{kind} `{name}` is measured at port {port} (`{PORT}`), which no container of it has"
            ))
            .because(format!("it is a port of Service `{}`, which leads to another one of the pods", service.name()))
            .help(format!("the pods' ports are {}", ports.join(", ")))
            .at(desired.spot_at(&field)),
        );
    }
    findings
}

/// The port that a pod's annotation names and none of its containers has, and those that they have; none where they declare
/// nothing, and may listen anywhere.
fn elsewhere(template: &PodTemplate<'_>) -> Option<(u64, Vec<String>)> {
    let port: u64 = template.annotations()?.get(PORT)?.as_str()?.parse().ok()?;
    let containers = template.containers();
    let lasting = containers.iter().filter(|it| it.role != ContainerRole::Init);
    let ports: Vec<u64> = lasting.flat_map(|it| it.ports().map(|(port, _)| port).collect::<Vec<_>>()).collect();
    let shown = || ports.iter().map(u64::to_string).collect();
    (!ports.is_empty() && !ports.contains(&port)).then(|| (port, shown()))
}

/// The Service in front of a pod that has the port and leads to another one.
pub(super) fn in_front<'s>(
    subject: &'s Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    port: u64,
) -> Option<&'s Object> {
    let services = subject.of_kind("", "Service").map(|it| &it.object);
    services
        .filter(|it| it.namespace() == desired.object.namespace() && chooses(it, template))
        .find(|it| leads_on(it, port))
}

/// Whether a Service chooses these pods.
pub(super) fn chooses(service: &Object, template: &PodTemplate<'_>) -> bool {
    let selector = service.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
    selector.is_some_and(|selector| template.is_selected_by(selector))
}

/// Whether a Service has the port and sends what comes there to another one.
fn leads_on(service: &Object, port: u64) -> bool {
    service.list_at("/spec/ports").iter().any(|it| {
        it["port"].as_u64() == Some(port)
            && match &it["targetPort"] {
                Value::Null => false,
                Value::Number(target) => target.as_u64() != Some(port),
                _ => true,
            }
    })
}

/// Where the metadata stands beside a pod's spec.
fn metadata_of(spec: &str) -> String {
    spec.strip_suffix("spec").map_or_else(|| "metadata".to_owned(), |above| format!("{above}metadata"))
}
