//! What a cluster stores, without what the server itself sets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::door::{Door, NAMESPACE};

/// The fields of `metadata` that a server sets on each object.
const OF_THE_SERVER: [&str; 6] =
    ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"];

/// How Helm, Argo CD and kubectl each mark what is theirs: not compared between them.
const MARKS: [(&str, &str); 5] = [
    ("annotations", "kubectl.kubernetes.io/last-applied-configuration"),
    ("labels", "app.kubernetes.io/managed-by"),
    ("annotations", "meta.helm.sh/release-name"),
    ("annotations", "meta.helm.sh/release-namespace"),
    ("annotations", "argocd.argoproj.io/tracking-id"),
];

/// Objects by `group/Kind namespace/name`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Stored {
    pub(super) objects: BTreeMap<String, Value>,
}

impl Stored {
    /// The objects that a delivery has made.
    pub(super) fn of(objects: Vec<Value>) -> Self {
        let written = written(&objects);
        let mut names: Vec<(String, String)> = Vec::new();
        for object in &objects {
            if let Some(uid) = object["metadata"]["uid"].as_str().filter(|uid| !uid.is_empty()) {
                names.push((uid.to_owned(), format!("<uid of {}>", key(object))));
            }
        }
        let mut stored = BTreeMap::new();
        for object in objects {
            // A release's own records are compared by the suite `releases`; owned objects are a controller's.
            let is_record = object["type"] == "helm.sh/release.v1";
            let is_owned = object["metadata"]["ownerReferences"]
                .as_array()
                .is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true));
            // Nobody is there to end what is being deleted.
            let is_going = object["metadata"]["deletionTimestamp"].is_string();
            if !is_record && !is_owned && !is_going {
                let key = key(&object);
                let mut object = settled(object);
                if object["kind"] == "Service" && object["apiVersion"] == "v1" {
                    service(&mut object["spec"], &written);
                }
                named(&mut object, &names);
                stored.insert(key, object);
            }
        }
        Stored { objects: stored }
    }

    /// What can be compared with another door's objects.
    pub(super) fn as_seen_from(&self, door: Door) -> Self {
        let mut seen = self.clone();
        let namespace = format!("Namespace {NAMESPACE}");
        if door == Door::Persona4
            && let Some(labels) =
                seen.objects.get_mut(&namespace).and_then(|it| it["metadata"]["labels"].as_object_mut())
        {
            // Helm 4 applies the namespace that it makes, and takes its own label away where the chart has the namespace, too.
            labels.remove("name");
        }
        if !matches!(door, Door::Application | Door::Templated) {
            return seen;
        }
        if door == Door::Templated {
            // A text says nothing of when its hooks run.
            seen.objects.retain(|_, object| !is_hook(object));
        }
        seen.objects.retain(|key, object| key != &namespace && !is_application(object));
        for object in seen.objects.values_mut() {
            let Some(metadata) = object["metadata"].as_object_mut() else { continue };
            for (field, mark) in MARKS {
                let Some(marks) = metadata.get_mut(field).and_then(Value::as_object_mut) else { continue };
                marks.remove(mark);
                if marks.is_empty() {
                    metadata.remove(field);
                }
            }
        }
        seen
    }
}

/// Leaves out hooks that only one of two has: they come and go by other rules where Argo CD syncs.
pub(super) fn leave_single_hooks(a: &mut Stored, b: &mut Stored) {
    let keys = |stored: &Stored| stored.objects.keys().cloned().collect::<BTreeSet<String>>();
    let (in_a, in_b) = (keys(a), keys(b));
    a.objects.retain(|key, object| !is_hook(object) || in_b.contains(key));
    b.objects.retain(|key, object| !is_hook(object) || in_a.contains(key));
}

fn is_hook(object: &Value) -> bool {
    ["helm.sh/hook", "argocd.argoproj.io/hook"].iter().any(|it| object["metadata"]["annotations"][it].is_string())
}

fn is_application(object: &Value) -> bool {
    object["kind"] == "Application" && object["metadata"]["namespace"] == "argocd"
}

/// An object's name in reports.
pub(super) fn key(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let group = version.split_once('/').map(|(group, _)| format!("{group}/")).unwrap_or_default();
    let namespace = object["metadata"]["namespace"].as_str().map(|it| format!("{it}/")).unwrap_or_default();
    format!("{group}{kind} {namespace}{}", text(&object["metadata"]["name"]))
}

/// The manifests that releases have recorded: what they write is nobody's choice but the chart's.
fn written(objects: &[Value]) -> String {
    let records = objects.iter().filter(|object| object["type"] == "helm.sh/release.v1");
    let decoded = records.filter_map(|record| crate::releases::compare::decoded(record).ok());
    decoded.map(|record| record["record"]["manifest"].as_str().unwrap_or_default().to_owned()).collect()
}

/// An object without what the server sets on each by itself.
pub(super) fn settled(mut object: Value) -> Value {
    let Some(map) = object.as_object_mut() else { return object };
    map.remove("status");
    if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in OF_THE_SERVER {
            metadata.remove(field);
        }
    }
    object
}

/// Addresses and ports that the server chose, and not the chart.
fn service(spec: &mut Value, written: &str) {
    let is_chosen = |value: &Value| match value {
        Value::String(text) => text != "None" && !text.is_empty() && !written.contains(text.as_str()),
        Value::Number(number) => number.as_i64() != Some(0) && !written.contains(&number.to_string()),
        _ => false,
    };
    let Some(map) = spec.as_object_mut() else { return };
    if map.get("clusterIP").is_some_and(is_chosen) {
        map.remove("clusterIP");
        map.remove("clusterIPs");
    }
    if map.get("healthCheckNodePort").is_some_and(is_chosen) {
        map.insert("healthCheckNodePort".to_owned(), "<port>".into());
    }
    for port in map.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if is_chosen(&port["nodePort"]) {
            port["nodePort"] = "<port>".into();
        }
    }
}

/// Ids replaced by what they are of, in values and in keys.
fn named(value: &mut Value, names: &[(String, String)]) {
    let replaced = |text: &str| {
        let found = names.iter().find(|(uid, _)| text.contains(uid.as_str()));
        found.map(|(uid, name)| text.replace(uid.as_str(), name))
    };
    match value {
        Value::String(text) => {
            if let Some(new) = replaced(text) {
                *text = new;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| named(item, names)),
        Value::Object(map) => {
            let all = std::mem::take(map);
            *map = all
                .into_iter()
                .map(|(key, mut value)| {
                    named(&mut value, names);
                    (replaced(&key).unwrap_or(key), value)
                })
                .collect::<Map<String, Value>>();
        }
        _ => {}
    }
}
