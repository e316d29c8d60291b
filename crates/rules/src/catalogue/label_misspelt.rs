use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};
use serde_json::{Map, Value};

use super::value_printed_raw::visit;
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF373",
    title: "selectors ask for labels as they are written elsewhere",
    severity: Severity::Warning,
    why: "A selector is compared letter by letter. One that asks for `role: sentinle`, where everything else of the release has \
          `role: sentinel`, takes nothing, also where an operator makes the pods and nobody here sees their labels.",
    advice: "Write the label's value as the others have it.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    // How often each value of each label stands, in selectors and on objects and pods.
    let mut known: BTreeMap<(&str, &str), BTreeMap<&str, usize>> = BTreeMap::new();
    for desired in subject.objects() {
        for (key, value) in maps(desired.object.value()) {
            *known.entry((desired.unit.as_str(), key)).or_default().entry(value).or_default() += 1;
        }
    }
    let mut findings = Vec::new();
    for service in subject.of_kind("", "Service") {
        let Some(selector) = service.object.at("/spec/selector").and_then(Value::as_object) else { continue };
        findings.extend(selector.iter().filter_map(|(key, value)| {
            let value = value.as_str()?;
            misspelt(service, key, value, &known).or_else(|| beside_itself(subject, service, selector, key, value))
        }));
    }
    findings
}

/// A value that is a slip away from another one of the same selector, and stands nowhere else in the release, where
/// the other one does.
fn beside_itself(
    subject: &Subject<'_>,
    service: &Desired,
    selector: &Map<String, Value>,
    key: &str,
    value: &str,
) -> Option<Finding> {
    let others = selector.iter().filter(|(other, _)| *other != key).filter_map(|(_, other)| other.as_str());
    let meant = landfall_diag::slip(value, others)
        .filter(|meant| value.len() > 4 && !value.starts_with(*meant) && !meant.starts_with(value))?;
    // Once in this selector, and the other one once more at least.
    let is_slip = spoken(subject, &service.unit, value) == 1 && spoken(subject, &service.unit, meant) > 1;
    is_slip.then(|| {
        RULE.finding(format!(
            "Service `{}` asks for `{key}: {value}`, and for `{meant}` beside it",
            service.object.name()
        ))
        .because("most likely no pod has that label, so whoever calls the Service is refused")
        .help(format!("did you mean `{key}: {meant}`?"))
        .at(service.spot_at(&format!("spec.selector.{key}")))
    })
}

/// How many texts of a unit's objects have a word.
fn spoken(subject: &Subject<'_>, unit: &str, word: &str) -> usize {
    let is_in = |text: &str| {
        text.match_indices(word).any(|(at, _)| {
            let is_edge = |letter: Option<char>| letter.is_none_or(|it| !it.is_ascii_alphanumeric());
            is_edge(text[..at].chars().next_back()) && is_edge(text[at + word.len()..].chars().next())
        })
    };
    let mut count = 0;
    for desired in subject.objects().filter(|it| it.unit == unit) {
        visit(desired.object.value(), String::new(), &mut |_, text| count += usize::from(is_in(text)));
    }
    count
}

fn misspelt(
    service: &Desired,
    key: &str,
    value: &str,
    known: &BTreeMap<(&str, &str), BTreeMap<&str, usize>>,
) -> Option<Finding> {
    let all = known.get(&(service.unit.as_str(), key))?;
    // What stands once stands here alone; a short word is a slip away from too many others.
    let is_alone = all.get(value).copied() == Some(1) && value.len() > 4;
    let others = all.iter().filter(|(other, count)| **other != value && **count > 1).map(|(other, _)| *other);
    let meant = landfall_diag::slip(value, others)
        .filter(|meant| is_alone && !value.starts_with(*meant) && !meant.starts_with(value))?;
    Some(
        RULE.finding(format!(
            "Service `{}` asks for `{key}: {value}`, and all others have `{meant}`",
            service.object.name()
        ))
        .because("no pod has that label, so whoever calls the Service is refused")
        .help(format!("did you mean `{meant}`?"))
        .at(service.spot_at(&format!("spec.selector.{key}"))),
    )
}

/// All labels and what asks for them, wherever they stand in an object.
fn maps(value: &Value) -> Vec<(&str, &str)> {
    fn add<'v>(map: &'v Map<String, Value>, found: &mut Vec<(&'v str, &'v str)>) {
        found.extend(map.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))));
    }
    fn walk<'v>(value: &'v Value, found: &mut Vec<(&'v str, &'v str)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value.as_object().filter(|_| matches!(key.as_str(), "labels" | "matchLabels" | "selector")) {
                        Some(labels) => {
                            add(labels, found);
                            walk(value, found);
                        }
                        None => walk(value, found),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|it| walk(it, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, &mut found);
    found
}
