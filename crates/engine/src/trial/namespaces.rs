//! The namespaces of a plan, made so that objects in them can be tried, and taken back when something is refused.
//!
//! Written down under a name of the trial's own before each is made: a process that dies leaves them to the next trial
//! on the same target, which goes on with them and takes them back as if it had made them.
//!
//! A namespace goes with all that is in it, and no server deletes one only if it is empty. So it is taken back as long as it is
//! what was made, nobody delivers into it (`claim.rs`) and nothing is in it, asked last before it goes; else it stays, and that is told.
//!
//! Between that last look and the deletion lies one round trip in which a stranger may still write into it, who knows nothing of the
//! mark. Nothing closes it: a write into a namespace changes nothing of the namespace, so that no precondition of its deletion sees
//! it (uid and resource version are those of the mark alone); a finalizer holds the name and not what is in it, which goes as soon as
//! the deletion is asked for, and a deletion is never taken back; and a quota of nothing, which would refuse strangers meanwhile, is
//! enforced only once every API server has heard of it.

use std::time::Duration;

use futures::StreamExt;
use landfall_cluster::{DeleteOptions, Deleted, ListOptions, Scope, WriteOptions};
use landfall_diag::is_mutant;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_store::{NewOperation, OperationState};
use serde_json::Value;

use super::claim::{Claim, ON_TRIAL, is_on_trial};
use super::tried::{is_tried, object_of};
use super::{AT_ONCE, MadeNamespace, NewId, Trial, Tried, seen_digest};
use crate::Error;
use crate::desired::Task;
use crate::entry::{Intent, Outcome};
use crate::executor::Executor;
use crate::journal::Journal;
use crate::plan::{Action, Plan, Step};

/// How long a namespace may take to go.
pub(super) const GOING: Duration = Duration::from_secs(60);
/// How often it is looked at until then.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// What becomes of the namespaces that were made for a plan's trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The plan is carried out: they stay.
    Kept,
    /// It is not: they go.
    TakenBack,
}

/// What has become of the namespaces that were made for a plan's trial.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concluded {
    /// Those that were taken back.
    pub gone: Vec<ObjectKey>,
    /// Those that were to go and stay: something is in them, or somebody else delivers into them.
    pub left: Vec<ObjectKey>,
}

/// The namespaces of a trial that begins.
#[derive(Default)]
pub(super) struct Trying {
    pub(super) made: Vec<MadeNamespace>,
    /// Namespaces that could not be made: which, where they come from, and the server's words.
    pub(super) refused: Vec<(Tried, String, String)>,
}

impl Executor {
    /// Makes the namespaces that a plan brings and has objects for.
    pub(super) async fn make_namespaces(
        &self,
        plans: &[&Plan],
        index: usize,
        new_id: NewId<'_>,
        trying: &mut Trying,
    ) -> Result<(), Error> {
        let plan = plans[index];
        let target = Plan::trial_target(&plan.target);
        let open = self.store.journal.running_operation(&target).await?;
        let is_peopled = |name: &str| {
            let mut tried = plans.iter().flat_map(|plan| plan.steps()).filter(|step| is_tried(step));
            tried.any(|step| step.key.namespace.as_deref() == Some(name))
        };
        let wanted: Vec<&Step> = plan
            .steps()
            .filter(|step| is_new_namespace(step) && is_peopled(&step.key.name))
            .filter(|step| !trying.made.iter().any(|made| made.key == step.key))
            .collect();
        let operation = match open {
            Some(open) => open.id,
            None if wanted.is_empty() => return Ok(()),
            None => self.begin_trial(&target, new_id()).await?,
        };
        let mut journal = Journal::read(&self.store, &*self.probe, &*self.clock, &operation).await?;
        let rows: Vec<(String, Intent, Option<Outcome>)> = journal
            .written()
            .map(|(name, intent, outcome)| (name.to_owned(), intent.clone(), outcome.cloned()))
            .collect();
        let mut number = rows.len();
        let made_before = trying.made.len();
        for (name, intent, outcome) in rows {
            let Some(found) = self.left_behind(&intent, outcome.as_ref()).await? else { continue };
            let uid = found.uid().unwrap_or_default().to_owned();
            if outcome.is_none() {
                journal.conclude(vec![(name, Outcome::Made { uid: Some(uid.clone()) })]).await?;
            }
            let digest = seen_digest(&found);
            let made = MadeNamespace { plan: index, key: found.key(), digest, uid, operation: operation.clone() };
            if is_peopled(&made.key.name) {
                trying.made.push(made);
            } else {
                self.take_back(&made).await?;
            }
        }
        for step in wanted {
            if trying.made.iter().any(|made| made.key == step.key) {
                continue;
            }
            number += 1;
            if let Some(object) = object_of(step) {
                let object = on_trial(object, &operation);
                match self.make_namespace(step, &object, &format!("{number:04}"), &mut journal).await? {
                    Ok(Some(made)) => trying.made.push(MadeNamespace {
                        plan: index,
                        key: step.key.clone(),
                        digest: seen_digest(&made),
                        uid: made.uid().unwrap_or_default().to_owned(),
                        operation: operation.clone(),
                    }),
                    Ok(None) => {}
                    Err(said) => {
                        let tried = Tried { plan: index, key: step.key.clone() };
                        trying.refused.push((tried, step.why.clone(), said));
                    }
                }
            }
        }
        if trying.made.len() == made_before {
            self.finish(&operation, OperationState::Done).await?;
        }
        Ok(())
    }

