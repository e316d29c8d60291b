use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use futures::future::BoxFuture;
use landfall_cluster::{Cluster, ListOptions, Patch, Propagation, Scope, WriteOptions};
use landfall_engine::{
    Begun, Clock, DEFAULT_GOING, Desired, DesiredPhase, Door, Ending, Error as EngineError, Failure, HookRun, Item,
    Ledger, Live, MadeNamespace, PhaseRuns, Plan, Report, StepResult, Task, kinds_defined, plan,
};
use landfall_object::{Object, ObjectKey};
use landfall_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::compile::{HealthWait, Target, compile};
use crate::status::{SyncStatus, health_of, resource_entry, resource_key};
use crate::tracking::owner;
use crate::{Application, Error};

/// Where the store keeps which objects belong to an application whose object the cluster does not hold.
const FACTS: &str = "application-resources";
/// Entries kept in `status.history`, unless the Application says otherwise.
const HISTORY: usize = 10;

/// Applications of a cluster, to be compared and synced.
pub struct Applications {
    /// The cluster, which is also each application's destination.
    pub cluster: Cluster,
    /// What belongs to an application whose object the cluster does not hold.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Kinds (group and kind) that are not served yet and come before the sync.
    pub expected: BTreeMap<(String, String), Scope>,
}

/// What is to be synced.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncRequest {
    /// The rendered objects.
    pub targets: Vec<Target>,
    /// What they were rendered from: a commit or a chart's version.
    pub revision: String,
    /// Whether objects no longer wanted are deleted; the Application's own policy when absent.
    pub prune: Option<bool>,
    /// Whose health is waited for.
    pub wait: HealthWait,
    /// Seconds that each wave and each hook may take.
    pub timeout: u64,
}

/// A sync ready to be shown and carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedSync {
    /// What will be done.
    pub plan: Plan,
    /// The live objects that the plan was made from.
    pub live: Live,
    /// What a user should know.
    pub notes: Vec<String>,
    /// Whether the cluster is as the source says, differences that the Application ignores aside.
    status: SyncStatus,
    course: Course,
}

impl PreparedSync {
    /// Takes the namespaces that were made for its trial as what the plan saw.
    pub fn adopt(&mut self, made: &[MadeNamespace]) {
        self.plan.adopt(made);
    }

    /// Whether the cluster is as the source says, differences that the Application ignores aside.
    pub fn status(&self) -> SyncStatus {
        self.status
    }
}

/// How a sync has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Synced {
    /// What the engine did.
    pub report: Report,
    /// Objects that were kept although the source no longer names them.
    pub kept: Vec<ObjectKey>,
}

/// All that has to be known to keep an application's status, also by a process that resumes the sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Whole: it is written into the sealed journal alone.
    #[serde(serialize_with = "landfall_object::revealed")]
    application: Object,
    revision: String,
    resources: Vec<ObjectKey>,
    deletes: bool,
}

impl Applications {
    /// The live objects that belong to an application: those that its status names and, where the store knows more,
    /// those, as far as they carry its tracking annotation.
    ///
    /// # Errors
    /// What the cluster refuses with.
    pub async fn tracked(&self, application: &Application) -> Result<Vec<Object>, Error> {
        let mut keys: Vec<ObjectKey> = Vec::new();
        if let Some(live) = self.read(application).await? {
            keys.extend(live.list_at("/status/resources").iter().filter_map(resource_key));
        }
        if let Some(known) = self.store.fact(FACTS, &application.target()).await? {
            let known: Vec<ObjectKey> = serde_json::from_value(known).unwrap_or_default();
            keys.extend(known);
        }
        keys.sort();
        keys.dedup();
        let objects = self.cluster.get_all(&keys).await?;
        Ok(objects.into_iter().filter(|object| owner(object) == Some(&application.name)).collect())
    }

