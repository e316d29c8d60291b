//! An Application's status, kept while the engine carries its sync out.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use landfall_cluster::{Cluster, Patch, WriteOptions};
use landfall_engine::{Clock, Ending, Error as EngineError, Failure, HookRun, Ledger, Live, Plan, StepState, Task};
use landfall_object::health::Rulebook;
use landfall_object::{Object, ObjectKey};
use landfall_store::Store;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::annotations::HookType;
use crate::pens::Pens;
use crate::results::{Refused, refused, results, terminated, waiting};
use crate::status::{SyncStatus, health_of, resource_entry, sync_status, written_revisions, written_sources};
use crate::{Application, Operation, ResourceOptions, SyncOptions};

/// Where the store keeps which objects belong to an application whose object the cluster does not hold.
pub(crate) const FACTS: &str = "application-resources";

/// The same for the objects of hooks, which are no resources and stay until the Application goes.
pub(crate) const HOOK_FACTS: &str = "application-hooks";
/// Entries kept in `status.history`, unless the Application says otherwise.
const HISTORY: usize = 10;

/// All that has to be known to keep an application's status, also by a process that resumes the sync.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Whole: it is written into the sealed journal alone.
    #[serde(serialize_with = "landfall_object::revealed")]
    pub(crate) application: Object,
    /// One a source; earlier versions wrote one for all.
    #[serde(alias = "revision", deserialize_with = "one_or_several")]
    pub(crate) revisions: Vec<String>,
    pub(crate) resources: Vec<ObjectKey>,
    /// Objects that are no longer wanted and stay for good.
    #[serde(default)]
    pub(crate) kept: Vec<ObjectKey>,
    pub(crate) deletes: bool,
    /// Who asked for it.
    #[serde(default)]
    pub(crate) operation: Operation,
    /// How often it was tried before.
    #[serde(default)]
    pub(crate) attempt: u32,
}

impl Course {
    /// That of what an application's deletion does.
    pub(crate) fn of_deletion(application: &Application) -> Self {
        Course {
            application: application.object.clone(),
            revisions: Vec::new(),
            resources: Vec::new(),
            kept: Vec::new(),
            deletes: true,
            operation: Operation::default(),
            attempt: 0,
        }
    }
}

fn one_or_several<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Written::deserialize(from)? {
        Written::One(revision) => vec![revision],
        Written::Several(revisions) => revisions,
    })
}

/// Kubernetes writes times in seconds.
pub(crate) fn seconds(time: jiff::Timestamp) -> String {
    jiff::Timestamp::from_second(time.as_second()).map_or_else(|_| String::new(), |time| time.to_string())
}

/// Where a sync is when it is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// It is under way.
    Meanwhile,
    /// It has ended, and is tried again later.
    ToBeTriedAgain,
    /// It has ended, and what was asked for with it.
    Over,
}

