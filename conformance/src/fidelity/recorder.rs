//! Everything that happens to every object of a cluster, as its watches tell it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use crate::http::Endpoint;

/// Kinds that say who is alive or what was said, and not what is.
const PASSING: &[(&str, &str)] =
    &[("", "Event"), ("events.k8s.io", "Event"), ("coordination.k8s.io", "Lease"), ("", "ComponentStatus")];

/// Longer than any delivery.
const LONG: Duration = Duration::from_secs(3600);

/// An object at one version.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    /// The cluster's version at which this was: the order of all writes.
    pub(super) version: u64,
    pub(super) what: What,
    pub(super) object: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It was there before the delivery.
    Before,
    /// It was there when its kind was first looked at, which was defined meanwhile.
    Found,
    Created,
    Changed,
    Deleted,
}

/// A kind as it is served.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Served {
    group: String,
    version: String,
    plural: String,
    kind: String,
}

impl Served {
    fn path(&self) -> String {
        match self.group.as_str() {
            "" => format!("/api/{}/{}", self.version, self.plural),
            group => format!("/apis/{group}/{}/{}", self.version, self.plural),
        }
    }

    fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// Watches of all kinds; they end with the value.
pub(super) struct Recorder {
    state: Arc<State>,
    watches: Arc<Mutex<Vec<tokio::task::JoinHandle<()>>>>,
}

struct State {
    endpoint: Endpoint,
    client: reqwest::Client,
    seen: Mutex<Vec<Sighting>>,
    watched: Mutex<BTreeSet<(String, String)>>,
}

impl Recorder {
    /// Begins to watch; returns once everything that is there has been seen.
    pub(super) async fn start(endpoint: &Endpoint) -> anyhow::Result<Self> {
        let state = Arc::new(State {
            client: endpoint.client()?,
            endpoint: endpoint.clone(),
            seen: Mutex::default(),
            watched: Mutex::default(),
        });
        let recorder = Recorder { state, watches: Arc::default() };
        let kinds = recorder.state.kinds().await?;
        let first = kinds.iter().map(|kind| recorder.state.list(kind, What::Before));
        let versions = futures::future::try_join_all(first).await?;
        for (kind, version) in kinds.into_iter().zip(versions) {
            recorder.watch(kind, version);
        }
        Ok(recorder)
    }

    /// What was seen from a place on.
    pub(super) fn seen_from(&self, at: usize) -> Vec<Sighting> {
        self.state.seen.lock().map(|seen| seen.get(at..).unwrap_or_default().to_vec()).unwrap_or_default()
    }

    /// How much was seen.
    pub(super) fn count(&self) -> usize {
        self.state.seen.lock().map(|seen| seen.len()).unwrap_or_default()
    }

    fn watch(&self, kind: Served, version: String) {
        spawn(Arc::clone(&self.state), Arc::clone(&self.watches), kind, version);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        for watch in self.watches.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default() {
            watch.abort();
        }
    }
}

type Watches = Arc<Mutex<Vec<tokio::task::JoinHandle<()>>>>;

fn spawn(state: Arc<State>, watches: Watches, kind: Served, version: String) {
    let own = Arc::clone(&watches);
    let watch = tokio::spawn(async move {
        let mut version = version;
        // A server may end a watch at any time.
        while let Ok(last) = state.follow(&kind, &version, &own).await {
            version = last;
        }
    });
    if let Ok(mut all) = watches.lock() {
        all.push(watch);
    }
}

impl State {
    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.endpoint.url);
        let ask = || self.client.get(&url).bearer_auth(&self.endpoint.token).send();
        let mut answer = ask().await?;
        for _ in 0..100 {
            // The storage of a kind that was defined just now begins a moment later.
            if answer.status() != reqwest::StatusCode::TOO_MANY_REQUESTS {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer = ask().await?;
        }
        let status = answer.status();
        anyhow::ensure!(status.is_success(), "GET {path}: {status}");
        Ok(serde_json::from_slice(&answer.bytes().await?)?)
    }

