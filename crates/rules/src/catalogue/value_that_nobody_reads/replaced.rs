//! `false` and `0` that a template takes for nothing, and puts something else in their place.

use landfall_chart::{Rendered, values_to_json};
use landfall_diag::{Finding, Place, Spot};
use serde_json::Value;

use super::super::value_that_prints_nothing::{Dot, moved, operand};
use crate::rule::Rule;

/// A value that is given and replaced.
#[derive(Debug, PartialEq)]
pub(super) struct Replaced {
    path: String,
    value: Value,
    /// What is taken in its place, as it is written.
    by: String,
    place: Place,
}

impl Replaced {
    pub(super) fn told(self, rule: &Rule, unit: &str) -> Finding {
        let Replaced { path, value, by, place } = self;
        let finding = rule
            .finding(format!("`{path}` is set to `{value}`, which `default` takes for nothing"))
            .because(format!("the template goes on with `{by}` in its place"))
            .help("ask whether the value is there (`hasKey`, `kindIs \"invalid\"`), or declare its default in values.yaml");
        finding.keyed(path).at(Spot { unit: Some(unit.to_owned()), ..Spot::file(place) })
    }
}

/// The values that the user gives as `false` or `0` and for which a template of the chart's own prints something else.
pub(super) fn replaced(rendered: &Rendered) -> Vec<Replaced> {
    let given = values_to_json(&rendered.user_values);
    let values = values_to_json(&rendered.values);
    let at =
        |values: &Value, path: &str| path.split('.').try_fold(values.clone(), |here, step| here.get(step).cloned());
    let mut found: Vec<Replaced> = Vec::new();
    if !holds_nothing(&given) {
        return found;
    }
    let chart = &rendered.processed;
    for file in chart.templates.iter().filter(|file| !file.name.ends_with("NOTES.txt")) {
        let text = file.text();
        for (line, path, by) in defaults(&text) {
            let Some(value) = at(&given, &path).filter(is_nothing) else { continue };
            // What is put in its place is nothing as well.
            let other = match operand(&by, &Dot::Root) {
                Some(path) => at(&values, &path).unwrap_or(Value::Null),
                None => serde_json::from_str(&by).unwrap_or(Value::Bool(false)),
            };
            let is_same = is_nothing(&other) || other == "" || found.iter().any(|it| it.path == path);
            if !is_same {
                let source = text.lines().nth(line as usize - 1).map(str::to_owned);
                let place = Place { source, ..Place::line(chart.path_of(&file.name), line) };
                found.push(Replaced { path, value, by, place });
            }
        }
    }
    found
}

fn is_nothing(value: &Value) -> bool {
    *value == false || value.as_f64() == Some(0.0)
}

fn holds_nothing(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(holds_nothing),
        value => is_nothing(value),
    }
}

/// Where a template says what stands for a path of the values: the line, from 1, the path, and what stands for it.
fn defaults(text: &str) -> Vec<(u32, String, String)> {
    let mut found = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    let (mut at, mut line) = (0, 1_u32);
    while let Some(start) = text[at..].find("{{").map(|from| at + from) {
        let Some(end) = text[start..].find("}}").map(|to| start + to) else { break };
        line += u32::try_from(text[at..start].matches('\n').count()).unwrap_or(0);
        let action = &text[start + 2..end];
        let dot = dots.last().unwrap_or(&Dot::Root);
        if !action.trim_start_matches(['-', ' ']).starts_with("/*") {
            found.extend(in_action(action, dot).map(|(path, by)| (line, path, by)));
        }
        moved(action, &mut dots);
        line += u32::try_from(text[start..end].matches('\n').count()).unwrap_or(0);
        at = end;
    }
    found
}

/// `PATH | default X`, `default X PATH`, with brackets around tables that may not be there.
fn in_action(action: &str, dot: &Dot) -> Option<(String, String)> {
    let flat = action.replace(").", ".").replace(['(', ')'], " ");
    let stages: Vec<Vec<&str>> =
        flat.split('|').map(|it| it.trim_matches('-').split_ascii_whitespace().collect()).collect();
    stages.iter().enumerate().find_map(|(at, stage)| match stage.as_slice() {
        ["default", by] => match at.checked_sub(1).map(|before| stages[before].as_slice()) {
            Some([.., path]) => Some((operand(path, dot)?, (*by).to_owned())),
            _ => None,
        },
        [.., "default", by, path] => Some((operand(path, dot)?, (*by).to_owned())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_read_in_both_ways_of_writing_it() {
        for (action, path, by) in [
            (" .Values.a.b | default true ", "a.b", "true"),
            ("- (.Values.a.b).c | default .Values.a.c | quote", "a.b.c", ".Values.a.c"),
            ("default 80 $.Values.port", "port", "80"),
            (" include \"x\" . | trim | default \"y\" ", "", ""),
            (" .Values.a ", "", ""),
        ] {
            let found = in_action(action, &Dot::Root);
            let wanted = (!path.is_empty()).then(|| (path.to_owned(), by.to_owned()));
            assert_eq!(found, wanted, "{action}");
        }
        let lines =
            defaults("a: 1\n{{- with .Values.x }}\nb: {{ .y | default 1 }}\n{{ end }}\nc: {{ .Values.z | default 2 }}");
        let lines: Vec<_> = lines.into_iter().map(|(line, path, _)| (line, path)).collect();
        assert_eq!(lines, [(3, "x.y".to_owned()), (5, "z".to_owned())]);
    }
}
