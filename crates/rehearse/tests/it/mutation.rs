//! Twenty and more ways to write the same fault (proof 5): a rule that reads typed objects and references finds it in
//! each, one that matches its fixture's words does not.

use std::collections::{BTreeMap, BTreeSet};

use landfall_object::Object;
use serde_json::{Map, Value, json};

use crate::fixture::{Files, Fixture, Scene};
use crate::text::{self, is_template};

/// What a mutation makes of a scene, with the names it gave; `None` where it does not apply.
pub(crate) type Mutated = Option<(Scene, BTreeMap<String, String>)>;

/// One mutation.
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    pub(crate) apply: fn(&Fixture, &Scene) -> Mutated,
}

macro_rules! mutations {
    ($($name:literal => $apply:expr),* $(,)?) => {
        /// All mutations.
        pub(crate) static MUTATIONS: &[Mutation] = &[$(Mutation { name: $name, apply: $apply }),*];
    };
}

mutations! {
    "renamed" => |fixture, scene| renamed(fixture, scene, 1),
    "renamed twice" => |fixture, scene| renamed(fixture, scene, 2),
    "renamed thrice" => |fixture, scene| renamed(fixture, scene, 3),
    "files renamed" => |_, scene| Some(plain(text::files_renamed(scene))),
    "files merged" => |_, scene| Some(plain(text::files_merged(scene))),
    "comments added" => |_, scene| Some(plain(text::comments_added(scene))),
    "through a helper" => |_, scene| Some(plain(text::through_a_helper(scene))),
    "behind a condition" => |_, scene| Some(plain(text::behind_a_condition(scene))),
    "settings reversed" => |_, scene| Some(plain(text::settings_reversed(scene))),
    "settings in flow style" => |_, scene| Some(plain(text::settings_in_flow_style(scene))),
    "neighbours" => |_, scene| Some(plain(text::neighbours(scene))),
    "renamed in the text" => |_, scene| text::renamed(scene),
    "subchart" => |_, scene| text::subchart(scene).map(plain),
    "system" => |_, scene| text::system(scene).map(plain),
    "inlined" => |fixture, scene| still(fixture, scene, |_| {}),
    "values" => |fixture, scene| into_values(fixture, scene),
    "documents reversed" => |fixture, scene| still(fixture, scene, |objects| objects.reverse()),
    "lists reversed" => |fixture, scene| still(fixture, scene, |objects| objects.iter_mut().for_each(lists_reversed)),
    "sidecar" => |fixture, scene| still(fixture, scene, |objects| objects.iter_mut().for_each(sidecar)),
    "init container" => |fixture, scene| still(fixture, scene, |objects| objects.iter_mut().for_each(quiet_init)),
    "labelled" => |fixture, scene| still(fixture, scene, |objects| objects.iter_mut().for_each(labelled)),
    "namespaces written" => |fixture, scene| still(fixture, scene, |objects| namespaces_written(objects, &scene.namespace)),
    "innocents" => |fixture, scene| still(fixture, scene, innocents),
    "list" => |fixture, scene| still(fixture, scene, as_list),
    "flow style" => flow_style,
    "StatefulSet" => |fixture, scene| kind(fixture, scene, "StatefulSet"),
    "DaemonSet" => |fixture, scene| kind(fixture, scene, "DaemonSet"),
    "Deployment" => |fixture, scene| kind(fixture, scene, "Deployment"),
    "Job" => |fixture, scene| kind(fixture, scene, "Job"),
    "CronJob" => |fixture, scene| kind(fixture, scene, "CronJob"),
    "other namespace" => |fixture, scene| other_namespace(fixture, scene),
}

fn plain(scene: Scene) -> (Scene, BTreeMap<String, String>) {
    (scene, BTreeMap::new())
}

impl Mutation {
    /// The scene as the mutation leaves it, with the names it gave; `None` where nothing is another one afterwards.
    pub(crate) fn applied(&self, fixture: &Fixture, scene: &Scene) -> Mutated {
        (self.apply)(fixture, scene).filter(|(mutated, _)| mutated.differs_from(scene))
    }
}

pub(crate) fn is_chart(scene: &Scene) -> bool {
    scene.files.contains_key("Chart.yaml")
}

// --- rendered -----------------------------------------------------------------------------------------------------

/// The objects that a tree renders to, as values, definitions left out.
pub(crate) fn rendered(scene: &Scene, files: &Files) -> Option<Vec<Value>> {
    let live = scene.inventory();
    let units = scene.units(files, &live).ok()?;
    let all = units.iter().flat_map(|unit| unit.rendered.all_objects());
    Some(all.map(|object| object.value().clone()).collect())
}

