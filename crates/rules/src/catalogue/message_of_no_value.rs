use landfall_chart::{Rendered, Values, values_to_json};
use landfall_diag::{Finding, Severity, Spot, slip};

use super::branch_never_taken::{SWITCHES, commented, is_missing, is_of_a_part, is_written_of, reads};
use super::value_that_prints_nothing::{declares, table_at};
use crate::operated::walk;
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::texts::{Action, Text, actions, gather, unquoted, words};

pub(super) static RULE: Rule = Rule {
    id: "LF417",
    title: "messages name values that there are",
    severity: Severity::Info,
    why: "A template that refuses says what to set: whoever does what `fail` or `required` tells sets a value that no template \
          reads, and is refused once more with the same words.",
    advice: "Name the value as it is declared.",
    check,
};

/// Words of messages that speak of what there was once, or is not to be.
const OF_OLD: &[&str] =
    &["moved", "renamed", "replaced", "deprecated", "obsolete", "legacy", "no longer", "instead", "support", "migrat"];

/// Shorter names are too near to each other.
const LONG_ENOUGH: usize = 5;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for rendered in unit.rendered.charts.iter().filter(|it| it.processed.metadata.kind != "library") {
            findings.extend(of_chart(unit, rendered));
        }
    }
    findings
}

fn of_chart(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let mut texts = Vec::new();
    gather(&rendered.processed, &mut texts);
    let mut told: Vec<String> = Vec::new();
    let mut findings = Vec::new();
    for text in &texts {
        for (at, path) in named(&text.text) {
            let meant = meant(&rendered.values, &path).filter(|_| !told.contains(&path) && is_nobodys(rendered, &path));
            let Some(meant) = meant else { continue };
            let place = text.place(at);
            findings.push(
                RULE.finding(format!("a message names `.Values.{path}`, which no values file declares"))
                    .keyed(format!("{} {path}", place.file))
                    .because(format!("`{meant}` is declared: whoever sets what the message names is not heard"))
                    .help(format!("name `.Values.{meant}`"))
                    .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
            );
            told.push(path);
        }
    }
    findings
}

/// The paths of values that the messages of a text name, each with the place of its action.
fn named(text: &str) -> Vec<(usize, String)> {
    let refuses = |action: &Action<'_>| {
        let said = unquoted(action.inner);
        words(&said).iter().any(|word| matches!(*word, "fail" | "required"))
    };
    let refusing = actions(text).filter(|it| !it.is_comment() && refuses(it));
    let of = |action: Action<'_>| {
        let messages = quoted(action.inner).into_iter().filter(|it| !is_of_old(it));
        let paths: Vec<String> = messages.flat_map(|it| paths(&it)).collect();
        paths.into_iter().map(move |path| (action.start, path))
    };
    refusing.flat_map(of).collect()
}

/// Whether a message speaks of what there was once.
fn is_of_old(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    OF_OLD.iter().any(|word| message.contains(word))
}

/// What stands in quotes in an action.
fn quoted(inner: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open: Option<char> = None;
    let mut is_escaped = false;
    for letter in inner.chars() {
        match open {
            Some(quote) if letter == quote && !is_escaped => open = None,
            Some(quote) => {
                is_escaped = letter == '\\' && !is_escaped && quote == '"';
                if let Some(last) = found.last_mut() {
                    last.push(letter);
                }
            }
            None if matches!(letter, '"' | '`') => {
                open = Some(letter);
                found.push(String::new());
            }
            None => {}
        }
    }
    found
}

/// The paths of two steps and more that a message names; what goes on otherwise is a pattern.
fn paths(message: &str) -> Vec<String> {
    let is_step = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.');
    let is_of_root = |at: usize| !message[..at].ends_with(|it: char| it.is_ascii_alphanumeric());
    let mut found = Vec::new();
    for (at, read) in message.match_indices(".Values.").filter(|(at, _)| is_of_root(*at)) {
        let rest = &message[at + read.len()..];
        let (path, behind) = rest.split_at(rest.find(|it| !is_step(it)).unwrap_or(rest.len()));
        let path = path.trim_end_matches('.');
        let is_whole = !behind.starts_with(['[', '(', '<', '{', '*', '%', '-', '$']);
        if is_whole && path.contains('.') && path.split('.').all(|step| !step.is_empty()) {
            found.push(path.to_owned());
        }
    }
    found
}

/// Whether nobody declares a path, speaks of it, or reads it or a table that it stands in.
fn is_nobodys(rendered: &Rendered, path: &str) -> bool {
    let chart = &rendered.processed;
    let steps: Vec<&str> = path.split('.').collect();
    let spoken_of = chart.raw_file("values.yaml").map(|file| commented(&file.text())).unwrap_or_default();
    let is_open = is_missing(rendered, &spoken_of, &steps)
        && !spoken_of.iter().any(|it| it.name == steps[0])
        && !is_of_a_part(chart, steps[0])
        && !is_written_of(chart, path);
    is_open && !readers(rendered).iter().any(|text| is_read(&text.text, path, &steps))
}

