//! Headless Services that lead to another port than their pods are told to open.

use landfall_diag::{Finding, Severity};

use super::super::measured_at_another_port::chooses;
use super::{RULE, declared, speaks_of};
use crate::pods::PodTemplate;
use crate::subject::{Desired, Subject};

/// Words of variables that say where a program listens, and not whom it calls.
const LISTENING: &[&str] = &["BIND", "LISTEN", "LISTENER"];

/// Ports of a headless Service that lead to a number which its pods neither open nor are told of, while a variable
/// tells them to open one to which no Service leads. The name of such a Service leads to the pods whatever its ports
/// say: it is an info.
pub(super) fn astray(subject: &Subject<'_>, service: &Desired, beside: &[(&Desired, PodTemplate<'_>)]) -> Vec<Finding> {
    let told: Vec<(&str, u64)> = beside.iter().flat_map(|(_, template)| to_open(subject, template)).collect();
    let mut findings = Vec::new();
    for (at, port) in service.object.list_at("/spec/ports").iter().enumerate() {
        let Some(target) = port["targetPort"].as_u64().filter(|target| port["port"].as_u64() != Some(*target)) else {
            continue;
        };
        let is_known = |(desired, template): &(&Desired, PodTemplate<'_>)| {
            declared(std::slice::from_ref(template)).contains(&target) || speaks_of(subject, desired, template, target)
        };
        if told.is_empty() || beside.iter().any(is_known) {
            continue;
        }
        let told: Vec<String> = told.iter().map(|(name, number)| format!("{number} (`{name}`)")).collect();
        findings.push(
            RULE.finding(format!(
                "headless Service `{}` leads to port {target}, and its pods are told to open {}",
                service.object.name(),
                told.join(", ")
            ))
            .weighing(Severity::Info)
            .because("whoever takes the port from the Service's record finds nobody there")
            .help("let `targetPort` and the variable come from one value")
            .at(service.spot_at(&format!("spec.ports[{at}].targetPort"))),
        );
    }
    findings
}

/// The variables that tell a pod to open a port which it does not declare and to which no Service leads, with that
/// port.
fn to_open<'t>(subject: &Subject<'_>, template: &PodTemplate<'t>) -> Vec<(&'t str, u64)> {
    let own = declared(std::slice::from_ref(template));
    let services: Vec<_> =
        subject.of_kind("", "Service").map(|it| &it.object).filter(|it| chooses(it, template)).collect();
    let is_led_to = |number: u64| {
        let mut ports = services.iter().flat_map(|it| it.list_at("/spec/ports"));
        ports.any(|port| [&port["port"], &port["targetPort"]].iter().any(|it| it.as_u64() == Some(number)))
    };
    let mut told: Vec<(&str, u64)> = Vec::new();
    for container in template.containers() {
        for (_, name, variable) in container.env().filter(|(_, name, _)| says_where_it_listens(name)) {
            let number = variable["value"].as_str().and_then(|text| text.trim().parse::<u64>().ok());
            let Some(number) = number.filter(|it| *it > 0 && !own.contains(it) && !is_led_to(*it)) else { continue };
            if !told.iter().any(|(known, _)| *known == name) {
                told.push((name, number));
            }
        }
    }
    told
}

/// Whether a variable is called after the port at which a program listens.
fn says_where_it_listens(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    upper.ends_with("_PORT") && upper.split('_').any(|word| LISTENING.contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_says_where_a_program_listens_by_its_words() {
        for name in ["CLUSTER_GOSSIP_BIND_PORT", "app_listen_port", "LISTENER_PORT"] {
            assert!(says_where_it_listens(name), "{name}");
        }
        for name in ["DB_PORT", "BIND_ADDRESS", "BINDING_PORT", "LISTEN_PORT_NAME"] {
            assert!(!says_where_it_listens(name), "{name}");
        }
    }
}
