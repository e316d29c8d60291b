use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_diag::{Finding, Severity};

use super::unseen_settings::find;
use crate::decoded::{text_of, texts};
use crate::rule::Rule;
use crate::subject::{Desired, Subject};
use crate::texts::{actions, delivered_texts, unquoted};

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
    let mut findings = looked_up(subject);
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

/// What a template takes from a Secret that is there, which is encoded, and encodes once more.
fn looked_up(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (text, spot) in delivered_texts(subject) {
        for (at, name) in encoded_again(&text.text) {
            let place = text.place(at);
            findings.push(
                RULE.finding(format!("what `lookup` has found (`${name}`) is encoded once more"))
                    .keyed(format!("{} {name}", place.file))
                    .because("the `data` of a Secret is base64 already: with each upgrade it is encoded one time more, and the password is another one")
                    .help("write `b64dec` behind what was looked up, or encode the other value alone")
                    .at(spot(place)),
            );
        }
    }
    findings
}

/// The actions of a text that encode a key of what was looked up, with the variable that holds it; each variable once.
fn encoded_again(text: &str) -> Vec<(usize, &str)> {
    if !text.contains("lookup") || !text.contains("b64enc") {
        return Vec::new();
    }
    let mut looked: HashSet<&str> = HashSet::new();
    let mut told: HashSet<&str> = HashSet::new();
    let mut found = Vec::new();
    for action in actions(text).filter(|it| !it.is_comment()) {
        if let Some((name, given)) = action.inner.split_once(":=").map(|(name, given)| (name.trim(), given))
            && let Some(name) = name.strip_prefix('$')
        {
            let is_object = given.contains("lookup ") && !given.contains("b64dec") && !given.contains(".data.");
            if is_object {
                looked.insert(name);
                continue;
            }
        }
        if !at_last(action.inner, "b64enc") || action.inner.contains("b64dec") {
            continue;
        }
        let of = |name: &&&str| {
            let key = format!("${name}.data");
            let own = format!("${name}.");
            // Of `(lookup …).data` the keys stand at the variable itself.
            action.inner.contains(&key)
                || (action.inner.contains(&own) && text.contains(&format!("${name} := (lookup")))
        };
        if let Some(name) = looked.iter().find(of).copied().filter(|name| told.insert(name)) {
            found.push((action.start, name));
        }
    }
    found
}

/// Whether an action ends in a function, outside of all brackets.
fn at_last(inner: &str, function: &str) -> bool {
    let mut depth = 0_usize;
    let outside: String = unquoted(inner)
        .chars()
        .filter(|letter| {
            match letter {
                '(' => depth += 1,
                ')' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect();
    let rest = outside.split(" := ").last().unwrap_or_default();
    rest.split('|').skip(1).any(|part| part.split_whitespace().next() == Some(function))
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
