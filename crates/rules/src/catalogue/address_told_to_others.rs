use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use serde_json::Value;

use super::measured_at_another_port::chooses;
use crate::calls::option;
use crate::pods::{Container, PodTemplate};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF384",
    title: "an address that a program tells to others is its own",
    severity: Severity::Warning,
    why: "A program that keeps files or a place in a cluster for others tells them where it is found. An address \
          that was copied from another workload sends them to that one's pods, which answer, and have nothing of \
          it.",
    advice: "Advertise the Service that selects the program's own pods.",
    check,
};

/// Words of options and variables that hold an address for others.
const FOR_OTHERS: &[&str] = &["adv", "advertise", "advertised", "advertisement", "announce", "announced"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        for container in template.containers() {
            for (field, name, text) in told(&container) {
                findings.extend(
                    of_another(subject, desired, &template, &container, name, text)
                        .map(|finding| finding.at(desired.spot_at(&field))),
                );
            }
        }
    }
    findings
}

/// The options and variables of a container that hold an address for others, with what they say and where.
fn told<'c>(container: &Container<'c>) -> Vec<(String, &'c str, &'c str)> {
    let mut told: Vec<(String, &str, &str)> = container
        .env()
        .filter_map(|(at, name, variable)| {
            Some((format!("{}.env[{at}].value", container.path), name, variable["value"].as_str()?))
        })
        .collect();
    for list in ["command", "args"] {
        let words: &[Value] = container.value[list].as_array().map(Vec::as_slice).unwrap_or_default();
        told.extend(words.iter().enumerate().filter_map(|(at, word)| {
            let text = word.as_str()?;
            let value = if text.starts_with('-') { text.split_once('=')?.1 } else { text };
            Some((format!("{}.{list}[{at}]", container.path), option(words, at), value))
        }));
    }
    told.retain(|(_, name, _)| is_for_others(name));
    told
}

fn is_for_others(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.split(|it: char| !it.is_ascii_alphanumeric()).any(|word| FOR_OTHERS.contains(&word))
}

/// An address that leads to the pods of another workload, while a Service leads to those of this one.
fn of_another(
    subject: &Subject<'_>,
    desired: &Desired,
    template: &PodTemplate<'_>,
    container: &Container<'_>,
    option: &str,
    text: &str,
) -> Option<Finding> {
    let namespace = desired.object.namespace();
    let name = service_in(text, namespace)?;
    let service = &subject.desired("", "Service", namespace, name)?.object;
    let beside = subject.of_kind("", "Service").map(|it| &it.object).filter(|it| it.namespace() == namespace);
    let own: Vec<&Object> = beside.filter(|it| chooses(it, template)).collect();
    let (other, _) = subject
        .pods()
        .filter(|(it, _)| it.role == Role::Manifest && it.object.namespace() == namespace)
        .find(|(_, template)| chooses(service, template))?;
    // Who leads to both is in front of both, and a program without a Service of its own is reached through another one.
    if chooses(service, template) || own.is_empty() {
        return None;
    }
    let own: Vec<String> = own.iter().map(|it| format!("`{}`", it.name())).collect();
    Some(
        RULE.finding(format!(
            "`{option}` of container `{}` tells others of Service `{name}`, which leads to other pods",
            container.name
        ))
        .because(format!(
            "whoever follows the address asks {} `{}`, and not {} `{}`",
            other.object.kind(),
            other.object.name(),
            desired.object.kind(),
            desired.object.name()
        ))
        .help(format!("its own Services are {}", own.join(", "))),
    )
}

/// The Service that an address names: one of the workload's own namespace, which may be told by a variable.
fn service_in<'t>(text: &'t str, namespace: Option<&str>) -> Option<&'t str> {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = text.split(['/', ':']).next().unwrap_or_default();
    let mut labels = host.split('.');
    let name = labels.next().filter(|it| landfall_object::is_object_name(it))?;
    let is_here = labels.next().is_none_or(|it| Some(it) == namespace || (it.starts_with("$(") && it.ends_with(')')));
    (is_here && !text.contains(',')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_others_is_known_by_the_words_of_its_option() {
        for name in ["--storage-adv-addr", "KAFKA_ADVERTISED_LISTENERS", "--advertise-address", "announce_host"] {
            assert!(is_for_others(name), "{name}");
        }
        for name in ["--advanced", "ADVICE_URL", "--listen-address"] {
            assert!(!is_for_others(name), "{name}");
        }
    }

    #[test]
    fn an_address_names_a_service_of_its_own_namespace() {
        let of = |text| service_in(text, Some("shop"));
        for text in ["web", "web:80", "http://web.shop.svc/a", "web.$(NAMESPACE).svc.cluster.local."] {
            assert_eq!(of(text), Some("web"), "{text}");
        }
        for text in ["web.other.svc", "$(POD_IP):80", "web,api", "web.example.com", ":80"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
