use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::references::{Need, provides, references};
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF104",
    title: "a program finds the variables that it was promised",
    severity: Severity::Error,
    why: "A container starts without a Secret that is marked optional, and without a key that comes in with `envFrom`: nothing \
          in Kubernetes asks for it. The program does, when it is needed first, and ends.",
    advice: "Deliver what is missing, and take `optional: true` away from what the program cannot do without.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = optional(subject);
    findings.extend(declared(subject));
    findings.extend(left_out(subject));
    findings
}

/// Keys that a Secret has with the chart's own values and lacks here, where an operator makes it, though pods take all of
/// its keys as variables.
fn left_out(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, template) in subject.pods() {
        let Some(unit) = subject.unit(&desired.unit).filter(|unit| !unit.own_keys.is_empty()) else { continue };
        let all = references(&desired.object);
        for reference in
            all.iter().filter(|it| it.kind == "Secret" && it.key.is_none() && it.path.contains(".envFrom["))
        {
            let id = (reference.namespace.clone(), reference.name.clone());
            let Some(own) = unit.own_keys.get(&id) else { continue };
            let Some(here) = keys(subject, reference.namespace.as_deref(), &reference.name) else { continue };
            let named = |key: &String| {
                // What is named is another rule's, and what is given otherwise is there.
                subject
                    .objects()
                    .flat_map(|it| references(&it.object))
                    .any(|it| it.name == reference.name && it.key.as_ref() == Some(key))
                    || template.containers().iter().any(|container| container.env().any(|(_, name, _)| name == key))
            };
            for key in own.iter().filter(|key| !here.contains(*key) && !named(key)) {
                let secret = &reference.name;
                findings.push(
                    RULE.finding(format!("key `{key}` of Secret `{secret}` is in the chart's own values, and not here"))
                        .keyed(format!("{id:?} {key}"))
                        .weighing(Severity::Warning)
                        .because("pods take all keys of the Secret as variables: the program starts without this one, and ends when it wants it")
                        .help(format!("seal `{key}` for this environment, or take it out of the chart's own values"))
                        .at(desired.spot_at(&reference.path)),
                );
            }
        }
    }
    findings
}

/// Whole Secrets that are optional, taken as variables, and nowhere to be found.
fn optional(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (desired, _) in subject.pods() {
        for reference in references(&desired.object) {
            let whole = reference.path.contains(".envFrom[") && reference.kind == "Secret";
            if !whole
                || reference.need != Need::Optional
                || is_there(subject, &reference.kind, desired, &reference.name)
            {
                continue;
            }
            let (kind, name) = (desired.object.kind(), desired.object.name());
            findings.push(
                RULE.finding(format!(
                    "{kind} `{name}` starts without Secret `{}`, all of whose keys it reads",
                    reference.name
                ))
                .weighing(Severity::Warning)
                .because("the Secret is optional and nobody delivers it: what is missing is noticed when it is used")
                .at(desired.spot_at(&reference.path)),
            );
        }
    }
    findings
}

fn is_there(subject: &Subject<'_>, kind: &str, desired: &Desired, name: &str) -> bool {
    let namespace = desired.object.namespace();
    subject.find("", kind, namespace, name).is_some()
        || subject
            .objects()
            .flat_map(|it| provides(&it.object))
            .any(|made| made.kind == kind && made.name == name && made.namespace.as_deref() == namespace)
}

/// Keys that `landfall.yaml` declares for the environment's Secret, and that the Secret will not have.
fn declared(subject: &Subject<'_>) -> Vec<Finding> {
    let Some(secrets) = subject.environment.and_then(|(_, environment)| environment.secrets.as_ref()) else {
        return Vec::new();
    };
    let target = secrets.target.as_str();
    let users = subject.pods().flat_map(|(desired, _)| {
        references(&desired.object)
            .into_iter()
            .filter(|it| it.kind == "Secret" && it.name == target && it.key.is_none())
            .map(move |reference| (desired, reference))
    });
    let mut findings = Vec::new();
    for (desired, reference) in users {
        let Some(keys) = keys(subject, reference.namespace.as_deref(), target) else { continue };
        for key in secrets.keys.keys().filter(|key| !keys.contains(key.as_str())) {
            findings.push(
                RULE.finding(format!("key `{key}` of Secret `{target}` is declared and will not be there"))
                    .because("the program starts without the variable and ends when it wants it")
                    .help(format!("seal `{key}` with `kubeseal`, and commit what it prints"))
                    .at(desired.spot_at(&reference.path)),
            );
        }
    }
    findings
}

/// The keys that the Secret will have, as far as they are known.
fn keys(subject: &Subject<'_>, namespace: Option<&str>, name: &str) -> Option<BTreeSet<String>> {
    if let Some(desired) = subject.desired("", "Secret", namespace, name) {
        let maps = ["/data", "/stringData"].into_iter().filter_map(|field| desired.object.at(field));
        return Some(maps.filter_map(Value::as_object).flat_map(|map| map.keys().cloned()).collect());
    }
    let mut made = subject.objects().flat_map(|it| provides(&it.object));
    let made = made.find(|it| it.kind == "Secret" && it.name == name && it.namespace.as_deref() == namespace)?;
    made.keys.map(|keys| keys.into_iter().collect())
}
