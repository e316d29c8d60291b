//! What a delivery has left, without what has no meaning on another cluster.
//!
//! The list of what is left out is closed: status, ids, versions, times, managers; addresses, node ports and node names;
//! the ending of a name that a controller made up, which becomes `*` behind its owner's name, and the hashes in labels.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use super::recorder::{Sighting, What, items, text};
use super::stand_in::{MARK, OPERATORS};
use crate::releases::compare::decoded;

/// What the embedded cluster writes on what it simulates.
const SIMULATED: &str = "landfall.dev/simulated";

static TIME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)").expect("a pattern")
});
static TOKEN_VOLUME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"kube-api-access-\w{5}").expect("a pattern"));

/// Labels whose value is a hash or an id of one cluster.
const HASHES: &[&str] = &[
    "pod-template-hash",
    "controller-revision-hash",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "pod-template-generation",
    "controller.kubernetes.io/hash",
];

/// An object from its creation on.
pub(super) struct Life {
    /// As it was seen last.
    pub(super) object: Value,
    /// The versions at which it was made, was first ready, and was taken away.
    pub(super) created: Option<u64>,
    pub(super) ready: Option<u64>,
    pub(super) gone: Option<u64>,
    /// The object that owns it as a controller, by key.
    pub(super) owner: Option<String>,
}

/// The key of an object's n-th life: what is deleted and made again, as hooks are, has several.
pub(super) fn of_life(key: &str, number: usize) -> String {
    if number < 2 { key.to_owned() } else { format!("{key} (life {number})") }
}

/// What a delivery has made, by key: `apps/Deployment shop/web`.
pub(super) struct Scene {
    /// Each life by its own key ([`of_life`]).
    pub(super) lives: BTreeMap<String, Life>,
    /// Of what is still there: the normalised object.
    pub(super) left: BTreeMap<String, Value>,
    /// How many objects were not looked at, because operators made them that are simulated or played.
    pub(super) played: usize,
}

/// All sightings of one object.
struct Track<'a> {
    uid: &'a str,
    seen: Vec<&'a Sighting>,
}

impl Scene {
    /// What was made after the beginning, without `apart` (names of definitions that were offered).
    pub(super) fn of(sightings: &[Sighting], apart: &[String]) -> Self {
        let mut tracks: Vec<Track<'_>> = Vec::new();
        let mut by_uid: BTreeMap<&str, usize> = BTreeMap::new();
        for sighting in sightings {
            let uid = text(&sighting.object, "/metadata/uid");
            let at = *by_uid.entry(uid).or_insert_with(|| {
                tracks.push(Track { uid, seen: Vec::new() });
                tracks.len() - 1
            });
            tracks[at].seen.push(sighting);
        }
        tracks.retain(|track| track.seen[0].what != What::Before && !is_apart(track.last(), apart));
        let total = tracks.len();
        let made_by_operators: Vec<&str> =
            tracks.iter().filter(|track| is_played(track.last(), &tracks)).map(|track| track.uid).collect();
        tracks.retain(|track| !made_by_operators.contains(&track.uid));
        let played = total - tracks.len();
        let keys = keys(&tracks);
        let names = names(&tracks, &keys);
        let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
        let lived: Vec<String> = keys
            .iter()
            .map(|key| {
                let number = counted.entry(key).or_default();
                *number += 1;
                of_life(key, *number)
            })
            .collect();
        let mut scene = Scene { lives: BTreeMap::new(), left: BTreeMap::new(), played };
        for ((track, key), lived_as) in tracks.iter().zip(&keys).zip(&lived) {
            let life = track.life(&tracks, &lived);
            if life.gone.is_none() {
                scene.left.insert(key.clone(), normalised(track.last(), &names));
            } else {
                scene.left.remove(key);
            }
            scene.lives.insert(lived_as.clone(), life);
        }
        scene
    }
}

impl Track<'_> {
    fn last(&self) -> &Value {
        self.seen.last().map_or(&Value::Null, |sighting| &sighting.object)
    }

    fn life(&self, tracks: &[Track<'_>], keys: &[String]) -> Life {
        let first = self.seen[0];
        // What was found later may have changed since: only one that was written once tells when.
        let written_once = items(&first.object["metadata"]["managedFields"]).count() <= 1;
        let known = first.what == What::Created || written_once;
        let owner = controller(self.last()).and_then(|owner| {
            let at = tracks.iter().position(|track| owner["uid"] == track.uid)?;
            Some(keys[at].clone())
        });
        Life {
            object: self.last().clone(),
            created: known.then_some(first.version),
            ready: self.seen.iter().find(|it| it.what != What::Deleted && is_ready(&it.object)).map(|it| it.version),
            gone: self.seen.iter().find(|it| it.what == What::Deleted).map(|it| it.version),
            owner,
        }
    }
}