/// The scene with its templates replaced by what they render to, changed; the live objects are changed alike.
fn still(fixture: &Fixture, scene: &Scene, change: impl Fn(&mut Vec<Value>)) -> Mutated {
    if fixture.templates_matter || !is_chart(scene) {
        return None;
    }
    let freeze = |files: &Files| -> Option<Files> {
        let mut objects = rendered(scene, files)?;
        change(&mut objects);
        Some(frozen(files, &objects, |value| landfall_yaml::emit(value).expect("a manifest")))
    };
    let base = match &scene.base {
        Some(files) => Some(freeze(files)?),
        None => None,
    };
    let mut live = scene.live.clone();
    change(&mut live);
    // A cluster has objects, not lists of them.
    let live = live
        .into_iter()
        .flat_map(|value| match value["items"].as_array() {
            Some(items) if value["kind"] == "List" => items.clone(),
            _ => vec![value],
        })
        .collect();
    Some(plain(Scene { files: freeze(&scene.files)?, base, live, ..scene.clone() }))
}

fn frozen(files: &Files, objects: &[Value], write: impl Fn(&Value) -> String) -> Files {
    let mut kept: Files = files
        .iter()
        .filter(|(path, _)| !path.split('/').any(|part| part == "templates"))
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect();
    for (index, object) in objects.iter().enumerate() {
        let text = write(object).replace("{{", "{{ \"{{\" }}");
        kept.insert(format!("templates/{index:03}.yaml"), text);
    }
    kept
}

fn into_values(fixture: &Fixture, scene: &Scene) -> Mutated {
    if fixture.templates_matter || !is_chart(scene) {
        return None;
    }
    let lift = |files: &Files| -> Option<Files> {
        let mut values = Map::new();
        let objects = rendered(scene, files)?;
        let lifted: Vec<Value> = objects.into_iter().map(|object| lift(object, &mut values, true)).collect();
        let mut files = frozen(files, &lifted, |value| landfall_yaml::emit(value).expect("a manifest"));
        for (path, text) in &mut files {
            if is_template(path) {
                let mut out = String::new();
                let mut rest = text.as_str();
                while let Some((before, after)) = rest.split_once("@@") {
                    let (name, after) = after.split_once("@@").expect("a pair");
                    out.push_str(before);
                    out.push_str(&format!("{{{{ .Values.{name} | toJson }}}}"));
                    rest = after;
                }
                out.push_str(rest);
                *text = out.replace("'{{ .Values", "{{ .Values").replace("toJson }}'", "toJson }}");
            }
        }
        files.insert("values.yaml".to_owned(), landfall_yaml::emit(&Value::Object(values)).expect("values"));
        Some(files)
    };
    let base = match &scene.base {
        Some(files) => Some(lift(files)?),
        None => None,
    };
    Some(plain(Scene { files: lift(&scene.files)?, base, ..scene.clone() }))
}

/// Puts every scalar below `spec` and `data` into the values and a mark in its place.
fn lift(value: Value, values: &mut Map<String, Value>, top: bool) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| {
                let stays = top && ["apiVersion", "kind", "metadata"].contains(&key.as_str());
                let value = if stays { value } else { lift(value, values, false) };
                (key, value)
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(|item| lift(item, values, false)).collect(),
        scalar @ (Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
            let name = format!("v{}", values.len());
            values.insert(name.clone(), scalar);
            Value::String(format!("@@{name}@@"))
        }
        Value::Null => Value::Null,
    }
}

fn flow_style(fixture: &Fixture, scene: &Scene) -> Mutated {
    if fixture.templates_matter || !is_chart(scene) {
        return None;
    }
    let freeze = |files: &Files| Some(frozen(files, &rendered(scene, files)?, Value::to_string));
    let base = match &scene.base {
        Some(files) => Some(freeze(files)?),
        None => None,
    };
    Some(plain(Scene { files: freeze(&scene.files)?, base, ..scene.clone() }))
}

/// The pod template of an object, wherever it stands.
fn pod_of(object: &mut Value) -> Option<&mut Value> {
    let pointer = match object["kind"].as_str()? {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => "/spec/template/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        "Pod" => "/spec",
        _ => return None,
    };
    object.pointer_mut(pointer)
}

fn lists_reversed(object: &mut Value) {
    let Some(pod) = pod_of(object) else { return };
    for field in ["containers", "volumes"] {
        if let Some(list) = pod[field].as_array_mut() {
            list.reverse();
        }
    }
    for container in pod["containers"].as_array_mut().into_iter().flatten() {
        for field in ["env", "envFrom", "ports", "volumeMounts"] {
            if let Some(list) = container.get_mut(field).and_then(Value::as_array_mut) {
                list.reverse();
            }
        }
    }
}

