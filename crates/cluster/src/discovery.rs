use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_recursion::async_recursion as boxed;
use landfall_object::{Gvk, Gvr, Object, ObjectKey, or_default};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Cluster, Error};

/// How long a server may take to say what it serves, which it has at hand: one that is frozen is known by it, long before everything
/// else that is asked of it has taken as long as it may.
const LOOKED_UP: Duration = Duration::from_secs(8);
/// How long somebody waits for the answer of who asks the same already.
const WAITED: Duration = Duration::from_millis(500);

/// Whether objects of a kind live in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In the cluster itself.
    Cluster,
}

impl Scope {
    /// An object of such a kind, with the namespace it will live in: `namespace` where it names none, none where its
    /// kind has none.
    #[must_use]
    pub fn place(self, mut object: Object, namespace: &str) -> Object {
        match self {
            Scope::Namespaced if object.namespace().is_none() => object.set_namespace(namespace),
            Scope::Namespaced => {}
            // What says nothing of one is shared with whoever has it still.
            Scope::Cluster if object.metadata().is_some_and(|it| !it.contains_key("namespace")) => {}
            Scope::Cluster => drop(object.metadata_mut().remove("namespace")),
        }
        object
    }
}

/// A kind as the cluster serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// The kind.
    pub gvk: Gvk,
    /// Its URL name.
    pub gvr: Gvr,
    /// Where its objects live.
    pub scope: Scope,
    /// The verbs it takes: `create`, `list`, `watch`.
    pub verbs: Vec<String>,
    /// Whether it has a `status` subresource.
    pub status_subresource: bool,
}

impl Resource {
    /// Whether the resource takes a verb.
    pub fn takes(&self, verb: &str) -> bool {
        self.verbs.iter().any(|known| known == verb)
    }

    /// The path of its collection; all namespaces when a namespaced kind is given none.
    pub(crate) fn collection(&self, namespace: Option<&str>) -> String {
        let root = if self.gvr.group.is_empty() {
            format!("/api/{}", self.gvr.version)
        } else {
            format!("/apis/{}/{}", self.gvr.group, self.gvr.version)
        };
        match (self.scope, namespace) {
            (Scope::Namespaced, Some(namespace)) => format!("{root}/namespaces/{namespace}/{}", self.gvr.resource),
            _ => format!("{root}/{}", self.gvr.resource),
        }
    }
}

/// The server's version, as `/version` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerVersion {
    /// `1`.
    pub major: String,
    /// `34`, sometimes `34+`.
    pub minor: String,
    /// `v1.34.1`.
    pub git_version: String,
}

impl ServerVersion {
    /// Whether it is Landfall's embedded cluster, however it is reached.
    pub fn is_embedded(&self) -> bool {
        self.git_version.ends_with("+landfall")
    }
}

/// An API group and a version of it.
type GroupVersion = (String, String);

/// What has been learnt of the cluster's kinds, by group and version.
#[derive(Default)]
pub(crate) struct Known {
    versions: Mutex<BTreeMap<GroupVersion, Arc<Vec<Resource>>>>,
    /// How long what the server says of itself holds; nothing is taken for an answer of now.
    lasts: Duration,
    version: Mutex<Option<(Instant, ServerVersion)>>,
    resources: Mutex<Option<(Instant, Vec<Resource>)>>,
    /// Held by who asks: of many who want to know at once one asks, and the others take its answer.
    asking: (tokio::sync::Mutex<()>, tokio::sync::Mutex<()>),
}

/// What was said no longer ago than that.
fn lately<T: Clone>(said: &Mutex<Option<(Instant, T)>>, lasts: Duration) -> Option<T> {
    let said = said.lock().unwrap_or_else(PoisonError::into_inner);
    said.as_ref().filter(|(at, _)| at.elapsed() < lasts).map(|(_, it)| it.clone())
}

impl Known {
    /// Nothing yet; what the server says of itself will hold so long.
    pub(crate) fn lasting(lasts: Duration) -> Self {
        Known { lasts, ..Known::default() }
    }

