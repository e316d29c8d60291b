use landfall_chart::Written;
use landfall_diag::{Finding, Place, Severity};
use landfall_object::Object;
use serde_json::Value;

use crate::decoded::texts;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF290",
    title: "numbers are printed as they were written",
    severity: Severity::Error,
    why: "YAML reads `1.10` as a number, and prints it as `1.1`; `1e3` becomes 1000, a large whole number `2.0240101e+07`. As a \
          version, a tag or a key that is another one: another image is run, or none.",
    advice: "Put the value in quotes in its values file.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for desired in unit.objects.iter().filter(|it| it.role != Role::Definition) {
            let mut texts = Vec::new();
            gather(desired.object.value(), &Way::default(), &mut texts);
            if matches!(desired.object.kind(), "ConfigMap" | "Secret") && desired.object.group().is_empty() {
                texts.extend(large_numbers(&desired.object));
            }
            if texts.is_empty() {
                continue;
            }
            let Some(object) = unit.rendered.written(&desired.key()) else { continue };
            findings.extend(texts.iter().filter_map(|(way, text)| told(&object, desired, way, text)));
        }
    }
    findings
}

/// The way to a field: as it is written, and with the names of items in place of their numbers, which move with whatever is put in
/// front of them.
#[derive(Clone, Default)]
struct Way {
    field: String,
    lasting: String,
}

impl Way {
    fn with(&self, step: &str, lasting: &str) -> Self {
        Way { field: format!("{}{step}", self.field), lasting: format!("{}{lasting}", self.lasting) }
    }
}

/// The texts of an object in which a number may stand for a version: images, labels, annotations and variables.
fn gather(value: &Value, way: &Way, found: &mut Vec<(Way, String)>) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                let step = match (way.field.is_empty(), key.contains(['.', '/'])) {
                    (true, _) => key.clone(),
                    (false, true) => format!("[{key}]"),
                    (false, false) => format!(".{key}"),
                };
                gather(below, &way.with(&step, &step), found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let place = format!("[{at}]");
                let name = item["name"].as_str().map(|name| format!("[{name}]"));
                gather(item, &way.with(&place, name.as_deref().unwrap_or(&place)), found);
            }
        }
        Value::String(text)
            if text.len() < LONGEST && text.bytes().any(|it| it.is_ascii_digit()) && is_meant(&way.field) =>
        {
            found.push((way.clone(), text.clone()));
        }
        _ => {}
    }
}

/// Longer texts are files.
const LONGEST: usize = 300;

/// Large numbers that a ConfigMap or Secret gives to programs as they were printed: nothing else stands in their keys.
fn large_numbers(object: &Object) -> Vec<(Way, String)> {
    let is_large = |text: &str| {
        let (digits, power) = text.split_once("e+").unwrap_or_default();
        digits.parse::<f64>().is_ok() && !power.is_empty() && power.bytes().all(|it| it.is_ascii_digit())
    };
    let all = texts(object).into_iter().filter(|(_, text, _)| is_large(text));
    let field = |key: &str, field: String| match key.contains(['.', '/']) {
        true => field,
        false => format!("{}.{key}", field.split('[').next().unwrap_or_default()),
    };
    all.map(|(key, text, at)| (Way { field: field(key, at), lasting: key.to_owned() }, text)).collect()
}

fn is_meant(path: &str) -> bool {
    path.ends_with(".image") || path.ends_with(".value") || path.ends_with(".version") || path.ends_with("/version]")
}

fn told(object: &Written<'_>, desired: &Desired, way: &Way, text: &str) -> Option<Finding> {
    let field = way.field.as_str();
    let origin = object.origin(field)?;
    let mut places = origin.sources.iter().filter_map(|source| source.place());
    let (written, printed) = places.find_map(|place| {
        let found = otherwise(place, text)?;
        // To a program that reads a variable as a number, `1.0` and `1` are one.
        let is_number = field.ends_with(".value") && !found.1.contains('e') && !names_a_version(place);
        (!is_number).then_some(found)
    })?;
    let (kind, name) = (desired.object.kind(), desired.object.name());
    Some(
        RULE.finding(format!("`{written}` is printed as `{printed}` into {kind} `{name}`"))
            .weighing(if field.ends_with(".image") { Severity::Error } else { Severity::Warning })
            .keyed(format!("{written} {}", way.lasting))
            .because("without quotes it is a number, and a number has no zeros at its end and no form of its own")
            .help(format!("write `\"{written}\"` in the values"))
            .at(desired.spot_at(field)),
    )
}

/// Whether the key of a values line says that it is no number.
fn names_a_version(place: &Place) -> bool {
    let key = place.source.as_deref().and_then(|line| line.split_once(':')).map(|(key, _)| key.to_ascii_lowercase());
    key.is_some_and(|key| ["version", "tag", "release"].iter().any(|word| key.contains(word)))
}

/// The number of a values line that a text holds in another form only: as it is written, and as it is printed.
fn otherwise(place: &Place, text: &str) -> Option<(String, String)> {
    let line = place.source.as_deref()?;
    let (_, value) = line.split_once(':')?;
    let value = value.split(" #").next()?.trim();
    let is_number =
        !value.is_empty() && value.bytes().all(|it| it.is_ascii_digit() || matches!(it, b'.' | b'e' | b'E' | b'+'));
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    if !is_number || digits < 2 || value.matches('.').count() > 1 || has(text, value) {
        return None;
    }
    let number: f64 = value.parse().ok()?;
    let forms = [format!("{number}"), scientific(number)];
    forms.into_iter().find(|form| form != value && has(text, form)).map(|form| (value.to_owned(), form))
}

/// As Go prints large numbers: `2.0240101e+07`.
fn scientific(number: f64) -> String {
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, power)) => format!("{digits}e+{power:0>2}"),
        None => text,
    }
}

/// Whether a number stands in a text, and is no part of a longer one.
fn has(text: &str, number: &str) -> bool {
    text.match_indices(number).any(|(at, _)| {
        let is_part = |byte: Option<&u8>| byte.is_some_and(|it| it.is_ascii_digit() || *it == b'.');
        !is_part(text.as_bytes()[..at].last()) && !is_part(text.as_bytes().get(at + number.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str, text: &str) -> Option<(String, String)> {
        otherwise(&Place { source: Some(line.to_owned()), ..Place::line("values.yaml".to_owned(), 1) }, text)
    }

    #[test]
    fn a_number_is_told_where_it_comes_out_otherwise() {
        let pair = |one: &str, other: &str| Some((one.to_owned(), other.to_owned()));
        assert_eq!(of("  tag: 1.10", "web:1.1"), pair("1.10", "1.1"));
        assert_eq!(of("tag: 20240101 # of today", "web:2.0240101e+07"), pair("20240101", "2.0240101e+07"));
        assert_eq!(of("tag: 1.11", "web:1.11"), None);
        assert_eq!(of("tag: \"1.10\"", "web:1.10"), None);
        assert_eq!(of("tag: 1.10.2", "web:1.10.2"), None);
        assert_eq!(of("port: 80", "http://web:80"), None);
    }
}