/// The texts that may read the values of a chart: its own, and those of libraries.
fn readers(rendered: &Rendered) -> Vec<Text<'_>> {
    let chart = &rendered.processed;
    let mut found = Vec::new();
    gather(chart, &mut found);
    let parts = chart.with_parts().into_iter();
    parts.filter(|it| it.metadata.kind == "library").for_each(|it| gather(it, &mut found));
    found
}

/// Whether an action of a text reads a path, a table above it or a value below it, or names its key in quotes.
fn is_read(text: &str, path: &str, steps: &[&str]) -> bool {
    let below = format!(".Values.{path}.");
    let key = steps.last().copied().unwrap_or_default();
    actions(text).filter(|it| !it.is_comment()).any(|action| {
        let said = unquoted(action.inner);
        reads(&said, steps) || said.contains(&below) || quoted(action.inner).iter().any(|it| it == key || it == path)
    })
}

/// The declared value that an undeclared path is meant for: the one whose missing step is spelt nearly so, or the only one of its
/// key; none where the table is left open.
fn meant(values: &Values, path: &str) -> Option<String> {
    let steps: Vec<&str> = path.split('.').collect();
    let lacks = |at: &usize| table_at(values, &steps[..*at]).is_some_and(|table| !table.contains(steps[*at]));
    let missing = (0..steps.len()).find(lacks)?;
    let table = table_at(values, &steps[..missing]).filter(|table| !table.is_empty())?;
    let keys: Vec<String> = table.keys().iter().map(|key| key.to_string_lossy().into_owned()).collect();
    let near = slip(steps[missing], keys.iter().map(String::as_str)).filter(|near| near.len() >= LONG_ENOUGH);
    let with_near = near.map(|near| [&steps[..missing], &[near], &steps[missing + 1..]].concat());
    with_near.filter(|whole| declares(values, whole)).map(|whole| whole.join(".")).or_else(|| only_of(values, &steps))
}

/// The only declared path that ends in the key of another, where the key is one of its own.
fn only_of(values: &Values, steps: &[&str]) -> Option<String> {
    let wanted = steps.last().filter(|key| key.len() >= LONG_ENOUGH && !SWITCHES.contains(*key))?;
    let mut found = Vec::new();
    walk(&values_to_json(values), "", &mut |path, key, _| {
        if key == *wanted && !path.contains('[') {
            found.push(path.to_owned());
        }
        false
    });
    let [only] = found.as_slice() else { return None };
    Some(only.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_values_in_quotes() {
        let of = |text: &str| named(text).into_iter().map(|(_, path)| path).collect::<Vec<_>>();
        for text in [
            "{{ fail \"set .Values.secrets.enabled\" }}",
            "{{- fail (printf `set .Values.secrets.enabled, %s` .x) -}}",
            "{{ required \"\\\"$.Values.secrets.enabled\\\" is required.\" .Values.secret.enabled }}",
            "{{ .Values.a.b | required \"set .Values.secrets.enabled.\" }}",
        ] {
            assert_eq!(of(text), ["secrets.enabled"], "{text}");
        }
        for text in [
            "{{ fail .Values.secrets.enabled }}",
            "{{ printf \"fail .Values.secrets.enabled\" }}",
            "{{ fail \".Values.secrets.enabled was renamed\" }}",
            "{{ fail \"set .Values.secrets\" }}",
            "{{ fail \"set .Values.secrets.list[0].a or .Values.secrets.%s\" }}",
            "{{/* fail \".Values.secrets.enabled\" */}}",
        ] {
            assert_eq!(of(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_value_is_meant_by_a_slip_or_by_its_key() {
        let json =
            serde_json::json!({"secret": {"enabled": false, "mountPath": "/a"}, "open": {}, "web": {"enabled": true}});
        let values = landfall_chart::values_from_json(json.as_object().expect("a map"));
        let of = |path: &str| meant(&values, path);
        assert_eq!(of("secrets.enabled").as_deref(), Some("secret.enabled"));
        assert_eq!(of("web.mountPath").as_deref(), Some("secret.mountPath"));
        for path in ["secret.enabled", "open.mountPath", "job.enabled", "secrets.size", "web.enabled.mountPath"] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn a_value_is_read_by_itself_by_its_table_or_by_its_name() {
        let is_read = |text: &str| is_read(text, "a.b", &["a", "b"]);
        for text in ["{{ $.Values.a.b }}", "{{ toYaml .Values.a }}", "{{ .Values.a.b.c }}", "{{ hasKey .x \"b\" }}"] {
            assert!(is_read(text), "{text}");
        }
        for text in ["{{ fail \"set .Values.a.b\" }}", "{{ .Values.a.c }}", "{{/* .Values.a.b */}}"] {
            assert!(!is_read(text), "{text}");
        }
    }
}
