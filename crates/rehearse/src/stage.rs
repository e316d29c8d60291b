//! A simulated cluster that deliveries are tried on: opened empty or from a snapshot, forked, delivered to.
//!
//! Everything runs on one thread with virtual time: the clock moves only while the engine waits, so the same rehearsal
//! takes the same steps on any machine.

mod prerequisites;
mod scheduled;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use landfall_chart::Readings;
use landfall_cluster::{Cluster, DeleteOptions, Patch, WriteOptions};
use landfall_delivery::{
    Candidate, LeftOut, Offers, Progress, References, Refusals, Routes, Session, Summary, UnitPlan, UpOptions,
};
use landfall_diag::{Code, Diagnostic, code};
use landfall_drydock::{
    Clock as Time, Cluster as Drydock, ControlPlane, Drive, ForkClock, IngressOptions, NodeSpec, Operators as Twins,
    Options, Play, Randomness,
};
use landfall_engine::{Action, Clock, Event, StepResult};
use landfall_host::{Operators, TakenForGranted};
use landfall_object::references::references;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_project::Environment;
use landfall_release::KeptRuns;
use landfall_rules::{Inventory, Start, classes};
use landfall_source::Surroundings;
use landfall_store::Store;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, channel};
use tokio_util::sync::CancellationToken;

use crate::recognised::recognised;
use crate::snapshot::Snapshot;
use crate::trial::{Trial, Trough, WaveWait};

/// A simulated cluster and who is offered on it.
pub(crate) struct Stage {
    drydock: Drydock,
    /// What containers do on it.
    play: Play,
    /// Whose definitions are at hand.
    offers: Arc<dyn Offers>,
    /// What was printed already of what is delivered to it.
    readings: Readings,
    /// Operators that were brought in, and the kinds that were not taken over from a snapshot.
    pub(crate) notes: Vec<String>,
}

/// How a delivery is tried.
pub(crate) struct Attempt<'a> {
    pub(crate) start: Start,
    pub(crate) candidates: &'a [Candidate],
    /// Their objects, as far as they render without a cluster.
    pub(crate) objects: &'a [Object],
    pub(crate) environment: Option<&'a Environment>,
    pub(crate) options: &'a UpOptions,
    pub(crate) stop: &'a CancellationToken,
    /// What templates see of the machine.
    pub(crate) surroundings: Surroundings,
}

/// How long what is only put there has had to start.
const PAST: Duration = Duration::from_secs(10 * 60);

fn broken(code: Code, what: &str, why: &dyn std::fmt::Display) -> Vec<Diagnostic> {
    vec![Diagnostic::error(code, what.to_owned()).note(why.to_string())]
}

impl Stage {
    /// A new cluster with these nodes.
    pub(crate) async fn empty(nodes: Vec<NodeSpec>, play: Play, readings: Readings) -> Result<Self, Vec<Diagnostic>> {
        Stage::open(nodes, play, Time::virtual_clock(), readings).await
    }

    async fn open(nodes: Vec<NodeSpec>, play: Play, clock: Time, readings: Readings) -> Result<Self, Vec<Diagnostic>> {
        let known = play.clone();
        let options = Options {
            clock,
            randomness: Randomness::from_seed(1),
            drive: Drive::Awaited,
            // Nobody reaches it but who rehearses: what the cluster's own operators would do, only their twins can.
            control_plane: ControlPlane { nodes, play, operators: Twins::Alone, ..ControlPlane::default() },
            ..Options::default()
        };
        let drydock = Drydock::open(options)
            .await
            .map_err(|error| broken(code::REHEARSAL_CLUSTER, "the simulated cluster cannot be opened", &error))?;
        drydock.settle();
        Ok(Stage { drydock, play: known, offers: Arc::new(TakenForGranted), readings, notes: Vec::new() })
    }