    /// Lets one ask at a time where answers hold for a while; where they do not everybody asks, and so does who has waited in vain:
    /// of a server that does not answer everybody hears so as soon as if they had asked alone.
    async fn alone<'a>(&self, asking: &'a tokio::sync::Mutex<()>) -> Option<tokio::sync::MutexGuard<'a, ()>> {
        if self.lasts.is_zero() {
            return None;
        }
        tokio::time::timeout(WAITED, asking.lock()).await.ok()
    }

    fn get(&self, gvk: &Gvk) -> Option<Arc<Vec<Resource>>> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.get(&(gvk.group.clone(), gvk.version.clone())).cloned()
    }

    fn put(&self, group: &str, version: &str, resources: Vec<Resource>) -> Arc<Vec<Resource>> {
        let resources = Arc::new(resources);
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.insert((group.to_owned(), version.to_owned()), Arc::clone(&resources));
        resources
    }

    fn find(&self, fits: impl Fn(&Resource) -> bool) -> Option<Resource> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.values().flat_map(|list| list.iter()).find(|resource| fits(resource)).cloned()
    }

    fn clear(&self) {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Keeps what was said, asked at `at`, where it holds for a while.
    fn keep<T: Clone>(&self, said: &Mutex<Option<(Instant, T)>>, at: Instant, it: &T) {
        if !self.lasts.is_zero() {
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some((at, it.clone()));
        }
    }
}

/// Aggregated discovery, and the plain kind where the server does not know it.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// `apidiscovery.k8s.io/v2`, as far as it is read. A server that does not know it answers with another kind and no items.
#[derive(Deserialize)]
struct GroupDiscoveryList {
    #[serde(default, deserialize_with = "or_default")]
    kind: String,
    #[serde(default, deserialize_with = "or_default")]
    items: Vec<GroupDiscovery>,
}

#[derive(Deserialize)]
struct GroupDiscovery {
    #[serde(default, deserialize_with = "or_default")]
    metadata: GroupName,
    #[serde(default, deserialize_with = "or_default")]
    versions: Vec<VersionDiscovery>,
}

/// The core group has none.
#[derive(Default, Deserialize)]
struct GroupName {
    #[serde(default, deserialize_with = "or_default")]
    name: String,
}

#[derive(Deserialize)]
struct VersionDiscovery {
    #[serde(default, deserialize_with = "or_default")]
    version: String,
    #[serde(default, deserialize_with = "or_default")]
    resources: Vec<ResourceDiscovery>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceDiscovery {
    resource: Option<String>,
    response_kind: Option<DiscoveredKind>,
    #[serde(default, deserialize_with = "or_default")]
    scope: String,
    #[serde(default, deserialize_with = "or_default")]
    verbs: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    subresources: Vec<SubresourceDiscovery>,
}

#[derive(Deserialize)]
struct DiscoveredKind {
    #[serde(default, deserialize_with = "or_default")]
    kind: String,
}

#[derive(Deserialize)]
struct SubresourceDiscovery {
    #[serde(default, deserialize_with = "or_default")]
    subresource: String,
}

impl ResourceDiscovery {
    /// None for one that only has subresources.
    fn into_resource(self, group: &str, version: &str) -> Option<Resource> {
        let kind = self.response_kind.map(|kind| kind.kind).filter(|kind| !kind.is_empty())?;
        Some(Resource {
            gvk: Gvk::new(group, version, kind),
            gvr: Gvr::new(group, version, self.resource?),
            scope: if self.scope == "Namespaced" { Scope::Namespaced } else { Scope::Cluster },
            verbs: self.verbs,
            status_subresource: self.subresources.iter().any(|one| one.subresource == "status"),
        })
    }
}

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default, deserialize_with = "or_default")]
    resources: Vec<ResourceEntry>,
}

#[derive(Deserialize)]
struct ResourceEntry {
    name: String,
    kind: String,
    #[serde(default)]
    namespaced: bool,
    #[serde(default, deserialize_with = "or_default")]
    verbs: Vec<String>,
}

impl Cluster {
    /// The server's version.
    ///
    /// # Errors
    /// [`Error::Unreachable`] and what the server refuses with.
    #[boxed]
    pub async fn version(&self) -> Result<ServerVersion, Error> {
        if let Some(version) = lately(&self.known.version, self.known.lasts) {
            return Ok(version);
        }
        let _alone = self.known.alone(&self.known.asking.0).await;
        if let Some(version) = lately(&self.known.version, self.known.lasts) {
            return Ok(version);
        }
        let asked = Instant::now();
        let body = self.get_path("ask for the version", "/version").await?;
        let version = ServerVersion::deserialize(body)
            .map_err(|error| Error::Malformed { action: "ask for the version".into(), reason: error.to_string() })?;
        self.known.keep(&self.known.version, asked, &version);
        Ok(version)
    }

