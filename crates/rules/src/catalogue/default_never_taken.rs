use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};

use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{actions, delivered_texts, spaced};

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

/// A value in front of something that is always there: `default .Values.a .Release.Name`, `.Release.Name | default .Values.a`.
fn turned_round(inner: &str) -> Option<(String, String)> {
    let spaced = spaced(inner);
    let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    let is_value = |word: &str| word.trim_start_matches('$').starts_with(".Values.");
    let is_always = |word: &str| word.trim_start_matches('$').strip_prefix('.').is_some_and(|it| ALWAYS.contains(&it));
    let ahead =
        words.windows(3).find(|it| it[0] == "default" && is_value(it[1]) && is_always(it[2])).map(|it| (it[1], it[2]));
    let behind = || {
        let is = |it: &&[&str]| is_always(it[0]) && it[1] == "|" && it[2] == "default" && is_value(it[3]);
        words.windows(4).find(is).map(|it| (it[3], it[0]))
    };
    let (value, always) = ahead.or_else(behind)?;
    Some((value.to_owned(), always.to_owned()))
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
}
