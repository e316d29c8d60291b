//! The simulated controllers, scheduler and kubelet.
//!
//! ```text
//! World ── events since the last step ──► roll ──► queue ──► reconcile(object) ──► writes to the World
//!                                                     ▲               │
//!                                        timers ──────┴── look again at an instant
//! ```
//!
//! One queue, first in first out, so that the order is fair like that of concurrent controllers and the same in every
//! run. A reconciliation sees watched objects only; whatever else it needs to remember it can do without, so that a
//! fork or a reopened cluster goes on from its objects alone.

mod api_services;
mod autoscaler;
mod brake;
mod budget;
pub(crate) mod census;
mod claims;
pub(crate) mod conditions;
mod cron_job;
mod daemon_set;
mod deployment;
pub(crate) mod desk;
mod endpoints;
mod event_type;
mod events;
pub(crate) mod fields;
mod garbage;
mod give_way;
mod hash;
mod history;
mod ingress_status;
mod job;
pub(crate) mod kind;
mod known;
mod loops;
mod namespaces;
pub(crate) mod nodes;
mod orphans;
mod pod_control;
pub(crate) mod pods;
mod queue;
mod quota;
mod replica_set;
mod revision;
mod roll;
mod rollout;
pub(crate) mod selector;
mod signer;
mod stateful_set;
mod storage;
mod tokens;
pub(crate) mod usages;
pub(crate) mod waiting;
pub(crate) mod writers;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::behaviour::{Behaviour, PLAY, Play, PlayError};
use crate::kubelet::Kubelet;
use crate::operators;
use crate::operators::standing::{self, Operators};
use crate::runtime::Controller;
use crate::scheduler;
use brake::Brakes;
use census::Census;
use desk::{Agent, Desk, Outcome};
pub(crate) use endpoints::target_port as service_target_port;
use events::Correlator;
use give_way::Attendance;
pub(crate) use ingress_status::is_served as is_served_ingress;
use landfall_apiserver::{Credentials, Status, World};
pub use nodes::NodeSpec;
use queue::{Item, Queue, Role};

/// What is fixed when the control plane starts.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// The nodes, made when there are none.
    pub nodes: Vec<NodeSpec>,
    /// Whether pods are run; without, they stay as the scheduler left them.
    pub kubelet: Switch,
    /// Whether pods are given to nodes.
    pub scheduler: Switch,
    /// Whether operators are simulated, and when they give way.
    pub operators: Operators,
    /// What the containers do and what goes wrong at the start; the ConfigMap `kube-system/landfall-play` replaces it.
    pub play: Play,
}

/// A part that can be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// It works.
    #[default]
    On,
    /// It does nothing.
    Off,
}

impl Default for ControlPlane {
    fn default() -> Self {
        Self {
            nodes: vec![NodeSpec::default()],
            kubelet: Switch::On,
            scheduler: Switch::On,
            operators: Operators::UntilReal,
            play: Play::default(),
        }
    }
}

/// All controllers over one world.
#[derive(Clone)]
pub(crate) struct Controllers {
    plane: ControlPlane,
    behaviour: Arc<Behaviour>,
    /// Whose authority signs what is asked for and approved.
    credentials: Arc<Credentials>,
    /// The version up to which events have been taken; none before the first step.
    seen: Option<u64>,
    behaviour_seen: u64,
    queue: Queue,
    failures: BTreeMap<Item, u32>,
    brakes: Brakes,
    events: Correlator,
    kubelet: Kubelet,
    autoscalers: autoscaler::Memory,
    missing_nodes: nodes::Missing,
    absent: garbage::Absent,
    census: Census,
    attendance: Attendance,
    /// When old events are looked for next.
    sweep_at: Timestamp,
}

/// The first wait after a refusal; it doubles each time.
const RETRY: SignedDuration = SignedDuration::from_millis(5);
/// The longest wait after refusals.
const LONGEST_RETRY: SignedDuration = SignedDuration::from_secs(1000);
/// How often old events are looked for.
const SWEEP: SignedDuration = SignedDuration::from_secs(600);
/// Reconciliations in one step; more are left to the next, so that clients get a turn.
const STEP: usize = 256;

impl ControlPlane {
    /// The controllers that make it up, over a behaviour that they share with whoever answers for containers.
    pub(crate) fn stand(&self, behaviour: &Arc<Behaviour>, credentials: &Arc<Credentials>) -> Vec<Box<dyn Controller>> {
        vec![Box::new(Controllers::new(self.clone(), behaviour.clone(), credentials.clone()))]
    }
}