    /// Takes away what every simulated cluster brings along where the delivery brings its own.
    pub(crate) async fn make_room<'o>(
        &mut self,
        delivered: impl Iterator<Item = &'o Object>,
    ) -> Result<(), Vec<Diagnostic>> {
        let there = self.inventory();
        let cluster = Cluster::new(self.drydock.client());
        for object in delivered.filter(|object| matches!(object.kind(), "IngressClass" | "StorageClass")) {
            let Some(own) = there.get(object.group(), object.kind(), None, object.name()) else { continue };
            let gone = cluster.delete(&own.key(), &DeleteOptions::default()).await;
            gone.map_err(|error| {
                broken(code::REHEARSAL_CLUSTER, "the simulated cluster cannot be made ready", &error)
            })?;
            self.notes.push(format!(
                "{} {}: the delivery's own takes the place of the cluster's",
                own.kind(),
                own.name()
            ));
        }
        self.drydock.settle();
        Ok(())
    }

    /// Brings in the classes that the delivery asks for and nobody brings: a cluster that was not read may have them.
    pub(crate) async fn assume_classes(&mut self, delivered: &[&Object]) -> Result<(), Vec<Diagnostic>> {
        let cluster = Cluster::new(self.drydock.client());
        for class in classes::missing(delivered, &self.inventory()) {
            match cluster.create(&class, &Default::default()).await {
                Ok(_) => {}
                // No cluster has one of that name: whoever asks for it is refused, and told so.
                Err(error) if error.code() == Some(422) => continue,
                Err(error) => {
                    return Err(broken(code::REHEARSAL_CLUSTER, "the simulated cluster cannot be made ready", &error));
                }
            }
            self.notes.push(format!("{} {}: taken as there; no cluster was read", class.kind(), class.name()));
        }
        self.drydock.settle();
        Ok(())
    }

    /// Lets claims of the cluster's own class grow, where none of the delivery names that class: which one a cluster that was not
    /// read has, and what it allows, is not known (LF112 tells).
    pub(crate) async fn let_claims_grow(&mut self, delivered: &[&Object]) -> Result<(), Vec<Diagnostic>> {
        const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
        let there = self.inventory();
        let is_named = |class: &Object| {
            delivered
                .iter()
                .flat_map(|object| references(object))
                .any(|it| it.kind == "StorageClass" && it.name == class.name())
        };
        let own = there.of_kind("storage.k8s.io", "StorageClass").filter(|it| it.annotation(DEFAULT) == Some("true"));
        for class in own.filter(|class| !is_named(class)) {
            self.merge(&class.key(), json!({"allowVolumeExpansion": true})).await?;
        }
        Ok(())
    }

    async fn merge(&self, key: &ObjectKey, change: Value) -> Result<(), Vec<Diagnostic>> {
        let cluster = Cluster::new(self.drydock.client());
        let merged = cluster.patch(key, &Patch::Merge(change), &WriteOptions::default()).await;
        merged
            .map(drop)
            .map_err(|error| broken(code::REHEARSAL_CLUSTER, "the simulated cluster cannot be made ready", &error))
    }

    /// Does what is over by itself before anybody delivers again: finished Jobs that are kept for a time only are gone, and claims that
    /// nobody mounts have their volume, as where volumes are made at once.
    pub(crate) async fn rest(&mut self) -> Result<(), Vec<Diagnostic>> {
        let there = self.inventory();
        let cluster = Cluster::new(self.drydock.client());
        let is_over = |job: &&Object| {
            let conditions = job.list_at("/status/conditions").iter();
            let mut ends = conditions.filter(|it| matches!(it["type"].as_str(), Some("Complete" | "Failed")));
            job.at("/spec/ttlSecondsAfterFinished").is_some() && ends.any(|it| it["status"] == "True")
        };
        for job in there.of_kind("batch", "Job").filter(is_over) {
            let gone = cluster.delete(&job.key(), &DeleteOptions::default()).await;
            gone.map_err(|error| {
                broken(code::REHEARSAL_CLUSTER, "the simulated cluster cannot be made ready", &error)
            })?;
        }
        let is_pending = |claim: &&Object| claim.str_at("/status/phase") == Some("Pending");
        if let Some(node) = there.of_kind("", "Node").next().map(|node| node.name().to_owned()) {
            for claim in there.of_kind("", "PersistentVolumeClaim").filter(is_pending) {
                let chosen = json!({"metadata": {"annotations": {"volume.kubernetes.io/selected-node": node}}});
                self.merge(&claim.key(), chosen).await?;
            }
        }
        self.drydock.settle();
        Ok(())
    }

    /// A cluster as a snapshot has it.
    pub(crate) async fn of(
        snapshot: &Snapshot,
        candidates: &[Candidate],
        play: Play,
        readings: Readings,
    ) -> Result<Self, Vec<Diagnostic>> {
        // Time goes on from when it was taken: what was young then is young now.
        let clock = snapshot.taken.parse().map_or_else(|_| Time::virtual_clock(), Time::virtual_at);
        let mut stage = Stage { offers: Arc::new(Operators), ..Stage::open(Vec::new(), play, clock, readings).await? };
        let unknown = stage.drydock.import(recognised(snapshot, candidates));
        let mut kinds: Vec<String> = unknown.iter().map(|object| object.gvk().to_string()).collect();
        kinds.sort();
        kinds.dedup();
        stage
            .notes
            .extend(kinds.into_iter().map(|kind| format!("{kind} of the cluster: not taken over, nobody serves it")));
        stage.drydock.settle();
        Ok(stage)
    }

    /// A copy that goes its own way, with another play; costs what is changed afterwards.
    pub(crate) fn fork(&self, play: Option<Play>) -> Self {
        let drydock = self.drydock.fork(ForkClock::Virtual);
        let play = match play {
            Some(play) => {
                drydock.perform(play.clone());
                play
            }
            None => self.play.clone(),
        };
        let (offers, readings) = (Arc::clone(&self.offers), self.readings.clone());
        Stage { drydock, play, offers, readings, notes: self.notes.clone() }
    }

    /// The cluster, to be asked.
    pub(crate) fn cluster(&self) -> Cluster {
        Cluster::new(self.drydock.client())
    }

    /// The cluster's objects.
    pub(crate) fn inventory(&self) -> Inventory {
        self.drydock.objects().into_iter().collect()
    }

    /// Puts onto this cluster what runs on one with a past: the namespaces are there already, and what came of the
    /// objects had its time.
    pub(crate) async fn stand(&mut self, attempt: &Attempt<'_>) -> Result<(), Vec<Diagnostic>> {
        let cluster = Cluster::new(self.drydock.client());
        for namespace in namespaces(attempt.candidates) {
            let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, namespace);
            // The names that every cluster begins with are taken.
            let _there = cluster.create(&Object::new(&key), &Default::default()).await;
        }
        self.attempt(attempt).await?;
        let until = self.drydock.now().saturating_add(PAST).unwrap_or(Timestamp::MAX);
        self.drydock.sleep_until(until).await;
        self.drydock.settle();
        Ok(())
    }

    /// Delivers onto this cluster, as `up` does, and says how it went.
    pub(crate) async fn attempt(&mut self, attempt: &Attempt<'_>) -> Result<Trial, Vec<Diagnostic>> {
        let taken = self.take_as_there(attempt).await?;
        let options = &UpOptions {
            // What is behind something that is missing or refused is tried all the same.
            refusals: Refusals::LeftOut,
            references: References::MayCome,
            ..attempt.options.clone()
        };
        let store = Store::of_a_delivery()
            .await
            .map_err(|error| broken(code::REHEARSAL_JOURNAL, "the rehearsal's journal cannot be opened", &error))?;
        let wants_checks = attempt.environment.is_some_and(|environment| !environment.checks.is_empty());
        let ingress = match wants_checks {
            true => {
                let options = IngressOptions::on(vec![0], vec![0]);
                self.drydock.serve_ingress(&options).await.ok()
            }
            false => None,
        };
        let (progress, told) = channel(1024);
        let clock = Arc::new(StageClock(self.drydock.clone()));
        let session = Session {
            clock: clock.clone(),
            routes: ingress.as_ref().map_or_else(Routes::default, |ingress| Routes {
                http: Some(ingress.http),
                https: Some(ingress.https),
            }),
            offers: Some(Arc::clone(&self.offers)),
            stop: attempt.stop.clone(),
            hook_runs: KeptRuns::AtTheEnd,
            readings: Some(self.readings.clone()),
            surroundings: attempt.surroundings,
            ..Session::new(Cluster::new(self.drydock.client()), store.clone(), progress)
        };
        let began = self.drydock.now();
        let version = self.drydock.with_world(|world| world.version());
        let recorder = tokio::spawn(record(told, self.drydock.clone()));
        // Nothing comes by waiting here: what a check is refused now it is refused for ever.
        let environment = attempt.environment.cloned().map(|mut environment| {
            for check in &mut environment.checks {
                check.timeout = "1ms".parse().ok();
            }
            environment
        });
        let mut plans = Vec::new();
        let outcome: Result<Summary, Vec<Diagnostic>> =
            session.up_planning(attempt.candidates, environment.as_ref(), options, Some(&mut plans)).await;
        // What could not all be read was not all planned either.
        if attempt.candidates.iter().any(|(_, unit)| unit.is_err()) {
            plans.clear();
        }
        drop(session);
        let heard = recorder.await.unwrap_or_default();
        store.close().await;
        if let Some(restless) = self.drydock.restless() {
            // What came after that was not simulated, and nothing of it is a verdict.
            return Err(broken(
                code::RESTLESS,
                "the simulated controllers do not come to rest, so nothing can be said",
                &restless,
            ));
        }
        self.notes.extend(heard.operators.iter().map(|(operator, kind)| match operator.contains('.') {
            true => format!("{kind} of {operator}: taken as served; what its operator makes of it is not known"),
            false => format!(
                "{operator}: simulated, because the delivery brings a {kind}; what it does is known, what it says is not"
            ),
        }));
        let took = Duration::try_from(self.drydock.now().duration_since(began)).unwrap_or_default();
        let troughs = self.troughs(version);
        let scheduled = self.run_scheduled(attempt.objects).await;
        Ok(Trial {
            start: attempt.start.clone(),
            waits: waits(&plans, heard.waits),
            plans,
            outcome,
            after: self.inventory(),
            took,
            troughs,
            left_out: heard.left_out,
            taken_as_there: taken.as_there,
            lacking: taken.lacking,
            scheduled,
        })
    }

    /// How far workloads fell below what was ready at a version.
    fn troughs(&self, version: u64) -> Vec<Trough> {
        let ready = |object: &landfall_drydock::Stored| {
            object.value().pointer("/status/readyReplicas").and_then(serde_json::Value::as_i64).unwrap_or(0)
        };
        self.drydock.with_world(|world| {
            let mut seen: Vec<Trough> = Vec::new();
            for event in world.events_since(version).into_iter().flatten() {
                let (Some(previous), true) = (&event.previous, is_replicated(&event.object_ref.resource)) else {
                    continue;
                };
                let (key, now) = (event.object.object().key(), ready(&event.object));
                match seen.iter_mut().find(|trough| trough.object == key) {
                    Some(trough) => trough.ready = trough.ready.min(now),
                    None => {
                        let before = ready(previous);
                        seen.push(Trough { object: key, before, ready: now.min(before) });
                    }
                }
            }
            seen.retain(|trough| trough.ready < trough.before);
            seen
        })
    }
}

