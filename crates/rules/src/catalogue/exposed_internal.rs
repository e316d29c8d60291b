use landfall_diag::{Finding, Severity, Spot};
use landfall_object::Object;
use serde_json::Value;

use crate::components::is_component;
use crate::pods::PodTemplate;
use crate::routes::{all_routes, exposure};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF144",
    title: "what is internal stays inside",
    severity: Severity::Error,
    why: "A database or a queue is built for friends: it trusts whoever reaches it. A route, a node port or a load balancer \
          in front of it lets everybody reach it.",
    advice: "Give its Service the type ClusterIP, and take routes and ports of the node away.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let components = subject.environment.and_then(|(_, environment)| environment.components.as_ref());
    let Some(components) = components.filter(|components| !components.internal.is_empty()) else { return Vec::new() };
    let routes = all_routes(subject);
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let is_it = |name: &&landfall_project::ObjectName| is_component(&desired.object, &desired.unit, name);
        let Some(component) = components.internal.iter().find(is_it) else { continue };
        let mut add = |how: String, spot: Spot| {
            findings.push(
                RULE.finding(format!("`{component}` is internal, and {how}"))
                    .because("whoever reaches that address reaches it")
                    .at(spot),
            );
        };
        if let Some(route) = exposure(subject, &routes, &template) {
            let object = route.object;
            let spot = routes
                .iter()
                .find(|(found, it)| std::ptr::eq(found.object(), object) && it.field == route.field)
                .map_or_else(|| desired.spot(), |(found, it)| found.spot_at(&it.field));
            add(format!("{} `{}` leads to it from `{}`", object.kind(), object.name(), route.address()), spot);
        }
        for service in services(subject, &template) {
            let kind = service.object.str_at("/spec/type").unwrap_or("ClusterIP");
            if matches!(kind, "NodePort" | "LoadBalancer") {
                add(format!("Service `{}` is a {kind}", service.object.name()), service.spot_at("spec.type"));
            } else if !service.object.list_at("/spec/externalIPs").is_empty() {
                add(
                    format!("Service `{}` has external addresses", service.object.name()),
                    service.spot_at("spec.externalIPs"),
                );
            }
        }
        if template.spec["hostNetwork"] == true {
            add(
                "it uses the network of its node".to_owned(),
                desired.spot_at(&format!("{}.hostNetwork", template.path)),
            );
            continue;
        }
        for container in template.containers() {
            let ports = container.value["ports"].as_array().into_iter().flatten().enumerate();
            for (at, port) in ports.filter(|(_, port)| port["hostPort"].as_u64().is_some_and(|port| port > 0)) {
                add(
                    format!("it listens at port {} of its node", port["hostPort"]),
                    desired.spot_at(&format!("{}.ports[{at}].hostPort", container.path)),
                );
            }
        }
    }
    findings
}

/// The delivered Services that lead to pods of a template.
fn services<'a>(subject: &Subject<'a>, template: &PodTemplate<'a>) -> Vec<&'a Desired> {
    let selects = |object: &Object| {
        object.namespace() == template.owner.namespace()
            && object.at("/spec/selector").is_some_and(|selector| {
                selector.as_object().is_some_and(|map: &serde_json::Map<String, Value>| !map.is_empty())
                    && template.is_selected_by(selector)
            })
    };
    subject.of_kind("", "Service").filter(|service| selects(&service.object)).collect()
}
