//! A value that is asked for, where its neighbour in the same table is printed under its name.

use landfall_chart::{Rendered, Value};
use landfall_diag::{Finding, Spot};

use super::{RULE, lone_action};
use crate::catalogue::branch_never_taken::mentions;
use crate::catalogue::value_that_prints_nothing::{Dot, bare_path, operand, value_at};
use crate::subject::DesiredUnit;
use crate::texts::{Action, actions, gather, unquoted};
use crate::written::lines;

/// A value that is asked for, and the one beside it that is printed under its name.
#[derive(Debug, PartialEq, Eq)]
struct Neighbour {
    at: usize,
    /// `mail.contact`.
    asked: String,
    /// `mail.report`.
    printed: String,
}

pub(super) fn printed_for_it(unit: &DesiredUnit, rendered: &Rendered) -> Vec<Finding> {
    let mut texts = Vec::new();
    gather(&rendered.processed, &mut texts);
    let alike = |it: &Neighbour| {
        let values = value_at(&rendered.values, &it.asked).zip(value_at(&rendered.values, &it.printed));
        values.is_some_and(|(one, other)| are_alike(&one, &other))
    };
    let mut findings = Vec::new();
    for text in &texts {
        for it in neighbours(&text.text).into_iter().filter(alike) {
            if texts.iter().any(|text| prints(&text.text, &it.asked)) {
                continue;
            }
            let place = text.place(it.at);
            findings.push(
                RULE.finding(format!("`{}` is asked for, and `{}` is printed", it.asked, it.printed))
                    .keyed(format!("{} {}", it.asked, place.file))
                    .because(format!("what is printed is called after `{}`, which is not heard", it.asked))
                    .help(format!("print `.Values.{}`", it.asked))
                    .at(Spot { unit: Some(unit.name.clone()), ..Spot::file(place) }),
            );
        }
    }
    findings
}

/// The conditions on one value with a variable or a key behind them that is called after it and printed from its neighbour.
fn neighbours(text: &str) -> Vec<Neighbour> {
    let all: Vec<(usize, &str)> = lines(text).collect();
    let found = all.windows(3).filter_map(|three| {
        let [(_, begin), second, third] = three else { return None };
        let asked = asked(begin)?;
        let (name, said, at) = match second.1.trim_start().strip_prefix("- name:") {
            Some(name) => (name, third.1.trim_start().strip_prefix("value:")?, third.0),
            None => second.1.trim_start().split_once(": ").map(|(name, said)| (name, said, second.0))?,
        };
        let inner = lone_action(said.trim().trim_matches(['"', '\'']))?;
        let printed = bare_path(inner, &Dot::Root)?;
        is_of_its_neighbour(name.trim().trim_matches(['"', '\'']), &asked, &printed).then_some(Neighbour {
            at,
            asked,
            printed,
        })
    });
    found.collect()
}

/// The path of the values that a line asks for and does nothing else.
fn asked(line: &str) -> Option<String> {
    let action = lone_action(line)?;
    let asked = action.strip_prefix("else ").unwrap_or(action).trim_start().strip_prefix("if ")?.trim();
    operand(asked, &Dot::Root).filter(|_| !asked.contains(char::is_whitespace))
}

/// Whether a name is that of the value that is asked for, and not that of the one beside it, which is printed.
fn is_of_its_neighbour(name: &str, asked: &str, printed: &str) -> bool {
    let (Some((table, key)), Some((other, beside))) = (asked.rsplit_once('.'), printed.rsplit_once('.')) else {
        return false;
    };
    table == other && key != beside && is_called(name, key) && !is_called(name, beside)
}

/// Whether a name is a key's, or ends with it.
fn is_called(name: &str, key: &str) -> bool {
    let (name, key) = (in_capitals(name), in_capitals(key));
    name.strip_suffix(&key).is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
}

/// A name as variables are written: `contactEmail` is `CONTACT_EMAIL`.
fn in_capitals(name: &str) -> String {
    let mut out = String::new();
    let mut before = '_';
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            out.push('_');
        }
        out.push(if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' });
        before = letter;
    }
    out
}

/// Whether an action of a text that is no condition reads a path, a table that it stands in, or what stands below it.
fn prints(text: &str, path: &str) -> bool {
    let steps: Vec<&str> = path.split('.').collect();
    let below = format!(".Values.{path}.");
    let is_condition = |it: &Action<'_>| it.word() == "if" || (it.word() == "else" && it.rest().starts_with("if"));
    actions(text).filter(|it| !it.is_comment() && !is_condition(it)).any(|it| {
        let said = unquoted(it.inner);
        said.contains(&below) || (1..=steps.len()).any(|length| mentions(&said, &steps[..length].join(".")))
    })
}

/// Whether two values are both numbers, or both texts.
fn are_alike(one: &Value, other: &Value) -> bool {
    let is_number = |it: &Value| it.as_i64().is_some() || it.as_f64().is_some();
    (is_number(one) && is_number(other)) || (one.as_str().is_some() && other.as_str().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbour_is_printed_under_the_name_of_what_is_asked() {
        for text in [
            "{{- if .Values.mail.contact }}\n- name: CONTACT\n  value: {{ .Values.mail.report | quote }}\n{{- end }}",
            "{{- if .Values.mail.contact }}\n- name: APP_CONTACT\n  value: \"{{ .Values.mail.report }}\"\n{{- end }}",
            "a: b\n{{- else if .Values.mail.contact }}\nmail-contact: {{ $.Values.mail.report }}\n{{- end }}",
        ] {
            let found: Vec<_> = neighbours(text).into_iter().map(|it| (it.asked, it.printed)).collect();
            assert_eq!(found, [("mail.contact".to_owned(), "mail.report".to_owned())], "{text}");
        }
        for text in [
            "{{- if .Values.mail.contact }}\n- name: CONTACT\n  value: {{ .Values.mail.contact | quote }}\n{{- end }}",
            "{{- if .Values.mail.contact }}\n- name: CONTACT\n  value: {{ .Values.web.report | quote }}\n{{- end }}",
            "{{- if .Values.mail.contact }}\n- name: REPORT\n  value: {{ .Values.mail.report | quote }}\n{{- end }}",
            "{{- if .Values.mail.contact }}\n- name: MYCONTACT\n  value: {{ .Values.mail.report | quote }}\n{{- end }}",
            "{{- if .Values.mail.port }}\n- name: MAIL_PORT\n  value: {{ .Values.mail.mailPort | quote }}\n{{- end }}",
            "{{- if not .Values.mail.contact }}\n- name: CONTACT\n  value: {{ .Values.mail.report }}\n{{- end }}",
            "{{- if .Values.mail.contact }}\ncontact: \"{{ .Values.mail.report }}.{{ .Values.mail.contact }}\"\n{{- end }}",
        ] {
            assert!(neighbours(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_value_is_printed_by_what_is_no_condition() {
        for text in
            ["{{ .Values.mail.contact }}", "{{ with .Values.mail.contact }}{{ . }}{{ end }}", "{{ .Values.mail }}"]
        {
            assert!(prints(text, "mail.contact"), "{text}");
        }
        for text in ["{{ if .Values.mail.contact }}", "{{ .Values.mail.contacts }}", "{{/* .Values.mail.contact */}}"] {
            assert!(!prints(text, "mail.contact"), "{text}");
        }
        assert_eq!(in_capitals("contactEmail-v2.Url"), "CONTACT_EMAIL_V2_URL");
    }
}
