use std::collections::BTreeSet;

use landfall_chart::Rendered;
use landfall_diag::{Finding, Severity, Spot};

use super::value_that_prints_nothing::value_at;
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{actions, own_texts, spaced};

pub(super) static RULE: Rule = Rule {
    id: "LF368",
    title: "what a template takes for a number is one",
    severity: Severity::Warning,
    why: "`int` makes 0 of a text that is no number, and says nothing: `30d` of retention becomes 0, and what was to be kept is deleted.",
    advice: "Give the value as a number, or print it as it is: `{{ .Values.x }}`.",
    check,
};

/// Functions that make a whole number of anything.
// ORIGIN: masterminds.github.io/sprig/conversion.html.
const TO_NUMBER: &[&str] = &["int", "int64", "atoi"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        findings.extend(unit.rendered.charts.iter().flat_map(|rendered| told(&unit.name, rendered)));
    }
    findings
}

fn told(unit: &str, rendered: &Rendered) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut told = BTreeSet::new();
    for text in own_texts(rendered) {
        if let Some(at) = whole_numbers_alone(&text.text) {
            let place = text.place(at);
            findings.push(
                RULE.finding("a template asks for whole numbers by `int`, and no number of the values is of that kind")
                    .keyed(format!("{} int", place.file))
                    .because("numbers of values files are `float64`, those of `--set` are `int64`: what is printed for numbers is printed for none")
                    .help("ask for `float64` and `int64` as well")
                    .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(place) }),
            );
        }
        for action in actions(&text.text).filter(|it| !it.is_comment()) {
            for (function, path) in made_numbers(action.inner) {
                let value = value_at(&rendered.values, &path).and_then(|it| Some(it.as_str()?.to_str()?.to_owned()));
                let Some(value) = value.filter(|it| !it.trim().is_empty() && !is_number(it)) else { continue };
                if !told.insert(path.clone()) {
                    continue;
                }
                let place = text.place(action.start);
                findings.push(
                    RULE.finding(format!(
                        "`{path}` is `{}`, and `{function}` makes 0 of it",
                        landfall_diag::without_known(&value)
                    ))
                    .keyed(path)
                    .because("it is no number, and nothing says so")
                    .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(place) }),
                );
            }
        }
    }
    findings
}

/// Where a text asks whether something is an `int`, where it does not ask for the kinds that numbers of values are.
fn whole_numbers_alone(text: &str) -> Option<usize> {
    let asks = |inner: &str| {
        let words: Vec<&str> = inner.split(|it: char| it.is_whitespace() || "()|".contains(it)).collect();
        let words: Vec<&str> = words.into_iter().filter(|it| !it.is_empty()).collect();
        let is_asked = words.windows(2).any(|it| matches!(it[0], "kindIs" | "typeIs") && it[1] == "\"int\"");
        let compares = words.iter().any(|it| matches!(*it, "kindOf" | "typeOf")) && words.contains(&"\"int\"");
        is_asked || compares
    };
    let at = actions(text).filter(|it| !it.is_comment()).find(|it| asks(it.inner))?.start;
    let knows = ["\"float64\"", "\"int64\"", "\"number\""].iter().any(|kind| text.contains(kind));
    (!knows).then_some(at)
}

fn is_number(text: &str) -> bool {
    let text = text.trim_start_matches(['-', '+']);
    text.parse::<f64>().is_ok() || ["0x", "0o", "0b"].iter().any(|it| text.to_ascii_lowercase().starts_with(it))
}

/// The values that an action makes numbers of, with what does it: `int .Values.a`, `.Values.a | int`.
fn made_numbers(inner: &str) -> Vec<(&'static str, String)> {
    let spaced = spaced(inner);
    // Where something is left out first, it is that which becomes a number.
    if ["trimSuffix", "trimPrefix", "regex", "replace", "default", "ternary", "kindIs", "hasSuffix"]
        .iter()
        .any(|it| spaced.contains(it))
    {
        return Vec::new();
    }
    let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
    let path = |word: &str| word.trim_start_matches('$').strip_prefix(".Values.").map(str::to_owned);
    let function = |word: &str| TO_NUMBER.iter().copied().find(|it| *it == word);
    let is_piped = |at: usize| at.checked_sub(1).is_some_and(|before| words[before] == "|");
    let ahead = words.windows(2).enumerate().filter(|(at, _)| !is_piped(*at));
    let ahead = ahead.filter_map(|(_, pair)| Some((function(pair[0])?, path(pair[1])?)));
    let behind = words.windows(3).filter(|it| it[1] == "|");
    ahead.chain(behind.filter_map(|it| Some((function(it[2])?, path(it[0])?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_asked_for_by_the_kinds_that_they_are_of() {
        for told in [
            "{{ if kindIs \"int\" $v }}",
            "{{ if or (kindIs \"string\" $v) (kindIs \"int\" $v) }}",
            "{{ if eq (typeOf $v) \"int\" }}",
        ] {
            assert!(whole_numbers_alone(told).is_some(), "{told}");
        }
        for well in [
            "{{ if or (kindIs \"int\" $v) (kindIs \"float64\" $v) }}",
            "{{ if kindIs \"string\" $v }}",
            "{{/* kindIs \"int\" */}}",
        ] {
            assert!(whole_numbers_alone(well).is_none(), "{well}");
        }
    }

    #[test]
    fn a_value_is_made_a_number_in_front_or_behind() {
        let of = |text: &str| made_numbers(text).into_iter().map(|(_, path)| path).collect::<Vec<_>>();
        assert_eq!(of("int .Values.a.b"), ["a.b"]);
        assert_eq!(of("$.Values.a | int | quote"), ["a"]);
        assert_eq!(of("if gt (int .Values.a) 1"), ["a"]);
        assert_eq!(of("printf \"%d%s\" (.Values.a | int) .Values.b"), ["a"]);
        for text in [".Values.a | trimSuffix \"d\" | int", "int $x", "print \"int .Values.a\"", ".Values.a"] {
            assert!(of(text).is_empty(), "{text}");
        }
        assert!(is_number("30") && is_number("-1") && is_number("1e3") && is_number("0x1f") && !is_number("30d"));
    }
}
