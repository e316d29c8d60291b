use std::collections::BTreeSet;

use landfall_chart::{Rendered, Values, values_to_json};
use landfall_diag::{Finding, Severity, Spot};
use serde_json::Value;

use crate::rule::Rule;
use crate::subject::Subject;
use crate::texts::{Action, actions, own_texts, unquoted};

pub(super) static RULE: Rule = Rule {
    id: "LF392",
    title: "a switch that is off reaches its program",
    severity: Severity::Info,
    why: "A variable that a template writes only where its value is true is missing where it is false. The program \
          goes by its own default then; where that is true, nobody can switch it off.",
    advice: "Write the variable in both cases, without the condition.",
    check,
};

/// Variables whose program takes them for true where they are missing.
// ORIGIN: Graylog 7 `EmailConfiguration.java`; Vaultwarden 1 `src/config.rs`; Grafana 12 `conf/defaults.ini`; n8n 1
// docs.n8n.io/hosting/configuration/environment-variables.
const ON_BY_DEFAULT: &[&str] = &[
    "GRAYLOG_TRANSPORT_EMAIL_USE_TLS",
    "SIGNUPS_ALLOWED",
    "INVITATIONS_ALLOWED",
    "WEB_VAULT_ENABLED",
    "GF_ANALYTICS_REPORTING_ENABLED",
    "GF_ANALYTICS_CHECK_FOR_UPDATES",
    "GF_AUTH_BASIC_ENABLED",
    "N8N_DIAGNOSTICS_ENABLED",
    "N8N_VERSION_NOTIFICATIONS_ENABLED",
    "N8N_TEMPLATES_ENABLED",
];

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for unit in subject.units {
        findings.extend(unit.rendered.charts.iter().flat_map(|rendered| told(&unit.name, rendered)));
    }
    findings
}

fn told(unit: &str, rendered: &Rendered) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut told = BTreeSet::new();
    for text in own_texts(rendered) {
        for (action, path, variable) in switches(&text.text) {
            if !is(&rendered.values, &path, false) || !told.insert(path.clone()) {
                continue;
            }
            let is_known = ON_BY_DEFAULT.contains(&variable);
            // Where the chart has it switched on, whoever switches it off means to.
            let is_meant = is(&rendered.processed.values, &path, true) && is(&rendered.user_values, &path, false);
            if !is_known && !is_meant {
                continue;
            }
            let because = match is_known {
                true => "the program takes it for true where it is missing, so it stays on",
                false => "the program goes by its own default then, whatever that is",
            };
            findings.push(
                RULE.finding(format!("`{path}` is false, and `{variable}` is left out then"))
                    .weighing(if is_known { Severity::Warning } else { RULE.severity })
                    .keyed(path)
                    .because(because)
                    .at(Spot { unit: Some(unit.to_owned()), ..Spot::file(text.place(action.start)) }),
            );
        }
    }
    findings
}

/// Whether that is what stands at a path of values.
fn is(values: &Values, path: &str, wanted: bool) -> bool {
    let pointer = format!("/{}", path.replace('.', "/"));
    values_to_json(values).pointer(&pointer) == Some(&Value::Bool(wanted))
}

/// Variables that are written only where the switch that is their value is on: the action that asks, the switch, the
/// variable.
fn switches(text: &str) -> Vec<(Action<'_>, String, &str)> {
    let all: Vec<Action<'_>> = actions(text).collect();
    let mut found = Vec::new();
    for three in all.windows(3) {
        let [asks, prints, ends] = three else { continue };
        let Some(path) = asks.rest().trim_start_matches('$').strip_prefix(".Values.").filter(|_| asks.word() == "if")
        else {
            continue;
        };
        let is_plain = path.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_'));
        if !is_plain || ends.word() != "end" || !prints_only(prints.inner, path) {
            continue;
        }
        let Some(variable) = variable(&text[asks.end..prints.start], &text[prints.end..ends.start]) else { continue };
        found.push((*asks, path.to_owned(), variable));
    }
    found
}

/// Whether an action prints a value and nothing else: `.Values.a | quote`.
fn prints_only(inner: &str, path: &str) -> bool {
    let plain = unquoted(inner);
    let words: Vec<&str> =
        plain.split_ascii_whitespace().filter(|it| !matches!(*it, "|" | "quote" | "squote" | "toString")).collect();
    matches!(words[..], [word] if word.trim_start_matches('$').strip_prefix(".Values.") == Some(path))
}

/// The variable of a list of variables that stands in front of its value, where nothing else is there.
fn variable<'t>(before: &'t str, behind: &str) -> Option<&'t str> {
    let rest = before.trim().strip_prefix("- name:")?;
    let (name, rest) = rest.split_once('\n')?;
    let name = name.trim().trim_matches(['"', '\'']);
    let is_name = !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    let is_value = matches!(rest.trim(), "value:" | "value: \"" | "value: '");
    (is_name && is_value && behind.trim().trim_matches(['"', '\'']).is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_left_out_with_its_switch() {
        let of =
            |text: &str| switches(text).into_iter().map(|(_, path, name)| format!("{path} {name}")).collect::<Vec<_>>();
        let block = "{{- if .Values.a.b }}\n- name: A_B\n  value: {{ .Values.a.b | quote }}\n{{- end }}\n";
        assert_eq!(of(block), ["a.b A_B"]);
        assert_eq!(of(&block.replace("{{ .Values.a.b | quote }}", "\"{{ $.Values.a.b }}\"")), ["a.b A_B"]);
        for other in [
            block.replace("| quote", "| default true"),
            block.replace("value: {{ .Values.a.b", "value: {{ .Values.a.c"),
            block.replace("{{- end }}", "- name: C\n  value: d\n{{- end }}"),
            block.replace("{{- end }}", "{{- else }}\n- name: A_B\n  value: \"false\"\n{{- end }}"),
            block.replace("if .Values.a.b", "if not .Values.a.b"),
        ] {
            assert!(of(&other).is_empty(), "{other}");
        }
    }
}
