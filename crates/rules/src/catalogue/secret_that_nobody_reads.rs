use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::references::references;
use serde_json::Value;

use super::key_that_nobody_reads::may_be_asked_for;
use crate::operated::is_operated;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};
use crate::texts::{actions, own_texts, words};

pub(super) static RULE: Rule = Rule {
    id: "LF378",
    title: "a Secret of variables is read by somebody",
    severity: Severity::Warning,
    why: "A Secret whose keys are names of variables (`API_TOKEN`) is made for a container. Where no container takes it, by `envFrom` or \
          key by key, whoever sets the values has a Secret more and a program that does not know them.",
    advice: "Give the container the Secret with `envFrom`, or its keys with `secretKeyRef`.",
    check,
};

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let secrets = subject.of_kind("", "Secret").filter(|it| it.role == Role::Manifest && !subject.is_borrowed(it));
    for desired in secrets.filter(|it| holds_variables(it) && !is_for_others(subject, it)) {
        let namespace = desired.object.namespace();
        let has_pods = subject.pods().any(|(it, _)| it.unit == desired.unit && it.object.namespace() == namespace);
        // What an operator makes of its resources, and whom a pod asks for in words, is not seen.
        let is_unseen = is_operated(subject, &desired.unit) || may_be_asked_for(subject, desired);
        if !has_pods || is_unseen || is_spoken_of(subject, desired) {
            continue;
        }
        let name = desired.object.name();
        let of = match made_of(subject, desired) {
            values if values.is_empty() => "variables".to_owned(),
            values => format!("the variables of {}", values.join(" and ")),
        };
        let finding = RULE
            .finding(format!("Secret `{name}` holds {of}, and no container reads it"))
            .because("what is set there reaches no program");
        findings.push(finding.at(desired.spot_at("metadata.name")));
    }
    findings
}

/// Whether each key of a Secret is the name of a variable as people write them.
fn holds_variables(desired: &Desired) -> bool {
    let keys: Vec<&String> = ["/data", "/stringData"]
        .into_iter()
        .filter_map(|map| desired.object.at(map).and_then(Value::as_object))
        .flat_map(|map| map.keys())
        .collect();
    let is_variable = |key: &&String| {
        key.starts_with(|it: char| it.is_ascii_uppercase())
            && key.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
    };
    !keys.is_empty() && keys.iter().all(is_variable)
}

/// Whether a Secret or claim is marked for somebody who looks for such by what is written on them, or is of a type of its own.
pub(super) fn is_for_others(subject: &Subject<'_>, desired: &Desired) -> bool {
    let object = &desired.object;
    let is_opaque = object.str_at("/type").is_none_or(|it| it == "Opaque");
    let is_of_helm = |key: &str| ["helm.sh/", "meta.helm.sh/"].iter().any(|prefix| key.starts_with(prefix));
    let marks = |map: &str| object.at(map).and_then(Value::as_object).into_iter().flatten();
    // What stands on the pods' owners, too, is what the release writes on everything.
    let is_on_all = |key: &str, value: &Value| {
        let own = subject.pods().filter(|(it, _)| it.unit == desired.unit);
        own.map(|(it, _)| it).any(|it| it.object.label(key) == value.as_str())
    };
    let is_noted = marks("/metadata/annotations").any(|(key, _)| !is_of_helm(key));
    let is_labelled = marks("/metadata/labels").any(|(key, value)| !is_of_helm(key) && !is_on_all(key, value));
    !is_opaque || is_noted || is_labelled
}

/// Whether anything refers to a Secret, or says its name where a program may take it from.
fn is_spoken_of(subject: &Subject<'_>, desired: &Desired) -> bool {
    let (name, namespace) = (desired.object.name(), desired.object.namespace());
    subject.objects().filter(|it| !std::ptr::eq(*it, desired)).any(|other| {
        let refers = references(&other.object)
            .into_iter()
            .any(|it| it.kind == "Secret" && it.name == name && it.namespace.as_deref() == namespace);
        refers || says(other.object.value(), "", name)
    })
}

/// Fields that hold the name that a release's objects share, and never that of a Secret.
const OF_OTHERS: &[&str] = &[
    "name",
    "namespace",
    "labels",
    "matchLabels",
    "selector",
    "serviceAccount",
    "serviceAccountName",
    "serviceName",
    "scaleTargetRef",
    "host",
    "hosts",
    "claimName",
    "configMap",
    "configMapRef",
    "configMapKeyRef",
];

/// Whether a text of an object is a name, or speaks of a Secret of that name.
fn says(value: &Value, key: &str, name: &str) -> bool {
    match value {
        Value::String(text) => {
            let is_told = || has_word(text, name) && text.to_ascii_lowercase().contains("secret");
            !OF_OTHERS.contains(&key) && (text == name || is_told())
        }
        Value::Array(list) => list.iter().any(|it| says(it, key, name)),
        Value::Object(map) => !OF_OTHERS.contains(&key) && map.iter().any(|(key, value)| says(value, key, name)),
        _ => false,
    }
}

/// Whether a text has a word as one of its own, and not as a part of a longer name.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '.';
    text.match_indices(word)
        .any(|(at, found)| !text[..at].ends_with(is_part) && !text[at + found.len()..].starts_with(is_part))
}

/// The values that the template of a Secret goes through, in backticks.
fn made_of(subject: &Subject<'_>, desired: &Desired) -> Vec<String> {
    let Some(unit) = subject.unit(&desired.unit) else { return Vec::new() };
    let place = unit.rendered.origin(&desired.key(), "kind").and_then(|origin| origin.template);
    let Some(place) = place else { return Vec::new() };
    let texts = unit.rendered.charts.iter().flat_map(own_texts);
    let mut found = BTreeSet::new();
    for text in texts.filter(|it| it.path == place.file) {
        for action in actions(&text.text).filter(|it| it.word() == "range") {
            let paths =
                words(action.inner).into_iter().filter_map(|it| it.trim_start_matches('$').strip_prefix(".Values."));
            found.extend(paths.map(|path| format!("`{path}`")));
        }
    }
    found.into_iter().take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_of_its_own() {
        assert!(has_word("secret web is read", "web") && has_word("web", "web") && has_word("a/web:key", "web"));
        assert!(!has_word("web-data", "web") && !has_word("my-web", "web") && !has_word("web.shop.svc", "web"));
    }

    #[test]
    fn what_others_are_called_is_not_read_as_a_secrets_name() {
        let deployment = serde_json::json!({"metadata": {"name": "web", "labels": {"app": "web"}},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "args": ["--in=web-data"]}]}}}});
        assert!(!says(&deployment, "", "web"));
        let told = serde_json::json!({"spec": {"containers": [{"args": ["--secret=web"]}]}});
        assert!(says(&told, "", "web"));
    }
}
