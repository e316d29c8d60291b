mod secret_not_made;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;

use crate::pods::Container;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF353",
    title: "a Service or Secret that a program is told of is delivered",
    severity: Severity::Warning,
    why: "A controller that is told to publish the address of `shop/proxy`, and finds no such Service, publishes none: routes get \
          no address, and what waits for one waits for ever. Charts let the Service be called otherwise, and the option is not; \
          or make a certificate's Secret under another setting than the option that names it.",
    advice: "Let the option and the Service's name come from one template.",
    check,
};

/// How variables that stand for the pod's own namespace are called.
const OWN: &[&str] = &["$(POD_NAMESPACE)", "$(NAMESPACE)"];

/// How options and variables end that name a Service, and those that name a Secret.
const SERVICES: &[&str] = &["service"];
const SECRETS: &[&str] = &["certificate", "cert", "secret"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods().filter(|(desired, _)| desired.role == Role::Manifest) {
        for container in template.containers() {
            for (field, option, text) in told(&container, SECRETS) {
                let Some(name) = named(desired, text) else { continue };
                findings.extend(secret_not_made::not_made(subject, desired, &field, option, name));
            }
            for (field, option, text) in told(&container, SERVICES) {
                let Some(name) = named(desired, text) else { continue };
                let Some(known) = missing(subject, desired, name) else { continue };
                let known = known.iter().map(|it| format!("`{}`", it.name())).collect::<Vec<_>>().join(", ");
                findings.push(
                    RULE.finding(format!("`{option}` names Service `{name}`, which is not delivered"))
                        .because(format!("the release has {known}, and none of that name"))
                        .at(desired.spot_at(&field)),
                );
            }
        }
    }
    findings
}

/// Options and variables whose names end so, with what they say and where.
fn told<'a>(container: &Container<'a>, ends: &[&str]) -> Vec<(String, &'a str, &'a str)> {
    let is_meant = |name: &str| ends.iter().any(|end| name.to_ascii_lowercase().ends_with(*end));
    let mut told: Vec<(String, &str, &str)> = container
        .env()
        .filter(|(_, name, _)| is_meant(name))
        .filter_map(|(at, name, variable)| {
            Some((format!("{}.env[{at}].value", container.path), name, variable["value"].as_str()?))
        })
        .collect();
    for field in ["command", "args"] {
        let words = container.value[field].as_array().into_iter().flatten().enumerate();
        told.extend(words.filter_map(|(at, word)| {
            let (option, text) = word.as_str()?.split_once('=')?;
            let is_option = option.starts_with('-') && is_meant(option);
            is_option.then(|| (format!("{}.{field}[{at}]", container.path), option, text))
        }));
    }
    told
}

/// The name in `namespace/name`, where the namespace is the workload's own.
fn named<'t>(desired: &Desired, text: &'t str) -> Option<&'t str> {
    let (namespace, name) = text.split_once('/')?;
    let is_own = OWN.contains(&namespace) || Some(namespace) == desired.object.namespace();
    (is_own && landfall_object::is_object_name(name)).then_some(name)
}

/// The Services beside a workload, where none of them has the name and there are some.
fn missing<'s>(subject: &Subject<'s>, desired: &Desired, name: &str) -> Option<Vec<&'s Object>> {
    let namespace = desired.object.namespace();
    if subject.find("", "Service", namespace, name).is_some() {
        return None;
    }
    let beside: Vec<&Object> = subject
        .of_kind("", "Service")
        .filter(|it| it.unit == desired.unit && it.object.namespace() == namespace)
        .map(|it| &it.object)
        .collect();
    (!beside.is_empty()).then_some(beside)
}
