//! A port that a program is told to listen at by a value, and that its container spells out.

use std::collections::BTreeMap;

use landfall_chart::{Rendered, Values};
use landfall_diag::{Finding, Spot};

use super::RULE;
use crate::catalogue::value_that_prints_nothing::{Dot, bare_path, value_at};
use crate::subject::DesiredUnit;
use crate::texts::{actions, gather, own_charts};

/// No option is longer.
const LONGEST_OPTION: usize = 200;

/// Where a container's port stands.
const FIELD: &str = "containerPort";

pub(super) fn spelt_out(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let mut findings = Vec::new();
    for chart in own_charts(&rendered.processed) {
        let mut texts = Vec::new();
        gather(chart, &mut texts);
        for text in &texts {
            let by_number = by_number(&told(&text.text), &chart.values);
            let printed: Vec<&str> = text.text.lines().filter(|line| line.contains(FIELD)).collect();
            for (at, number) in spelt(&text.text) {
                // Where two are told the same number, either may be meant.
                let paths = number.parse().ok().and_then(|number: u64| by_number.get(&number));
                let Some([path]) = paths.map(Vec::as_slice) else { continue };
                if prints(&printed, path) {
                    continue;
                }
                findings.push(
                    RULE.finding(format!("`{FIELD}: {number}` is spelt out, and the program is told `{path}`"))
                        .keyed(format!("{} {path}", text.path))
                        .because(format!(
                            "whoever sets `{path}` moves the program to another port than the one that is opened"
                        ))
                        .help(format!("print `.Values.{path}`"))
                        .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(text.place(at)) }),
                );
            }
        }
    }
    findings
}

/// Values that are ports, by their numbers.
fn by_number(paths: &[String], values: &Values) -> BTreeMap<u64, Vec<String>> {
    let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for path in paths {
        let Some(value) = value_at(values, path) else { continue };
        let whole = value.as_i64().or_else(|| value.as_f64().filter(|it| it.fract() == 0.0).map(|it| it as i64));
        if let Some(number) = whole.and_then(|it| u64::try_from(it).ok()) {
            found.entry(number).or_default().push(path.clone());
        }
    }
    found
}

/// The values that arguments of a text tell programs as ports: `--metrics-port={{ .Values.metrics.port }}`.
fn told(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        let ahead =
            text[action.line..action.start].trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']);
        let is_port = |it: &str| it.len() < LONGEST_OPTION && it.to_ascii_lowercase().contains("port");
        if ahead.starts_with("--") && is_port(ahead) {
            let path = bare_path(action.inner, &Dot::Root);
            found.extend(path.filter(|it| it.to_ascii_lowercase().ends_with("port")));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The ports of containers that a text spells out.
fn spelt(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let entry = line.trim().trim_start_matches("- ");
        let number = entry.strip_prefix(FIELD).and_then(|rest| rest.strip_prefix(':')).map(str::trim);
        let is_number = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        found.extend(number.filter(is_number).map(|it| (at, it)));
        at += line.len();
    }
    found
}

/// Whether some lines print a value.
fn prints(lines: &[&str], path: &str) -> bool {
    let read = format!(".Values.{path}");
    lines.iter().any(|line| line.contains(&read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_and_spelt_out() {
        let text = "args:\n  - --metricsPort={{ .Values.metering.port }}\n  - --name={{ .Values.name }}\nports:\n  - containerPort: 8000\n    name: a\n  - name: b\n    containerPort: {{ .Values.x }}\n";
        assert_eq!(told(text), ["metering.port"]);
        assert_eq!(spelt(text).into_iter().map(|(_, number)| number).collect::<Vec<_>>(), ["8000"]);
        assert!(prints(&["  containerPort: {{ .Values.metering.port }}"], "metering.port"));
        let opened: Vec<&str> = text.lines().filter(|line| line.contains(FIELD)).collect();
        assert!(!prints(&opened, "metering.port"));
    }
}