    async fn begin_trial(&self, target: &str, id: String) -> Result<String, Error> {
        let operation = NewOperation {
            id,
            target: target.to_owned(),
            kind: "trial".to_owned(),
            plan: Value::Null,
            detail: Value::Null,
            started_at: self.clock.now().to_string(),
        };
        self.probe.reach(format_args!("before trial"))?;
        match self.store.journal.begin_operation(&operation).await {
            Err(landfall_store::Error::Exists { .. }) => return Err(Error::Busy { target: target.to_owned() }),
            other => other?,
        }
        self.probe.reach(format_args!("after trial"))?;
        Ok(operation.id)
    }

    /// Makes one, unless somebody else has; the inner error is the server's refusal.
    async fn make_namespace(
        &self,
        step: &Step,
        object: &Object,
        name: &str,
        journal: &mut Journal<'_>,
    ) -> Result<Result<Option<Object>, String>, Error> {
        let intent = Intent::Namespace { key: step.key.clone(), at: self.clock.now(), object: object.clone() };
        journal.intend(vec![(name.to_owned(), intent)]).await?;
        self.probe.reach(format_args!("before effect trial {name}"))?;
        let answer = loop {
            let answer = match &step.task {
                Task::Apply { method, .. } => {
                    let manager = Some(method.manager().to_owned());
                    let options = WriteOptions { field_manager: manager, ..WriteOptions::default() };
                    self.create(object, method, &options).await
                }
                _ => self.cluster.create(object, &WriteOptions::default()).await,
            };
            // Another trial's that goes meanwhile is no namespace to deliver into.
            let is_there = answer.as_ref().is_err_and(landfall_cluster::Error::is_already_exists);
            if !is_there || self.claim(&step.key).await? == Claim::There {
                break answer;
            }
        };
        self.probe.reach(format_args!("after effect trial {name}"))?;
        let made = match answer {
            Ok(made) => Ok(Some(made)),
            Err(error) if error.is_already_exists() => Ok(None),
            Err(error) if error.is_unreachable() => return Err(Error::Cluster(error)),
            Err(error) => Err(error.to_string()),
        };
        let uid = made.as_ref().ok().and_then(|made| made.as_ref()?.uid()).map(str::to_owned);
        journal.conclude(vec![(name.to_owned(), Outcome::Made { uid })]).await?;
        Ok(made)
    }

    /// The namespace that an earlier process made by this entry of its journal, as far as it is still that one.
    async fn left_behind(&self, intent: &Intent, outcome: Option<&Outcome>) -> Result<Option<Object>, Error> {
        let Intent::Namespace { key, at, object } = intent else { return Ok(None) };
        let Some(live) = self.cluster.get(key).await? else { return Ok(None) };
        if live.deletion_timestamp().is_some() {
            return Ok(None);
        }
        let own = match outcome {
            Some(outcome) => outcome.uid().is_some_and(|uid| live.uid() == Some(uid)),
            // It died between the effect and its outcome: what came after the intent and looks as wanted is its own.
            None => {
                let created = live.str_at("/metadata/creationTimestamp");
                let created = created.and_then(|text| text.parse::<jiff::Timestamp>().ok());
                let young = created.is_some_and(|created| created.as_second() >= at.as_second());
                young && looks_as(&live, object)
            }
        };
        Ok(own.then_some(live))
    }

    /// Whether a namespace holds nothing but what every namespace gets by itself.
    async fn is_bare(&self, namespace: &str) -> Result<bool, Error> {
        self.cluster.forget_discovery();
        let resources = self.cluster.resources().await?;
        let listed = resources.into_iter().filter(|it| it.scope == Scope::Namespaced && it.takes("list"));
        let options = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
        let listed: Vec<Gvk> = listed.map(|resource| resource.gvk).collect();
        let asked: Vec<_> = listed.iter().map(|gvk| self.cluster.list(gvk, &options)).collect();
        let mut lists: Vec<_> = futures::stream::iter(asked).buffered(AT_ONCE).collect().await;
        // What nothing brings back is asked for once more, right before the namespace goes.
        lists.push(self.cluster.list(&Gvk::new("", "v1", "Secret"), &options).await);
        // Of what cannot be listed nothing is known.
        Ok(lists.into_iter().all(|list| list.is_ok_and(|objects| objects.iter().all(is_automatic))))
    }