/// The namespaces that units are delivered to.
fn namespaces(candidates: &[Candidate]) -> BTreeSet<&str> {
    candidates.iter().filter_map(|(_, unit)| Some(unit.as_ref().ok()?.namespace.as_str())).collect()
}

fn is_replicated(resource: &str) -> bool {
    matches!(resource, "deployments.apps" | "statefulsets.apps")
}

/// What was heard of a delivery.
#[derive(Default)]
struct Heard {
    waits: Vec<Waited>,
    operators: Vec<(String, String)>,
    left_out: Vec<LeftOut>,
}

/// One wait or hook.
struct Waited {
    unit: String,
    step: String,
    action: Action,
    object: ObjectKey,
    from: Timestamp,
    to: Timestamp,
    missing: Option<String>,
    failed: bool,
}

async fn record(mut told: Receiver<Progress>, drydock: Drydock) -> Heard {
    let mut heard = Heard::default();
    while let Some(progress) = told.recv().await {
        match progress {
            Progress::OperatorSimulated { operator, kind }
                if !heard.operators.iter().any(|(known, _)| *known == operator) =>
            {
                heard.operators.push((operator, kind));
            }
            Progress::LeftOut(left_out) if !heard.left_out.contains(&left_out) => heard.left_out.push(*left_out),
            Progress::Engine { unit, event } => heard.take(unit, *event, drydock.now()),
            _ => {}
        }
    }
    heard
}

