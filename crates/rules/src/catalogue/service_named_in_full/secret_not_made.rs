//! Secrets that an option names, and that the chart itself makes under another setting alone.

use landfall_chart::values_to_json;
use landfall_diag::{Finding, Place, Spot};
use landfall_object::Object;
use landfall_object::references::{Certainty, Lack, Provided, programs, provides};
use serde_json::Value;

use super::RULE;
use crate::subject::{Desired, DesiredUnit, Subject};
use crate::texts::{If, Text, actions, ifs, own_texts};
use crate::written::{says_the_same, written};

/// An option, or a variable, that names a Secret of its own namespace which the chart would make under another setting.
pub(super) fn not_made(
    subject: &Subject<'_>,
    desired: &Desired,
    field: &str,
    option: &str,
    name: &str,
) -> Option<Finding> {
    let namespace = desired.object.namespace();
    let unit = subject.unit(&desired.unit)?;
    if subject.find("", "Secret", namespace, name).is_some() || is_given(unit, name) {
        return None;
    }
    let (asks, place) = condition_of(unit, desired, field)?;
    // Programs are asked last: whose rights they are takes a while.
    if is_made_by_others(subject, desired, name) {
        return None;
    }
    Some(
        RULE.finding(format!("`{option}` names Secret `{name}`, which is not delivered"))
            .because(format!("the chart makes it only {asks}"))
            .help("let one setting decide about the option and the Secret")
            .at(desired.spot_at(field))
            .at(Spot { unit: Some(desired.unit.clone()), ..Spot::file(place) }),
    )
}

/// Whether the name stands among the values: somebody brings that Secret.
fn is_given(unit: &DesiredUnit, name: &str) -> bool {
    unit.rendered.charts.iter().any(|it| says(&values_to_json(&it.values), name))
}

fn says(value: &Value, word: &str) -> bool {
    match value {
        Value::String(text) => text == word,
        Value::Array(list) => list.iter().any(|it| says(it, word)),
        Value::Object(map) => map.values().any(|it| says(it, word)),
        _ => false,
    }
}

/// Whether a controller makes the Secret, or another program that is told its name.
fn is_made_by_others(subject: &Subject<'_>, desired: &Desired, name: &str) -> bool {
    let namespace = desired.object.namespace();
    let is_it = |it: &Provided| it.kind == "Secret" && it.name == name;
    if subject.objects().flat_map(|it| provides(&it.object)).any(|it| is_it(&it)) {
        return true;
    }
    let around: Vec<&Object> = subject.staying().chain(subject.objects().map(|it| &it.object)).collect();
    programs(around.iter().copied()).iter().filter(|it| it.owner != desired.key()).any(|it| {
        let certainty = it.makes("Secret", namespace, name, Lack::Object, &desired.object);
        certainty == Some(Certainty::Named)
    })
}

/// When the chart makes the Secret that a field names, by the words of its template: in words, and where that stands.
fn condition_of(unit: &DesiredUnit, desired: &Desired, field: &str) -> Option<(String, Place)> {
    let line = unit.rendered.origin(&desired.key(), field)?.template?.source?;
    // Others may well have the same name that is written letter by letter, and what values say is the user's.
    let name = behind_the_slash(&line).filter(|it| it.contains("{{") && !it.contains(".Values."))?;
    let texts: Vec<Text<'_>> = unit.rendered.charts.iter().flat_map(own_texts).collect();
    texts.iter().find_map(|text| {
        let all = written(&text.text);
        let made = all.iter().find(|it| it.kind == "Secret" && says_the_same(it.name, name))?;
        let (asks, at) = condition(&text.text, made.at)?;
        Some((asks, text.place(at)))
    })
}

/// The innermost condition around a place of a template, in words, and where it begins: one on values, where none around it
/// depends on what the cluster has.
fn condition(text: &str, at: usize) -> Option<(String, usize)> {
    let all = ifs(text);
    let around: Vec<&If<'_>> = all.iter().filter(|it| (it.at..it.end).contains(&at)).collect();
    if around.iter().any(|it| it.asks.contains("lookup") || it.asks.contains(".Release.")) {
        return None;
    }
    let inner = around.first().filter(|it| it.asks.contains(".Values."))?;
    let is_otherwise = inner.otherwise.as_ref().is_some_and(|range| range.contains(&at));
    let word = match (inner.body.contains(&at), is_otherwise) {
        (true, _) => "where",
        (_, true) => "unless",
        // A branch of several.
        _ => return None,
    };
    Some((format!("{word} `{}` holds", inner.asks), inner.at))
}

/// What a line of a template writes behind its last slash, as one word: actions are taken as they stand.
fn behind_the_slash(line: &str) -> Option<&str> {
    let all: Vec<_> = actions(line).map(|it| it.start..it.end).collect();
    let is_written = |at: usize| !all.iter().any(|it| it.contains(&at));
    let slash = line.rmatch_indices('/').map(|(at, _)| at).find(|at| is_written(*at))?;
    let rest = &line[slash + 1..];
    let is_edge = |it: char| it.is_whitespace() || "\"',]}".contains(it);
    let end = rest.char_indices().find(|(at, it)| is_edge(*it) && is_written(slash + 1 + at));
    Some(end.map_or(rest, |(at, _)| &rest[..at])).filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_behind_the_last_slash_that_no_action_holds() {
        for (line, name) in [
            ("- --cert={{ .Release.Namespace }}/{{ include \"a/cert\" . }}", "{{ include \"a/cert\" . }}"),
            ("value: \"{{ .x }}/{{ .y }}-tls\"", "{{ .y }}-tls"),
            ("args: [\"--cert=shop/{{ .y }}\", \"-v\"]", "{{ .y }}"),
            ("- --cert=shop/web", "web"),
        ] {
            assert_eq!(behind_the_slash(line), Some(name), "{line}");
        }
        for line in ["- --cert={{ include \"a/cert\" . }}", "- --cert=shop/", "- {{ .x"] {
            assert_eq!(behind_the_slash(line), None, "{line}");
        }
    }

    #[test]
    fn the_innermost_condition_decides_where_it_is_one_on_values() {
        let told = |text: &str| condition(text, text.find("kind").unwrap_or_default()).map(|it| it.0);
        assert_eq!(
            told("{{ if .Values.a }}{{ if not .Values.b }}\nkind: Secret\n{{ end }}{{ end }}").as_deref(),
            Some("where `not .Values.b` holds")
        );
        assert_eq!(
            told("{{ if .Values.a }}x{{ else }}\nkind: Secret\n{{ end }}").as_deref(),
            Some("unless `.Values.a` holds")
        );
        for quiet in [
            "kind: Secret\n",
            "{{ if .Values.a }}{{ if not $old }}\nkind: Secret\n{{ end }}{{ end }}",
            "{{ if not (lookup \"v1\" \"Secret\" \"a\" \"b\") }}{{ if .Values.b }}\nkind: Secret\n{{ end }}{{ end }}",
            "{{ if .Values.a }}x{{ else if .Values.b }}\nkind: Secret\n{{ end }}",
        ] {
            assert_eq!(told(quiet), None, "{quiet}");
        }
    }
}