    /// Deletes one, if it is what was made and nobody else's; answers whether it has gone.
    async fn take_back(&self, made: &MadeNamespace) -> Result<bool, Error> {
        let Some(live) = self.cluster.get(&made.key).await? else { return Ok(true) };
        let is_own = live.uid() == Some(made.uid.as_str())
            && is_on_trial(&live, &made.operation)
            && seen_digest(&live) == made.digest;
        if !is_own || !(self.is_bare(&made.key.name).await? || is_mutant("trial-bare")) {
            return Ok(false);
        }
        let version = live.resource_version().map(str::to_owned);
        let options =
            DeleteOptions { uid: Some(made.uid.clone()), resource_version: version, ..DeleteOptions::default() };
        self.probe.reach(format_args!("before removal of trial"))?;
        let deleted = self.cluster.delete(&made.key, &options).await;
        self.probe.reach(format_args!("after removal of trial"))?;
        match deleted {
            Ok(Deleted::Absent) => return Ok(true),
            Ok(Deleted::Gone | Deleted::Terminating(_)) => {}
            // Somebody came first, or it may not be deleted.
            Err(error) if !error.is_unreachable() => return Ok(false),
            Err(error) => return Err(Error::Cluster(error)),
        }
        let until = self.clock.now().saturating_add(GOING).unwrap_or(jiff::Timestamp::MAX);
        while self.clock.now() < until {
            match self.cluster.get(&made.key).await? {
                Some(live) if live.uid() == Some(made.uid.as_str()) => self.sleep(LOOK).await,
                _ => break,
            }
        }
        Ok(true)
    }

    /// Ends the trial of one plan: its namespaces stay or go.
    pub(crate) async fn conclude_trial(&self, trial: &Trial, plan: usize, fate: Fate) -> Result<Concluded, Error> {
        self.hold();
        let concluded = self.conclude_held(trial, plan, fate).await;
        self.let_go();
        concluded
    }

    pub(super) async fn conclude_held(&self, trial: &Trial, plan: usize, fate: Fate) -> Result<Concluded, Error> {
        let mut concluded = Concluded::default();
        let made: Vec<&MadeNamespace> = trial.made.iter().filter(|made| made.plan == plan).collect();
        let Some(first) = made.first() else { return Ok(concluded) };
        for namespace in &made {
            match fate {
                Fate::TakenBack if self.take_back(namespace).await? => concluded.gone.push(namespace.key.clone()),
                Fate::TakenBack => {
                    concluded.left.push(namespace.key.clone());
                    self.leave(&namespace.key, &namespace.operation).await?;
                }
                Fate::Kept => drop(self.claim(&namespace.key).await?),
            }
        }
        let state = if fate == Fate::Kept { OperationState::Done } else { OperationState::Failed };
        self.finish(&first.operation, state).await?;
        Ok(concluded)
    }
}

/// A namespace as it is made: marked as this trial's.
fn on_trial(namespace: &Object, operation: &str) -> Object {
    let mut marked = namespace.clone();
    marked.set_annotation(ON_TRIAL, operation);
    marked
}

fn is_new_namespace(step: &Step) -> bool {
    step.action == Action::Create
        && step.key.gvk.kind == "Namespace"
        && step.key.gvk.group.is_empty()
        && matches!(step.task, Task::Apply { .. } | Task::Ensure { .. })
}

/// Whether a live namespace has the labels and annotations of the one that was to be made.
fn looks_as(live: &Object, wanted: &Object) -> bool {
    ["/metadata/labels", "/metadata/annotations"].into_iter().all(|pointer| {
        let mut wanted = wanted.at(pointer).and_then(Value::as_object).into_iter().flatten();
        wanted.all(|(name, value)| live.at(pointer).and_then(|map| map.get(name)) == Some(value))
    })
}

/// What controllers put into every namespace, as they put it there.
fn is_automatic(object: &Object) -> bool {
    let is_plain = ["/metadata/annotations", "/metadata/labels", "/imagePullSecrets"]
        .iter()
        .all(|pointer| object.at(pointer).is_none());
    match object.kind() {
        "ServiceAccount" => object.name() == "default" && is_plain,
        "ConfigMap" => object.name() == "kube-root-ca.crt",
        "Secret" => {
            object.str_at("/type") == Some("kubernetes.io/service-account-token")
                && object.name().starts_with("default-token-")
        }
        kind => kind == "Event",
    }
}
