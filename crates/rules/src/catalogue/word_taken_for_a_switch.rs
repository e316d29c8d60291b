use landfall_chart::Chart;
use landfall_diag::{Finding, Severity, Spot};

use super::value_that_prints_nothing::value_at;
use crate::operated::{is_of_an_operator, walk};
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Role, Subject};
use crate::texts::{actions, gather, own_charts};
use crate::written::{lines, written};

pub(super) static RULE: Rule = Rule {
    id: "LF419",
    title: "words that YAML takes for a switch are printed in quotes",
    severity: Severity::Warning,
    why: "`Off`, `on`, `Yes` and `no` are `true` and `false` to YAML. A value that is in quotes in its values file loses them where a \
          template prints it: `updateMode: {{ .Values.vpa.mode }}` is no mode `Off` but `false`, and is refused, or nobody knows it.",
    advice: "Print the value with `| quote`.",
    check,
};

/// The kind whose modes have such a word among them.
const AUTOSCALER: &str = "VerticalPodAutoscaler";

/// The words, in the three ways in which they are written: as YAML 1.1 has them.
const WORDS: &[&str] = &["y", "n", "yes", "no", "on", "off"];

/// What fields begin or end with that are switches: there the word is what it is taken for.
const SWITCHES: &[&str] = &["enable", "enabled", "disable", "disabled", "allow", "skip"];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        let switched = unit.objects.iter().filter(|it| may_be_a_word(it) && !subject.is_borrowed(it));
        let rendered: Vec<Misread> = switched.flat_map(|it| misread(unit, it)).collect();
        let own = unit.rendered.charts.iter().flat_map(|it| own_charts(&it.processed));
        findings.extend(own.flat_map(|chart| of_autoscalers(unit, chart, &rendered)));
        findings.extend(rendered.into_iter().map(|it| it.finding));
    }
    findings
}

/// Whether the fields of an object may be words where they are switches: of the API's own kinds each field says what it is.
fn may_be_a_word(desired: &Desired) -> bool {
    let object = &desired.object;
    desired.role != Role::Definition && (is_of_an_operator(object.group()) || object.kind() == AUTOSCALER)
}

/// A switch that is a text in the values.
struct Misread {
    /// The value, as its template names it: `vpa.mode`.
    path: String,
    finding: Finding,
}

/// The switches of an object that are texts in the values.
fn misread(unit: &DesiredUnit, desired: &Desired) -> Vec<Misread> {
    let mut switches = Vec::new();
    walk(desired.object.value(), "", &mut |field, key, value| {
        if let Some(is_on) = value.as_bool().filter(|_| !is_switch(key)) {
            switches.push((field.to_owned(), key.to_owned(), is_on));
        }
        false
    });
    let (kind, name) = (desired.object.kind(), desired.object.name());
    let told = switches.into_iter().filter_map(|(field, key, is_on)| {
        let (path, word) = printed_word(unit, desired, &field, &key)?;
        let finding = RULE
            .finding(format!("`{key}` of {kind} `{name}` is `{is_on}`, and `{path}` is the text `{word}`"))
            .because(format!("without quotes `{word}` is a switch to YAML, whatever the values file puts around it"))
            .help(format!("write `{{{{ .Values.{path} | quote }}}}`"))
            .at(desired.spot_at(&field));
        Some(Misread { path, finding })
    });
    told.collect()
}

/// The value that a template prints as it is into a field, where it is one of the words: its path, and the word.
fn printed_word(unit: &DesiredUnit, desired: &Desired, field: &str, key: &str) -> Option<(String, String)> {
    let line = unit.rendered.origin(&desired.key(), field)?.template?.source?;
    let (_, said) = printed_bare(&line).filter(|(own, _)| *own == key)?;
    let path = path_of(said)?;
    let whole = format!("{}{path}", scope(unit.template_of(desired)?));
    let word = unit.rendered.charts.iter().find_map(|it| {
        let value = value_at(&it.values, &whole)?;
        Some(value.as_str()?.to_string_lossy().into_owned())
    });
    Some((path.to_owned(), word.filter(|it| is_word(it))?))
}

/// What the values of a chart stand below, by the path of its template: `db.` for `web/charts/db/templates/x.yaml`.
fn scope(template: &str) -> String {
    let charts = template.split("/charts/").skip(1).filter_map(|rest| rest.split('/').next());
    charts.map(|name| format!("{name}.")).collect()
}

