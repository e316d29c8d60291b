//! An API with nothing on it, for one delivery after the other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::stored::{key, settled};
use crate::embedded::{Embedded, Shape};
use crate::http::Endpoint;
use crate::testbed::{Component, Layout, Running, runtime};
use crate::traces::side::Side;

/// How long a swept object may take to be gone.
const SWEPT: Duration = Duration::from_secs(30);

/// How often the stand-in looks, and so how long a hook's Job runs at most.
const LOOKS: Duration = Duration::from_millis(100);

/// Where deliveries go.
pub(super) struct Ground {
    /// One real kube-apiserver over etcd without controllers, from which each delivery is swept away before the next one;
    /// none for embedded clusters without controllers, a new one for each delivery.
    real: Option<Running>,
    /// What the servers serve by themselves, and what a new cluster has, by its key.
    new: OnceLock<New>,
}

/// What is there before anything is delivered.
struct New {
    collections: Vec<Collection>,
    objects: BTreeMap<String, Value>,
}

impl Ground {
    /// Embedded clusters.
    pub(super) fn embedded() -> Self {
        Self { real: None, new: OnceLock::new() }
    }

    /// A real API server with nobody beside it.
    pub(super) fn real() -> anyhow::Result<Self> {
        let mut layout = Layout::on_free_ports()?.with(&[Component::Etcd, Component::ApiServer]);
        layout.api_server_flags.push("--disable-admission-plugins=ServiceAccount".to_owned());
        let ground = Self { real: Some(Running::start(layout)?), new: OnceLock::new() };
        // A new server goes on making its own objects for a while.
        let began = Instant::now();
        let mut before = 0;
        loop {
            let now = {
                let api = ground.connect()?;
                api.runtime.block_on(New::of(&api.side))?.objects.len()
            };
            if now == before && now > 100 {
                return Ok(ground);
            }
            anyhow::ensure!(began.elapsed() < SWEPT, "the API server does not come to rest");
            before = now;
            std::thread::sleep(Duration::from_secs(2));
        }
    }

    /// An API on which nothing is but what a new cluster has.
    pub(super) fn empty(&self) -> anyhow::Result<Api<'_>> {
        let api = self.connect()?;
        if self.new.get().is_none() {
            // Another worker may have been faster, and has seen the same.
            let _ = self.new.set(api.runtime.block_on(New::of(&api.side))?);
        }
        Ok(api)
    }

    fn connect(&self) -> anyhow::Result<Api<'_>> {
        let runtime = runtime()?;
        let (endpoint, kubeconfig, embedded) = match &self.real {
            None => {
                let mut options = Shape::ApiOnly.options();
                // Nobody makes the account that pods would need.
                options.settings.disabled_admission.push("ServiceAccount".to_owned());
                let embedded = Embedded::open(options, 0)?;
                (embedded.endpoint().clone(), embedded.kubeconfig().to_owned(), Some(embedded))
            }
            Some(running) => {
                let kubeconfig = std::fs::read_to_string(running.testbed().kubeconfig())?;
                (running.testbed().endpoint()?, kubeconfig, None)
            }
        };
        let side = Side::new(endpoint.clone())?;
        Ok(Api { ground: self, endpoint, kubeconfig, side, runtime, embedded })
    }
}

impl New {
    async fn of(side: &Side) -> anyhow::Result<Self> {
        let collections = collections(side).await?;
        let objects = listed(side, &collections).await?;
        let objects = objects.into_iter().map(|object| (key(&object), settled(object))).collect();
        Ok(Self { collections, objects })
    }
}

/// An API server that deliveries go to.
pub(super) struct Api<'g> {
    ground: &'g Ground,
    endpoint: Endpoint,
    pub(super) kubeconfig: String,
    side: Side,
    runtime: Runtime,
    embedded: Option<Embedded>,
}

/// A collection that can be listed.
#[derive(Clone)]
struct Collection {
    path: String,
    api_version: String,
    kind: String,
}

