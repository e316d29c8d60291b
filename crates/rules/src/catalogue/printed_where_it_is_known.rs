use landfall_chart::Chart;
use landfall_diag::{Finding, Severity, Spot};

use super::value_that_prints_nothing::value_at;
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::texts::{Text, actions, gather, ifs, own_charts, words};

pub(super) static RULE: Rule = Rule {
    id: "LF421",
    title: "a value is printed where it is not known already",
    severity: Severity::Info,
    why: "`--registry={{ .Values.registry }}` between `if eq .Values.registry \"txt\"` and its `end` is always `--registry=txt`. Whoever \
          sets another value gets the program's default instead, and nothing says so.",
    advice: "Print the value outside of the condition, or print the constant.",
    check,
};

/// What a switch says that is on: left out, it is off.
const ON: &[&str] = &["1", "true", "yes", "on", "enabled"];

/// A value that is printed.
struct Print<'t> {
    path: &'t str,
    at: usize,
    /// What it has to be for that.
    constant: Option<&'t str>,
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let of_unit = |unit: &DesiredUnit| {
        let charts = unit.rendered.charts.iter().flat_map(|rendered| own_charts(&rendered.processed));
        charts.flat_map(|chart| of_chart(unit, chart)).collect::<Vec<_>>()
    };
    subject.units.iter().flat_map(of_unit).collect()
}

fn of_chart(unit: &DesiredUnit, chart: &Chart) -> Vec<Finding> {
    let mut texts = Vec::new();
    gather(chart, &mut texts);
    let of_text = |text: &'_ Text<'_>| prints(&text.text).into_iter().filter(|it| it.constant.is_some()).count();
    if texts.iter().all(|text| of_text(text) == 0) {
        return Vec::new();
    }
    let all: Vec<(&Text<'_>, Print<'_>)> =
        texts.iter().flat_map(|text| prints(&text.text).into_iter().map(move |it| (text, it))).collect();
    let mut findings = Vec::new();
    for (text, print) in &all {
        let Some(constant) = print.constant else { continue };
        let is_alone = all.iter().filter(|(_, it)| it.path == print.path).count() == 1;
        if !is_alone || value_at(&chart.values, print.path).is_none() {
            continue;
        }
        // Who reads it otherwise knows what it does.
        if texts.iter().any(|it| is_read_otherwise(&it.text, print.path, constant)) {
            continue;
        }
        findings.push(
            RULE.finding(format!("`{}` is printed only where it is `{constant}`", print.path))
                .keyed(format!("{} {}", text.path, print.path))
                .because("set to anything else it is not printed at all")
                .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(print.at)) }),
        );
    }
    findings
}

/// The values that a text prints by themselves, each with what a condition around it says that it is.
fn prints(text: &str) -> Vec<Print<'_>> {
    let known: Vec<_> = ifs(text).into_iter().filter_map(|it| Some((equals(it.asks)?, it.body))).collect();
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment() && it.of_block().is_none()) {
        let Some(path) = action.word().trim_start_matches('$').strip_prefix(".Values.") else { continue };
        let within = known.iter().find(|((own, _), body)| *own == path && body.contains(&action.start));
        found.push(Print { path, at: action.start, constant: within.map(|((_, constant), _)| *constant) });
    }
    found
}

/// The value and the constant that a condition compares, where it asks for nothing else.
fn equals(asks: &str) -> Option<(&str, &str)> {
    let (function, rest) = asks.trim_matches(['(', ')', ' ']).split_once(char::is_whitespace)?;
    let rest = rest.trim();
    if function != "eq" || rest.contains(['(', '|']) {
        return None;
    }
    let (value, constant) = rest.split_once(char::is_whitespace)?;
    let (value, constant) = if value.starts_with('"') { (constant.trim(), value) } else { (value, constant.trim()) };
    let path = value.trim_start_matches('$').strip_prefix(".Values.")?;
    let constant = constant.strip_prefix('"')?.strip_suffix('"')?;
    let is_switch = ON.contains(&constant.to_ascii_lowercase().as_str());
    (!constant.is_empty() && !constant.contains('"') && !is_switch).then_some((path, constant))
}

/// Whether a text reads a value but to print it by itself, or to ask whether it is the constant.
fn is_read_otherwise(text: &str, path: &str, constant: &str) -> bool {
    let is_it = |word: &str| {
        let read = word.trim_start_matches('$').strip_prefix(".Values.");
        // A table that it stands in may be given to somebody as a whole.
        read.is_some_and(|read| read == path || path.strip_prefix(read).is_some_and(|rest| rest.starts_with('.')))
    };
    actions(text).filter(|it| !it.is_comment() && words(it.inner).into_iter().any(is_it)).any(|action| {
        let asked = match action.of_block() {
            Some("if") => action.inner["if".len()..].trim(),
            Some(_) => return true,
            None => return action.word().trim_start_matches('$').strip_prefix(".Values.") != Some(path),
        };
        equals(asked) != Some((path, constant))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_print_knows_what_it_is_within_its_condition() {
        let of = |text: &str| prints(text).iter().map(|it| it.constant.map(str::to_owned)).collect::<Vec<_>>();
        assert_eq!(of("{{ if eq .Values.a \"b\" }}{{ .Values.a }}{{ end }}"), [Some("b".to_owned())]);
        assert_eq!(of("{{- if (eq $.Values.a \"b\") }}{{ $.Values.a | quote }}{{ end }}"), [Some("b".to_owned())]);
        for text in [
            "{{ if eq .Values.a \"b\" }}{{ else }}{{ .Values.a }}{{ end }}",
            "{{ if eq .Values.a \"b\" }}{{ end }}{{ .Values.a }}",
            "{{ if ne .Values.a \"b\" }}{{ .Values.a }}{{ end }}",
            "{{ if eq .Values.a .Values.b }}{{ .Values.a }}{{ end }}",
            "{{ if eq .Values.c \"b\" }}{{ .Values.a }}{{ end }}",
            "{{ if eq .Values.a \"true\" }}{{ .Values.a }}{{ end }}",
        ] {
            assert_eq!(of(text), [None], "{text}");
        }
    }

    #[test]
    fn who_reads_it_otherwise_is_seen() {
        for text in [
            "{{ if ne .Values.a \"b\" }}",
            "{{ if eq .Values.a \"c\" }}",
            "{{ with .Values.a }}",
            "{{ printf \"%s\" .Values.a }}",
            "{{ toYaml .Values.t }}",
        ] {
            assert!(is_read_otherwise(text, if text.contains("Values.t") { "t.a" } else { "a" }, "b"), "{text}");
        }
        for text in ["{{ .Values.a }}", "{{ if eq .Values.a \"b\" }}", "{{ .Values.ab }}", "{{/* .Values.a */}}"] {
            assert!(!is_read_otherwise(text, "a", "b"), "{text}");
        }
    }
}
