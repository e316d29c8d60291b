//! Conditions whose branch prints the value of another table that has the same key, where nobody declares either.

use landfall_chart::{Rendered, Value, Values};
use landfall_diag::Place;

use super::in_any_form::asked_for_one;
use super::same_file::is_asked_for_alone;
use super::{Condition, SWITCHES, asked_for, conditions, is_missing, is_of_a_part, texts, without_brackets};
use crate::catalogue::value_that_prints_nothing::table_at;
use crate::texts::words;

/// What takes something else in place of a value, refuses, or hands it all on.
pub(super) const OTHERWISE: &[&str] =
    &["default", "coalesce", "fail", "required", "ternary", "include", "template", "tpl"];

/// Words in front of a table's name that make switches of what is in it.
const LETTING: &[&str] = &["enable", "use", "has", "is", "with", "allow", "create"];

/// The conditions of a chart's own templates that ask for one table's value and print another's, with both.
pub(super) fn printed_of_another(rendered: &Rendered) -> Vec<(Place, String, String)> {
    let chart = &rendered.processed;
    let mut found = Vec::new();
    if chart.metadata.kind == "library" {
        return found;
    }
    let texts = texts(chart);
    let all: Vec<String> = texts.iter().map(|(_, text)| without_brackets(text)).collect();
    for (file, text) in texts.iter().filter(|(file, _)| !file.ends_with("NOTES.txt")) {
        let by_itself = conditions(text).into_iter().filter(|it| it.is_if);
        for condition in by_itself.chain(asked_for_one(text)) {
            let Some((asked, only)) = of_the_same_key(&condition) else { continue };
            let steps: Vec<&str> = asked.split('.').collect();
            if !are_of_two_tables(rendered, &steps, &only) || !all.iter().all(|text| is_asked_for_alone(text, &steps)) {
                continue;
            }
            let source = text.lines().nth(condition.line as usize - 1).map(str::to_owned);
            found.push((Place { source, ..Place::line(file.clone(), condition.line) }, asked, only));
        }
    }
    found
}

/// The one path that a condition asks for, and the only one that its branch reads, where their keys are the same.
pub(super) fn of_the_same_key(condition: &Condition) -> Option<(String, String)> {
    let [asked] = condition.paths.as_slice() else { return None };
    let mut read: Vec<String> = condition.inner.lines().flat_map(asked_for).collect();
    read.sort();
    read.dedup();
    let [only] = read.as_slice() else { return None };
    let (key, of_only) = (asked.rsplit_once('.')?.1, only.rsplit_once('.')?.1);
    let goes_on = condition.inner.lines().flat_map(words).any(|word| OTHERWISE.contains(&word));
    // One switch may well stand behind another.
    let is_named = key.len() > 4 && key == of_only && !SWITCHES.contains(&key);
    (is_named && asked != only && !goes_on).then(|| (asked.clone(), only.clone()))
}

/// Whether both paths are of tables that are declared, of one kind, and neither path is declared itself.
fn are_of_two_tables(rendered: &Rendered, asked: &[&str], only: &str) -> bool {
    let steps: Vec<&str> = only.split('.').collect();
    let values = &rendered.values;
    let is_open = |path: &[&str]| {
        let is_foreign = path[0] == "global" || is_of_a_part(&rendered.processed, path[0]);
        // What a comment says of either is no matter: it is printed by the other's name.
        !is_foreign && is_missing(rendered, &[], path)
    };
    let table = |path: &[&str]| path.split_last().and_then(|(_, tables)| table_at(values, tables));
    let (Some(one), Some(other)) = (table(asked), table(&steps)) else { return false };
    let lets = |path: &[&str]| path.iter().rev().nth(1).is_some_and(|table| is_letting(table));
    is_open(asked) && is_open(&steps) && !lets(asked) && !lets(&steps) && is_of_switches(&one) == is_of_switches(&other)
}

/// Whether a table is called after what it lets be done: `useHostPort`, `enableListeners`.
pub(super) fn is_letting(table: &str) -> bool {
    let rest = LETTING.iter().find_map(|word| table.strip_prefix(word));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|it: char| it.is_ascii_uppercase() || it == '_'))
}

/// Whether all that a table has are switches.
fn is_of_switches(table: &Values) -> bool {
    let keys = table.keys();
    let is_switch = |value: Value| value.as_bool().is_some();
    !keys.is_empty() && keys.iter().all(|key| table.get(key).is_some_and(is_switch))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_prints_the_value_of_its_conditions_name_from_another_table() {
        let of = |text: &str| conditions(text).iter().find_map(of_the_same_key);
        let told = Some(("ui.balancer".to_owned(), "api.balancer".to_owned()));
        assert_eq!(of("{{ if .Values.ui.balancer }}a: {{ .Values.api.balancer | quote }}{{ end }}"), told);
        for text in [
            "{{ if .Values.ui.balancer }}a: {{ .Values.ui.balancer }}{{ end }}",
            "{{ if .Values.ui.balancer }}a: {{ .Values.api.balancers }}{{ end }}",
            "{{ if .Values.ui.enabled }}a: {{ .Values.api.enabled }}{{ end }}",
            "{{ if .Values.ui.balancer }}a: {{ .Values.api.balancer | default .Values.api.balancer }}{{ end }}",
            "{{ if .Values.ui.balancer }}a: {{ .Values.api.balancer }}{{ .Values.api.other }}{{ end }}",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        assert!(is_letting("useHostPort") && is_letting("enableListeners") && is_letting("create"));
        assert!(!is_letting("users") && !is_letting("hostPorts") && !is_letting("issuer"));
    }
}
