use std::collections::BTreeSet;

use landfall_diag::{Finding, Severity};
use landfall_object::Object;
use landfall_object::references::references;
use serde_json::Value;

use super::key_that_nobody_reads::may_be_asked_for;
use crate::operated::{is_of_an_operator, is_operated, walk};
use crate::rule::Rule;
use crate::subject::{Desired, Role, Subject};
use crate::texts::{actions, own_texts, words};

pub(super) static RULE: Rule = Rule {
    id: "LF378",
    title: "a Secret or ConfigMap of variables is read by somebody",
    severity: Severity::Warning,
    why: "A Secret or ConfigMap whose keys are names of variables (`API_TOKEN`) is made for a container. Where no container \
          takes it, by `envFrom` or key by key, whoever sets the values has an object more and a program that does not know \
          them. Of a ConfigMap of files that nobody mounts it is told as an info.",
    advice: "Give the container all of it with `envFrom`, or its keys with `secretKeyRef` or `configMapKeyRef`.",
    check,
};

/// What a Secret or ConfigMap is made of.
enum Held {
    /// Variables of a program.
    Variables,
    /// Files, by their names.
    Files(Vec<String>),
}

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for kind in ["Secret", "ConfigMap"] {
        for desired in subject.of_kind("", kind).filter(|it| it.role == Role::Manifest && !subject.is_borrowed(it)) {
            let Some(held) = held(desired) else { continue };
            if is_for_others(subject, desired) || is_unseen(subject, desired) || is_spoken_of(subject, desired) {
                continue;
            }
            findings.push(told(subject, desired, &held).at(desired.spot_at("metadata.name")));
        }
    }
    findings
}

/// What is said of a Secret or ConfigMap that nobody reads.
fn told(subject: &Subject<'_>, desired: &Desired, held: &Held) -> Finding {
    let (kind, name) = (desired.object.kind(), desired.object.name());
    match held {
        Held::Variables => {
            let of = match made_of(subject, desired) {
                values if values.is_empty() => "variables".to_owned(),
                values => format!("the variables of {}", values.join(" and ")),
            };
            RULE.finding(format!("{kind} `{name}` holds {of}, and no container reads it"))
                .because("what is set there reaches no program")
        }
        Held::Files(files) => {
            let files = files.iter().take(3).map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
            RULE.finding(format!("{kind} `{name}` holds {files}, and no pod mounts it"))
                .weighing(Severity::Info)
                .because("what stands there reaches no program")
                .help("Mount it in the container that is to read it, or leave it out.")
        }
    }
}

/// What an object's keys say that it is made of: variables as people write them, or the files of a ConfigMap.
fn held(desired: &Desired) -> Option<Held> {
    let keys: Vec<&String> = ["/data", "/stringData"]
        .into_iter()
        .filter_map(|map| desired.object.at(map).and_then(Value::as_object))
        .flat_map(|map| map.keys())
        .collect();
    let is_variable = |key: &&String| {
        key.starts_with(|it: char| it.is_ascii_uppercase())
            && key.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_')
    };
    let is_map = desired.object.kind() == "ConfigMap";
    // `LICENSE` may be a file.
    let is_told = !is_map || keys.iter().any(|key| key.contains('_'));
    if keys.is_empty() {
        None
    } else if is_told && keys.iter().all(is_variable) {
        Some(Held::Variables)
    } else {
        let is_files = is_map && keys.iter().all(|key| key.contains('.'));
        is_files.then(|| Held::Files(keys.into_iter().cloned().collect()))
    }
}

/// Whether it is not seen who reads an object: there are no pods, an operator makes them, a chart that has them is not at hand,
/// or a program may ask the API for it.
fn is_unseen(subject: &Subject<'_>, desired: &Desired) -> bool {
    let Some(unit) = subject.unit(&desired.unit) else { return true };
    let namespace = desired.object.namespace();
    let is_map = desired.object.kind() == "ConfigMap";
    // A test alone reads nothing, and what lies beside it is for others.
    let has_pods = subject.pods().any(|(it, _)| {
        let is_there = it.unit == desired.unit && it.object.namespace() == namespace;
        is_there && (!is_map || it.role == Role::Manifest)
    });
    let mut parts = unit.rendered.charts.iter().flat_map(|it| it.processed.with_parts());
    let is_left_out = is_map
        && parts.any(|part| {
            let lacks_one = part.without.dependencies.iter().any(|it| it.enabled && it.name != "common");
            lacks_one || !part.without.templates.is_empty()
        });
    // What an operator makes of its resources, and whom a pod asks for in words, is not seen.
    !has_pods
        || is_left_out
        || is_operated(subject, &desired.unit)
        || may_be_asked_for(subject, desired)
        || is_bound_at_large(subject, &desired.unit)
}

/// Whether a unit gives an account one of the cluster's own roles, with which a program sees every ConfigMap.
fn is_bound_at_large(subject: &Subject<'_>, unit: &str) -> bool {
    ["RoleBinding", "ClusterRoleBinding"].into_iter().any(|kind| {
        let mut own = subject.of_kind("rbac.authorization.k8s.io", kind).filter(|it| it.unit == unit);
        own.any(|it| {
            let role = it.object.str_at("/roleRef/name").unwrap_or_default();
            ["cluster-admin", "admin", "edit", "view"].contains(&role)
        })
    })
}

/// Labels that say what an object belongs to, and ask nobody to read it.
const OF_RELEASES: &[&str] = &[
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "app",
    "component",
    "release",
    "chart",
    "heritage",
    "helm.sh/chart",
];

