//! Settings of a container that are printed only where another setting, which has nothing to do with them, is on; and variables
//! of one part that stand within the condition of another.

use super::mentions;
use crate::catalogue::value_that_prints_nothing::{Dot, bare_path, operand};
use crate::texts::{Action, actions, ifs, unquoted, words};

/// Settings that a container may have whatever it does.
const SETTINGS: &[&str] = &["securityContext", "resources", "nodeSelector", "tolerations", "affinity"];

/// A setting and the switch that it stands behind.
#[derive(Debug, PartialEq)]
pub(super) struct Behind {
    pub(super) at: usize,
    pub(super) switch: String,
    pub(super) setting: String,
}

/// The settings that stand, alone and as a whole, behind a condition on another value.
pub(super) fn behind_a_switch(text: &str) -> Vec<Behind> {
    let all: Vec<Action<'_>> = actions(text).filter(|it| !it.is_comment()).collect();
    let of = |three: &[Action<'_>]| {
        let [head, printed, end] = three else { return None };
        let between = text[head.end..printed.start].trim();
        let is_alone = text[printed.end..end.start].trim().is_empty() && end.word() == "end" && head.word() == "if";
        let key = between.strip_suffix(':').filter(|key| is_alone && SETTINGS.contains(key))?;
        let switch = operand(head.rest(), &Dot::Root)?;
        let said = unquoted(printed.inner);
        let all = words(&said);
        let at = all.iter().position(|it| *it == "toYaml")?;
        let setting = [all.get(at + 1), at.checked_sub(1).and_then(|at| all.get(at))];
        let setting = setting.into_iter().flatten().find_map(|word| operand(word, &Dot::Root))?;
        (is_called(&setting, key) && are_strangers(&switch, &setting, key)).then_some(Behind {
            at: head.start,
            switch,
            setting,
        })
    };
    all.windows(3).filter_map(of).collect()
}

/// Whether a value is called after the field that it is printed into.
fn is_called(setting: &str, key: &str) -> bool {
    setting.rsplit('.').next() == Some(key)
}

/// Whether a switch is of something else than the setting: not a part of it, not beside it, not called after it.
fn are_strangers(switch: &str, setting: &str, key: &str) -> bool {
    let table = |path: &str| path.rsplit_once('.').map_or(String::new(), |(table, _)| table.to_owned());
    let own = table(switch);
    let is_of_its_table = !own.is_empty() && (setting.starts_with(&format!("{own}.")) || own == table(setting));
    let is_named = switch.to_ascii_lowercase().contains(&key.to_ascii_lowercase());
    // What is switched for a platform as a whole is for what the platform takes.
    let is_of_a_platform =
        ["openshift", "psp", "platform", "distro"].iter().any(|it| switch.to_ascii_lowercase().contains(it));
    switch.contains('.') && !is_of_its_table && !is_named && !is_of_a_platform
}

/// The variables that print the switch of one part, where the innermost condition around them asks for another part's and is not
/// that of a whole document.
pub(super) fn variables_of_another(text: &str) -> Vec<Behind> {
    let all = ifs(text);
    let of = |action: Action<'_>| {
        let setting = bare_path(action.inner, &Dot::Root).filter(|path| is_of_a_part(path))?;
        let is_there = is_of_a_variable(&text[..action.line], &text[action.line..action.start]);
        let around = all.iter().find(|it| it.at < action.start && action.start < it.end)?;
        let switch = operand(around.asks, &Dot::Root).filter(|path| is_of_a_part(path) && *path != setting)?;
        let is_within = around.body.contains(&action.start) && !is_document(&text[around.body.clone()]);
        (is_there && is_within).then_some(Behind { at: action.start, switch, setting })
    };
    actions(text).filter(|it| !it.is_comment()).filter_map(of).collect()
}

/// Whether a path is the switch of a table at the top of the values.
fn is_of_a_part(path: &str) -> bool {
    path.split_once('.').is_some_and(|(_, key)| key == "enabled")
}

