use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::{Finding, Severity};

use super::unseen_settings::find;
use crate::decoded::{text_of, texts};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF178",
    title: "what is encoded is encoded once",
    severity: Severity::Warning,
    why: "The API decodes the `data` of a Secret once, and that of a ConfigMap and a Secret's `stringData` not at all. What a \
          template encodes once more reaches the program as base64: a password that nobody accepts, a script that is none.",
    advice: "Leave `b64enc` out of ConfigMaps and of `stringData`, and use it once in a Secret's `data`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for desired in ["Secret", "ConfigMap"].into_iter().flat_map(|kind| subject.of_kind("", kind)) {
        let is_secret = desired.object.kind() == "Secret";
        for (key, text, field) in texts(&desired.object) {
            let Some(inner) = encoded_text(&text) else { continue };
            let line = line_of(subject, desired, &field);
            let is_of_data = is_secret && field.starts_with("data");
            // A file's name says that text belongs there; without one the program may want it encoded.
            let holds_text = is_file(key) || is_sentence(&inner);
            let is_told = holds_text || was_plain(subject, desired, key) || encodes_too_often(&line, is_of_data);
            if !is_told || is_drawn(&line) {
                continue;
            }
            let how = if is_of_data { "twice" } else { "although nobody decodes it" };
            let finding = RULE
                .finding(format!("`{key}` of {} `{}` is encoded {how}", desired.object.kind(), desired.object.name()))
                .because("whoever reads the key gets base64 in place of the text")
                .at(desired.spot_at(&field));
            // What a chart puts together itself and encodes as a whole is mostly for a program that decodes it.
            let is_meant = !is_secret && is_of_helper(&line);
            findings.push(if is_meant { finding.weighing(Severity::Info) } else { finding });
        }
    }
    findings
}

/// Whether the base had something under the key that was no encoded text.
fn was_plain(subject: &Subject<'_>, desired: &Desired, key: &str) -> bool {
    let object = &desired.object;
    let old =
        subject.base.and_then(|base| find(base, object.group(), object.kind(), object.namespace(), object.name()));
    old.and_then(|old| text_of(old, key)).is_some_and(|text| !text.is_empty() && encoded_text(&text).is_none())
}

/// The text behind a value, where the value is base64 of one.
fn encoded_text(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() < 8 || !text.len().is_multiple_of(4) || text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let inner = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    inner.chars().all(|it| matches!(it, '\n' | '\t' | '\r') || !it.is_control()).then_some(inner)
}

/// Whether a key is the name of a file of text.
fn is_file(key: &str) -> bool {
    let endings = [
        "sh",
        "conf",
        "cfg",
        "ini",
        "yaml",
        "yml",
        "json",
        "toml",
        "properties",
        "xml",
        "php",
        "py",
        "js",
        "rb",
        "sql",
        "txt",
        "env",
    ];
    key.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Whether a text is lines or words, which no random bytes happen to be.
fn is_sentence(text: &str) -> bool {
    text.trim().len() >= 12 && text.trim().contains([' ', '\n']) && text.is_ascii()
}

/// The template's line that a field is written by; empty where it is not known.
fn line_of(subject: &Subject<'_>, desired: &Desired, field: &str) -> String {
    let unit = subject.unit(&desired.unit);
    let origin = unit.and_then(|unit| unit.rendered.origin(&desired.key(), field));
    origin.and_then(|origin| origin.template).and_then(|place| place.source).unwrap_or_default()
}

/// Whether a template's line encodes the value more often than the place decodes it.
fn encodes_too_often(line: &str, is_of_data: bool) -> bool {
    line.matches("b64enc").count() > usize::from(is_of_data)
}

/// Whether a template's line encodes what it has drawn itself: the longer text is the password then.
fn is_drawn(line: &str) -> bool {
    let drawing = ["randAlphaNum", "randAlpha", "randNumeric", "randAscii", "randBytes"];
    line.contains("b64enc") && drawing.iter().any(|it| line.contains(it))
}

/// Whether a template's line encodes what a named template prints.
fn is_of_helper(line: &str) -> bool {
    line.contains("b64enc") && line.contains("include \"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_base64_is_told_from_keys() {
        assert_eq!(encoded_text("IyEvYmluL3NoCmVjaG8gaGkK").as_deref(), Some("#!/bin/sh\necho hi\n"));
        for text in
            ["hunter22", "0123456789abcdef", "12345678", "short", "K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols="]
        {
            assert!(encoded_text(text).is_none() || !is_sentence(&encoded_text(text).unwrap_or_default()), "{text}");
        }
        assert!(
            is_drawn("  key: {{ randAlphaNum 32 | b64enc | quote }}") && !is_drawn("  key: {{ .Values.randAlpha }}")
        );
        assert!(is_of_helper("  a.yaml: {{ include \"web.settings\" . | b64enc }}"));
        assert!(
            encodes_too_often("{{ .Values.a | b64enc }}", false)
                && !encodes_too_often("{{ .Values.a | b64enc }}", true)
        );
        assert!(is_file("run.sh") && is_file("app.YAML") && !is_file("password"));
    }
}