/// Whether a label says what an object belongs to. Argo CD takes what is called a part of it for its own settings.
pub(super) fn is_of_release(key: &str, value: &Value) -> bool {
    OF_RELEASES.contains(&key) && value != "argocd"
}

/// Whether the name of an object is one that others share: the release's, its chart's, or that of an object beside it.
pub(super) fn is_shared(subject: &Subject<'_>, desired: &Desired) -> bool {
    let name = desired.object.name();
    let is_charts = |it: &str| {
        let unit = subject.unit(&desired.unit);
        unit.is_some_and(|unit| unit.rendered.charts.iter().any(|rendered| rendered.chart == it))
    };
    let mut others = subject.objects().filter(|it| it.unit == desired.unit && !std::ptr::eq(*it, desired));
    desired.unit == name || is_charts(name) || others.any(|it| it.object.name() == name)
}

/// Whether a Secret, ConfigMap or claim is marked for somebody who looks for such by what is written on them, or is of a type of
/// its own.
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
    let is_labelled = marks("/metadata/labels")
        .any(|(key, value)| !is_of_helm(key) && !is_of_release(key, value) && !is_on_all(key, value));
    !is_opaque || is_noted || is_labelled
}

/// Whether anything that is delivered, or stands beside it on the cluster, refers to a Secret or ConfigMap, or says its name
/// where a program may take it from.
pub(super) fn is_spoken_of(subject: &Subject<'_>, desired: &Desired) -> bool {
    let (name, namespace) = (desired.object.name(), desired.object.namespace());
    let asked = Asked { kind: desired.object.kind(), name, is_shared: is_shared(subject, desired) };
    let delivered = subject.objects().filter(|it| !std::ptr::eq(*it, desired)).map(|it| &it.object);
    let is_apart = |live: &&Object| {
        let same = subject.desired(live.group(), live.kind(), live.namespace(), live.name());
        same.is_none() && live.controller().is_none()
    };
    delivered.chain(subject.staying().filter(is_apart)).any(|other| {
        let refers = references(other)
            .into_iter()
            .any(|it| it.kind == asked.kind && it.name == name && it.namespace.as_deref() == namespace);
        let is_operators = asked.kind == "ConfigMap" && is_of_an_operator(other.group());
        refers || says(other.value(), "", asked) || (is_operators && names(other, name))
    })
}

/// Whether a resource of an operator has a field that is the name.
fn names(resource: &Object, name: &str) -> bool {
    let mut is_found = false;
    walk(resource.value(), "", &mut |_, key, value| {
        let is_selector = key == "matchLabels" || key == "selector";
        let is_it = || value == name || value.as_array().is_some_and(|list| list.iter().any(|it| it == name));
        is_found |= !is_selector && is_it();
        is_selector || is_found
    });
    is_found
}

/// A Secret or ConfigMap whose name is looked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    kind: &'a str,
    name: &'a str,
    /// Whether other objects have the name, too.
    is_shared: bool,
}

impl Asked<'_> {
    /// Whether a field holds the name that a release's objects share, or that of another kind.
    fn is_of_others(self, key: &str) -> bool {
        let of_kinds = if self.kind == "Secret" { OF_CONFIG_MAPS } else { OF_SECRETS };
        OF_OTHERS.contains(&key) || of_kinds.contains(&key)
    }

    /// Whether a text is the name, or speaks of the object.
    fn is_in(self, text: &str) -> bool {
        let has = |word: &str| text.to_ascii_lowercase().replace(['-', '_'], "").contains(word);
        let speaks = || match self.kind {
            "Secret" => has("secret"),
            _ => !self.is_shared || has("configmap"),
        };
        text == self.name || (has_word(text, self.name) && speaks())
    }
}

/// Fields that hold the name that a release's objects share, and never that of a Secret or ConfigMap.
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
];

/// Fields that hold what is never the name of a Secret.
const OF_CONFIG_MAPS: &[&str] = &["configMap", "configMapRef", "configMapKeyRef"];

/// Fields that hold what is never the name of a ConfigMap.
const OF_SECRETS: &[&str] = &["secret", "secretName", "secretRef", "secretKeyRef", "image", "imagePullSecrets"];

/// Whether a text of an object is a name, or speaks of what is asked for.
fn says(value: &Value, key: &str, asked: Asked<'_>) -> bool {
    match value {
        Value::String(text) => !asked.is_of_others(key) && asked.is_in(text),
        Value::Array(list) => list.iter().any(|it| says(it, key, asked)),
        Value::Object(map) => !asked.is_of_others(key) && map.iter().any(|(key, value)| says(value, key, asked)),
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
        let asked = Asked { kind: "Secret", name: "web", is_shared: true };
        assert!(!says(&deployment, "", asked));
        let told = serde_json::json!({"spec": {"containers": [{"args": ["--secret=web"]}]}});
        assert!(says(&told, "", asked));
    }

    #[test]
    fn a_config_map_is_spoken_of_by_its_own_name_or_as_one() {
        let own = Asked { kind: "ConfigMap", name: "web-files", is_shared: false };
        let shared = Asked { kind: "ConfigMap", name: "web", is_shared: true };
        let told = serde_json::json!({"args": ["--config-map=shop/web", "--from=shop/web-files"]});
        assert!(says(&told, "", own) && says(&told, "", shared));
        let others =
            serde_json::json!({"args": ["http://web:8080"], "volumes": [{"secret": {"secretName": "web-files"}}]});
        assert!(!says(&others, "", own) && !says(&others, "", shared));
    }
}