    async fn read(&self, application: &Application) -> Result<Option<Object>, Error> {
        match self.cluster.get(&application.key()).await {
            Ok(live) => Ok(live),
            // A cluster without Argo CD's kinds: the store alone remembers.
            Err(landfall_cluster::Error::NoMatch { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Prepares a sync; also the way to compare.
    ///
    /// # Errors
    /// [`Error::UnknownKind`], [`Error::Shared`], [`Error::WipesOut`], and what planning refuses.
    pub async fn prepare(&self, application: &Application, request: SyncRequest) -> Result<PreparedSync, Error> {
        let mut scopes = scopes(&request.targets);
        scopes.extend(self.expected.clone());
        let mut targets = Vec::new();
        for Target { object, path } in request.targets {
            let object = self.place(application, object, &scopes).await?;
            targets.push(Target { object, path });
        }
        let mut tracked = self.tracked(application).await?;
        let keys: Vec<ObjectKey> = targets
            .iter()
            .map(|target| target.object.key())
            .filter(|key| !key.name.is_empty() && !tracked.iter().any(|live| live.key() == *key))
            .collect();
        tracked.extend(self.cluster.get_all(&keys).await?);
        let automated = application.policy.automated.unwrap_or_default();
        let prune = request.prune.unwrap_or_else(|| automated.prune.unwrap_or(false));
        let owned = tracked.iter().filter(|live| owner(live) == Some(&application.name)).count();
        if prune
            && targets.is_empty()
            && owned > 0
            && !automated.allow_empty.unwrap_or(false)
            && request.prune.is_none()
        {
            return Err(Error::WipesOut);
        }
        let compiled = compile(application, targets.clone(), &tracked, prune, request.wait, request.timeout)?;
        let live = Live::new(self.cluster.get_all(&compiled.desired.keys()).await?);
        let plan = plan(&compiled.desired, &live)?;
        let mut status = status_of(&plan);
        if status == SyncStatus::OutOfSync && !application.ignore_differences.is_empty() {
            // Compared as if ignored fields were delivered as they are; a sync that has other reasons writes them, too.
            let lenient = application.clone().respecting_ignored();
            let compiled = compile(&lenient, targets, &tracked, prune, request.wait, request.timeout)?;
            status = status_of(&landfall_engine::plan(&compiled.desired, &live)?);
        }
        let course = Course {
            application: application.object.clone(),
            revision: request.revision,
            resources: compiled.resources,
            deletes: false,
        };
        Ok(PreparedSync { plan, live, notes: compiled.notes, status, course })
    }

    /// Prepares the removal of all that an application delivered, in reverse order.
    ///
    /// # Errors
    /// What planning refuses.
    pub async fn prepare_delete(
        &self,
        application: &Application,
        propagation: Propagation,
    ) -> Result<PreparedSync, Error> {
        let mut tracked = self.tracked(application).await?;
        tracked.sort_by_key(|live| {
            std::cmp::Reverse((crate::annotations::wave(live), landfall_object::order::sync_key(live)))
        });
        let items = tracked
            .iter()
            .map(|live| {
                let key = live.key();
                let own = crate::ResourceOptions::of(live);
                let once = landfall_engine::once_keys(live);
                let (task, why) = if own.no_delete {
                    (Task::Keep { key }, "Delete=false".to_owned())
                } else if !once.is_empty() {
                    (Task::Keep { key }, format!("kept: {} generated once", once.join(", ")))
                } else {
                    (Task::Delete { key, propagation }, "the application is deleted".to_owned())
                };
                Item { wave: 0, task, why }
            })
            .collect::<Vec<_>>();
        let phases = vec![DesiredPhase { name: "Delete".into(), runs: PhaseRuns::OnSuccess, items }];
        let desired = Desired { target: application.target(), kind: "delete".into(), phases, timeout: DEFAULT_GOING };
        let live = Live::new(tracked);
        let plan = plan(&desired, &live)?;
        let course = Course {
            application: application.object.clone(),
            revision: String::new(),
            resources: Vec::new(),
            deletes: true,
        };
        Ok(PreparedSync { status: status_of(&plan), plan, live, notes: Vec::new(), course })
    }

    async fn place(
        &self,
        application: &Application,
        mut object: Object,
        scopes: &BTreeMap<(String, String), Scope>,
    ) -> Result<Object, Error> {
        let gvk = object.gvk();
        let namespace = &application.destination.namespace;
        match scopes.get(&(gvk.group.clone(), gvk.kind.clone())) {
            Some(Scope::Namespaced) => {
                if object.namespace().is_none() {
                    object.set_namespace(&**namespace);
                }
                Ok(object)
            }
            Some(Scope::Cluster) => {
                object.metadata_mut().remove("namespace");
                Ok(object)
            }
            None => {
                let key = object.key();
                let home = if namespace.is_empty() { self.cluster.default_namespace() } else { namespace };
                self.cluster.place(object, home).await.map_err(|error| match error {
                    landfall_cluster::Error::NoMatch { .. } => Error::UnknownKind { key: Box::new(key) },
                    other => other.into(),
                })
            }
        }
    }

    /// All Applications that the cluster holds; none where it does not know the kind.
    ///
    /// # Errors
    /// What the cluster refuses with; an Application that cannot be read is left out.
    pub async fn list(&self) -> Result<Vec<Application>, Error> {
        let gvk = landfall_object::Gvk::new("argoproj.io", "v1alpha1", "Application");
        match self.cluster.list(&gvk, &ListOptions::default()).await {
            Ok(objects) => Ok(objects.iter().filter_map(|object| Application::parse(object).ok()).collect()),
            Err(landfall_cluster::Error::NoMatch { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Door for Applications {
    type Target = Application;
    type Operation = PreparedSync;
    type Course = Course;
    type Keeper = Keeper;
    type Ended = Synced;
    type Repaired = Infallible;
    type Error = Error;

    fn target(&self, application: &Application) -> String {
        application.target()
    }

    fn parts(prepared: &PreparedSync) -> (&Plan, &Course) {
        (&prepared.plan, &prepared.course)
    }

    fn keeper(&self, course: &Course, plan: &Plan, begun: Begun) -> Keeper {
        let (started, resumed) = match begun {
            Begun::Now(at) => (at, false),
            Begun::Before(at) => (at, true),
        };
        Keeper {
            started: seconds(started),
            resumed,
            cluster: self.cluster.clone(),
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            course: course.clone(),
            plan: plan.clone(),
        }
    }

    fn ended(&self, _: &Keeper, report: Report, _: Option<Synced>) -> Synced {
        Synced { kept: report.with(StepResult::Kept).cloned().collect(), report }
    }
}

fn status_of(plan: &Plan) -> SyncStatus {
    if plan.changes_nothing() { SyncStatus::Synced } else { SyncStatus::OutOfSync }
}

fn scopes(targets: &[Target]) -> BTreeMap<(String, String), Scope> {
    kinds_defined(targets.iter().map(|target| &target.object))
}

/// Kubernetes writes times in seconds.
fn seconds(time: jiff::Timestamp) -> String {
    jiff::Timestamp::from_second(time.as_second()).map_or_else(|_| String::new(), |time| time.to_string())
}

/// Keeps an Application's status while the engine carries its plan out.
pub struct Keeper {
    cluster: Cluster,
    store: Store,
    clock: Arc<dyn Clock>,
    course: Course,
    plan: Plan,
    /// When the sync began, also when another process began it.
    started: String,
    resumed: bool,
}

impl Keeper {
    fn now(&self) -> String {
        seconds(self.clock.now())
    }

    fn target(&self) -> String {
        self.plan.target.clone()
    }

    fn key(&self) -> ObjectKey {
        let mut key = self.course.application.key();
        key.namespace.get_or_insert_with(|| "argocd".into());
        key
    }

    /// Merges into the Application's status, where the cluster holds the Application.
    async fn write(&self, status: Value, further: Option<(&str, Value)>) -> Result<(), EngineError> {
        let mut body = json!({"status": status});
        if let Some((field, value)) = further {
            body[field] = value;
        }
        let options = WriteOptions { field_manager: Some("argocd-controller".into()), ..WriteOptions::default() };
        match self.cluster.patch(&self.key(), &Patch::Merge(body), &options).await {
            Ok(_) | Err(landfall_cluster::Error::NoMatch { .. }) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn operation_state(&self, phase: &str, message: &str, finished: Option<String>, results: Vec<Value>) -> Value {
        let mut state = json!({
            "operation": {"sync": {"revision": self.course.revision}},
            "phase": phase,
            "message": message,
            "startedAt": self.started,
            "finishedAt": finished,
            "syncResult": {"revision": self.course.revision, "resources": results},
        });
        let source = self.course.application.at("/spec/source").or(self.course.application.at("/spec/sources/0"));
        if let Some(source) = source {
            state["syncResult"]["source"] = source.clone();
        }
        state
    }

    /// All objects that the store is to remember: those of before the sync, too, until it has ended well.
    async fn remember(&self, only: bool) -> Result<(), EngineError> {
        let mut keys = self.course.resources.clone();
        if !only {
            let known = self.store.fact(FACTS, &self.target()).await?;
            let known: Vec<ObjectKey> = known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default();
            keys.extend(known);
            keys.sort();
            keys.dedup();
        }
        self.store.set_fact(FACTS, &self.target(), &json!(keys)).await?;
        Ok(())
    }

    async fn end(&self, ending: Ending<'_>) -> Result<(), EngineError> {
        let succeeded = ending == Ending::Succeeded;
        if self.course.deletes {
            if succeeded {
                self.store.remove_fact(FACTS, &self.target()).await?;
            }
            return Ok(());
        }
        // Kept objects still belong to the application: they are remembered until they are pruned.
        let kept: Vec<ObjectKey> = self
            .plan
            .steps()
            .filter(|step| matches!(step.task, Task::Keep { .. }))
            .map(|step| step.key.clone())
            .collect();
        if succeeded && kept.is_empty() {
            self.remember(true).await?;
        }
        let live = Live::new(self.cluster.get_all(&self.course.resources).await?);
        let sync = if succeeded { SyncStatus::Synced } else { SyncStatus::OutOfSync };
        let mut resources: Vec<Value> =
            self.course.resources.iter().map(|key| resource_entry(key, sync, live.get(key))).collect();
        for key in &kept {
            let mut entry = resource_entry(key, SyncStatus::OutOfSync, None);
            entry["requiresPruning"] = true.into();
            resources.push(entry);
        }
        let overall = if succeeded && kept.is_empty() { SyncStatus::Synced } else { SyncStatus::OutOfSync };
        let health = health_of(self.course.resources.iter().map(|key| live.get(key)));
        let now = self.now();
        let (phase, message, failure) = match ending {
            Ending::Succeeded => ("Succeeded", "successfully synced (no more tasks)".to_owned(), None),
            Ending::Failed(failure) => ("Failed", format!("{}: {}", failure.key, failure.message), Some(failure)),
            Ending::GivenUp => ("Failed", "Operation terminated".to_owned(), None),
        };
        let results = self.course.resources.iter().map(|key| result_entry(key, failure)).collect();
        let mut status = json!({
            "sync": {
                "status": overall.word(),
                "revision": self.course.revision,
                "comparedTo": {
                    "destination": self.course.application.at("/spec/destination"),
                    "source": self.course.application.at("/spec/source"),
                },
            },
            "health": {"status": health.to_string(), "lastTransitionTime": now},
            "resources": resources,
            "reconciledAt": now,
            "operationState": self.operation_state(phase, &message, Some(now.clone()), results),
        });
        if succeeded {
            status["history"] = self.history(&now).await?;
        }
        self.write(status, Some(("operation", Value::Null))).await
    }

    async fn history(&self, now: &str) -> Result<Value, EngineError> {
        let live = match self.cluster.get(&self.key()).await {
            Ok(Some(live)) => live,
            _ => return Ok(json!([])),
        };
        let mut history = live.list_at("/status/history").to_vec();
        let started = &self.started;
        // A process that died after this write must not write it twice.
        let again = self.resumed && history.last().is_some_and(|last| last["deployStartedAt"] == json!(started));
        if !again {
            let id = history.last().and_then(|last| last["id"].as_i64()).map_or(0, |id| id + 1);
            history.push(json!({
                "id": id,
                "revision": self.course.revision,
                "source": self.course.application.at("/spec/source"),
                "deployStartedAt": started,
                "deployedAt": now,
                "initiatedBy": {},
            }));
        }
        let limit =
            live.i64_at("/spec/revisionHistoryLimit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(HISTORY);
        let surplus = history.len().saturating_sub(limit);
        history.drain(..surplus);
        Ok(Value::Array(history))
    }
}

fn result_entry(key: &ObjectKey, failure: Option<&Failure>) -> Value {
    let failed = failure.filter(|failure| failure.key == *key);
    json!({
        "group": key.gvk.group,
        "version": key.gvk.version,
        "kind": key.gvk.kind,
        "namespace": key.namespace.as_deref().unwrap_or_default(),
        "name": key.name,
        "status": if failed.is_some() { "SyncFailed" } else { "Synced" },
        "message": failed.map(|failure| failure.message.clone()).unwrap_or_default(),
        "syncPhase": "Sync",
    })
}

impl Ledger for Keeper {
    fn begun(&self) -> BoxFuture<'_, Result<(), EngineError>> {
        Box::pin(async {
            if self.course.deletes {
                return Ok(());
            }
            self.remember(false).await?;
            let state = self.operation_state("Running", "syncing", None, Vec::new());
            self.write(json!({"operationState": state}), None).await
        })
    }

    fn hook<'a>(&'a self, _: &'a HookRun) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }

    fn ended<'a>(&'a self, ending: Ending<'a>) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(self.end(ending))
    }
}
