//! Workloads that run under an account which is named for another one, while their own is delivered and used by nobody.

use landfall_diag::Finding;
use serde_json::Value;

use crate::pods::{PodTemplate, is_lasting};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};
use landfall_object::references::account;

/// A workload of the delivery and its pods.
type Workload<'a> = (&'a Desired, PodTemplate<'a>);

pub(super) fn of_another(subject: &Subject<'_>, rule: &Rule) -> Vec<Finding> {
    let workloads: Vec<Workload<'_>> = subject.pods().filter(|(desired, _)| stays(desired)).collect();
    let accounts = subject.of_kind("", "ServiceAccount").filter(|it| it.role == Role::Manifest);
    let mut findings = Vec::new();
    for own in accounts.filter(|own| is_spare(subject, own)) {
        let name = own.object.name();
        let beside = |it: &&Workload<'_>| it.0.unit == own.unit && it.0.object.namespace() == own.object.namespace();
        for (desired, template) in workloads.iter().filter(beside) {
            let used = account(template.spec);
            let Some((meant, taken)) = differing(name, used) else { continue };
            let is_for = |it: &Desired, part: &str| it.object.name().ends_with(&format!("-{part}"));
            // The account that it has is named for another workload, which has it, too.
            let is_anothers = workloads.iter().filter(beside).any(|(other, pods)| {
                other.key() != desired.key() && account(pods.spec) == used && is_for(other, taken)
            });
            if !is_for(desired, meant) || is_for(desired, taken) || !is_anothers {
                continue;
            }
            let (kind, workload) = (desired.object.kind(), desired.object.name());
            findings.push(
                rule.finding(format!("{kind} `{workload}` runs under ServiceAccount `{used}`, which is another one's"))
                    .because(format!("`{name}` is delivered for it, and nobody runs under that"))
                    .help(format!("name `{name}`"))
                    .at(desired.spot_at(&format!("{}.serviceAccountName", template.path))),
            );
        }
    }
    findings
}

/// Whether a workload runs as long as the release is there: what restarts its pods does so whether it is a hook or not.
fn stays(desired: &Desired) -> bool {
    desired.role == Role::Manifest || is_lasting(desired.object.kind())
}

/// Whether nothing else of the delivery has an account's name in it.
fn is_spare(subject: &Subject<'_>, own: &Desired) -> bool {
    !subject.objects().any(|it| it.key() != own.key() && names(it.object.value(), own.object.name()))
}

fn names(value: &Value, name: &str) -> bool {
    match value {
        // The name of another object, or of a container, says nothing of the account.
        Value::Object(map) => {
            let is_other = |key: &str| {
                OF_ITSELF.contains(&key) || (key == "name" && map.get("kind").is_none_or(|it| it != "ServiceAccount"))
            };
            map.iter().any(|(key, value)| !is_other(key) && names(value, name))
        }
        Value::Array(list) => list.iter().any(|value| names(value, name)),
        Value::String(text) => {
            text == name || text.contains(&format!("{name}\"")) || text.ends_with(&format!("={name}"))
        }
        _ => false,
    }
}

/// Fields that say of an object what it is.
const OF_ITSELF: &[&str] = &["metadata", "matchLabels", "selector"];

/// In what two names that begin alike differ, word by word.
fn differing<'a>(one: &'a str, other: &'a str) -> Option<(&'a str, &'a str)> {
    let alike = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let from = one[..alike].rfind('-')? + 1;
    let (one, other) = (&one[from..], &other[from..]);
    (!one.is_empty() && !other.is_empty() && one != other).then_some((one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_from_the_first_word_on_that_is_another() {
        assert_eq!(differing("app-ingest-jobs", "app-ingest-java"), Some(("jobs", "java")));
        assert_eq!(differing("app-web", "app-worker"), Some(("web", "worker")));
        assert_eq!(differing("web", "worker"), None);
        assert_eq!(differing("app-web", "app"), None);
    }
}