impl Controllers {
    pub(crate) fn new(plane: ControlPlane, behaviour: Arc<Behaviour>, credentials: Arc<Credentials>) -> Self {
        let kubelet = Kubelet::beside(plane.operators);
        Self {
            plane,
            behaviour,
            credentials,
            seen: None,
            behaviour_seen: 0,
            queue: Queue::default(),
            failures: BTreeMap::new(),
            brakes: Brakes::default(),
            events: Correlator::default(),
            kubelet,
            autoscalers: autoscaler::Memory::default(),
            missing_nodes: nodes::Missing::new(),
            absent: garbage::Absent::default(),
            census: Census::default(),
            attendance: Attendance::default(),
            sweep_at: Timestamp::UNIX_EPOCH,
        }
    }

    /// Acts on all that changed and is due; returns when it wants to be called though nothing changed.
    pub(crate) fn advance(&mut self, world: &mut World, now: Timestamp) -> Option<Timestamp> {
        if self.seen.is_none() {
            self.read_play(world);
            self.attendance.read(world);
        }
        self.look(world, now);
        let generation = self.behaviour.generation();
        if generation != self.behaviour_seen {
            self.behaviour_seen = generation;
            self.kubelet.forget_probes();
            roll::players(world, &mut self.queue);
            roll::operated(world, &mut self.queue);
        }
        if self.sweep_at <= now {
            // Only in passing, so that an idle cluster's virtual time does not jump for the sake of old events.
            self.sweep_at = now.checked_add(SWEEP).unwrap_or(Timestamp::MAX);
            events::expire(world, now);
            self.events.expire(now);
        }
        self.queue.take_due(now);
        for _ in 0..STEP {
            let Some(item) = self.queue.pop() else { return self.queue.next_due() };
            if let Some(at) = self.brakes.until(&item, now) {
                self.queue.at(at, item);
                continue;
            }
            let before = world.version();
            self.reconcile(world, now, &item);
            if world.version() != before {
                self.brakes.changed(&item, now);
            }
            self.look(world, now);
        }
        Some(now)
    }

    /// Takes what happened; twins whose real ones were seen stand back before anything else is done.
    fn look(&mut self, world: &mut World, now: Timestamp) {
        self.take_events(world);
        if self.attendance.has_news() {
            self.attendance.give_way(world, &mut self.events, now);
            self.take_events(world);
        }
    }

    fn take_events(&mut self, world: &World) {
        let since = self.seen.replace(world.version());
        if since == self.seen {
            return;
        }
        let Some(events) = since.and_then(|version| world.events_since(version).ok()) else {
            self.census.take(world);
            roll::everything(world, &mut self.queue);
            return;
        };
        let events: Vec<_> = events.collect();
        events.iter().for_each(|event| self.census.note(event));
        let (mut play_changed, mut record_changed) = (false, false);
        for event in events {
            if event.change == landfall_apiserver::Change::Deleted {
                self.events.forget(event.object.uid());
                self.kubelet.forget(event.object.uid());
                self.autoscalers.forget(event.object.uid());
                self.absent.note(world, event.object.uid());
            }
            let changed = &event.object_ref;
            if &*changed.resource == "configmaps" && (changed.namespace.as_str(), changed.name.as_str()) == PLAY {
                play_changed = true;
            }
            record_changed |= Attendance::is_record(changed);
            if self.plane.operators == Operators::UntilReal {
                self.attendance.see(event);
            }
            roll::event(world, &self.census, event, &mut self.queue);
        }
        if play_changed {
            self.read_play(world);
        }
        if record_changed && self.attendance.read(world) {
            roll::operated(world, &mut self.queue);
        }
    }

    /// Whether a simulated operator, or the simulated ingress controller of a class, is to act.
    fn acts(&self, twin: &str) -> bool {
        self.plane.operators != Operators::Off
            && !self.behaviour.play().operators_off.contains(twin)
            && self.attendance.acts(twin, self.plane.operators)
    }

    /// The simulated operator that looks after a role, where one does.
    fn twin(world: &World, item: &Item) -> Option<String> {
        Some(match item.role {
            Role::Operator(place) => operators::ALL[place].name.to_owned(),
            Role::Ingress => {
                let ingress = world.find_ref(&item.object)?;
                standing::of_class(standing::class(&ingress))
            }
            _ => return None,
        })
    }

