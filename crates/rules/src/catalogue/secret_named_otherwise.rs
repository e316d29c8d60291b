use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::{provides, references};
use serde_json::Value;

use crate::operated::{is_of_an_operator, walk};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF361",
    title: "an operator's resource names the Secret that is delivered for it",
    severity: Severity::Warning,
    why: "A resource of an operator that names a Secret which is not there waits for it for ever, and says so in its status alone. \
          Where the chart delivers a Secret that nobody names, one of the two names was meant to be the other.",
    advice: "Let one template make both names.",
    check,
};

/// References to Secrets that an operator makes itself.
const MADE: &[&str] = &["privateKeySecretRef", "writeConnectionSecretToRef", "outputSecretRef"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in subject.objects().filter(|it| it.role == Role::Manifest && is_of_an_operator(it.object.group())) {
        for (field, name) in asked(&desired.object) {
            let Some(meant) = meant(subject, desired, &name) else { continue };
            let kind = desired.object.kind();
            findings.push(
                RULE.finding(format!(
                    "{kind} `{}` names Secret `{name}`, which is not delivered",
                    desired.object.name()
                ))
                .because(format!("Secret `{meant}` is, and nobody names it"))
                .help(format!("did you mean `{meant}`?"))
                .at(desired.spot_at(&field)),
            );
        }
    }
    findings
}

/// The names in fields that are called after references to Secrets, with where they stand.
fn asked(object: &Object) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    walk(object.value(), "", &mut |path, key, value| {
        let lower = key.to_ascii_lowercase();
        let is_reference = key == "secretRef" || key.ends_with("SecretRef") || key.ends_with("SecretKeyRef");
        // `credentials: name`, `secretName: name`.
        let is_name = lower == "credentials" || lower.ends_with("secretname");
        let referred = value["name"].as_str().filter(|name| is_reference && !name.is_empty());
        match (referred, value.as_str().filter(|name| is_name && !name.is_empty())) {
            (Some(_), _) if MADE.contains(&key) || value.get("namespace").is_some() => {}
            (Some(name), _) => asked.push((format!("{path}.name"), name.to_owned())),
            (None, Some(name)) => asked.push((path.to_owned(), name.to_owned())),
            (None, None) => return false,
        }
        true
    });
    asked
}

/// The one Secret of the release that nobody names, where there is none of that name.
fn meant(subject: &Subject<'_>, desired: &Desired, name: &str) -> Option<String> {
    let namespace = desired.object.namespace();
    let is_made =
        subject.objects().flat_map(|it| provides(&it.object)).any(|it| it.kind == "Secret" && it.name == name);
    if is_made || subject.find("", "Secret", namespace, name).is_some() {
        return None;
    }
    let beside = subject.of_kind("", "Secret").filter(|it| {
        // What a hook makes, or what is found by its labels, is asked for by no name.
        it.unit == desired.unit
            && it.object.namespace() == namespace
            && it.role == Role::Manifest
            && is_plain(&it.object)
    });
    let named: BTreeSet<String> = subject
        .objects()
        .flat_map(|it| {
            let plain = references(&it.object).into_iter().filter(|it| it.kind == "Secret").map(|it| it.name);
            asked(&it.object).into_iter().map(|(_, name)| name).chain(plain).collect::<Vec<_>>()
        })
        .collect();
    let mut free = beside.map(|it| it.object.name()).filter(|it| !named.contains(*it) && !is_written(subject, it));
    let meant = free.next()?;
    // Of others' names nothing follows where the two have nothing in common: one of them may come from elsewhere.
    let is_alike = landfall_diag::slip(name, [meant]).is_some()
        || name.contains(meant)
        || meant.contains(name)
        || [desired.unit.as_str(), desired.object.name()]
            .iter()
            .any(|own| name.starts_with(own) && meant.starts_with(own))
        || subject.unit(&desired.unit).is_some_and(|unit| unit.namespace == name);
    (free.next().is_none() && is_alike).then(|| meant.to_owned())
}

/// Whether a Secret is for whoever names it, and for nobody who looks for its labels or its type.
fn is_plain(secret: &Object) -> bool {
    matches!(secret.str_at("/type"), None | Some("Opaque" | "kubernetes.io/basic-auth" | "kubernetes.io/tls"))
        && !secret
            .labels()
            .into_iter()
            .flatten()
            .any(|(label, _)| label.contains("secret-type") || label.contains("sealedsecrets"))
}

/// Whether anything else speaks of a name: an option, a script, a field that is called otherwise.
fn is_written(subject: &Subject<'_>, name: &str) -> bool {
    fn says(value: &Value, name: &str) -> bool {
        match value {
            Value::Object(map) => map.iter().any(|(key, value)| key != "metadata" && says(value, name)),
            Value::Array(list) => list.iter().any(|value| says(value, name)),
            Value::String(text) => {
                text.split(|it: char| !(it.is_ascii_alphanumeric() || "-.".contains(it))).any(|it| it == name)
            }
            _ => false,
        }
    }
    let others = subject.objects().filter(|it| {
        // A resource of the release's own name is called as its Secret; that is no reference.
        !matches!(it.object.kind(), "Secret" | "ServiceAccount" | "Service")
    });
    others.into_iter().any(|it| {
        let body = it.object.value().as_object().into_iter().flatten().filter(|(key, _)| *key != "metadata");
        let own = it.object.name();
        own != name && body.into_iter().any(|(_, value)| says(value, name))
    })
}
