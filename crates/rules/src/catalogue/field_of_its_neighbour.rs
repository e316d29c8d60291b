use landfall_chart::{Chart, Value, Values};
use landfall_diag::{Finding, Severity, Spot};

use super::value_that_prints_nothing::{Dot, bare_path, moved, value_at};
use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, actions, gather, own_charts};

pub(super) static RULE: Rule = Rule {
    id: "LF398",
    title: "a field is printed from its own value, not from the one beside it",
    severity: Severity::Warning,
    why: "A line that was copied within a probe keeps the value of the line above: `timeoutSeconds` is printed from \
          `failureThreshold`, and a probe that may fail eighty times waits eighty seconds for an answer. The value that \
          is declared for the field is not heard.",
    advice: "Print the value that is called as the field is.",
    check,
};

/// Fields that stand beside each other, and none of which is meant for another.
const BESIDE: &[&[&str]] = &[
    &["initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold"],
    &["minReplicas", "maxReplicas"],
    &["minAvailable", "maxUnavailable"],
    &["interval", "scrapeTimeout"],
];

/// What containers ask for.
const RESOURCES: &[&str] = &["cpu", "memory", "ephemeral-storage"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        for root in unit.rendered.charts.iter().map(|it| &it.processed) {
            let own = own_charts(root).filter(|it| it.metadata.kind != "library");
            findings.extend(own.flat_map(|chart| told(&unit.name, chart)));
        }
    }
    findings
}

fn told(unit: &str, chart: &Chart) -> Vec<Finding> {
    let mut texts = Vec::new();
    gather(chart, &mut texts);
    let mut findings = Vec::new();
    for text in texts {
        for Taken { at, field, path, meant } in taken(&text.text, &chart.values) {
            let place = text.place(at);
            findings.push(
                RULE.finding(format!("`{field}` is printed from `{path}`, and `{meant}` is meant for it"))
                    .keyed(format!("{} {field} {path}", place.file))
                    .because(format!("whoever sets `{meant}` is not heard"))
                    .help(format!("print `.Values.{meant}`"))
                    .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// A field that is printed from the value of another one.
#[derive(Debug, PartialEq, Eq)]
struct Taken<'t> {
    at: usize,
    field: &'t str,
    /// The value: `web.probe.failureThreshold`.
    path: String,
    /// The one that is meant: `web.probe.timeoutSeconds`.
    meant: String,
}

/// The fields of a text that are printed from the value beside their own.
fn taken<'t>(text: &'t str, values: &Values) -> Vec<Taken<'t>> {
    let mut found = Vec::new();
    let mut dots: Vec<Dot> = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        let dot = dots.last().unwrap_or(&Dot::Root);
        let printed = field_of(text, &action).and_then(|field| Some((field, bare_path(action.inner, dot)?)));
        if let Some((field, path)) = printed {
            let meant = meant(field, &path, values);
            found.extend(meant.map(|meant| Taken { at: action.start, field, path, meant }));
        }
        moved(action.inner, &mut dots);
    }
    found
}

/// The value that is meant where a field is printed from its neighbour's, and both are declared alike.
fn meant(field: &str, path: &str, values: &Values) -> Option<String> {
    let (table, key) = path.rsplit_once('.')?;
    // None of these is ever the amount of another, whoever declares it.
    if RESOURCES.contains(&field) && RESOURCES.contains(&key) && field != key {
        return Some(format!("{table}.{field}"));
    }
    let beside = BESIDE.iter().find(|it| it.contains(&field))?;
    if key == field || !beside.contains(&key) {
        return None;
    }
    let meant = format!("{table}.{field}");
    are_alike(&value_at(values, path)?, &value_at(values, &meant)?).then_some(meant)
}

/// Whether two values are both numbers, or both texts.
fn are_alike(one: &Value, other: &Value) -> bool {
    let is_number = |it: &Value| it.as_i64().is_some() || it.as_f64().is_some();
    (is_number(one) && is_number(other)) || (one.as_str().is_some() && other.as_str().is_some())
}

/// The field whose whole value an action is: in a line, or within a map in braces.
fn field_of<'t>(text: &'t str, action: &Action<'_>) -> Option<&'t str> {
    const QUOTES: [char; 2] = ['"', '\''];
    let line = &text[action.line..action.start];
    let before = line.trim_end().trim_end_matches(QUOTES).trim_end().strip_suffix(':')?;
    let behind = text[action.end..].lines().next().unwrap_or_default().trim_start_matches(QUOTES).trim_start();
    let is_whole = behind.is_empty() || behind.starts_with([',', '}', '#']);
    let field = match before.strip_suffix("ephemeral-storage") {
        Some(ahead) => &before[ahead.len()..],
        None => before.rsplit(|it: char| !it.is_ascii_alphanumeric()).next()?,
    };
    (is_whole && !line.contains('#')).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let probe = serde_json::json!({"timeoutSeconds": 5, "periodSeconds": 10, "failureThreshold": 80});
        let scaled = serde_json::json!({"minReplicas": 1, "maxReplicas": "3"});
        let json = serde_json::json!({"web": {"probe": probe, "scaled": scaled}});
        let values = landfall_chart::values_from_json(json.as_object().expect("a map"));
        taken(text, &values).into_iter().map(|it| format!("{} {} {}", it.field, it.path, it.meant)).collect()
    }

    #[test]
    fn a_field_of_its_neighbours_value_is_told() {
        let told = ["timeoutSeconds web.probe.failureThreshold web.probe.timeoutSeconds"];
        for text in [
            "a:\n  timeoutSeconds: {{ .Values.web.probe.failureThreshold }}\n",
            "timeoutSeconds: \"{{ $.Values.web.probe.failureThreshold | int }}\" # a\n",
            "{periodSeconds: {{ .Values.web.probe.periodSeconds }}, timeoutSeconds: {{.Values.web.probe.failureThreshold}}}",
            "{{- with .Values.web.probe }}\ntimeoutSeconds: {{ .failureThreshold }}\n{{- end }}\n",
        ] {
            assert_eq!(of(text), told, "{text}");
        }
    }

    #[test]
    fn a_field_that_is_made_of_another_on_purpose_is_not() {
        for text in [
            "timeoutSeconds: {{ .Values.web.probe.timeoutSeconds }}",
            "timeoutSeconds: {{ .Values.web.probe.failureThreshold | default 3 }}",
            "timeoutSeconds: {{ max .Values.web.probe.failureThreshold 3 }}",
            "timeoutSeconds: {{ .Values.web.probe.failureThreshold }}0",
            "# timeoutSeconds: {{ .Values.web.probe.failureThreshold }}",
            "successThreshold: {{ .Values.web.probe.failureThreshold }}",
            "timeout: {{ .Values.web.probe.failureThreshold }}",
            "minReplicas: {{ .Values.web.scaled.maxReplicas }}",
            "maxReplicas: {{ .Values.web.probe.failureThreshold }}",
            "{{ range .Values.a }}timeoutSeconds: {{ .failureThreshold }}{{ end }}",
        ] {
            assert_eq!(of(text), [""; 0], "{text}");
        }
    }
}
