use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{actions, delivered_texts};

pub(super) static RULE: Rule = Rule {
    id: "LF369",
    title: "`default` is given what to fall back on first",
    severity: Severity::Warning,
    why: "`default A B` is B, and A only where B is empty. A release always has its name and its namespace, so a value in front of \
          those is never taken: whoever sets it is not heard.",
    advice: "Turn the two round: `default .Release.Namespace .Values.namespace`.",
    check,
};

/// What is never empty.
const ALWAYS: &[&str] = &["Release.Name", "Release.Namespace", "Release.Service", "Chart.Name", "Chart.Version"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        let mut told = BTreeSet::new();
        for action in actions(&text.text).filter(|it| !it.is_comment()) {
            let Some((value, always)) = turned_round(action.inner) else { continue };
            if !told.insert(value.clone()) {
                continue;
            }
            let place = text.place(action.start);
            findings.push(
                RULE.finding(format!("`{value}` is never taken: `{always}` is never empty"))
                    .keyed(format!("{} {value}", place.file))
                    .because(format!(
                        "`default` falls back on its first argument, so whoever sets `{value}` is not heard"
                    ))
                    .help(format!("write `default {always} {value}`"))
                    .at(spot(place)),
            );
        }
    }
    findings
}

/// A value in front of something that is always there (`default .Values.a .Release.Name`, `.Release.Name | default .Values.a`),
/// and anything in front of a constant (`default .protocol "TCP"`).
fn turned_round(inner: &str) -> Option<(String, String)> {
    let words = words(inner);
    let ahead = words.windows(3).enumerate().find(|(at, it)| {
        // What goes on behind is given to something else.
        let is_last = words.get(at + 3).is_none_or(|next| matches!(*next, ")" | "|"));
        it[0] == "default" && (is_of_a_release(it[1], it[2]) || (is_last && is_of_a_constant(it[1], it[2])))
    });
    let ahead = ahead.map(|(_, it)| (it[1], it[2]));
    let behind = || {
        let found = words.windows(4).enumerate().find(|(at, it)| {
            // What stands behind something else is given to that: `index . "a" | default .b`.
            let is_first = at.checked_sub(1).is_none_or(|before| matches!(words[before], "(" | ":=" | "="));
            let is_always = is_of_a_release(it[3], it[0]) || (is_first && is_of_a_constant(it[3], it[0]));
            it[1] == "|" && it[2] == "default" && is_always
        });
        found.map(|(_, it)| (it[3], it[0]))
    };
    let (value, always) = ahead.or_else(behind)?;
    Some((value.to_owned(), always.to_owned()))
}

/// Whether a value stands in front of what a release always has.
fn is_of_a_release(value: &str, always: &str) -> bool {
    let is_always = always.trim_start_matches('$').strip_prefix('.').is_some_and(|it| ALWAYS.contains(&it));
    is_always && value.trim_start_matches('$').starts_with(".Values.")
}

/// Whether a path stands in front of a constant that is not empty: a text, or a number other than 0.
fn is_of_a_constant(value: &str, always: &str) -> bool {
    let is_path = match value.strip_prefix('$') {
        Some(rest) => rest.contains('.') && rest.len() > 1,
        None => value.starts_with('.') && value.len() > 1,
    };
    let is_text = always.len() > 2 && always.starts_with(['"', '`']);
    let is_number = always.starts_with(|it: char| it.is_ascii_digit() || it == '-')
        && always.bytes().all(|it| it.is_ascii_digit() || matches!(it, b'-' | b'.'))
        && always.bytes().any(|it| matches!(it, b'1'..=b'9'));
    is_path && (is_text || is_number)
}

/// The words of an action; what stands in quotes is one, and so is each bracket and each bar.
fn words(inner: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), inner.trim_start());
    while let Some(first) = rest.chars().next() {
        let is_between = |it: char| it.is_whitespace() || matches!(it, '(' | ')' | '|' | '"' | '`');
        let end = match first {
            '"' | '`' => end_of_text(rest, first),
            '(' | ')' | '|' => 1,
            _ => rest.find(is_between).unwrap_or(rest.len()),
        };
        found.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    found
}

/// Where the text ends that begins with a quote.
fn end_of_text(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, letter) in rest.char_indices().skip(1) {
        if letter == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = letter == '\\' && !is_escaped && quote == '"';
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_there_leaves_no_place_for_a_value() {
        let of = |text: &str| turned_round(text).map(|(value, _)| value);
        for text in [
            "default .Values.a .Release.Namespace",
            ".Release.Namespace | default .Values.a",
            "(default .Values.a $.Release.Name) | trunc 63",
            "$.Release.Name | default .Values.a | quote",
        ] {
            assert_eq!(of(text).as_deref(), Some(".Values.a"), "{text}");
        }
        for text in [
            "default .Release.Namespace .Values.a",
            ".Values.a | default .Release.Name",
            "default .Values.a .Chart.AppVersion",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_constant_leaves_no_place_for_anything() {
        let of = |text: &str| turned_round(text);
        let told = |value: &str, always: &str| Some((value.to_owned(), always.to_owned()));
        assert_eq!(of("if (eq (default .protocol \"TCP\") \"UDP\")"), told(".protocol", "\"TCP\""));
        assert_eq!(of("default $it.name \"a b\" | quote"), told("$it.name", "\"a b\""));
        assert_eq!(of("$x := \"a (\" | default .Values.a"), told(".Values.a", "\"a (\""));
        assert_eq!(of("8080 | default $.Values.port"), told("$.Values.port", "8080"));
        for text in [
            "default \"TCP\" .protocol",
            "default .protocol \"\"",
            "default .count 0",
            "default . \"a\"",
            "default $it \"a\"",
            "default .a .b",
            "index . \"a\" | default .b",
            "default .a (index . \"b\")",
            "printf \"%s\" \"a\" | default .b",
            "\"default .a \\\"b\\\"\"",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