/// Keeps an Application's status while the engine carries its plan out.
pub struct Keeper {
    /// Where it delivers to.
    pub(crate) cluster: Cluster,
    /// Where its own object is.
    pub(crate) home: Cluster,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    /// By what the objects are judged.
    pub(crate) health: Rulebook,
    pub(crate) course: Course,
    pub(crate) plan: Plan,
    /// When the sync began, also when another process began it.
    pub(crate) started: String,
    pub(crate) resumed: bool,
    pub(crate) pens: Pens,
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
    async fn write(&self, status: Value, moment: Moment) -> Result<(), EngineError> {
        let is_over = moment == Moment::Over;
        let mut body = json!({"status": status});
        if is_over {
            body["operation"] = Value::Null;
        }
        let pen = self.pens.of(&self.key());
        let turn = pen.turn().await;
        if moment != Moment::Meanwhile {
            pen.ends(&turn);
        }
        let options = WriteOptions { field_manager: Some("argocd-controller".into()), ..WriteOptions::default() };
        match self.home.patch(&self.key(), &Patch::Merge(body), &options).await {
            Ok(_) | Err(landfall_cluster::Error::NoMatch { .. }) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn operation_state(&self, phase: &str, message: &str, finished: Option<String>, results: Vec<Value>) -> Value {
        operation_state(&self.course, &self.started, phase, message, finished, results)
    }

    /// Argo CD's phase of a sync that has failed, how often it was tried by the next time, and its message.
    fn failed(&self, message: String) -> (&'static str, u32, String) {
        failed(&self.course.operation, self.course.attempt, message, self.clock.now())
    }

    /// All objects that the store is to remember: those of before the sync, too, until it has ended well.
    async fn remember(&self, only: bool) -> Result<(), EngineError> {
        let mut keys = self.course.resources.clone();
        keys.extend(self.course.kept.iter().cloned());
        if !only {
            let known = self.store.facts.get(FACTS, &self.target()).await?;
            let known: Vec<ObjectKey> = known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default();
            keys.extend(known);
            keys.sort();
            keys.dedup();
        }
        self.store.facts.set(FACTS, &self.target(), &json!(keys)).await?;
        self.remember_hooks().await
    }

    /// The objects of hooks that a sync makes, and those of syncs before it. Of a definition no hook's end is the end, for its objects
    /// would go along; neither is the Application's.
    async fn remember_hooks(&self) -> Result<(), EngineError> {
        let hooks = self.plan.steps().filter(|step| matches!(step.task, Task::Hook(_)));
        let hooks = hooks.map(|step| &step.key).filter(|key| !key.name.is_empty());
        let hooks: Vec<&ObjectKey> = hooks.filter(|key| key.gvk.kind != "CustomResourceDefinition").collect();
        if hooks.is_empty() {
            return Ok(());
        }
        let known = self.store.facts.get(HOOK_FACTS, &self.target()).await?;
        let known: Vec<ObjectKey> = known.and_then(|known| serde_json::from_value(known).ok()).unwrap_or_default();
        let all: BTreeSet<&ObjectKey> = known.iter().chain(hooks).collect();
        if all.len() > known.len() {
            self.store.facts.set(HOOK_FACTS, &self.target(), &json!(all)).await?;
        }
        Ok(())
    }

    async fn end(&self, ending: Ending<'_>, so_far: &[StepState<'_>]) -> Result<(), EngineError> {
        let succeeded = ending == Ending::Succeeded;
        if self.course.deletes {
            // Before it goes all is still there.
            let is_before = self.plan.phases.iter().any(|phase| phase.name == HookType::PreDelete.word());
            if succeeded && !is_before {
                self.store.facts.remove(FACTS, &self.target()).await?;
                self.store.facts.remove(HOOK_FACTS, &self.target()).await?;
            }
            return Ok(());
        }
        let partial = self.course.operation.is_partial();
        // Kept objects still belong to the application: they are remembered until they are pruned.
        let kept: Vec<ObjectKey> = self
            .plan
            .steps()
            .filter(|step| matches!(step.task, Task::Keep { .. }))
            .map(|step| step.key.clone())
            .filter(|key| !self.course.kept.contains(key))
            .collect();
        if succeeded && kept.is_empty() && !partial {
            self.remember(true).await?;
        }
        let now = self.now();
        let told = |failure: &Failure| format!("{}: {}", failure.key, failure.message);
        let results = results(so_far);
        let ((phase, retries, message), results) = match ending {
            Ending::Succeeded => {
                (("Succeeded", self.course.attempt, "successfully synced (no more tasks)".to_owned()), results)
            }
            Ending::Failed(failure) => (self.failed(told(failure)), results),
            Ending::GivenUp => {
                (("Failed", self.course.attempt, "Operation terminated".to_owned()), terminated(&results))
            }
        };
        let mut state = self.operation_state(phase, &message, Some(now.clone()), results);
        state["retryCount"] = retries.into();
        let mut status = json!({"operationState": state});
        // A part of the objects says nothing of the others.
        if !partial {
            self.outcome(&mut status, succeeded, &kept, &now).await?;
        }
        self.write(status, if phase == "Running" { Moment::ToBeTriedAgain } else { Moment::Over }).await
    }

    /// How the Application and its objects stand after a sync of all of them.
    async fn outcome(
        &self,
        status: &mut Value,
        succeeded: bool,
        kept: &[ObjectKey],
        now: &str,
    ) -> Result<(), EngineError> {
        let Course { application, resources, revisions, .. } = &self.course;
        let all: Vec<ObjectKey> = resources.iter().chain(&self.course.kept).cloned().collect();
        let live = Live::new(self.cluster.get_all(&all).await?);
        let sync = if succeeded { SyncStatus::Synced } else { SyncStatus::OutOfSync };
        let options = application.list_at("/spec/syncPolicy/syncOptions").iter().filter_map(Value::as_str);
        let options = SyncOptions::parse(options);
        let told = |key: &ObjectKey, sync, live: Option<&Object>| {
            let mut entry = resource_entry(key, sync, live, &self.health);
            if live.is_some_and(|live| ResourceOptions::of(live).is_confirmed_to_go(&options)) {
                entry["requiresDeletionConfirmation"] = true.into();
            }
            entry
        };
        let mut entries: Vec<Value> = resources.iter().map(|key| told(key, sync, live.get(key))).collect();
        for key in kept {
            let mut entry = told(key, SyncStatus::OutOfSync, None);
            entry["requiresPruning"] = true.into();
            entries.push(entry);
        }
        for key in &self.course.kept {
            let mut entry = told(key, SyncStatus::Synced, live.get(key));
            entry["requiresPruning"] = true.into();
            entries.push(entry);
        }
        let overall = if succeeded && kept.is_empty() { SyncStatus::Synced } else { SyncStatus::OutOfSync };
        let health = health_of(resources.iter().map(|key| live.get(key)), &self.health);
        status["sync"] = sync_status(application, overall.word(), revisions);
        status["health"] = json!({"status": health.to_string(), "lastTransitionTime": now});
        status["resources"] = entries.into();
        status["reconciledAt"] = now.into();
        if succeeded {
            status["history"] = self.history(now).await?;
        }
        Ok(())
    }

    async fn history(&self, now: &str) -> Result<Value, EngineError> {
        let live = match self.home.get(&self.key()).await {
            Ok(Some(live)) => live,
            Ok(None) | Err(landfall_cluster::Error::NoMatch { .. }) => return Ok(json!([])),
            // What is there is not known, and would be written over.
            Err(error) => return Err(error.into()),
        };
        let mut history = live.list_at("/status/history").to_vec();
        let id = history.last().and_then(|last| last["id"].as_i64()).map_or(0, |id| id + 1);
        let by = self.course.operation.written()["initiatedBy"].take();
        let mut entry = json!({"id": id, "deployStartedAt": self.started, "deployedAt": now});
        entry["initiatedBy"] = if by.is_object() { by } else { json!({}) };
        written_revisions(&mut entry, &self.course.revisions);
        written_sources(&mut entry, &self.course.application);
        // A process that died after this write must not write it twice. Of two syncs that began in one second revisions tell which it is.
        let is_it = |last: &Value| ["deployStartedAt", "revision", "revisions"].iter().all(|it| last[it] == entry[it]);
        if !(self.resumed && history.last().is_some_and(is_it)) {
            history.push(entry);
        }
        let limit =
            live.i64_at("/spec/revisionHistoryLimit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(HISTORY);
        let surplus = history.len().saturating_sub(limit);
        history.drain(..surplus);
        Ok(Value::Array(history))
    }
}

fn operation_state(
    course: &Course,
    started: &str,
    phase: &str,
    message: &str,
    finished: Option<String>,
    results: Vec<Value>,
) -> Value {
    let Course { application, revisions, operation, attempt, .. } = course;
    let mut operation = operation.written();
    if operation["sync"]["revision"].is_null() && operation["sync"]["revisions"].is_null() {
        written_revisions(&mut operation["sync"], revisions);
    }
    let mut result = json!({"resources": results});
    written_revisions(&mut result, revisions);
    written_sources(&mut result, application);
    let state = json!({
        "operation": operation,
        "phase": phase,
        "message": message,
        "startedAt": started,
        "finishedAt": finished,
        "retryCount": attempt,
        "syncResult": result,
    });
    alone(application, state)
}

/// What is told of an operation, with nothing left of the one before it once that is merged.
fn alone(application: &Object, mut state: Value) -> Value {
    if let Some(before) = application.at("/status/operationState") {
        take_off(before, &mut state);
    }
    for (pointer, fields) in OF_OTHERS {
        let Some(part) = state.pointer_mut(pointer).and_then(Value::as_object_mut) else { continue };
        for field in fields {
            part.entry(*field).or_insert(Value::Null);
        }
    }
    state
}

/// What is to be merged into an Application whose operation is not carried out at all: it is taken off, and its
/// `operationState` says why, and nothing of the operation before.
pub fn refused_operation(application: &Object, why: &str, now: jiff::Timestamp) -> Value {
    let now = seconds(now);
    let state = json!({
        "operation": application.at("/operation"), "phase": "Error", "message": why,
        "startedAt": now, "finishedAt": now, "retryCount": Value::Null, "syncResult": Value::Null,
    });
    json!({"operation": Value::Null, "status": {"operationState": alone(application, state)}})
}

/// Fields that another operation may have had where this one has none: what is merged over it would leave them there, so that
/// an automated sync's mark, or the objects of a partial one, would be told of the next operation, too.
const OF_OTHERS: [(&str, &[&str]); 4] = [
    ("/operation", &["initiatedBy", "retry"]),
    ("/operation/initiatedBy", &["automated", "username"]),
    (
        "/operation/sync",
        &["revision", "revisions", "prune", "resources", "syncStrategy", "syncOptions", "autoHealAttemptsCount"],
    ),
    ("/syncResult", &["revision", "revisions", "source", "sources"]),
];

/// Takes off what was there before and is no longer, however deep it lies.
fn take_off(before: &Value, now: &mut Value) {
    let (Some(before), Some(now)) = (before.as_object(), now.as_object_mut()) else { return };
    for (field, value) in before {
        match now.get_mut(field) {
            Some(now) => take_off(value, now),
            None => drop(now.insert(field.clone(), Value::Null)),
        }
    }
}

fn failed(operation: &Operation, attempt: u32, message: String, now: jiff::Timestamp) -> (&'static str, u32, String) {
    let next = attempt + 1;
    if !operation.retry.allows(next) {
        return ("Failed", attempt, message);
    }
    let wait = i64::try_from(operation.retry.wait(next)).unwrap_or(i64::MAX);
    let at = now.checked_add(jiff::SignedDuration::from_secs(wait)).map(seconds).unwrap_or_default();
    // Running, and finished nevertheless: it waits to be tried again.
    let message = message.trim_end_matches('.');
    ("Running", next, format!("{message}. Retrying attempt #{next} at {at}."))
}

/// How a sync ended that no engine has carried out to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// There was nothing to do.
    Succeeded,
    /// It could not be begun, for what the cluster would refuse of it or for another reason; it is tried again as often as its
    /// operation says.
    Failed(Vec<Refused>),
    /// It was ended for good.
    Stopped,
    /// It waited to be tried again, and is not: a wish that stands in the Application by now is another one's.
    GivenUp,
}

/// What is to be merged into an Application whose sync no engine has carried out to its end: its `operationState`, and
/// its `operation` taken off where that is over. Of one that is ended, what its status has told so far stays.
pub fn tried_in_vain(
    application: &Object,
    (operation, attempt): (&Operation, u32),
    revisions: &[String],
    message: &str,
    tried: Tried,
    now: jiff::Timestamp,
) -> Value {
    let (phase, retries, message) = match &tried {
        Tried::Succeeded => ("Succeeded", attempt, message.to_owned()),
        Tried::Failed(_) => failed(operation, attempt, message.to_owned(), now),
        Tried::Stopped | Tried::GivenUp => ("Failed", attempt, message.to_owned()),
    };
    let course = Course {
        application: application.clone(),
        revisions: revisions.to_vec(),
        resources: Vec::new(),
        kept: Vec::new(),
        deletes: false,
        operation: operation.clone(),
        attempt: retries,
    };
    let now = seconds(now);
    let (started, results) = match &tried {
        Tried::Stopped | Tried::GivenUp => told_so_far(application).unwrap_or_else(|| (now.clone(), Vec::new())),
        Tried::Succeeded => (now.clone(), Vec::new()),
        Tried::Failed(objects) => (now.clone(), refused(objects)),
    };
    let state = operation_state(&course, &started, phase, &message, Some(now), results);
    let mut patch = json!({"status": {"operationState": state}});
    if phase != "Running" && tried != Tried::GivenUp {
        patch["operation"] = Value::Null;
    }
    patch
}

/// When the sync began that an Application tells of, and what has become of its objects; nothing where it tells of one that is over.
fn told_so_far(application: &Object) -> Option<(String, Vec<Value>)> {
    let text = |field: &str| application.str_at(&format!("/status/operationState/{field}"));
    // One that waits to be tried again is Running and finished; one that is to end, and is finished, was over before.
    let is_open = match text("phase") {
        Some("Running") => true,
        Some("Terminating") => text("finishedAt").is_none(),
        _ => false,
    };
    let results = terminated(application.list_at("/status/operationState/syncResult/resources"));
    text("startedAt").filter(|_| is_open).map(|started| (started.to_owned(), results))
}

impl Ledger for Keeper {
    fn begun<'a>(&'a self, so_far: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            if self.course.deletes {
                return self.remember_hooks().await;
            }
            self.remember(false).await?;
            let state = self.operation_state("Running", "syncing", None, results(so_far));
            self.write(json!({"operationState": state}), Moment::Meanwhile).await
        })
    }

    fn hook<'a>(&'a self, _: &'a HookRun) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }

    /// Neither the phase nor the whole: an end that somebody asks for meanwhile is not written over.
    fn reached<'a>(&'a self, so_far: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(async move {
            if self.course.deletes {
                return Ok(());
            }
            let mut state = json!({"syncResult": {"resources": results(so_far)}});
            if let Some(message) = waiting(so_far) {
                state["message"] = message.into();
            }
            self.write(json!({"operationState": state}), Moment::Meanwhile).await
        })
    }

    fn ended<'a>(&'a self, ending: Ending<'a>, so_far: &'a [StepState<'a>]) -> BoxFuture<'a, Result<(), EngineError>> {
        Box::pin(self.end(ending, so_far))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Initiator;

    /// RFC 7386.
    fn merge(into: &mut Value, patch: &Value) {
        let Some(patch) = patch.as_object() else {
            *into = patch.clone();
            return;
        };
        if !into.is_object() {
            *into = json!({});
        }
        for (field, value) in patch {
            match value {
                Value::Null => drop(into.as_object_mut().map(|map| map.remove(field))),
                value => merge(&mut into[field], value),
            }
        }
    }

    #[test]
    fn what_an_operation_before_had_is_not_told_of_the_next_one() {
        let before = json!({"operationState": {
            "operation": {
                "initiatedBy": {"automated": true}, "retry": {"limit": 5, "refresh": true},
                "sync": {"revisions": ["a", "b"], "autoHealAttemptsCount": 3, "syncStrategy": {"apply": {}},
                    "resources": [{"kind": "Service", "name": "web"}]},
            },
            "phase": "Failed", "message": "it broke", "finishedAt": "then", "retryCount": 2,
            "syncResult": {"revisions": ["a", "b"], "source": {"repoURL": "x", "helm": {"releaseName": "old"}}},
        }});
        let application = Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
            "spec": {"source": {"repoURL": "x"}}, "status": before,
        }))
        .expect("a map");
        let operation = Operation { initiator: Initiator::Person("anna".to_owned()), ..Operation::default() };
        let now = jiff::Timestamp::UNIX_EPOCH;
        let (done, asked) = (Tried::Succeeded, (&operation, 0));
        let patch = tried_in_vain(&application, asked, &["c".to_owned()], "done", done, now);
        let mut status = before;
        merge(&mut status, &patch["status"]);
        let state = &status["operationState"];
        assert_eq!(state["operation"], json!({"initiatedBy": {"username": "anna"}, "sync": {"revision": "c"}}));
        let result = json!({"revision": "c", "source": {"repoURL": "x"}, "resources": []});
        assert_eq!((&state["syncResult"], &state["retryCount"]), (&result, &json!(0)));
        assert_eq!(Operation::parse(&state["operation"]).initiator, operation.initiator);
    }

    #[test]
    fn what_an_operation_before_had_is_not_told_of_one_that_is_refused() {
        let asked = json!({"sync": {"revision": "evil"}});
        let before = json!({"operationState": {
            "operation": {
                "initiatedBy": {"username": "alice"}, "info": [{"name": "landfall.dev/order", "value": "x"}],
                "sync": {"revision": "good", "prune": true, "resources": [{"kind": "Service", "name": "web"}]},
            },
            "phase": "Succeeded", "message": "done", "startedAt": "then", "finishedAt": "then", "retryCount": 2,
            "syncResult": {"revision": "good", "resources": [{"kind": "Service", "name": "web"}]},
        }});
        let application = Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
            "operation": asked, "status": before,
        }))
        .expect("a map");
        let now = jiff::Timestamp::new(7, 123_456_789).expect("a time");
        let patch = refused_operation(&application, "nobody asked for it", now);
        assert_eq!(patch["operation"], Value::Null);
        let mut status = before;
        merge(&mut status, &patch["status"]);
        let at = "1970-01-01T00:00:07Z";
        let told = json!({
            "operation": asked, "phase": "Error", "message": "nobody asked for it", "startedAt": at, "finishedAt": at,
        });
        assert_eq!(status["operationState"], told);
    }

    /// An Application whose status tells of a sync with a hook that runs.
    fn with_a_hook(phase: &str, finished: Option<&str>) -> Object {
        let entry = |name: &str, more: Value| {
            let mut entry = json!({"kind": "Job", "name": name, "hookPhase": "Running", "message": "created"});
            merge(&mut entry, &more);
            entry
        };
        let resources = [entry("seed", json!({"hookType": "PreSync"})), entry("plain", json!({}))];
        Object::from_value(json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
            "status": {"operationState": {
                "phase": phase, "startedAt": "then", "finishedAt": finished, "syncResult": {"resources": resources},
            }},
        }))
        .expect("a map")
    }

    #[test]
    fn what_ran_when_a_sync_was_ended_was_ended_with_it_and_the_rest_stays_told() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let ended = |application: &Object, tried| {
            let asked = (&Operation::default(), 0);
            let state = tried_in_vain(application, asked, &[], "ended", tried, now)["status"]["operationState"].take();
            let told = |entry: &Value| format!("{} {}", entry["name"], entry["hookPhase"]).replace('"', "");
            let resources = state["syncResult"]["resources"].as_array().expect("a list");
            (state["startedAt"].clone(), resources.iter().map(told).collect::<Vec<_>>().join(", "))
        };
        let both = (json!("then"), "seed Failed, plain Running".to_owned());
        assert_eq!(ended(&with_a_hook("Terminating", None), Tried::Stopped), both);
        // It waited to be tried again.
        assert_eq!(ended(&with_a_hook("Running", Some("later")), Tried::GivenUp), both);
        // Those of the sync before are not told as this one's.
        let neither = (json!("1970-01-01T00:00:00Z"), String::new());
        for phase in ["Succeeded", "Failed", "Terminating"] {
            assert_eq!(ended(&with_a_hook(phase, Some("later")), Tried::Stopped), neither, "{phase}");
        }
        assert_eq!(ended(&with_a_hook("Running", Some("later")), Tried::Failed(Vec::new())), neither);
    }
}
