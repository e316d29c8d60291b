use std::collections::{BTreeSet, HashMap};

use landfall_diag::{Finding, Severity};
use landfall_object::references::references;
use serde_json::Value;

use crate::operated::is_of_an_operator;
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF350",
    title: "what is read key by key has no key that nobody reads",
    severity: Severity::Info,
    why: "A container that takes the keys of a Secret one by one, by `secretKeyRef`, sees no other. A key that a chart fills from a \
          value and no container asks for changes nothing: the setting looks as if it were heard.",
    advice: "Give the container a variable of that key, or leave the key out.",
    check,
};

/// So many keys are read one by one before the one that is not is told.
const READ: usize = 2;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let read = read(subject);
    for kind in ["Secret", "ConfigMap"] {
        for desired in subject.of_kind("", kind).filter(|it| it.role == Role::Manifest) {
            // What ends TLS knows its keys by their names.
            let is_of_tls = desired.object.str_at("/type") == Some("kubernetes.io/tls");
            let id = (kind.to_owned(), desired.object.namespace().map(str::to_owned), desired.object.name().to_owned());
            let Some(Some(read)) = read.get(&id) else { continue };
            if read.len() < READ || is_of_tls || is_spoken_of(subject, desired) || may_be_asked_for(subject, desired) {
                continue;
            }
            for (field, key) in keys(desired).filter(|(_, key)| !read.contains(key.as_str())) {
                findings.push(
                    RULE.finding(format!("nobody reads the key `{key}` of {kind} `{}`", desired.object.name()))
                        .because(format!("its keys are read one by one, {} of them, and this one is not", read.len()))
                        .at(desired.spot_at(&format!("{field}.{key}"))),
                );
            }
        }
    }
    findings
}

/// The keys of an object, and where they stand.
fn keys(desired: &Desired) -> impl Iterator<Item = (&'static str, &String)> {
    ["data", "stringData"].into_iter().flat_map(|field| {
        let map = desired.object.at(&format!("/{field}")).and_then(Value::as_object);
        map.into_iter().flat_map(move |map| map.keys().map(move |key| (field, key)))
    })
}

/// An object's kind, namespace and name.
type Id = (String, Option<String>, String);

/// The keys that are read of each object; none of those that somebody reads as a whole.
fn read(subject: &Subject<'_>) -> HashMap<Id, Option<BTreeSet<String>>> {
    let mut read: HashMap<Id, Option<BTreeSet<String>>> = HashMap::new();
    for reference in subject.objects().flat_map(|it| references(&it.object)) {
        let of =
            read.entry((reference.kind, reference.namespace, reference.name)).or_insert_with(|| Some(BTreeSet::new()));
        match (of.as_mut(), reference.key) {
            (Some(keys), Some(key)) => drop(keys.insert(key)),
            _ => *of = None,
        }
    }
    read
}

/// Whether what else is delivered speaks of an object otherwise than by a reference.
fn is_spoken_of(subject: &Subject<'_>, desired: &Desired) -> bool {
    let name = desired.object.name();
    subject.objects().filter(|it| !std::ptr::eq(*it, desired)).any(|other| {
        let is_operators = is_of_an_operator(other.object.group());
        // Its own labels and annotations bear the release's name, too.
        let body = other.object.value().as_object().into_iter().flatten().filter(|(key, _)| *key != "metadata");
        body.into_iter().any(|(_, value)| speaks_of(value, name, is_operators))
    })
}

/// Whether a text speaks of an object: a command that reads it, or any field of an operator's kind that names it.
fn speaks_of(value: &Value, name: &str, is_of_an_operator: bool) -> bool {
    match value {
        Value::String(text) if text == name => is_of_an_operator,
        Value::String(text) => {
            let says = |word: &str| text.to_ascii_lowercase().contains(word);
            text.contains(name) && (says("secret") || says("configmap"))
        }
        Value::Array(list) => list.iter().any(|it| speaks_of(it, name, is_of_an_operator)),
        Value::Object(map) => map.values().any(|it| speaks_of(it, name, is_of_an_operator)),
        _ => false,
    }
}

/// Whether a role that is delivered lets a program ask the API for it: that one sees every key.
pub(super) fn may_be_asked_for(subject: &Subject<'_>, desired: &Desired) -> bool {
    let resource = format!("{}s", desired.object.kind().to_ascii_lowercase());
    let has = |rule: &Value, field: &str, wanted: &[&str]| {
        let list = rule[field].as_array();
        list.is_some_and(|list| list.iter().filter_map(Value::as_str).any(|it| it == "*" || wanted.contains(&it)))
    };
    let gives = |rule: &Value| {
        let is_named = rule["resourceNames"].as_array().is_none_or(Vec::is_empty)
            || has(rule, "resourceNames", &[desired.object.name()]);
        is_named && has(rule, "resources", &[&resource]) && has(rule, "verbs", &["get", "list", "watch"])
    };
    let roles = ["Role", "ClusterRole"].into_iter().flat_map(|kind| subject.of_kind("rbac.authorization.k8s.io", kind));
    roles.into_iter().any(|role| role.object.list_at("/rules").iter().any(gives))
}