    /// How a kind is served; asks the cluster when the kind is not known yet.
    ///
    /// # Errors
    /// [`Error::NoMatch`] (with an empty name) when it is not served.
    #[boxed]
    pub async fn resource(&self, gvk: &Gvk) -> Result<Resource, Error> {
        let find = |list: &[Resource]| list.iter().find(|resource| resource.gvk.kind == gvk.kind).cloned();
        if let Some(found) = self.known.get(gvk).and_then(|list| find(&list)) {
            return Ok(found);
        }
        let no_match = || Error::NoMatch { gvk: Box::new(gvk.clone()), name: String::new(), namespace: String::new() };
        if gvk.version.is_empty() || gvk.kind.is_empty() || !is_path_part(&gvk.version) || gvk.group.contains('/') {
            return Err(no_match());
        }
        match self.learn(&gvk.group, &gvk.version).await {
            Ok(list) => find(&list).ok_or_else(no_match),
            Err(error) if error.is_not_found() => Err(no_match()),
            Err(error) => Err(error),
        }
    }

    /// How an object's kind is served.
    ///
    /// # Errors
    /// [`Error::NoMatch`] naming the object.
    #[boxed]
    pub async fn resource_of(&self, key: &ObjectKey) -> Result<Resource, Error> {
        self.resource(&key.gvk).await.map_err(|error| match error {
            Error::NoMatch { gvk, .. } => {
                Error::NoMatch { gvk, name: key.name.clone(), namespace: key.namespace.clone().unwrap_or_default() }
            }
            other => other,
        })
    }

    /// The object with the namespace it will live in: `namespace` where it names none, none where its kind has none.
    ///
    /// # Errors
    /// [`Error::NoMatch`] naming the object.
    #[boxed]
    pub async fn place(&self, object: Object, namespace: &str) -> Result<Object, Error> {
        let scope = self.resource_of(&object.key()).await?.scope;
        Ok(scope.place(object, namespace))
    }

    /// Forgets what discovery has learnt: to be called after a CRD or an APIService has changed.
    pub fn forget_discovery(&self) {
        self.known.clear();
    }

    /// All that is served: `v1`, `apps/v1`, `apps/v1/Deployment`, sorted, as Helm's `.Capabilities.APIVersions` lists it.
    ///
    /// # Errors
    /// [`Error::Unreachable`]; a group whose server does not answer is left out.
    #[boxed]
    pub async fn api_versions(&self) -> Result<Vec<String>, Error> {
        let mut versions = Vec::new();
        for resource in self.resources().await? {
            let version = resource.gvk.api_version();
            versions.push(format!("{version}/{}", resource.gvk.kind));
            versions.push(version);
        }
        versions.sort();
        versions.dedup();
        Ok(versions)
    }

    /// All kinds that are served, in every version.
    ///
    /// # Errors
    /// [`Error::Unreachable`]; a group whose server does not answer is left out.
    #[boxed]
    pub async fn resources(&self) -> Result<Vec<Resource>, Error> {
        if let Some(resources) = lately(&self.known.resources, self.known.lasts) {
            return Ok(resources);
        }
        let _alone = self.known.alone(&self.known.asking.1).await;
        if let Some(resources) = lately(&self.known.resources, self.known.lasts) {
            return Ok(resources);
        }
        let asked = Instant::now();
        if let Some(resources) = self.aggregated().await? {
            self.known.keep(&self.known.resources, asked, &resources);
            return Ok(resources);
        }
        let groups = self.get_path("list the API groups", "/apis").await?;
        let mut wanted = vec![(String::new(), "v1".to_owned())];
        for group in groups["groups"].as_array().into_iter().flatten() {
            let name = group["name"].as_str().unwrap_or_default();
            for version in group["versions"].as_array().into_iter().flatten() {
                wanted.push((name.to_owned(), version["version"].as_str().unwrap_or_default().to_owned()));
            }
        }
        let answers = futures::future::join_all(wanted.iter().map(|(group, version)| self.learn(group, version))).await;
        let mut resources = Vec::new();
        for answer in answers {
            match answer {
                Ok(list) => resources.extend(list.iter().cloned()),
                Err(error) if error.is_unreachable() => return Err(error),
                // An aggregated API that is down must not stop what does not need it.
                Err(_) => {}
            }
        }
        Ok(resources)
    }

