//! What a controller works with: reads of the world, and writes under its own name.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_apiserver::{Actor, DeleteOptions, ObjectRef, Part, Status, Stored, World};
use landfall_object::{Object, once_guard};
use serde_json::Value;

pub(crate) use super::event_type::EventType;
use super::events::Correlator;
use super::fields;
use super::kind::{Kind, SECRET};

/// An object as the world holds it.
pub(crate) type Found = Arc<Stored>;

/// One reconciliation's view of the world.
pub(crate) struct Desk<'w> {
    pub(super) world: &'w mut World,
    pub(super) events: &'w mut Correlator,
    now: Timestamp,
    actor: Actor,
    component: &'static str,
}

/// What a reconciliation asks of the loop that called it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// When to look at the object again even if nothing changes.
    pub(crate) again_at: Option<Timestamp>,
}

/// The field managers of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agent {
    /// All built-in controllers.
    ControllerManager,
    /// The scheduler.
    Scheduler,
    /// The node's agent.
    Kubelet,
    /// A simulated operator, by its name as a field manager.
    Operator(&'static str),
    /// The simulated volume provisioner.
    LocalPath,
    /// The cluster itself, about what it simulates.
    Landfall,
}

impl Agent {
    /// The name in managed fields and as user.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::Operator(name) => name,
            Self::LocalPath => "local-path-provisioner",
            Self::Landfall => "landfall",
        }
    }
}

impl Outcome {
    /// Nothing more to do until something changes.
    pub(crate) fn done() -> Self {
        Self::default()
    }

    /// Look again at an instant, if one is given.
    pub(crate) fn again_at(at: Option<Timestamp>) -> Self {
        Self { again_at: at }
    }
}

/// Asks the one guard whether a Secret may become another, or go.
pub(crate) fn guard(there: &Value, next: Option<&Value>) -> Result<(), Status> {
    let object = |value: &Value| Object::from_value(value.clone()).ok();
    let Some(live) = object(there).filter(|_| !landfall_diag::is_mutant("once-desk")) else { return Ok(()) };
    let next = next.and_then(object);
    once_guard(Some(&live), next.as_ref())
        .map_err(|violation| Status::forbidden("", SECRET.id, fields::name(there), violation))
}

