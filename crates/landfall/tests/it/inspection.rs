//! What a sandbox's embedded cluster and store hold, read while nobody runs them, without what differs from run to run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use landfall_cluster::{Cluster, DeleteOptions, ListOptions, Patch, WriteOptions};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_store::{Location, Store};
use serde_json::Value;

/// Kinds that a delivery writes or that follow from what it writes.
const KINDS: &[(&str, &str)] = &[
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Pod"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
];

/// Where what is asynchronous is waited for.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
}

/// The end state of a namespace: objects, how often each Job was made, release records, what the store keeps open.
pub(crate) fn end_state(state: &Path, namespace: &str) -> Vec<String> {
    runtime().block_on(read(state, namespace))
}

/// The names of all namespaces.
pub(crate) fn namespaces(state: &Path) -> Vec<String> {
    let listed = with(state, async |cluster| {
        cluster.list(&Gvk::new("", "v1", "Namespace"), &ListOptions::default()).await.expect("is listed")
    });
    listed.iter().map(|namespace| namespace.name().to_owned()).collect()
}

/// The objects of a kind in a namespace.
pub(crate) fn objects(state: &Path, api_version: &str, kind: &str, namespace: &str) -> Vec<Object> {
    with(state, async |cluster| list(&cluster, api_version, kind, namespace).await)
}

/// Makes an object, as somebody does by hand.
pub(crate) fn create(state: &Path, object: Object) {
    with(state, async |cluster| cluster.create(&object, &WriteOptions::default()).await.map(drop).expect("created"));
}

/// Deletes an object, and what follows from that.
pub(crate) fn delete(state: &Path, key: &ObjectKey) {
    with(state, async |cluster| cluster.delete(key, &DeleteOptions::default()).await.map(drop).expect("deleted"));
}

/// Merges into an object.
pub(crate) fn patch(state: &Path, key: &ObjectKey, patch: Value) {
    with(state, async |cluster| {
        cluster.patch(key, &Patch::Merge(patch), &WriteOptions::default()).await.expect("patched");
    });
}

/// Does something with the cluster, which nobody else has open.
fn with<T>(state: &Path, work: impl AsyncFnOnce(Cluster) -> T) -> T {
    runtime().block_on(async {
        let embedded = open(state).await;
        let done = work(Cluster::new(embedded.client())).await;
        embedded.stop();
        done
    })
}

async fn open(state: &Path) -> landfall_drydock::Cluster {
    let options = landfall_drydock::Options {
        storage: landfall_drydock::Storage::Sqlite(state.join("cluster.db")),
        drive: landfall_drydock::Drive::ByHand,
        ..Default::default()
    };
    landfall_drydock::Cluster::open(options).await.expect("the cluster's file opens")
}

async fn read(state: &Path, namespace: &str) -> Vec<String> {
    let embedded = open(state).await;
    let cluster = Cluster::new(embedded.client());
    let mut found = Vec::new();
    for (api_version, kind) in KINDS {
        for object in list(&cluster, api_version, kind, namespace).await {
            found.extend(line(kind, &object));
        }
    }
    let mut runs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for event in list(&cluster, "v1", "Event", namespace).await {
        if event.str_at("/involvedObject/kind") == Some("Job") {
            let text = |pointer| event.str_at(pointer).unwrap_or_default().to_owned();
            runs.entry(text("/involvedObject/name")).or_default().insert(text("/involvedObject/uid"));
        }
    }
    found.extend(runs.into_iter().map(|(job, uids)| format!("job {job} was made {} times", uids.len())));
    let clock = Arc::new(landfall_engine::WallClock);
    let releases = landfall_release::Releases::new(cluster.clone(), namespace, clock);
    for record in releases.history("shop").await.expect("the records are read") {
        let hooks: Vec<&str> = record.hooks.iter().map(|hook| hook.last_run.phase.as_str()).collect();
        let info = &record.info;
        found.push(format!(
            "record {} {} {} {hooks:?} {}",
            record.version, info.status, info.description, record.manifest
        ));
    }
    let store = Store::open(Location::File(state.join("store.db"))).await.expect("the store opens");
    for target in [format!("release {namespace}/shop"), "application argocd/shop".to_owned()] {
        if let Some(open) = store.journal.running_operation(&target).await.expect("the store is read") {
            found.push(format!("still open: {target} {}", open.id));
        }
    }
    for (target, keys) in store.facts.of("application-resources").await.expect("the store is read") {
        found.push(format!("{target} holds {keys}"));
    }
    store.close().await;
    embedded.stop();
    found.sort();
    found
}

async fn list(cluster: &Cluster, api_version: &str, kind: &str, namespace: &str) -> Vec<Object> {
    let options = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
    cluster.list(&Gvk::from_api_version(api_version, kind), &options).await.expect("is listed")
}

/// An object in one line; nothing for what says the same elsewhere.
fn line(kind: &str, object: &Object) -> Option<String> {
    let mut value = object.value().clone();
    let annotations = value["metadata"]["annotations"].take();
    let labels = value["metadata"]["labels"].take();
    match kind {
        // Another one in each cluster.
        "ConfigMap" if object.name() == "kube-root-ca.crt" => return None,
        // Records are read as such.
        "Secret" if object.str_at("/type") == Some("helm.sh/release.v1") => return None,
        "Pod" => {
            let owner = object.controller().map(|owner| owner.name).unwrap_or_default();
            let ready = object.condition("Ready").and_then(|ready| ready["status"].as_str().map(str::to_owned));
            let phase = object.str_at("/status/phase").unwrap_or_default();
            return Some(format!("Pod of {owner} {phase} ready {ready:?}"));
        }
        "Job" => {
            let succeeded = object.i64_at("/status/succeeded");
            return Some(format!("Job {} succeeded {succeeded:?} {annotations}", object.name()));
        }
        "Service" => {
            for field in ["clusterIP", "clusterIPs"] {
                value["spec"][field] = Value::Null;
            }
        }
        _ => {}
    }
    let generation = object.generation();
    let ready = object.i64_at("/status/readyReplicas");
    let (spec, data) = (&value["spec"], &value["data"]);
    Some(format!(
        "{kind} {} {labels} {annotations} {spec} {data} generation {generation:?} ready {ready:?}",
        object.name()
    ))
}