    /// How a kind is served in whichever version; asks the cluster when no known list has it.
    ///
    /// # Errors
    /// As [`Cluster::resources`].
    #[boxed]
    pub async fn served(&self, group: &str, kind: &str) -> Result<Option<Resource>, Error> {
        let fits = |resource: &Resource| resource.gvk.group == group && resource.gvk.kind == kind;
        if let Some(known) = self.known.find(fits) {
            return Ok(Some(known));
        }
        Ok(self.resources().await?.into_iter().find(fits))
    }

    /// All kinds in two requests instead of one for each group and version; `None` where the server is too old.
    async fn aggregated(&self) -> Result<Option<Vec<Resource>>, Error> {
        let ask = |path| self.get_as::<GroupDiscoveryList>("ask which kinds are served", path, AGGREGATED);
        let (core, groups) = futures::future::join(ask("/api"), ask("/apis")).await;
        let mut resources = Vec::new();
        for body in [core?, groups?] {
            if body.kind != "APIGroupDiscoveryList" {
                return Ok(None);
            }
            for group in body.items {
                let name = group.metadata.name;
                for VersionDiscovery { version, resources: listed } in group.versions {
                    let list: Vec<Resource> =
                        listed.into_iter().filter_map(|entry| entry.into_resource(&name, &version)).collect();
                    resources.extend(list.iter().cloned());
                    self.known.put(&name, &version, list);
                }
            }
        }
        Ok(Some(resources))
    }

    async fn learn(&self, group: &str, version: &str) -> Result<Arc<Vec<Resource>>, Error> {
        let path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        let action = "ask which kinds are served";
        let body = self.get_path(action, &path).await?;
        let list = ResourceList::deserialize(body)
            .map_err(|error| Error::Malformed { action: action.into(), reason: error.to_string() })?;
        let status: Vec<String> =
            list.resources.iter().filter_map(|entry| entry.name.strip_suffix("/status").map(str::to_owned)).collect();
        let resources = list
            .resources
            .into_iter()
            .filter(|entry| !entry.name.contains('/'))
            .map(|entry| Resource {
                gvk: Gvk::new(group, version, entry.kind),
                status_subresource: status.contains(&entry.name),
                gvr: Gvr::new(group, version, entry.name),
                scope: if entry.namespaced { Scope::Namespaced } else { Scope::Cluster },
                verbs: entry.verbs,
            })
            .collect();
        Ok(self.known.put(group, version, resources))
    }

    pub(crate) async fn get_path(&self, action: &str, path: &str) -> Result<Value, Error> {
        self.get_as(action, path, "application/json").await
    }

    async fn get_as<T: DeserializeOwned>(&self, action: &str, path: &str, accept: &str) -> Result<T, Error> {
        let request = http::Request::get(path)
            .header("accept", accept)
            .body(Vec::new())
            .map_err(|error| Error::Malformed { action: action.to_owned(), reason: error.to_string() })?;
        self.answered_within(LOOKED_UP, action, self.client.request(request)).await
    }
}