/// Whether a line, behind those before it, ends where the value of a variable begins.
fn is_of_a_variable(before: &str, line: &str) -> bool {
    let is_value = line.trim().trim_end_matches(['"', '\'', ' ']) == "value:";
    is_value && before.lines().next_back().is_some_and(|line| line.trim().starts_with("- name:"))
}

/// Whether an object begins in a text.
fn is_document(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("kind:"))
}

/// Whether a whole document of a text stands behind a switch.
pub(super) fn has_document(text: &str, switch: &str) -> bool {
    let asks = |condition: &str| mentions(condition, switch) && !words(condition).contains(&"not");
    ifs(text).iter().any(|it| asks(it.asks) && is_document(&text[it.body.clone()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(String, String)> {
        behind_a_switch(text).into_iter().map(|it| (it.switch, it.setting)).collect()
    }

    #[test]
    fn a_setting_behind_the_switch_of_something_else_is_told() {
        let text = "{{- if .Values.config.open }}\nsecurityContext:\n  {{- toYaml .Values.securityContext | nindent 2 }}\n{{- end }}\n";
        assert_eq!(told(text), [("config.open".to_owned(), "securityContext".to_owned())]);
        for text in [
            "{{- if .Values.securityContext }}\nsecurityContext:\n  {{- toYaml .Values.securityContext | nindent 2 }}\n{{- end }}",
            "{{- if .Values.web.enabled }}\nresources:\n  {{- toYaml .Values.web.resources | nindent 2 }}\n{{- end }}",
            "{{- if .Values.web.resourcesEnabled }}\nresources:\n  {{- toYaml .Values.resources | nindent 2 }}\n{{- end }}",
            "{{- if not .Values.config.open }}\nsecurityContext:\n  {{- toYaml .Values.securityContext | nindent 2 }}\n{{- end }}",
            "{{- if .Values.config.open }}\nsecurityContext:\n  {{- toYaml .Values.securityContext | nindent 2 }}\n{{- else }}a: b\n{{- end }}",
            "{{- if .Values.a.b }}\nx:\n  {{- toYaml .Values.x | nindent 2 }}\n{{- end }}",
        ] {
            assert_eq!(told(text), [], "{text}");
        }
    }

    #[test]
    fn a_variable_within_the_condition_of_another_part_is_told() {
        let of = |text: &str| -> Vec<(String, String)> {
            variables_of_another(text).into_iter().map(|it| (it.switch, it.setting)).collect()
        };
        let variable = "- name: GATEWAY\n  value: {{ .Values.gateway.enabled | quote }}\n";
        let told = [("report.enabled".to_owned(), "gateway.enabled".to_owned())];
        assert_eq!(of(&format!("{{{{- if .Values.report.enabled }}}}\n{variable}{{{{- end }}}}")), told);
        for text in [
            format!("{{{{- if .Values.gateway.enabled }}}}\n{variable}{{{{- end }}}}"),
            format!("{{{{- if .Values.report.enabled }}}}\nkind: Job\n{variable}{{{{- end }}}}"),
            format!("{{{{- if .Values.report.enabled }}}}\na: b\n{{{{- else }}}}\n{variable}{{{{- end }}}}"),
            format!("{{{{- if .Values.report.enabled }}}}{{{{ if .a }}}}\n{variable}{{{{- end }}}}{{{{- end }}}}"),
            format!("{{{{- if .Values.report.enabled }}}}\n{{{{- end }}}}\n{variable}"),
            format!("{{{{- if .Values.report.enabled }}}}\n{}{{{{- end }}}}", variable.replace("value:", "other:")),
        ] {
            assert_eq!(of(&text), [], "{text}");
        }
    }

    #[test]
    fn a_part_has_a_document_behind_its_switch() {
        let has = |text: &str| has_document(text, "gateway.enabled");
        assert!(has("{{- if .Values.gateway.enabled }}\nkind: Service\n{{- end }}"));
        assert!(has("{{- if and .Values.gateway.enabled .Values.a }}\napiVersion: v1\nkind: Job\n{{- end }}"));
        assert!(!has("{{- if not .Values.gateway.enabled }}\nkind: Service\n{{- end }}"));
        assert!(!has("{{- if .Values.gateway.enabled }}\n  kind: Service\n{{- end }}"));
    }
}
