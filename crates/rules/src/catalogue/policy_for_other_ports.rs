use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use crate::operated::is_operated;
use crate::pods::{ContainerRole, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF291",
    title: "policies let traffic in at ports that the pods have, and are for the direction of their rules",
    severity: Severity::Warning,
    why: "A NetworkPolicy speaks of the pods' own ports, not of their Service's. One that opens a port which no pod has lets \
          nothing in: whoever calls the Service waits until it gives up.",
    advice: "Name the container's port, by its number or its name.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for policy in subject.of_kind("networking.k8s.io", "NetworkPolicy") {
        findings.extend(told(subject, policy));
    }
    findings
}

fn told(subject: &Subject<'_>, policy: &Desired) -> Vec<Finding> {
    let object = &policy.object;
    if let Some(finding) = of_no_effect(policy) {
        return vec![finding];
    }
    let Some(selector) = object.at("/spec/podSelector") else { return Vec::new() };
    let chosen: Vec<PodTemplate<'_>> = subject
        .pods()
        .filter(|(desired, template)| {
            desired.role == Role::Manifest
                && desired.unit == policy.unit
                && desired.object.namespace() == object.namespace()
                && template.is_selected_by(selector)
        })
        .map(|(_, template)| template)
        .collect();
    let containers = chosen.iter().flat_map(PodTemplate::containers).filter(|it| it.role != ContainerRole::Init);
    let ports: Vec<(u64, String)> = containers
        .flat_map(|it| it.ports().map(|(number, name)| (number, name.to_owned())).collect::<Vec<_>>())
        .collect();
    // Pods that declare nothing may listen anywhere, and so may those of an operator; but what bears all labels of a workload is its own.
    let is_of_workloads = chosen.iter().all(|it| {
        let own = it.owner.at("/spec/selector/matchLabels").and_then(Value::as_object);
        own.is_some_and(|own| {
            !own.is_empty() && own.iter().all(|(key, value)| selector["matchLabels"].get(key) == Some(value))
        })
    });
    if ports.is_empty() || (!is_of_workloads && is_operated(subject, &policy.unit)) {
        return Vec::new();
    }
    if object.list_at("/spec/ingress").is_empty() {
        return nobody_let_in(subject, policy, &chosen).into_iter().collect();
    }
    let mut asked: Vec<(String, &Value, Option<u64>)> = Vec::new();
    let mut any = false;
    for (at, rule) in object.list_at("/spec/ingress").iter().enumerate() {
        let list = rule["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
        any |= list.is_empty();
        for (index, port) in list.iter().enumerate() {
            any |= port["port"].is_null();
            asked.push((format!("spec.ingress[{at}].ports[{index}].port"), &port["port"], port["endPort"].as_u64()));
        }
    }
    let hits = |port: &Value, end: Option<u64>| match port {
        Value::String(name) => ports.iter().any(|(_, own)| own == name),
        port => {
            port.as_u64().is_some_and(|from| ports.iter().any(|(own, _)| (from..=end.unwrap_or(from)).contains(own)))
        }
    };
    let one_hits = any || asked.iter().any(|(_, port, end)| hits(port, *end));
    let mut findings = Vec::new();
    for (field, port, _) in asked.iter().filter(|(_, port, end)| !port.is_null() && !hits(port, *end)) {
        let services = port.as_u64().and_then(|port| leads_elsewhere(subject, &chosen, object.namespace(), port));
        // A number may be one that a pod opens without saying so; a name that nobody has is nobody's.
        if one_hits && port.is_u64() && services.is_none() {
            continue;
        }
        let shown = port.as_str().map_or_else(|| port.to_string(), str::to_owned);
        let own = ports
            .iter()
            .map(|(number, name)| if name.is_empty() { number.to_string() } else { format!("{number} ({name})") });
        let because = match services {
            Some(service) => format!("it is a port of Service `{service}`, which leads to another one of the pods"),
            None => "what comes to the pods comes at their own ports, and is kept out".to_owned(),
        };
        findings.push(
            RULE.finding(format!(
                "NetworkPolicy `{}` opens port {shown}, which no pod that it chooses has",
                object.name()
            ))
            .because(because)
            .help(format!("the pods' ports are {}", own.collect::<Vec<_>>().join(", ")))
            .at(policy.spot_at(field)),
        );
    }
    findings
}

/// Rules of a direction that the policy says it is not for.
fn of_no_effect(policy: &Desired) -> Option<Finding> {
    let object = &policy.object;
    let types: Vec<&str> = object.list_at("/spec/policyTypes").iter().filter_map(Value::as_str).collect();
    let (field, direction) =
        [("ingress", "Ingress"), ("egress", "Egress")].into_iter().find(|(field, direction)| {
            !object.list_at(&format!("/spec/{field}")).is_empty() && !types.contains(direction)
        })?;
    (!types.is_empty()).then(|| {
        RULE.finding(format!("NetworkPolicy `{}` has rules for {field}, and is for {} alone", object.name(), types[0]))
            .because(format!("`policyTypes` does not name {direction}, so its rules hold nothing back"))
            .help(format!("name {direction} in spec.policyTypes, or take the rules out"))
            .at(policy.spot_at(&format!("spec.{field}")))
    })
}

/// The Service before the pods that has a port of this number and leads to another one.
fn leads_elsewhere(
    subject: &Subject<'_>,
    chosen: &[PodTemplate<'_>],
    namespace: Option<&str>,
    port: u64,
) -> Option<String> {
    let services = subject.of_kind("", "Service").map(|it| &it.object).filter(|it| it.namespace() == namespace);
    services
        .filter(|service| {
            let selector = service.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
            selector.is_some_and(|selector| chosen.iter().any(|it| it.is_selected_by(selector)))
        })
        .find(|service| {
            service.list_at("/spec/ports").iter().any(|it| {
                let target = &it["targetPort"];
                it["port"].as_u64() == Some(port) && !target.is_null() && target.as_u64() != Some(port)
            })
        })
        .map(|service| service.name().to_owned())
}

/// A policy that lets nobody in, where a Service leads to the pods and no other policy opens a way.
fn nobody_let_in(subject: &Subject<'_>, policy: &Desired, chosen: &[PodTemplate<'_>]) -> Option<Finding> {
    let object = &policy.object;
    let types = object.list_at("/spec/policyTypes");
    if !types.is_empty() && !types.iter().any(|it| it == "Ingress") {
        return None;
    }
    // One for all pods is the ground that others open ways on.
    let is_for_all =
        object.at("/spec/podSelector").is_none_or(|it| it.as_object().is_none_or(serde_json::Map::is_empty));
    let opens = |other: &Object| {
        other.namespace() == object.namespace()
            && !other.list_at("/spec/ingress").is_empty()
            && other.at("/spec/podSelector").is_none_or(|it| chosen.iter().any(|pod| pod.is_selected_by(it)))
    };
    if is_for_all || subject.after("networking.k8s.io", "NetworkPolicy").any(|it| opens(it.object())) {
        return None;
    }
    let service = subject.of_kind("", "Service").map(|it| &it.object).find(|it| {
        let selector = it.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
        it.namespace() == object.namespace()
            && selector.is_some_and(|it| chosen.iter().any(|pod| pod.is_selected_by(it)))
    })?;
    Some(
        RULE.finding(format!(
            "NetworkPolicy `{}` lets nobody in to the pods of Service `{}`",
            object.name(),
            service.name()
        ))
        .because("it has no rule for what comes in, so whoever calls the Service waits until it gives up")
        .help("name who may come in, and at which port")
        .at(policy.spot_at("spec.ingress")),
    )
}
