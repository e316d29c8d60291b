use landfall_diag::{Finding, Severity, Spot};
use landfall_object::Object;
use serde_json::Value;

use crate::pods::selects;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF293",
    title: "a Service goes with its pods, not before them",
    severity: Severity::Warning,
    why: "A Service's name is its address. One that is left out or renamed while its pods stay is an address that nobody answers: \
          what calls it from other releases, from outside or by a setting fails, and nothing in the change shows it.",
    advice: "Keep the old name beside the new one until everything that calls it has moved.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(base) = subject.base else { return Vec::new() };
    let mut findings = Vec::new();
    for unit in base {
        let Some(now) = subject.unit(&unit.name) else { continue };
        for old in unit
            .objects
            .iter()
            .filter(|it| it.role == Role::Manifest && it.object.kind() == "Service" && it.object.group().is_empty())
        {
            let object = &old.object;
            let (namespace, name) = (object.namespace(), object.name());
            let is_kept = object.annotation("helm.sh/resource-policy") == Some("keep");
            if let Some(now) = subject.desired("", "Service", namespace, name) {
                findings.extend(ports_gone(subject, object, now));
                continue;
            }
            if is_kept || subject.find("", "Service", namespace, name).is_some() {
                continue;
            }
            let Some(selector) =
                object.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()))
            else {
                continue;
            };
            // The pods that it led to are still there, as the base had them.
            let led = |it: &&crate::subject::Desired| {
                it.role == Role::Manifest
                    && it.object.namespace() == namespace
                    && crate::pods::pod_template(&it.object)
                        .is_some_and(|template| selects(selector, template.labels()))
            };
            let stays = |it: &crate::subject::Desired| {
                now.object(it.object.group(), it.object.kind(), namespace, it.object.name())
            };
            let Some(workload) = unit.objects.iter().filter(led).find_map(stays) else { continue };
            // Whoever calls it under another name already is of one mind with the change.
            let heirs: Vec<&str> = heirs(subject, &workload.object, object.at("/spec/ports").unwrap_or(&Value::Null));
            let (kind, owner) = (workload.object.kind(), workload.object.name());
            let finding = RULE
                .finding(format!("Service `{name}` goes, and the pods of {kind} `{owner}` that it leads to stay"))
                .keyed(format!("{} {name}", namespace.unwrap_or_default()))
                .because("what calls it by that name, from wherever, is not answered any more");
            let finding = match heirs.first() {
                Some(heir) => {
                    finding.help(format!("`{heir}` leads to them now: keep both names until all who call have moved"))
                }
                None => finding,
            };
            findings.push(finding.at(Spot::object(Some(&unit.name), old.key()).field("metadata.name")));
        }
    }
    findings
}

/// Ports that a Service had and that its pods still open, and at which it is not to be reached any more.
fn ports_gone(subject: &Subject<'_>, old: &Object, now: &Desired) -> Option<Finding> {
    let selector = now.object.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()))?;
    // The name of a headless Service leads to the pods themselves, whatever its ports say.
    if now.object.str_at("/spec/clusterIP") == Some("None") {
        return None;
    }
    let containers: Vec<_> = subject
        .pods()
        .filter(|(it, template)| it.object.namespace() == old.namespace() && template.is_selected_by(selector))
        .flat_map(|(_, template)| template.containers())
        .collect();
    let opened: Vec<(u64, &str)> = containers.iter().flat_map(|it| it.ports().collect::<Vec<_>>()).collect();
    let still = |port: &Value| {
        let target = port.get("targetPort").filter(|it| !it.is_null()).unwrap_or(&port["port"]);
        opened.iter().any(|(number, name)| target.as_u64() == Some(*number) || target.as_str() == Some(*name))
    };
    let own: Vec<u64> = now.object.list_at("/spec/ports").iter().filter_map(|it| it["port"].as_u64()).collect();
    let gone: Vec<String> = old
        .list_at("/spec/ports")
        .iter()
        .filter(|port| still(port))
        .filter_map(|port| port["port"].as_u64())
        .filter(|port| !own.contains(port))
        .map(|port| port.to_string())
        .collect();
    (!gone.is_empty()).then(|| {
        RULE.finding(format!("Service `{}` is not at port {} any more", now.object.name(), gone.join(", ")))
            .because("its pods open what was behind it still; what calls it there, from wherever, is refused")
            .help("keep the old port beside the new one until everything that calls it has moved")
            .at(now.spot_at("spec.ports"))
    })
}

/// The Services that lead to the pods after the change.
fn heirs<'a>(subject: &Subject<'a>, workload: &landfall_object::Object, ports: &Value) -> Vec<&'a str> {
    let Some(template) = crate::pods::pod_template(workload) else { return Vec::new() };
    let numbers = |ports: &Value| -> Vec<u64> {
        ports.as_array().into_iter().flatten().filter_map(|it| it["port"].as_u64()).collect()
    };
    let wanted = numbers(ports);
    subject
        .of_kind("", "Service")
        .map(|it| &it.object)
        .filter(|it| it.namespace() == workload.namespace())
        .filter(|it| {
            let selector = it.at("/spec/selector").filter(|it| it.as_object().is_some_and(|map| !map.is_empty()));
            let own = numbers(it.at("/spec/ports").unwrap_or(&Value::Null));
            selector.is_some_and(|selector| template.is_selected_by(selector))
                && wanted.iter().all(|port| own.contains(port))
        })
        .map(landfall_object::Object::name)
        .collect()
}