    /// All kinds that can be listed and watched, in their preferred versions.
    async fn kinds(&self) -> anyhow::Result<Vec<Served>> {
        let mut versions = vec![(String::new(), "v1".to_owned(), "/api/v1".to_owned())];
        for group in items(&self.get("/apis").await?["groups"]) {
            let (name, version) = (text(group, "/name"), text(group, "/preferredVersion/version"));
            versions.push((name.to_owned(), version.to_owned(), format!("/apis/{name}/{version}")));
        }
        let mut kinds = Vec::new();
        for (group, version, path) in versions {
            // An aggregated API may be away.
            let Ok(list) = self.get(&path).await else { continue };
            for resource in items(&list["resources"]) {
                let (plural, kind) = (text(resource, "/name"), text(resource, "/kind"));
                let can = |verb: &str| items(&resource["verbs"]).any(|it| it == verb);
                if plural.contains('/') || !can("list") || !can("watch") || PASSING.contains(&(&group, kind)) {
                    continue;
                }
                let (group, version) = (group.clone(), version.clone());
                kinds.push(Served { group, version, plural: plural.to_owned(), kind: kind.to_owned() });
            }
        }
        if let Ok(mut watched) = self.watched.lock() {
            watched.extend(kinds.iter().map(|kind| (kind.group.clone(), kind.plural.clone())));
        }
        Ok(kinds)
    }

    /// Notes what is there; the version to watch from.
    async fn list(&self, kind: &Served, what: What) -> anyhow::Result<String> {
        let list = self.get(&kind.path()).await?;
        for item in items(&list["items"]) {
            let mut object = item.clone();
            object["apiVersion"] = kind.api_version().into();
            object["kind"] = kind.kind.clone().into();
            self.note(what, object);
        }
        Ok(text(&list, "/metadata/resourceVersion").to_owned())
    }

    fn note(&self, what: What, object: Value) {
        let version = text(&object, "/metadata/resourceVersion").parse().unwrap_or_default();
        if let Ok(mut seen) = self.seen.lock() {
            seen.push(Sighting { version, what, object });
        }
    }

    /// Watches from a version until the server ends it; the last version seen.
    async fn follow(self: &Arc<Self>, kind: &Served, version: &str, watches: &Watches) -> anyhow::Result<String> {
        let path = format!("{}?watch=true&allowWatchBookmarks=true&resourceVersion={version}", kind.path());
        let url = format!("{}{path}", self.endpoint.url);
        let request = self.client.get(&url).bearer_auth(&self.endpoint.token).timeout(LONG);
        let mut answer = request.send().await?.error_for_status()?;
        let mut last = version.to_owned();
        let mut buffer: Vec<u8> = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                let mut event: Value = serde_json::from_slice(&line).context("a watch tells no JSON")?;
                let object = event["object"].take();
                let what = match text(&event, "/type") {
                    "ADDED" => What::Created,
                    "MODIFIED" => What::Changed,
                    "DELETED" => What::Deleted,
                    "BOOKMARK" => {
                        last = text(&object, "/metadata/resourceVersion").to_owned();
                        continue;
                    }
                    other => anyhow::bail!("a watch ends with {other}"),
                };
                last = text(&object, "/metadata/resourceVersion").to_owned();
                if let Some(defined) = defined(&object) {
                    self.join(defined, watches);
                }
                self.note(what, object);
            }
        }
        Ok(last)
    }

    /// Watches a kind that was defined just now, too.
    fn join(self: &Arc<Self>, kind: Served, watches: &Watches) {
        let is_new = self.watched.lock().is_ok_and(|mut all| all.insert((kind.group.clone(), kind.plural.clone())));
        if !is_new {
            return;
        }
        let (state, own) = (Arc::clone(self), Arc::clone(watches));
        let joining = tokio::spawn(async move {
            for _ in 0..200 {
                if let Ok(version) = state.list(&kind, What::Found).await {
                    spawn(state, own, kind, version);
                    return;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        });
        if let Ok(mut all) = watches.lock() {
            all.push(joining);
        }
    }
}

/// The kind that a definition serves from now on.
fn defined(object: &Value) -> Option<Served> {
    let is = |condition: &&Value| condition["type"] == "Established" && condition["status"] == "True";
    if object["kind"] != "CustomResourceDefinition" || !items(&object["status"]["conditions"]).any(|it| is(&it)) {
        return None;
    }
    let version = items(&object["spec"]["versions"]).find(|version| version["served"] == true)?;
    Some(Served {
        group: text(object, "/spec/group").to_owned(),
        version: text(version, "/name").to_owned(),
        plural: text(object, "/spec/names/plural").to_owned(),
        kind: text(object, "/spec/names/kind").to_owned(),
    })
}

/// The elements of a list; none where there is none.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The text at a pointer; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
