//! Conditions that are answered either way, on a value that is declared one step deeper.

use landfall_chart::Rendered;
use landfall_diag::Place;

use super::{
    Fuller, Spoken, beside, commented, falls_back, is_decoration, is_missing, is_of_a_part, is_written_of,
    without_brackets,
};
use crate::catalogue::value_that_prints_nothing::{Dot, operand, value_at};
use crate::texts::{If, actions, gather, ifs};

/// Tables that a chart may have beside another one with the same keys.
const APART: &[&str] = &["tls", "auth", "global"];

/// The conditions of a chart's own templates with an `else`, or on the opposite, that ask for what nobody declares, with what
/// they ask for and what is meant: the only declared path with a step more, which nothing reads.
pub(super) fn one_step_deeper(rendered: &Rendered, fuller: &Fuller<'_>) -> Vec<(Place, String, String)> {
    let chart = &rendered.processed;
    let mut found = Vec::new();
    if chart.metadata.kind == "library" {
        return found;
    }
    let spoken_of = chart.raw_file("values.yaml").map(|file| commented(&file.text())).unwrap_or_default();
    let mut own = Vec::new();
    gather(chart, &mut own);
    let all: Vec<String> = own.iter().map(|text| without_brackets(&text.text)).collect();
    for text in &own {
        for (at, path) in answered(&text.text) {
            let steps: Vec<&str> = path.split('.').collect();
            let is_open = is_missing(rendered, &spoken_of, &steps)
                && !is_decoration(&steps)
                && !is_named(&spoken_of, &steps)
                && !is_written_of(chart, &path)
                && !all.iter().any(|text| falls_back(text, &path));
            if let Some(meant) = is_open.then(|| deeper(rendered, fuller, &spoken_of, &steps)).flatten() {
                found.push((text.place(at), path.clone(), meant));
            }
        }
    }
    found
}

/// Whether a comment has the key of a path, wherever it stands.
fn is_named(spoken_of: &[Spoken], path: &[&str]) -> bool {
    spoken_of.iter().any(|it| path.last().is_some_and(|key| it.name == *key))
}

/// The only path beside another one, where it has a step more, is no table, and nothing reads it.
fn deeper(rendered: &Rendered, fuller: &Fuller<'_>, spoken_of: &[Spoken], path: &[&str]) -> Option<String> {
    let beside = beside(&rendered.values, spoken_of, path);
    let [only] = beside.as_slice() else { return None };
    let steps: Vec<&str> = only.split('.').collect();
    let is_apart = steps.iter().any(|step| APART.contains(step)) || is_of_a_part(&rendered.processed, steps[0]);
    let is_value = value_at(&rendered.values, only).is_some_and(|it| it.as_map().is_none());
    (steps.len() == path.len() + 1 && !is_apart && is_value && !fuller.is_read(&steps)).then(|| only.clone())
}

/// The paths of the conditions that have an `else`, or ask for the opposite, with their places; none where a branch refuses.
fn answered(text: &str) -> Vec<(usize, String)> {
    let of = |it: &If<'_>| {
        let opposite = it.asks.strip_prefix("not ").map(|asked| asked.trim().trim_matches(['(', ')']));
        let asked = opposite.unwrap_or(it.asks);
        let path = operand(asked, &Dot::Root).filter(|_| !asked.contains(char::is_whitespace))?;
        let has_else = actions(&text[it.body.end..it.end]).next().is_some_and(|action| action.word() == "else");
        let refuses = actions(&text[it.body.start..it.end]).any(|action| action.word() == "fail");
        ((opposite.is_some() || has_else) && !refuses).then_some((it.at, path))
    };
    let mut found: Vec<(usize, String)> = ifs(text).iter().filter_map(of).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_answered_either_way_by_an_else_or_by_the_opposite() {
        let paths = |text: &str| answered(text).into_iter().map(|(_, path)| path).collect::<Vec<_>>();
        for text in [
            "{{ if .Values.a.b }}x{{ else }}y{{ end }}",
            "{{- if not .Values.a.b }}x{{ end }}",
            "{{ if not (.Values.a.b) -}}x{{ end }}",
            "{{ if .Values.a.b }}{{ if .c }}x{{ end }}{{ else if .d }}y{{ end }}",
        ] {
            assert_eq!(paths(text), ["a.b"], "{text}");
        }
        for text in [
            "{{ if .Values.a.b }}x{{ end }}",
            "{{ if .Values.a.b }}{{ if .c }}x{{ else }}y{{ end }}{{ end }}",
            "{{ if not .Values.a.b }}{{ fail \"no b\" }}{{ end }}",
            "{{ if not (or .Values.a.b .c) }}x{{ end }}",
            "{{ if .Values.a.b | not }}x{{ end }}",
        ] {
            assert_eq!(paths(text), [""; 0], "{text}");
        }
    }
}