/// A container of which no rule has anything to say.
pub(crate) fn quiet(name: &str) -> Value {
    json!({
        "name": name,
        "image": format!("registry.example.com/quiet:1.0.0@sha256:{}", "a".repeat(64)),
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "10m", "memory": "8Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "runAsNonRoot": true,
            "runAsUser": 10001, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}},
    })
}

fn sidecar(object: &mut Value) {
    if let Some(containers) = pod_of(object).and_then(|pod| pod["containers"].as_array_mut()) {
        containers.insert(0, quiet("first-of-all"));
    }
}

fn quiet_init(object: &mut Value) {
    if let Some(pod) = pod_of(object).and_then(Value::as_object_mut) {
        let init = pod.entry("initContainers").or_insert_with(|| json!([]));
        init.as_array_mut().expect("a list").insert(0, quiet("before-all"));
    }
}

/// The kinds of objects that are in no namespace, of those that fixtures have.
const CLUSTER_WIDE: &[&str] = &[
    "Namespace",
    "PersistentVolume",
    "StorageClass",
    "IngressClass",
    "PriorityClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterIssuer",
    "CustomResourceDefinition",
    "APIService",
    "Node",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "List",
];

fn namespaces_written(objects: &mut [Value], namespace: &str) {
    let placed = |object: &&mut Value| !CLUSTER_WIDE.iter().any(|kind| object["kind"] == *kind);
    for object in objects.iter_mut().filter(placed) {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.entry("namespace").or_insert_with(|| json!(namespace));
        }
    }
}

fn labelled(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for field in ["labels", "annotations"] {
            let map = metadata.entry(field).or_insert_with(|| json!({}));
            if let Some(map) = map.as_object_mut() {
                map.insert("team.example.com/owner".to_owned(), json!("platform"));
            }
        }
    }
}

fn innocents(objects: &mut Vec<Value>) {
    if objects.is_empty() {
        return;
    }
    let labels = json!({"app.kubernetes.io/name": "innocent"});
    let mut container = quiet("innocent");
    container["ports"] = json!([{"name": "http", "containerPort": 8080}]);
    container["envFrom"] = json!([{"configMapRef": {"name": "innocent"}}]);
    objects.extend([
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "innocent"}, "data": {"LEVEL": "info"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "innocent"},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "innocent"},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}}),
    ]);
}

fn as_list(objects: &mut Vec<Value>) {
    let is_hook = |object: &Value| object.pointer("/metadata/annotations/helm.sh~1hook").is_some();
    if objects.iter().any(is_hook) {
        return;
    }
    let items = std::mem::take(objects);
    objects.push(json!({"apiVersion": "v1", "kind": "List", "items": items}));
}

fn kind(fixture: &Fixture, scene: &Scene, into: &str) -> Mutated {
    if !fixture.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|kind| kind == into)) {
        return None;
    }
    let before = rendered(scene, &scene.files)?;
    let moves = |object: &Value| {
        matches!(object["kind"].as_str(), Some("Deployment" | "StatefulSet" | "DaemonSet")) && object["kind"] != into
    };
    // What is said of one names its kind.
    let named: BTreeMap<String, String> = before
        .iter()
        .filter(|object| moves(object))
        .filter_map(|object| Some((object["kind"].as_str()?.to_owned(), into.to_owned())))
        .collect();
    if named.is_empty() {
        return None;
    }
    let (scene, _) = still(fixture, scene, |objects| {
        for object in objects.iter_mut().filter(|object| moves(object)) {
            let (metadata, spec) = (object["metadata"].clone(), object["spec"].clone());
            let mut template = spec["template"].clone();
            *object = match into {
                "Job" | "CronJob" => {
                    template["spec"]["restartPolicy"] = json!("Never");
                    let job = json!({"template": template});
                    if into == "Job" {
                        json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job})
                    } else {
                        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata,
                            "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}})
                    }
                }
                _ => json!({"apiVersion": "apps/v1", "kind": into, "metadata": metadata,
                    "spec": {"selector": spec["selector"], "template": template}}),
            };
            if let (Some(replicas), false) = (spec.get("replicas"), ["DaemonSet", "Job", "CronJob"].contains(&into)) {
                object["spec"]["replicas"] = replicas.clone();
            }
            if let (Some(status), true) = (spec.get("status"), into == "Deployment") {
                object["status"] = status.clone();
            }
        }
    })?;
    Some((scene, named))
}