impl Api<'_> {
    /// The objects that a new cluster has not, or has otherwise, as they are stored.
    pub(super) fn made(&self) -> anyhow::Result<Vec<Value>> {
        let new = self.ground.new.get().context("nobody has looked at what is there by itself")?;
        let mut objects = self.runtime.block_on(async {
            let collections = self.served(new).await?;
            listed(&self.side, &collections).await
        })?;
        objects.retain(|object| new.objects.get(&key(object)).is_none_or(|before| *before != settled(object.clone())));
        Ok(objects)
    }

    /// What is served by itself, and by the definitions that were delivered.
    async fn served(&self, new: &New) -> anyhow::Result<Vec<Collection>> {
        let mut all = new.collections.clone();
        for definition in self.side.list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").await? {
            let spec = &definition["spec"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let stored = spec["versions"].as_array().into_iter().flatten().find(|it| it["storage"] == true);
            let served = stored
                .filter(|it| it["served"] == true)
                .or_else(|| spec["versions"].as_array().into_iter().flatten().find(|it| it["served"] == true));
            let is_established = definition["status"]["conditions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|it| it["type"] == "Established" && it["status"] == "True"));
            let Some(version) = served.filter(|_| is_established) else { continue };
            let api_version = format!("{}/{}", text(&spec["group"]), text(&version["name"]));
            let path = format!("/apis/{api_version}/{}", text(&spec["names"]["plural"]));
            if !all.iter().any(|known| known.path == path) {
                all.push(Collection { path, api_version, kind: text(&spec["names"]["kind"]) });
            }
        }
        Ok(all)
    }

    /// The name of the kubeconfig's context.
    pub(super) fn context(&self) -> anyhow::Result<String> {
        let config = landfall_yaml::to_json(&self.kubeconfig).map_err(|error| anyhow::anyhow!("{error}"))?;
        config["current-context"].as_str().map(str::to_owned).context("a kubeconfig without a context")
    }

    /// Lets go what only a controller would hold a moment longer: claims that are being deleted and that nobody uses.
    pub(super) fn let_go(&self) -> anyhow::Result<()> {
        self.runtime.block_on(async {
            for claim in self.side.list(CLAIMS).await? {
                let metadata = &claim["metadata"];
                if metadata["deletionTimestamp"].is_string() {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
                    let path = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}");
                    self.side.merge(&path, &json!({"metadata": {"finalizers": null}})).await?;
                }
            }
            Ok(())
        })
    }

    /// Makes ready what hooks, or waves too, wait for, while something is delivered.
    pub(super) fn stand_in(&self, played: &'static [(&'static str, &'static str)]) -> anyhow::Result<StandIn> {
        let (side, ended) = (Side::new(self.endpoint.clone())?, Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&ended);
        let runtime = runtime()?;
        let thread = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                runtime.block_on(async {
                    for kind in played {
                        // What cannot be made ready now is looked at again.
                        let _ = play(&side, *kind).await;
                    }
                });
                std::thread::sleep(LOOKS);
            }
        });
        Ok(StandIn { ended, thread: Some(thread) })
    }

    /// Takes away what was made.
    fn sweep(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SWEPT;
        loop {
            let left = self.made()?;
            if left.is_empty() {
                return Ok(());
            }
            let names: Vec<String> = left.iter().take(5).map(name).collect();
            anyhow::ensure!(Instant::now() < deadline, "not swept away: {}", names.join(", "));
            let new = self.ground.new.get().context("nobody has looked at what is there by itself")?;
            self.runtime.block_on(async {
                let collections = self.served(new).await?;
                // Instances before the definitions that serve them.
                let is_last =
                    |object: &&Value| matches!(object["kind"].as_str(), Some("CustomResourceDefinition" | "Namespace"));
                let (last, first): (Vec<&Value>, Vec<&Value>) = left.iter().partition(is_last);
                for object in first.into_iter().chain(last) {
                    remove(&self.side, &collections, object).await;
                }
                anyhow::Ok(())
            })?;
        }
    }
}

impl Drop for Api<'_> {
    fn drop(&mut self) {
        if self.embedded.take().is_none()
            && self.ground.new.get().is_some()
            && let Err(error) = self.sweep()
        {
            eprintln!("objects: {error:#}");
        }
    }
}

fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// The objects of collections.
async fn listed(side: &Side, collections: &[Collection]) -> anyhow::Result<Vec<Value>> {
    let lists = join_all(collections.iter().map(|collection| side.list(&collection.path))).await;
    let mut objects = Vec::new();
    for (collection, list) in collections.iter().zip(lists) {
        for mut object in list? {
            object["apiVersion"] = collection.api_version.clone().into();
            object["kind"] = collection.kind.clone().into();
            objects.push(object);
        }
    }
    Ok(objects)
}

