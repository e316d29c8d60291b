//! Values of secrets stay out of what is told.

use landfall_diag::{Diagnostic, Place};

use super::Evidence;
use crate::origin::{Setting, Source};

/// The place of a value, or the flag that gave it.
pub(super) fn with_setting(diagnostic: Diagnostic, setting: Option<&Setting>, text: &str) -> Diagnostic {
    match setting.map(|setting| &setting.source) {
        None => diagnostic,
        Some(Source::Default(place) | Source::File(place)) => {
            let source = place.source.as_deref().map(without_secrets);
            diagnostic.primary(Place { source, ..place.clone() }, text)
        }
        Some(flag @ Source::Flag { text: given, .. }) => match given.split_once('=') {
            Some((path, _)) if is_secretive(path) => diagnostic.note(format!("{text}: {}", flag.brief())),
            _ => diagnostic.note(format!("{text}: {flag}")),
        },
    }
}

/// A line of values as it may be shown: what stands behind a key that is named like a secret's is not, as many
/// characters of it as there are. Nobody knows at this point which values go into a Secret.
fn without_secrets(line: &str) -> String {
    let keys = line.match_indices(':').filter(|(at, _)| line[at + 1..].starts_with(char::is_whitespace));
    match keys.map(|(at, _)| at).find(|at| is_secretive(&line[..*at])) {
        None => line.to_owned(),
        Some(at) => {
            let value = line[at + 1..].trim_start();
            let before = &line[..line.len() - value.len()];
            format!("{before}{}", "+".repeat(value.chars().count()))
        }
    }
}

/// What a template says of a value that is named like a secret's, without that value: `fail` may say what it does not
/// like. The persona `helm` shows the chart's words as they are.
pub(super) fn without_value(mut diagnostic: Diagnostic, evidence: &Evidence) -> Diagnostic {
    /// Values of fewer bytes stand in any sentence.
    const SHORTEST: usize = 4;
    if !evidence.path.last().is_some_and(|key| is_secretive(key)) {
        return diagnostic;
    }
    let values = evidence.settings.iter().filter_map(|setting| setting.value.as_str());
    for value in values.map(|value| String::from_utf8_lossy(value).into_owned()).filter(|value| value.len() >= SHORTEST)
    {
        for text in std::iter::once(&mut diagnostic.message).chain(&mut diagnostic.notes) {
            *text = text.replace(&value, "++++++++");
        }
    }
    diagnostic
}

/// Whether the last key of a path, or of what stands before a colon, is named like one of a secret's value.
fn is_secretive(path: &str) -> bool {
    const NAMES: [&str; 9] =
        ["password", "passwd", "passphrase", "token", "pepper", "apikey", "privatekey", "secretkey", "credentials"];
    let is_key = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let path = path.trim_end_matches(|c: char| !is_key(c));
    let key = path.rsplit(|c: char| !is_key(c)).next().unwrap_or_default();
    let key = key.replace(['_', '-'], "").to_lowercase();
    NAMES.iter().any(|name| key.ends_with(name)) || ["secret", "pass", "pwd"].contains(&key.as_str())
}

/// The places alone: the lines there hold a secret's value.
pub(super) fn without_sources(mut diagnostic: Diagnostic) -> Diagnostic {
    for label in &mut diagnostic.labels {
        label.place.source = None;
    }
    diagnostic.note("it holds a Secret: lines of it are not shown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_values_hides_what_is_named_like_a_secret_and_nothing_else() {
        for (line, shown) in [
            ("  password: hunter2", "  password: +++++++"),
            ("\"api-key\": \"a:b\"", "\"api-key\": +++++"),
            ("auth: {user: app, dbPassword: hunter2}", "auth: {user: app, dbPassword: ++++++++"),
            ("- ACCESS_TOKEN: é", "- ACCESS_TOKEN: +"),
            ("secret: x", "secret: +"),
        ] {
            assert_eq!(without_secrets(line), shown);
        }
        for line in
            ["replicas: 3", "existingSecret: keys", "tokens: 3", "password", "url: http://h:1", "passwordKey: KEY"]
        {
            assert_eq!(without_secrets(line), line);
        }
    }
}
