//! A port that a program is told to listen at by a value, and that its container spells out.

use landfall_chart::{Rendered, Value};
use landfall_diag::{Finding, Spot};

use super::RULE;
use crate::catalogue::value_that_prints_nothing::{Dot, bare_path, value_at};
use crate::subject::DesiredUnit;
use crate::texts::{actions, gather, own_charts};

/// Where a container's port stands.
const FIELD: &str = "containerPort";

pub(super) fn spelt_out(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let mut findings = Vec::new();
    for chart in own_charts(&rendered.processed) {
        let mut texts = Vec::new();
        gather(chart, &mut texts);
        for text in &texts {
            let told = told(&text.text);
            for (at, number) in spelt(&text.text) {
                let is_it = |path: &&String| value_at(&chart.values, path).is_some_and(|it| is_number(&it, number));
                let mut paths: Vec<&String> = told.iter().filter(is_it).collect();
                paths.dedup();
                // Where two are told the same number, either may be meant.
                let [path] = &*paths else { continue };
                if prints(&text.text, path) {
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

fn is_number(value: &Value, number: &str) -> bool {
    let by_float = || value.as_f64().is_some_and(|it| number.parse() == Ok(it));
    value.as_i64().map_or_else(by_float, |it| number.parse() == Ok(it))
}

/// The values that arguments of a text tell programs as ports: `--metrics-port={{ .Values.metrics.port }}`.
fn told(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        let line = text[..action.start].rsplit('\n').next().unwrap_or_default();
        let option = line.trim_start().trim_start_matches("- ").trim_start_matches(['"', '\'']);
        let is_port = option.starts_with("--") && option.to_ascii_lowercase().contains("port");
        if is_port
            && let Some(path) =
                bare_path(action.inner, &Dot::Root).filter(|it| it.to_ascii_lowercase().ends_with("port"))
        {
            found.push(path);
        }
    }
    found.sort();
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

/// Whether a text prints a value as a port of a container.
fn prints(text: &str, path: &str) -> bool {
    text.lines().any(|line| line.contains(FIELD) && line.contains(&format!(".Values.{path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_and_spelt_out() {
        let text = "args:\n  - --metricsPort={{ .Values.metering.port }}\n  - --name={{ .Values.name }}\nports:\n  - containerPort: 8000\n    name: a\n  - name: b\n    containerPort: {{ .Values.x }}\n";
        assert_eq!(told(text), ["metering.port"]);
        assert_eq!(spelt(text).into_iter().map(|(_, number)| number).collect::<Vec<_>>(), ["8000"]);
        assert!(prints("  containerPort: {{ .Values.metering.port }}", "metering.port"));
        assert!(!prints(text, "metering.port"));
    }
}
