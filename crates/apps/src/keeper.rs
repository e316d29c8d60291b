//! An Application's status, kept while the engine carries its sync out.

use std::sync::Arc;

use futures::future::BoxFuture;
use landfall_cluster::{Cluster, Patch, WriteOptions};
use landfall_engine::{Clock, Ending, Error as EngineError, Failure, HookRun, Ledger, Live, Plan, Task};
use landfall_object::{Object, ObjectKey};
use landfall_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::status::{SyncStatus, health_of, resource_entry};

/// Where the store keeps which objects belong to an application whose object the cluster does not hold.
pub(crate) const FACTS: &str = "application-resources";
/// Entries kept in `status.history`, unless the Application says otherwise.
const HISTORY: usize = 10;

/// All that has to be known to keep an application's status, also by a process that resumes the sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Whole: it is written into the sealed journal alone.
    #[serde(serialize_with = "landfall_object::revealed")]
    pub(crate) application: Object,
    pub(crate) revision: String,
    pub(crate) resources: Vec<ObjectKey>,
    pub(crate) deletes: bool,
}

/// Kubernetes writes times in seconds.
pub(crate) fn seconds(time: jiff::Timestamp) -> String {
    jiff::Timestamp::from_second(time.as_second()).map_or_else(|_| String::new(), |time| time.to_string())
}

/// Keeps an Application's status while the engine carries its plan out.
pub struct Keeper {
    pub(crate) cluster: Cluster,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) course: Course,
    pub(crate) plan: Plan,
    /// When the sync began, also when another process began it.
    pub(crate) started: String,
    pub(crate) resumed: bool,
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
            let known = self.store.facts.get(FACTS, &self.target()).await?;
            let known: Vec<ObjectKey> = known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default();
            keys.extend(known);
            keys.sort();
            keys.dedup();
        }
        self.store.facts.set(FACTS, &self.target(), &json!(keys)).await?;
        Ok(())
    }

    async fn end(&self, ending: Ending<'_>) -> Result<(), EngineError> {
        let succeeded = ending == Ending::Succeeded;
        if self.course.deletes {
            if succeeded {
                self.store.facts.remove(FACTS, &self.target()).await?;
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