    /// Puts on the play that is kept in the cluster, if there is one; one that cannot be read changes nothing.
    fn read_play(&self, world: &World) {
        let Some(kept) = world.find(kind::CONFIG_MAP.id, PLAY.0, PLAY.1) else { return };
        let written = fields::text(&kept, "/data/play");
        let read = serde_json::from_str(written).map_err(|_| PlayError::Form).and_then(|play| Play::parse(&play));
        match read {
            Ok(play) if play == *self.behaviour.play() => {}
            Ok(play) => self.behaviour.set(play),
            Err(error) => tracing::warn!(%error, "the play in {}/{} is not put on", PLAY.0, PLAY.1),
        }
    }

    fn reconcile(&mut self, world: &mut World, now: Timestamp, item: &Item) {
        let result = self.dispatch(world, now, item);
        match result {
            Ok(outcome) => {
                self.failures.remove(item);
                match outcome.again_at {
                    Some(at) => self.queue.at(at, item.clone()),
                    None => self.queue.forget(item),
                }
            }
            Err(refusal) => {
                tracing::debug!(?item, %refusal, "reconciliation refused");
                let failures = self.failures.entry(item.clone()).or_insert(0);
                let wait = RETRY.saturating_mul(1 << (*failures).min(18)).min(LONGEST_RETRY);
                *failures += 1;
                if let Ok(at) = now.checked_add(wait) {
                    self.queue.at(at, item.clone());
                }
            }
        }
    }

    fn dispatch(&mut self, world: &mut World, now: Timestamp, item: &Item) -> Result<Outcome, Status> {
        let agent = match item.role {
            Role::Scheduler => Agent::Scheduler,
            Role::Kubelet => Agent::Kubelet,
            Role::Operator(place) => operators::ALL[place].agent,
            Role::Ingress => operators::traefik::TWIN.agent,
            _ => Agent::ControllerManager,
        };
        let (namespace, name) = (item.object.namespace.as_str(), item.object.name.as_str());
        if Self::twin(world, item).is_some_and(|twin| !self.acts(&twin)) {
            return Ok(Outcome::done());
        }
        let desk = &mut Desk::new(world, &mut self.events, now, agent);
        match item.role {
            Role::Garbage => garbage::reconcile(desk, &self.absent, &item.object),
            Role::Namespace => namespaces::reconcile(desk, name),
            Role::Node => nodes::reconcile(desk, &mut self.missing_nodes, name),
            Role::Deployment => deployment::reconcile(desk, namespace, name),
            Role::ReplicaSet => replica_set::reconcile(desk, &kind::REPLICA_SET, namespace, name),
            Role::ReplicationController => replica_set::reconcile(desk, &kind::REPLICATION_CONTROLLER, namespace, name),
            Role::StatefulSet => stateful_set::reconcile(desk, namespace, name),
            Role::DaemonSet => daemon_set::reconcile(desk, namespace, name),
            Role::Job => job::reconcile(desk, namespace, name),
            Role::CronJob => cron_job::reconcile(desk, namespace, name),
            Role::Claim => storage::reconcile_claim(desk, &self.behaviour, namespace, name),
            Role::Volume => storage::reconcile_volume(desk, name),
            Role::Service => endpoints::reconcile(desk, namespace, name),
            Role::Ingress => ingress_status::reconcile(desk, namespace, name),
            Role::Budget => budget::reconcile(desk, namespace, name),
            Role::Autoscaler => autoscaler::reconcile(desk, &self.behaviour, &mut self.autoscalers, namespace, name),
            Role::Quota => quota::reconcile(desk, namespace, name),
            Role::ApiService => api_services::reconcile(desk, name),
            Role::Signer => signer::reconcile(desk, &self.credentials, name),
            Role::Token => tokens::reconcile(desk, &self.credentials, namespace, name),
            Role::Scheduler if self.plane.scheduler == Switch::On => {
                scheduler::reconcile(desk, &self.behaviour, &self.census, self.plane.operators, namespace, name)
            }
            Role::Kubelet if self.plane.kubelet == Switch::On => {
                self.kubelet.reconcile(desk, &self.behaviour, &self.census, namespace, name)
            }
            Role::Operator(place) => (operators::ALL[place].reconcile)(desk, &item.object),
            Role::Scheduler | Role::Kubelet => Ok(Outcome::done()),
        }
    }
}

impl Controller for Controllers {
    fn step(&mut self, world: &mut World) -> Option<Timestamp> {
        let now = world.now();
        self.advance(world, now)
    }

    fn fork(&self, behaviour: &Arc<Behaviour>) -> Box<dyn Controller> {
        Box::new(Controllers { behaviour: behaviour.clone(), ..self.clone() })
    }
}

#[cfg(test)]
mod tests;
