use std::collections::BTreeSet;

use landfall_chart::{Chart, HookEvent};
use landfall_delivery::Door;
use landfall_object::{Object, ObjectKey};
use serde_json::Value;

use crate::finding::{Finding, Severity};
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Role, Subject};

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
        // Tests run once and are gone: whatever they are called.
        for desired in unit.objects.iter().filter(|desired| !is_test(desired)) {
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

fn is_test(desired: &Desired) -> bool {
    matches!(&desired.role, Role::Hook { events, .. } if events.iter().all(|event| *event == HookEvent::Test))
}

fn finding(unit: &DesiredUnit, desired: &Desired, path: &str) -> Finding {
    let origin = unit.rendered.origin(&desired.key(), path);
    let called = origin.and_then(|origin| origin.template).map(|place| {
        // What was drawn may have been kept in a variable: the call is on this line or above it in the same file.
        let text = unit.chart.as_ref().and_then(|chart| template_text(chart, &place.file)).unwrap_or_default();
        let above = text.lines().enumerate().take(place.line as usize);
        let call = above.filter_map(|(at, line)| Some((at + 1, RESTLESS.iter().find(|it| calls(line, it))?))).last();
        match call {
            Some((line, function)) => (Some(*function), format!("{}:{line}", place.file)),
            None => (None, format!("{}:{}", place.file, place.line)),
        }
    });
    let message = match &called {
        Some((Some(function), place)) => format!("`{function}` in {place} gives another value with each rendering"),
        Some((None, place)) => format!("what {place} prints is another value with each rendering"),
        None => format!("{}/{} is another one with each rendering", desired.object.kind(), desired.object.name()),
    };
    let cause = match unit.door {
        Door::Application(_) => "Argo CD renders without a cluster, so each sync would replace the value",
        Door::Release => "each upgrade replaces the value, also where something was made with the first one",
    };
    let key = called.map_or_else(|| message.clone(), |(_, place)| place);
    Finding::of(&RULE, message).keyed(key).because(cause).at(desired.spot_at(path))
}

/// The text of a template by the name that places give it: the chart's own location in front.
fn template_text(chart: &Chart, file: &str) -> Option<String> {
    let rest = file.strip_prefix(&chart.location).map_or(file, |rest| rest.trim_start_matches('/'));
    let own = chart.templates.iter().find(|template| template.name == rest);
    if let Some(template) = own {
        return Some(template.text().into_owned());
    }
    // A dependency's templates lie below `charts/NAME/`.
    let (name, inner) = rest.strip_prefix("charts/")?.split_once('/')?;
    let mut dependencies = chart.dependencies.iter();
    let dependency = dependencies.find(|dependency| dependency.name() == name)?;
    let template = dependency.templates.iter().find(|template| template.name == inner);
    template.map(|template| template.text().into_owned()).or_else(|| template_text(dependency, inner))
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