/// Deletes an object whatever holds it; what is gone already is what is wanted.
async fn remove(side: &Side, collections: &[Collection], object: &Value) {
    let is_its = |it: &&Collection| it.kind == object["kind"] && it.api_version == object["apiVersion"];
    let Some(collection) = collections.iter().find(is_its) else { return };
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let (base, plural) = collection.path.rsplit_once('/').unwrap_or_default();
    let path = match metadata["namespace"].as_str() {
        Some(namespace) => format!("{base}/namespaces/{namespace}/{plural}/{name}"),
        None => format!("{base}/{plural}/{name}"),
    };
    let _ = side.delete(&format!("{path}?gracePeriodSeconds=0&propagationPolicy=Background")).await;
    if object["kind"] == "Namespace" {
        let mut finalized = object.clone();
        finalized["spec"] = json!({"finalizers": []});
        if let Some(metadata) = finalized["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        let _ = side.replace(&format!("{path}/finalize"), &finalized).await;
    } else if metadata["finalizers"].is_array() && object["kind"] != "CustomResourceDefinition" {
        let _ = side.merge(&path, &json!({"metadata": {"finalizers": null}})).await;
    }
}

/// Everything that can be listed and made, each kind in the version that its group prefers.
async fn collections(side: &Side) -> anyhow::Result<Vec<Collection>> {
    let groups = side.get("/apis").await?;
    let preferred = |group: &Value| group["preferredVersion"]["groupVersion"].as_str().map(str::to_owned);
    let mut versions = vec!["v1".to_owned()];
    versions.extend(groups["groups"].as_array().into_iter().flatten().filter_map(preferred));
    let base = |version: &str| if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
    let paths: Vec<String> = versions.iter().map(|version| base(version)).collect();
    let answers = join_all(paths.iter().map(|path| side.get(path))).await;
    let mut collections = Vec::new();
    for ((version, path), answer) in versions.iter().zip(&paths).zip(answers) {
        // A group that is about to go has no resources any more.
        let Ok(answer) = answer else { continue };
        for resource in answer["resources"].as_array().into_iter().flatten() {
            let name = resource["name"].as_str().unwrap_or_default();
            let can = |verb: &str| resource["verbs"].as_array().is_some_and(|verbs| verbs.iter().any(|it| it == verb));
            let kind = resource["kind"].as_str().unwrap_or_default();
            if name.contains('/') || !can("list") || !can("create") || matches!(kind, "Event" | "APIService" | "Lease")
            {
                continue;
            }
            collections.push(Collection {
                path: format!("{path}/{name}"),
                api_version: version.clone(),
                kind: kind.to_owned(),
            });
        }
    }
    Ok(collections)
}

/// Plays controllers until it is dropped: what hooks and waves wait for becomes ready at once.
pub(super) struct StandIn {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The kinds of hooks that are waited for: path of the collection, and kind.
pub(super) const HOOKS: &[(&str, &str)] = &[("/apis/batch/v1/jobs", "Job"), ("/api/v1/pods", "Pod")];

/// All kinds that a sync waits for.
pub(super) const ALL: &[(&str, &str)] = &[
    ("/apis/batch/v1/jobs", "Job"),
    ("/api/v1/pods", "Pod"),
    ("/apis/apps/v1/deployments", "Deployment"),
    ("/apis/apps/v1/statefulsets", "StatefulSet"),
    ("/apis/apps/v1/daemonsets", "DaemonSet"),
    (CLAIMS, "PersistentVolumeClaim"),
    ("/apis/networking.k8s.io/v1/ingresses", "Ingress"),
    ("/apis/policy/v1/poddisruptionbudgets", "PodDisruptionBudget"),
    ("/api/v1/services", "Service"),
];

const CLAIMS: &str = "/api/v1/persistentvolumeclaims";

async fn play(side: &Side, (path, kind): (&str, &str)) -> anyhow::Result<()> {
    for object in side.list(path).await? {
        let Some(status) = ready(kind, &object) else { continue };
        let metadata = &object["metadata"];
        let (base, plural) = path.rsplit_once('/').unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let at =
            format!("{base}/namespaces/{}/{plural}/{}/status", text(&metadata["namespace"]), text(&metadata["name"]));
        side.merge(&at, &json!({"status": status})).await?;
    }
    Ok(())
}

/// The status of an object that has become what it should be; nothing where it is that already.
fn ready(kind: &str, object: &Value) -> Option<Value> {
    let (status, metadata) = (&object["status"], &object["metadata"]);
    let now = metadata["creationTimestamp"].clone();
    let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "Played", "message": "",
            "lastProbeTime": now.clone(), "lastTransitionTime": now.clone()})
    };
    let plain =
        |kind: &str| json!({"type": kind, "status": "True", "reason": "Played", "lastTransitionTime": now.clone()});
    let seen = status["observedGeneration"] == metadata["generation"];
    match kind {
        "Job" if status["completionTime"].is_null() => Some(json!({
            "startTime": now, "completionTime": now, "succeeded": object["spec"]["completions"].as_i64().unwrap_or(1),
            "active": 0, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {},
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
        })),
        "Pod" if status["phase"] != "Succeeded" => Some(json!({"phase": "Succeeded"})),
        "Deployment" if !seen => Some(json!({
            "observedGeneration": metadata["generation"], "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas,
            "conditions": [plain("Available"), plain("Progressing")],
        })),
        "StatefulSet" if !seen => Some(json!({
            "observedGeneration": metadata["generation"], "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": replicas, "availableReplicas": replicas, "currentReplicas": replicas,
            "currentRevision": "played", "updateRevision": "played",
        })),
        "DaemonSet" if !seen => Some(json!({
            "observedGeneration": metadata["generation"], "desiredNumberScheduled": 0, "currentNumberScheduled": 0,
            "numberMisscheduled": 0, "numberReady": 0, "updatedNumberScheduled": 0, "numberAvailable": 0,
        })),
        "PersistentVolumeClaim" if status["phase"] != "Bound" => Some(json!({"phase": "Bound"})),
        "Ingress" | "Service"
            if status["loadBalancer"]["ingress"].is_null()
                && (kind == "Ingress" || object["spec"]["type"] == "LoadBalancer") =>
        {
            Some(json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}))
        }
        "PodDisruptionBudget" if !seen => Some(json!({
            "observedGeneration": metadata["generation"], "currentHealthy": 1, "desiredHealthy": 0, "expectedPods": 1,
            "disruptionsAllowed": 1,
            "conditions": [{"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods", "message": "",
                "observedGeneration": metadata["generation"], "lastTransitionTime": now}],
        })),
        _ => None,
    }
}