impl Heard {
    fn take(&mut self, unit: String, event: Event, now: Timestamp) {
        let open = |waits: &mut Vec<Waited>, unit: &str, id: &str| {
            waits.iter().rposition(|wait| wait.unit == unit && wait.step == id)
        };
        match event {
            Event::StepStarted { id, action: action @ (Action::Wait | Action::Hook), key } => self.waits.push(Waited {
                unit,
                step: id,
                action,
                object: key,
                from: now,
                to: now,
                missing: None,
                failed: false,
            }),
            Event::Waiting { id, pending, .. } => {
                if let Some(at) = open(&mut self.waits, &unit, &id) {
                    let wait = &mut self.waits[at];
                    wait.to = now;
                    if let Some(one) = pending.first() {
                        wait.object = one.key.clone();
                        wait.missing = Some(format!("{}/{}: {}", one.key.gvk.kind, one.key.name, one.missing));
                    }
                }
            }
            Event::StepDone { id, result, .. } => {
                if let Some(at) = open(&mut self.waits, &unit, &id) {
                    self.waits[at].to = now;
                    self.waits[at].failed = result == StepResult::Failed;
                }
            }
            Event::Finished { failure: Some(_) } => {
                if let Some(wait) = self.waits.iter_mut().rev().find(|wait| wait.unit == unit) {
                    wait.to = now;
                }
            }
            _ => {}
        }
    }
}