fn other_namespace(fixture: &Fixture, scene: &Scene) -> Mutated {
    let from = scene.namespace.clone();
    let (mut scene, _) = still(fixture, scene, |objects| {
        for object in objects.iter_mut() {
            replace(object, "", &|_, text| whole_words(text, &from, "elsewhere"));
        }
    })?;
    scene.namespace = "elsewhere".to_owned();
    Some((scene, BTreeMap::from([(from, "elsewhere".to_owned())])))
}

// --- names --------------------------------------------------------------------------------------------------------

/// Every name of the rendered objects replaced by another one, everywhere.
fn renamed(fixture: &Fixture, scene: &Scene, seed: u64) -> Mutated {
    if fixture.templates_matter || !is_chart(scene) {
        return None;
    }
    let mut names = BTreeSet::new();
    for object in rendered(scene, &scene.files)?.iter().chain(&scene.live) {
        names_of(object, &mut names);
    }
    if let Some(files) = &scene.base {
        for object in &rendered(scene, files)? {
            names_of(object, &mut names);
        }
    }
    let names: BTreeMap<String, String> = names
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let new = word(seed * 1000 + index as u64);
            let new =
                if name.chars().any(|c| c.is_ascii_uppercase()) { new.to_uppercase().replace('-', "_") } else { new };
            (name, new)
        })
        .collect();
    let rename = |objects: &mut Vec<Value>| {
        for object in objects {
            replace(object, "", &|key, text| {
                // Images are what they are, and words of the schema are not names.
                if ["apiVersion", "kind", "image", "type", "protocol", "provisioner"].contains(&key) {
                    return text.to_owned();
                }
                names.iter().fold(text.to_owned(), |text, (from, to)| whole_words(&text, from, to))
            });
        }
    };
    let (mut scene, _) = still(fixture, scene, rename)?;
    replace_all(&mut scene.declares, &names);
    Some((scene, names))
}

/// Replaces names in every text and every key.
pub(crate) fn replace_all(value: &mut Value, names: &BTreeMap<String, String>) {
    let change = |text: &str| names.iter().fold(text.to_owned(), |text, (from, to)| whole_words(&text, from, to));
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| replace_all(item, names)),
        Value::Object(map) => {
            for (key, mut value) in std::mem::take(map) {
                replace_all(&mut value, names);
                map.insert(change(&key), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What an object is called, and what it calls others.
pub(crate) fn names_of(object: &Value, names: &mut BTreeSet<String>) {
    let mut add = |value: Option<&Value>| {
        if let Some(name) = value.and_then(Value::as_str).filter(|name| name.len() > 2) {
            names.insert(name.to_owned());
        }
    };
    add(object.pointer("/metadata/name"));
    let Ok(typed) = Object::from_value(object.clone()) else { return };
    for reference in landfall_object::references::references(&typed) {
        add(Some(&Value::String(reference.name)));
        add(reference.key.filter(|key| key.parse::<u16>().is_err()).map(Value::String).as_ref());
    }
    if matches!(typed.kind(), "Secret" | "ConfigMap") {
        for field in ["/data", "/stringData"] {
            for key in typed.at(field).and_then(Value::as_object).into_iter().flat_map(|map| map.keys()) {
                add(Some(&Value::String(key.clone())));
            }
        }
    }
    let mut object = object.clone();
    for container in pod_of(&mut object).and_then(|pod| pod["containers"].as_array_mut()).into_iter().flatten() {
        add(container.get("name"));
    }
}

/// Gives every text of a value, and every key of data maps, to `change`, with the field it stands in.
fn replace(value: &mut Value, key: &str, change: &dyn Fn(&str, &str) -> String) {
    match value {
        Value::String(text) => *text = change(key, text),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, key, change)),
        Value::Object(map) => {
            let is_data = ["data", "stringData", "binaryData", "encryptedData"].contains(&key);
            let old = std::mem::take(map);
            for (name, mut value) in old {
                replace(&mut value, &name, change);
                let name = if is_data { change("", &name) } else { name };
                map.insert(name, value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Replaces a name where it stands as whole words.
pub(crate) fn whole_words(text: &str, from: &str, to: &str) -> String {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let mut out = String::new();
    let mut rest = text;
    let mut before = None;
    while let Some(at) = rest.find(from) {
        let left = rest[..at].chars().next_back().or(before);
        let after = &rest[at + from.len()..];
        out.push_str(&rest[..at]);
        if is_part(left) || is_part(after.chars().next()) {
            out.push_str(from);
        } else {
            out.push_str(to);
        }
        before = from.chars().next_back();
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A made-up name that follows from a number.
pub(crate) fn word(number: u64) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    let letters = b"bcdfghjklmnpqrstvwxz";
    let mut word = String::from("q");
    for _ in 0..7 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        word.push(char::from(letters[(state % letters.len() as u64) as usize]));
    }
    word
}