/// A name escaped to stand between two slashes of a path, as client-go does it: the server says that no such thing is
/// there. `None` where the path would mean something else.
pub(crate) fn path_part(name: &str) -> Option<String> {
    // As k8s.io/apimachinery/pkg/api/validation/path: neither `.` nor `..`, no `/`, no `%`.
    if matches!(name, "" | "." | "..") || name.contains(['/', '%']) {
        return None;
    }
    let escaped = name.bytes().map(|byte| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    Some(escaped.collect())
}

/// Whether a text can stand between two slashes of a path and mean itself.
pub(crate) fn is_path_part(text: &str) -> bool {
    // No `/`, no `%`, and nothing a URI refuses.
    !text.is_empty()
        && text != "."
        && text != ".."
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"/%?#\"<>\\^`{|}".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_itself_in_a_path_is_no_more_than_what_can_be_escaped() {
        assert_eq!(path_part("web-0.a"), Some("web-0.a".to_owned()));
        assert_eq!(path_part("{{ x }}"), Some("%7B%7B%20x%20%7D%7D".to_owned()));
        for refused in ["", ".", "..", "a/b", "a%2fb"] {
            assert_eq!(path_part(refused), None, "{refused}");
            assert!(!is_path_part(refused), "{refused}");
        }
        assert!(is_path_part("system:node") && !is_path_part("{{ x }}"));
    }

    #[test]
    fn what_a_server_prints_as_null_is_left_out_and_the_rest_is_read() {
        let list: GroupDiscoveryList = serde_json::from_value(serde_json::json!({
            "kind": "APIGroupDiscoveryList",
            "items": [
                {"metadata": null, "versions": null},
                {"metadata": {"name": "shop.io"}, "versions": [
                    {"version": "v1", "resources": null},
                    {"version": "v2", "resources": [
                        {"resource": "orders", "responseKind": {"kind": "Order"}, "scope": "Namespaced", "verbs": null, "subresources": null},
                        {"resource": "carts", "responseKind": null, "scope": null},
                    ]},
                ]},
            ],
        }))
        .expect("reads");
        let mut read = Vec::new();
        for group in list.items {
            for version in group.versions {
                let name = &group.metadata.name;
                read.extend(version.resources.into_iter().filter_map(|one| one.into_resource(name, &version.version)));
            }
        }
        assert_eq!(read.iter().map(|one| one.gvk.kind.as_str()).collect::<Vec<_>>(), ["Order"]);
        assert_eq!(read[0].verbs, Vec::<String>::new());

        let empty: GroupDiscoveryList =
            serde_json::from_str(r#"{"kind": "APIGroupDiscoveryList", "items": null}"#).expect("reads");
        assert!(empty.items.is_empty());
        let plain: ResourceList = serde_json::from_str(r#"{"resources": null}"#).expect("reads");
        assert!(plain.resources.is_empty());
    }

    #[tokio::test]
    async fn who_asks_often_is_answered_once_a_while_and_anew_after_it_was_forgotten() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&sent);
        let service = tower::service_fn(move |request: http::Request<kube::client::Body>| {
            heard.lock().expect("not poisoned").push(request.uri().path().to_owned());
            let body = match request.uri().path() {
                "/version" => r#"{"major": "1", "minor": "36", "gitVersion": "v1.36.3"}"#,
                _ => r#"{"kind": "APIGroupDiscoveryList", "items": []}"#,
            };
            async move { Ok::<_, kube::Error>(http::Response::new(kube::client::Body::from(body.as_bytes().to_vec()))) }
        });
        let cluster = Cluster::new(kube::Client::new(service, "default"));
        let often = cluster.clone().remembering(Duration::from_secs(3600));
        let asked = async |cluster: &Cluster| {
            sent.lock().expect("not poisoned").clear();
            for _ in 0..2 {
                cluster.version().await.expect("told");
                cluster.api_versions().await.expect("told");
            }
            sent.lock().expect("not poisoned").len()
        };
        assert_eq!(asked(&cluster).await, 6, "who did not ask for it is told what is so now");
        assert_eq!(asked(&often).await, 3);
        let at_once = cluster.clone().remembering(Duration::from_secs(3600));
        sent.lock().expect("not poisoned").clear();
        let everybody = (0..16).map(|_| async {
            at_once.version().await.expect("told");
            at_once.resources().await.expect("told");
        });
        futures::future::join_all(everybody).await;
        assert_eq!(sent.lock().expect("not poisoned").len(), 3, "of many who ask at once one does");
        assert_eq!(asked(&often.by_leave(&crate::Leave::without_end())).await, 0, "clones know what it knows");
        often.forget_discovery();
        assert_eq!(asked(&often).await, 2, "kinds alone: the version does not change with a definition");
    }

    #[tokio::test]
    async fn who_asks_keeps_nobody_waiting_for_long_who_wants_to_know_the_same() {
        let known = Known::lasting(Duration::from_secs(3600));
        let asks = known.alone(&known.asking.0).await;
        assert!(asks.is_some());
        assert!(known.alone(&known.asking.0).await.is_none(), "it is asked by two now");
        assert!(known.alone(&known.asking.1).await.is_some(), "something else is not waited for");
        drop(asks);
        assert!(known.alone(&known.asking.0).await.is_some());
        let each = Known::default();
        let (first, second) = (each.alone(&each.asking.0).await, each.alone(&each.asking.0).await);
        assert!(first.is_none() && second.is_none(), "where no answer holds everybody asks");
    }
}