/// The earlier of two instants, when given.
pub(crate) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl<'w> Desk<'w> {
    /// A desk for `agent` at an instant.
    pub(crate) fn new(world: &'w mut World, events: &'w mut Correlator, now: Timestamp, agent: Agent) -> Self {
        Self { world, events, now, actor: Actor::system(agent.name()), component: agent.name() }
    }

    /// The instant of this step.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether time can only be waited for, not jumped.
    pub(crate) fn is_real_time(&self) -> bool {
        self.world.clock().as_virtual().is_none()
    }

    /// The world, for reads this desk has no name for.
    pub(crate) fn world(&mut self) -> &mut World {
        self.world
    }

    /// Names the component that the following events come from.
    pub(crate) fn speaks_as(&mut self, component: &'static str) {
        self.component = component;
    }

    /// Writes under another name from now on.
    pub(crate) fn acts_as(&mut self, agent: Agent) {
        self.actor = Actor::system(agent.name());
    }

    /// When an event of that reason was first reported about the object, if it was.
    pub(crate) fn first_reported(&self, about: &Value, reason: &str) -> Option<Timestamp> {
        self.events.first_seen(fields::uid(about), reason)
    }

    /// Whether exactly this was reported about the object before.
    pub(crate) fn was_said(&self, about: &Value, reason: &str, message: &str) -> bool {
        self.events.has_recorded(fields::uid(about), reason, message)
    }

    /// The object, if there is one; `namespace` is empty for cluster-scoped kinds.
    pub(crate) fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Found> {
        self.world.find(kind.qualified(), namespace, name)
    }

    /// All objects of a kind in a namespace, or everywhere for an empty one, in order.
    pub(crate) fn list(&self, kind: &Kind, namespace: &str) -> Vec<Found> {
        let within = Some(namespace).filter(|n| !n.is_empty());
        self.world.list(kind.qualified(), within).cloned().collect()
    }

    /// The objects of a kind beside `owner` that it controls, and those that nobody does.
    pub(crate) fn list_claimable(&self, kind: &Kind, owner: &Value) -> Vec<Found> {
        let own = fields::uid(owner);
        let within = Some(fields::namespace(owner)).filter(|n| !n.is_empty());
        self.world
            .list(kind.qualified(), within)
            .filter(|object| object.controller_uid().is_none_or(|uid| uid == own))
            .cloned()
            .collect()
    }

    /// Creates an object in its own namespace.
    pub(crate) fn create(&mut self, kind: &Kind, object: Value) -> Result<Found, Status> {
        self.world.create(&self.actor, kind.qualified(), object)
    }

    /// Replaces an object, status left alone; a Secret keeps what it has of keys that are generated once, whoever asks.
    pub(crate) fn update(&mut self, kind: &Kind, object: Value) -> Result<Found, Status> {
        if kind.id == SECRET.id
            && let Some(there) = self.get(kind, fields::namespace(&object), fields::name(&object))
        {
            guard(&there, Some(&object))?;
        }
        self.world.update(&self.actor, kind.qualified(), object)
    }

    /// Replaces an object's status (and, where the real server lets it, its annotations).
    pub(crate) fn update_status(&mut self, kind: &Kind, object: Value) -> Result<Found, Status> {
        self.world.update_status(&self.actor, kind.qualified(), object)
    }

    /// Deletes an object with its dependents in the background; gone already is fine.
    pub(crate) fn delete(&mut self, kind: &Kind, namespace: &str, name: &str) -> Result<(), Status> {
        self.delete_with(kind, namespace, name, DeleteOptions::default())
    }

    /// Deletes an object; gone already is fine.
    pub(crate) fn delete_with(
        &mut self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        options: DeleteOptions,
    ) -> Result<(), Status> {
        let object = ObjectRef { resource: kind.qualified().into(), namespace: namespace.into(), name: name.into() };
        self.delete_ref(&object, &options)
    }

    /// Deletes any object; gone already is fine.
    pub(crate) fn delete_ref(&mut self, object: &ObjectRef, options: &DeleteOptions) -> Result<(), Status> {
        match self.world.delete(&self.actor, object, options) {
            Err(refusal) if !refusal.is_not_found() => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Reads, changes and writes back a part of any object; gone already is fine.
    pub(crate) fn modify(
        &mut self,
        object: &ObjectRef,
        part: Part,
        change: impl FnOnce(&mut Value),
    ) -> Result<(), Status> {
        match self.world.modify(&self.actor, object, part, change) {
            Err(refusal) if !refusal.is_not_found() => Err(refusal),
            _ => Ok(()),
        }
    }

    /// Assigns a pod to a node.
    pub(crate) fn bind(&mut self, pod: &ObjectRef, node: &str) -> Result<(), Status> {
        self.world.bind_pod(&self.actor, pod, node).map(|_| ())
    }

    /// Reports something about an object; equal reports are counted, many similar ones combined.
    pub(crate) fn event(&mut self, about: &Value, kind: EventType, reason: &str, message: &str) {
        self.event_at(about, "", kind, reason, message);
    }

    /// As `event`, about a part of the object such as `spec.containers{web}`.
    pub(crate) fn event_at(&mut self, about: &Value, path: &str, kind: EventType, reason: &str, message: &str) {
        let host = if self.component == "kubelet" { fields::text(about, "/spec/nodeName") } else { "" };
        let report = super::events::Report { about, path, kind, reason, message, component: self.component, host };
        self.events.record(self.world, &self.actor, self.now, &report);
    }
}
