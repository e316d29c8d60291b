use std::collections::BTreeSet;

use landfall_delivery::Door;
use landfall_object::{Object, ObjectKey};
use serde_json::Value;

use crate::finding::{Finding, Severity};
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF101",
    title: "the same input renders the same manifests",
    severity: Severity::Error,
    why: "A password that is drawn anew with each rendering replaces the one the database was made with; a time or a \
          random name makes every delivery a change. Under GitOps nothing ever stays in sync.",
    advice: "Keep the value outside the chart (a sealed secret, an existing Secret), or read the live one with `lookup` first.",
    check,
};

/// Functions whose result is another one each time.
const RESTLESS: &[&str] = &[
    "randAlphaNum",
    "randAlpha",
    "randNumeric",
    "randAscii",
    "randBytes",
    "randInt",
    "uuidv4",
    "shuffle",
    "genPrivateKey",
    "genCAWithKey",
    "genCA",
    "genSelfSignedCertWithKey",
    "genSelfSignedCert",
    "genSignedCertWithKey",
    "genSignedCert",
    "bcrypt",
    "htpasswd",
    "encryptAES",
    "now",
    "ago",
    "date",
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let Some(again) = &unit.again else { continue };
        let second: Vec<(ObjectKey, &Object)> = crate::examine::keyed(again);
        for desired in &unit.objects {
            if !unit.rendered.all_objects().any(|object| object.key() == desired.key()) {
                continue;
            }
            let key = desired.key();
            let mut paths = BTreeSet::new();
            match second.iter().find(|(other, _)| *other == key) {
                Some((_, other)) => differing(desired.object.value(), other.value(), String::new(), &mut paths),
                None => {
                    paths.insert("metadata.name".to_owned());
                }
            }
            findings.extend(paths.iter().map(|path| finding(unit, desired, path)));
        }
    }
    findings
}

fn finding(unit: &DesiredUnit, desired: &crate::subject::Desired, path: &str) -> Finding {
    let origin = unit.rendered.origin(&desired.key(), path);
    let template = origin.and_then(|origin| origin.template);
    let line = template.as_ref().and_then(|place| place.source.clone()).unwrap_or_default();
    let function = RESTLESS.iter().find(|function| calls(&line, function));
    let place = template.as_ref().map(|place| format!("{}:{}", place.file, place.line));
    let message = match (function, &place) {
        (Some(function), Some(place)) => format!("`{function}` in {place} gives another value with each rendering"),
        (None, Some(place)) => format!("what {place} prints is another value with each rendering"),
        _ => format!("{}/{} is another one with each rendering", desired.object.kind(), desired.object.name()),
    };
    let cause = match unit.door {
        Door::Application(_) => "Argo CD renders without a cluster, so each sync would replace the value",
        Door::Release => "each upgrade replaces the value, also where something was made with the first one",
    };
    Finding::of(&RULE, message.clone()).keyed(place.unwrap_or(message)).because(cause).at(desired.spot_at(path))
}

/// Whether a template's line calls a function, as a whole word.
fn calls(line: &str, function: &str) -> bool {
    line.match_indices(function).any(|(at, _)| {
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.' || c == '$');
        !word(line[..at].chars().next_back()) && !word(line[at + function.len()..].chars().next())
    })
}

/// The paths of leaves in which two values differ.
fn differing(one: &Value, other: &Value, path: String, found: &mut BTreeSet<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let below = match (path.is_empty(), key.contains('.')) {
                    (_, true) => format!("{path}[{key}]"),
                    (true, false) => key.clone(),
                    (false, false) => format!("{path}.{key}"),
                };
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => differing(a, b, below, found),
                    _ => {
                        found.insert(below);
                    }
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differing(a, b, format!("{path}[{index}]"), found);
            }
        }
        (a, b) if a == b => {}
        _ => {
            found.insert(path);
        }
    }
}