/// What a chart's autoscalers print as their modes without quotes, where that is not told of what they render to.
fn of_autoscalers(unit: &DesiredUnit, chart: &Chart, rendered: &[Misread]) -> Vec<Finding> {
    let mut texts = Vec::new();
    gather(chart, &mut texts);
    let mut findings = Vec::new();
    for text in texts.iter().filter(|it| it.text.contains(AUTOSCALER)) {
        for (at, key, path) in modes(&text.text) {
            let value = value_at(&chart.values, path);
            let is_told = rendered.iter().any(|it| it.path == path);
            if is_told || value.as_ref().is_some_and(|it| it.as_bool().is_some()) {
                continue;
            }
            let word = value.as_ref().and_then(|it| Some(it.as_str()?.to_string_lossy().into_owned()));
            let severity = if word.is_some_and(|it| is_word(&it)) { Severity::Warning } else { Severity::Info };
            let place = text.place(at);
            findings.push(
                RULE.finding(format!(
                    "`{key}: {{{{ .Values.{path} }}}}` stands without quotes: the mode `Off` is read as `false`"
                ))
                .weighing(severity)
                .keyed(format!("{} {path}", place.file))
                .because("without quotes `Off` is a switch to YAML, whatever the values file puts around it")
                .help(format!("write `{{{{ .Values.{path} | quote }}}}`"))
                .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// The modes of a text's autoscalers that are values printed as they are: where, the field, and the value's path.
fn modes(text: &str) -> Vec<(usize, &str, &str)> {
    let mut found = Vec::new();
    for object in written(text).into_iter().filter(|it| it.kind == AUTOSCALER) {
        let (mut is_policy, mut above) = (false, "");
        for (at, line) in lines(object.text) {
            let printed = printed_bare(line).filter(|(key, _)| *key == "updateMode" || (is_policy && *key == "mode"));
            let path = printed.and_then(|(_, said)| if said == "." { within(above) } else { path_of(said) });
            if let (Some((key, _)), Some(path)) = (printed, path) {
                found.push((object.at + at, key, path));
            }
            is_policy |= line.trim_start().starts_with("containerPolicies:");
            above = line;
        }
    }
    found
}

/// The value that a `with` in a line makes the dot.
fn within(line: &str) -> Option<&str> {
    path_of(actions(line).find(|it| it.word() == "with")?.rest())
}

/// The field of a line and the path that is its whole value, where nothing puts that in quotes: `updateMode: {{ .Values.vpa.mode }}`.
fn printed_bare(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.trim_start().trim_start_matches("- ").split_once(':')?;
    let inner = value.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim_matches(['-', ' ']);
    let mut stages = inner.split('|').map(str::trim);
    let path = stages.next().filter(|it| it.starts_with(['.', '$']) && is_path(it))?;
    stages.all(|stage| stage.starts_with("default ")).then_some((key, path))
}

/// The path of a value, as it stands in `.Values`.
fn path_of(said: &str) -> Option<&str> {
    said.trim_start_matches('$').strip_prefix(".Values.").filter(|path| is_path(path))
}

fn is_path(text: &str) -> bool {
    text.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '.' | '_' | '$'))
}

/// Whether YAML takes a text for `true` or `false`, where nothing shows that it is one: `Off`, `OFF`, `off`.
fn is_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let behind = text.get(1..).unwrap_or_default();
    let is_written_so =
        text == lower || text == text.to_ascii_uppercase() || behind == lower.get(1..).unwrap_or_default();
    is_written_so && WORDS.contains(&lower.as_str())
}

/// Whether a field is called as a switch is.
fn is_switch(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SWITCHES.iter().any(|word| key.starts_with(word) || key.ends_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_switch_as_yaml_writes_it() {
        for word in ["Off", "off", "OFF", "Yes", "no", "y", "On"] {
            assert!(is_word(word), "{word}");
        }
        for word in ["oFF", "Auto", "true", "", "offline", "é"] {
            assert!(!is_word(word), "{word}");
        }
        assert!(is_switch("debugEnabled") && is_switch("skipTests") && !is_switch("mode"));
    }

    #[test]
    fn a_value_is_printed_bare_where_nothing_quotes_it() {
        for line in
            ["  mode: {{ .Values.a.b }}", "- mode: {{- $.Values.a.b -}}", "mode: {{ .Values.a.b | default \"x\" }}"]
        {
            assert_eq!(printed_bare(line).and_then(|(_, said)| path_of(said)), Some("a.b"), "{line}");
        }
        for line in [
            "mode: {{ .Values.a.b | quote }}",
            "mode: \"{{ .Values.a.b }}\"",
            "mode: {{ toYaml .Values.a.b }}",
            "mode: {{ .Values.a.b }}-{{ .Values.c }}",
            "mode: Off",
        ] {
            assert_eq!(printed_bare(line), None, "{line}");
        }
    }

    #[test]
    fn an_autoscaler_prints_its_modes_without_quotes() {
        let text = "kind: VerticalPodAutoscaler\nspec:\n  resourcePolicy:\n    containerPolicies:\n      - containerName: web\n        \
                    mode: {{ .Values.a.mode }}\n  updatePolicy:\n    {{- with .Values.b.updateMode }}\n    updateMode: {{ . }}\n    \
                    {{- end }}\n---\nkind: Widget\nspec:\n  updateMode: {{ .Values.c }}\n";
        let found: Vec<_> = modes(text).into_iter().map(|(_, key, path)| (key, path)).collect();
        assert_eq!(found, [("mode", "a.mode"), ("updateMode", "b.updateMode")]);
        assert!(modes(&text.replace(" }}", " | quote }}")).is_empty());
    }

    #[test]
    fn the_values_of_a_part_stand_below_its_name() {
        assert_eq!(scope("web/templates/x.yaml"), "");
        assert_eq!(scope("web/charts/db/charts/disk/templates/x.yaml"), "db.disk.");
    }
}