/// What clusters make for themselves, and definitions that were offered.
fn is_apart(object: &Value, apart: &[String]) -> bool {
    let name = text(object, "/metadata/name");
    match text(object, "/kind") {
        "CustomResourceDefinition" => apart.iter().any(|it| it == name),
        // The API server lists what it serves itself.
        "APIService" => object["spec"]["service"].is_null(),
        _ => false,
    }
}

/// Whether an operator made the object, or the testbed's stand-in for one.
fn is_played(object: &Value, tracks: &[Track<'_>]) -> bool {
    let annotations = &object["metadata"]["annotations"];
    let kind = text(object, "/kind");
    if !annotations[MARK].is_null() || (kind == "Secret" && !annotations[SIMULATED].is_null()) {
        return true;
    }
    items(&object["metadata"]["ownerReferences"]).any(|owner| {
        let group = text(owner, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
        let Some(track) = tracks.iter().find(|track| owner["uid"] == track.uid) else { return false };
        OPERATORS.contains(&group) || is_played(track.last(), tracks)
    })
}

fn controller(object: &Value) -> Option<&Value> {
    items(&object["metadata"]["ownerReferences"]).find(|owner| owner["controller"] == true)
}

/// Group, kind, namespace and name of each, made-up name endings replaced; alike ones are counted.
fn keys(tracks: &[Track<'_>]) -> Vec<String> {
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    tracks
        .iter()
        .map(|track| {
            let object = track.last();
            let group = text(object, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
            let namespace = match text(object, "/metadata/namespace") {
                "" => String::new(),
                namespace => format!("{namespace}/"),
            };
            let group = if group.is_empty() { String::new() } else { format!("{group}/") };
            let name = symbol(object, tracks);
            let key = format!("{group}{} {namespace}{name}", text(object, "/kind"));
            if !name.contains('*') {
                return key;
            }
            let count = counted.entry(key.clone()).or_default();
            *count += 1;
            format!("{key} #{count}")
        })
        .collect()
}

/// An object's name, with `*` for what a controller made up.
fn symbol(object: &Value, tracks: &[Track<'_>]) -> String {
    let name = text(object, "/metadata/name");
    if text(object, "/kind") == "PersistentVolume" && name.starts_with("pvc-") {
        let claim = &object["spec"]["claimRef"];
        return format!("pvc-* of {}/{}", text(claim, "/namespace"), text(claim, "/name"));
    }
    let Some(owner) = controller(object) else { return name.to_owned() };
    let generated = match (text(object, "/kind"), text(owner, "/kind")) {
        ("Pod", "StatefulSet") => false,
        ("Pod" | "ReplicaSet" | "ControllerRevision" | "EndpointSlice", _) | ("Job", "CronJob") => true,
        _ => false,
    };
    let start = text(owner, "/name");
    if !generated || !name.starts_with(&format!("{start}-")) {
        return name.to_owned();
    }
    let above = tracks.iter().find(|track| owner["uid"] == track.uid);
    format!("{}-*", above.map_or_else(|| start.to_owned(), |track| symbol(track.last(), tracks)))
}

/// Texts of this cluster with what stands for them, the longest first.
fn names(tracks: &[Track<'_>], keys: &[String]) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for (track, key) in tracks.iter().zip(keys) {
        let name = text(track.last(), "/metadata/name");
        if !track.uid.is_empty() {
            names.push((track.uid.to_owned(), format!("<uid of {key}>")));
        }
        if key.contains('*') {
            names.push((name.to_owned(), format!("<{key}>")));
        }
    }
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names
}

/// An object without what has no meaning elsewhere.
fn normalised(object: &Value, names: &[(String, String)]) -> Value {
    let mut object = match text(object, "/type") {
        "helm.sh/release.v1" => {
            decoded(object).map_or_else(|_| object.clone(), |record| without_chart(&record, object))
        }
        _ => object.clone(),
    };
    let kind = text(&object, "/kind").to_owned();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink"] {
            metadata.remove(field);
        }
        if metadata.contains_key("generateName") {
            metadata.insert("generateName".to_owned(), json!("<generated>"));
        }
        metadata.insert("name".to_owned(), json!("<its name>"));
    }
    match kind.as_str() {
        "Service" => service(&mut object["spec"]),
        "Pod" => drop(object["spec"].as_object_mut().map(|spec| spec.remove("nodeName"))),
        "ConfigMap" if object["data"]["ca.crt"].is_string() => object["data"]["ca.crt"] = json!("<certificate>"),
        "EndpointSlice" => {
            endpoints(&mut object["endpoints"]);
            sorted(&mut object["ports"]);
        }
        "PersistentVolume" => {
            drop(object["spec"]["claimRef"].as_object_mut().map(|claim| claim.remove("resourceVersion")));
        }
        "Endpoints" => {
            for subset in object["subsets"].as_array_mut().into_iter().flatten() {
                endpoints(&mut subset["addresses"]);
                endpoints(&mut subset["notReadyAddresses"]);
                sorted(&mut subset["ports"]);
            }
        }
        _ => {}
    }
    walk(&mut object, names);
    object
}

/// A release's record: what Helm reads of it, without the chart's files.
fn without_chart(record: &Value, holder: &Value) -> Value {
    let mut record = record.clone();
    let metadata = record["record"]["chart"]["metadata"].clone();
    record["record"]["chart"] = metadata;
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": holder["metadata"], "release": record})
}

fn service(spec: &mut Value) {
    let is_headless = spec["clusterIP"] == "None";
    let Some(map) = spec.as_object_mut() else { return };
    if !is_headless {
        map.remove("clusterIP");
        map.remove("clusterIPs");
    }
    map.remove("healthCheckNodePort");
    for port in map.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(node_port) = port.get_mut("nodePort") {
            *node_port = json!("<port>");
        }
    }
}

/// Ports in one order: the real controller takes them from a Go map.
fn sorted(ports: &mut Value) {
    if let Some(list) = ports.as_array_mut() {
        list.sort_by_key(|port| (text(port, "/name").to_owned(), port["port"].as_u64()));
    }
}

/// How many there are, and of whom; not where. Named pods stand by their names: which one was ready first is chance.
fn endpoints(list: &mut Value) {
    if let Some(list) = list.as_array_mut() {
        list.sort_by_key(|endpoint| endpoint["hostname"].as_str().map(str::to_owned));
    }
    for endpoint in list.as_array_mut().into_iter().flatten() {
        if let Some(map) = endpoint.as_object_mut() {
            map.remove("nodeName");
            for (field, value) in [("addresses", json!(["<ip>"])), ("ip", json!("<ip>"))] {
                if map.contains_key(field) {
                    map.insert(field.to_owned(), value);
                }
            }
        }
    }
}

/// Replaces names, times and hashes everywhere.
fn walk(value: &mut Value, names: &[(String, String)]) {
    match value {
        Value::String(text) => {
            for (name, symbol) in names {
                if text.contains(name.as_str()) {
                    *text = text.replace(name.as_str(), symbol);
                }
            }
            if text.len() >= 19 && TIME.is_match(text) {
                *text = TIME.replace_all(text, "<time>").into_owned();
            }
            if text.contains("kube-api-access-") {
                *text = TOKEN_VOLUME.replace_all(text, "kube-api-access-*").into_owned();
            }
            // The only node of each side.
            if text == "landfall-0" || text == "node-0" {
                "<node>".clone_into(text);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| walk(item, names)),
        Value::Object(map) => {
            for (field, value) in map.iter_mut() {
                if HASHES.contains(&field.as_str()) && value.is_string() {
                    *value = json!("<hash>");
                } else {
                    walk(value, names);
                }
            }
        }
        _ => {}
    }
}

/// Whether an object is what it was made to be.
fn is_ready(object: &Value) -> bool {
    let status = &object["status"];
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let is_true = |kind: &str| items(&status["conditions"]).any(|it| it["type"] == kind && it["status"] == "True");
    let observed = number(&status["observedGeneration"]) >= number(&object["metadata"]["generation"]);
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    match (text(object, "/apiVersion"), text(object, "/kind")) {
        ("apps/v1", "Deployment") => {
            observed && number(&status["updatedReplicas"]) >= wanted && number(&status["availableReplicas"]) >= wanted
        }
        ("apps/v1", "ReplicaSet") => observed && number(&status["readyReplicas"]) >= wanted,
        ("apps/v1", "StatefulSet") => {
            observed && number(&status["readyReplicas"]) >= wanted && number(&status["updatedReplicas"]) >= wanted
        }
        ("apps/v1", "DaemonSet") => {
            observed && number(&status["numberAvailable"]) >= number(&status["desiredNumberScheduled"])
        }
        ("batch/v1", "Job") => is_true("Complete"),
        ("v1", "Pod") => is_true("Ready") || status["phase"] == "Succeeded",
        ("v1", "PersistentVolumeClaim") => status["phase"] == "Bound",
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition") => is_true("Established"),
        _ => items(&status["conditions"]).all(|it| it["type"] != "Ready" || it["status"] == "True"),
    }
}
