use landfall_chart::Source;
use landfall_diag::{Finding, Severity};

use super::development_default::{is_credential, is_placeholder};
use crate::decoded::texts;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF115",
    title: "no secret of a protected environment stands in git",
    severity: Severity::Error,
    why: "What was committed once is in every clone for ever: whoever can read the repository, today or in years, can log \
          in. Taking it out again does not help; only a new secret does.",
    advice: "Seal it (`kubeseal`), replace the value that was committed, and keep only the sealed one in git.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    if !subject.is_protected() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for desired in subject.objects().filter(|it| it.role == Role::Manifest) {
        let object = &desired.object;
        if !object.group().is_empty() || !matches!(object.kind(), "Secret" | "ConfigMap") {
            continue;
        }
        for (key, text, field) in texts(object) {
            let what = match (is_private_key(&text), object.kind()) {
                (true, "ConfigMap") => "holds a private key that anybody in the namespace can read",
                (true, _) if is_written(subject, desired, key, &text, &field) => {
                    "holds a private key that stands in git"
                }
                (false, "Secret") if is_credential(key) && is_written(subject, desired, key, &text, &field) => {
                    "stands in git as plain text"
                }
                _ => continue,
            };
            findings.push(
                RULE.finding(format!("`{key}` of {} `{}` {what}", object.kind(), object.name()))
                    .because("whoever has ever cloned the repository has it")
                    .at(desired.spot_at(&field)),
            );
        }
    }
    findings
}

/// Whether a text holds a private key: its frame, and enough of a body to be one.
fn is_private_key(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("PRIVATE KEY-----") else { return false };
    let body = rest.split("-----END").next().unwrap_or_default();
    body.chars().filter(char::is_ascii_alphanumeric).count() >= 64
}

/// Whether somebody wrote the value down: in a values file, or in the template itself. Placeholders and the chart's own
/// defaults are LF116's, and what is drawn by chance or read from the cluster stands nowhere.
fn is_written(subject: &Subject<'_>, desired: &Desired, key: &str, text: &str, field: &str) -> bool {
    if text.trim().is_empty() || is_placeholder(text) {
        return false;
    }
    let Some(unit) = subject.unit(&desired.unit) else { return false };
    let Some(origin) = unit.rendered.origin(&desired.key(), field) else { return false };
    if !origin.sources.is_empty() {
        return origin.sources.iter().any(|source| matches!(source, Source::File(_)));
    }
    let object = &desired.object;
    let is_live = subject.before.get("", object.kind(), object.namespace(), object.name()).is_some();
    let again = unit.again.iter().flat_map(|again| again.all_objects()).find(|other| other.key() == object.key());
    let same = again.is_some_and(|other| texts(other).iter().any(|(name, other, _)| *name == key && other == text));
    !is_live && same
}
