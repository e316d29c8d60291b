use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

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
    let all: Vec<(&Text<'_>, Print<'_>)> =
        texts.iter().flat_map(|text| prints(&text.text).into_iter().map(move |it| (text, it))).collect();
    let mut findings = Vec::new();
    if all.iter().all(|(_, print)| print.constant.is_none()) {
        return findings;
    }
    let mut times: HashMap<&str, usize> = HashMap::new();
    all.iter().for_each(|(_, print)| *times.entry(print.path).or_default() += 1);
    let reads = Reads::of(texts.iter().map(|it| &*it.text));
    for (text, print) in &all {
        let Some(constant) = print.constant.filter(|_| times[print.path] == 1) else { continue };
        // Who reads it otherwise knows what it does.
        if value_at(&chart.values, print.path).is_none() || reads.are_others(print.path, constant) {
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
    let mut known: HashMap<&str, Vec<(&str, Range<usize>)>> = HashMap::new();
    for (condition, body) in ifs(text).into_iter().filter_map(|it| Some((equals(it.asks)?, it.body))) {
        known.entry(condition.0).or_default().push((condition.1, body));
    }
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment() && it.of_block().is_none()) {
        let Some(path) = path_of(action.word()) else { continue };
        let mut around = known.get(path).into_iter().flatten();
        let constant = around.find(|(_, body)| body.contains(&action.start)).map(|(constant, _)| *constant);
        found.push(Print { path, at: action.start, constant });
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
    let path = path_of(value)?;
    let constant = constant.strip_prefix('"')?.strip_suffix('"')?;
    let is_switch = ON.contains(&constant.to_ascii_lowercase().as_str());
    (!constant.is_empty() && !constant.contains('"') && !is_switch).then_some((path, constant))
}

/// The path of a word that reads a value.
fn path_of(word: &str) -> Option<&str> {
    word.trim_start_matches('$').strip_prefix(".Values.")
}

/// How some texts read values.
#[derive(Default)]
struct Reads<'t> {
    /// Those that are printed by themselves, or compared with a constant by a condition that asks for nothing else.
    plainly: HashSet<&'t str>,
    /// The constants that those are compared with.
    compared: HashMap<&'t str, BTreeSet<&'t str>>,
    /// All others.
    otherwise: HashSet<&'t str>,
}

impl<'t> Reads<'t> {
    fn of(texts: impl Iterator<Item = &'t str>) -> Self {
        let mut reads = Reads::default();
        for action in texts.flat_map(actions).filter(|it| !it.is_comment()) {
            let plain = match action.of_block() {
                Some("if") => equals(action.inner["if".len()..].trim()).map(|(path, constant)| {
                    reads.compared.entry(path).or_default().insert(constant);
                    path
                }),
                Some(_) => None,
                None => path_of(action.word()),
            };
            for path in words(action.inner).into_iter().filter_map(path_of) {
                let into = if plain == Some(path) { &mut reads.plainly } else { &mut reads.otherwise };
                into.insert(path);
            }
        }
        reads
    }

    /// Whether somebody reads a value but to print it by itself, or to ask whether it is the constant. A table that it stands in may be
    /// given to somebody as a whole.
    fn are_others(&self, path: &str, constant: &str) -> bool {
        let mut tables = path.match_indices('.').map(|(at, _)| &path[..at]);
        let is_other = |it: &&str| *it != constant;
        self.otherwise.contains(path)
            || self.compared.get(path).is_some_and(|constants| constants.iter().any(is_other))
            || tables.any(|table| self.otherwise.contains(table) || self.plainly.contains(table))
    }
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
            let path = if text.contains("Values.t") { "t.a" } else { "a" };
            assert!(Reads::of([text].into_iter()).are_others(path, "b"), "{text}");
        }
        for text in ["{{ .Values.a }}", "{{ if eq .Values.a \"b\" }}", "{{ .Values.ab }}", "{{/* .Values.a */}}"] {
            assert!(!Reads::of([text].into_iter()).are_others("a", "b"), "{text}");
        }
    }
}
