//! Settings of a container that are printed only where another setting, which has nothing to do with them, is on.

use crate::catalogue::value_that_prints_nothing::{Dot, operand};
use crate::texts::{Action, actions, unquoted, words};

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
}