/// The waits with their phases and waves, from the plans.
fn waits(plans: &[UnitPlan], heard: Vec<Waited>) -> Vec<WaveWait> {
    heard
        .into_iter()
        .map(|wait| {
            let place = plans.iter().find(|plan| plan.name == wait.unit).and_then(|plan| {
                plan.plan.phases.iter().find_map(|phase| {
                    let has = |wave: &&landfall_engine::Wave| wave.steps.iter().any(|step| step.id == wait.step);
                    phase.waves.iter().find(has).map(|wave| (phase.name.clone(), wave.number))
                })
            });
            let (phase, wave) = place.unwrap_or_default();
            WaveWait {
                unit: wait.unit,
                phase,
                wave,
                is_hook: wait.action == Action::Hook,
                objects: vec![wait.object],
                seconds: u64::try_from(wait.to.duration_since(wait.from).as_secs()).unwrap_or_default(),
                missing: wait.missing.filter(|_| wait.failed),
            }
        })
        .collect()
}

/// The simulated cluster's clock, for the engine.
struct StageClock(Drydock);

impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let cluster = self.0.clone();
        let until = cluster.now().saturating_add(duration).unwrap_or(Timestamp::MAX);
        Box::pin(async move { cluster.sleep_until(until).await })
    }

    fn hold(&self) -> Box<dyn Send> {
        Box::new(self.0.hold())
    }
}
