//! Schedules that a template prints without quotes.

use landfall_chart::Chart;
use landfall_diag::{Finding, Severity, Spot};

use super::RULE;
use crate::catalogue::value_that_prints_nothing::value_at;
use crate::subject::DesiredUnit;
use crate::texts::{gather, own_charts};
use crate::written::lines;

/// What a schedule may begin with that begins no plain text in YAML: `*/30 * * * *`, `@daily`.
const SIGNS: [char; 2] = ['*', '@'];

pub(super) fn unquoted(unit: &DesiredUnit) -> Vec<Finding> {
    let charts = unit.rendered.charts.iter().flat_map(|rendered| own_charts(&rendered.processed));
    charts.flat_map(|chart| of_chart(unit, chart)).collect()
}

fn of_chart(unit: &DesiredUnit, chart: &Chart) -> Vec<Finding> {
    let mut texts = Vec::new();
    gather(chart, &mut texts);
    let mut findings = Vec::new();
    for text in &texts {
        for (at, path) in schedules(&text.text) {
            let Some(value) = value_at(&chart.values, path) else { continue };
            let Some(said) = value.as_str().map(|it| it.to_string_lossy().into_owned()) else { continue };
            // The quotes may stand in the value.
            if said.trim_start().starts_with(['"', '\'']) {
                continue;
            }
            let place = text.place(at);
            let severity = if said.starts_with(SIGNS) { Severity::Warning } else { Severity::Info };
            findings.push(
                RULE.finding(format!(
                    "`schedule: {{{{ .Values.{path} }}}}` stands without quotes: what begins with `*` or `@` does not render"
                ))
                .weighing(severity)
                .keyed(format!("{} {path}", place.file))
                .because("a schedule such as `*/30 * * * *` is an alias to YAML, and the whole template is refused")
                .help(format!("write `{{{{ .Values.{path} | quote }}}}`"))
                .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// Where a schedule is a value that is printed as it is, with the value's path.
fn schedules(text: &str) -> Vec<(usize, &str)> {
    let found = lines(text).filter_map(|(at, line)| {
        let said = line.trim_start();
        let column = line.len() - said.len();
        let inner = said.strip_prefix("schedule:")?.trim().strip_prefix("{{")?.strip_suffix("}}")?;
        let path = inner.trim_matches(['-', ' ']).trim_start_matches('$').strip_prefix(".Values.")?;
        let is_path = path.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | '_'));
        (is_path && !is_in_block(&text[..at], column)).then_some((at, path))
    });
    found.collect()
}

/// Whether the line behind a text is a part of a block: what stands there is a text as it is.
fn is_in_block(ahead: &str, column: usize) -> bool {
    let mut column = column;
    for line in ahead.lines().rev() {
        let bare = line.trim();
        let own = line.len() - line.trim_start().len();
        if bare.is_empty() || bare.starts_with("{{") || bare.starts_with('#') || own >= column {
            continue;
        }
        let opens = |mark: &&str| bare.strip_suffix(*mark).is_some_and(|key| key.trim_end().ends_with(':'));
        if ["|", "|-", "|+", ">", ">-", ">+"].iter().any(opens) {
            return true;
        }
        column = own;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_told_where_its_value_stands_alone() {
        let paths = |text| schedules(text).into_iter().map(|(_, path)| path).collect::<Vec<_>>();
        assert_eq!(paths("spec:\n  schedule: {{ .Values.job.schedule }}\n"), ["job.schedule"]);
        assert_eq!(paths("spec:\n  schedule: {{- $.Values.when }}\n"), ["when"]);
        for text in [
            "  schedule: {{ .Values.when | quote }}\n",
            "  schedule: \"{{ .Values.when }}\"\n",
            "  schedule: {{ .Values.minute }} * * * *\n",
            "  # schedule: {{ .Values.when }}\n",
            "data:\n  job.yaml: |\n    spec:\n      schedule: {{ .Values.when }}\n",
            "  schedule: {{ .when }}\n",
        ] {
            assert_eq!(paths(text), Vec::<&str>::new(), "{text}");
        }
    }
}
