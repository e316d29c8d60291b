//! All controllers, and who of them is told of a change.
//!
//! A change is told in this order, so that a run is the same each time.

use landfall_apiserver::{Event, Stored, World};

use super::census::Census;
use super::fields::text;
use super::kind::Kind;
use super::loops::{After, Call, Loop, all, reference};
use super::queue::{Queue, Role};
use super::{
    api_services, autoscaler, budget, cron_job, daemon_set, deployment, endpoints, garbage, ingress_status, job,
    namespaces, nodes, quota, replica_set, signer, stateful_set, storage, tokens, waiting,
};
use crate::operators::{self, Within};

const ALL: &[&Loop] = &[
    &garbage::LOOP,
    &namespaces::LOOP,
    &nodes::LOOP,
    &deployment::LOOP,
    &replica_set::LOOP,
    &replica_set::OLD_LOOP,
    &stateful_set::LOOP,
    &daemon_set::LOOP,
    &job::LOOP,
    &cron_job::LOOP,
    &storage::CLAIMS,
    &storage::VOLUMES,
    &endpoints::LOOP,
    &ingress_status::LOOP,
    &budget::LOOP,
    &autoscaler::LOOP,
    &quota::LOOP,
    &signer::LOOP,
    &tokens::LOOP,
    &api_services::LOOP,
    &waiting::SCHEDULER,
    &waiting::KUBELET,
];

/// Events themselves concern nobody.
const EVENTS: &str = "events";

/// The kinds that each controller and each simulated operator looks after itself.
fn own() -> impl Iterator<Item = (&'static Kind, Role)> {
    let operated = operators::ALL.iter().enumerate();
    let operated = operated.flat_map(|(place, twin)| twin.queue.iter().map(move |kind| (kind, Role::Operator(place))));
    ALL.iter().flat_map(|it| it.kinds.iter().map(|kind| (kind, it.role))).chain(operated)
}

/// Queues every object for its controllers: at the start, and when events were missed.
pub(super) fn everything(world: &World, queue: &mut Queue) {
    for (kind, role) in own() {
        all(world, kind, "", role, queue);
    }
    garbage::everything(world, queue);
}

/// Queues all that acts on what containers are declared to do.
pub(super) fn players(world: &World, queue: &mut Queue) {
    let acts = |role: &Role| matches!(role, Role::Scheduler | Role::Kubelet | Role::Autoscaler | Role::Claim);
    for (kind, role) in own().filter(|(_, role)| acts(role)) {
        all(world, kind, "", role, queue);
    }
}

/// Queues all that simulated operators look after.
pub(super) fn operated(world: &World, queue: &mut Queue) {
    for (kind, role) in own().filter(|(_, role)| matches!(role, Role::Operator(_) | Role::Ingress)) {
        all(world, kind, "", role, queue);
    }
}

/// Queues what a change concerns.
pub(super) fn event(world: &World, census: &Census, event: &Event, queue: &mut Queue) {
    let id = &*event.object_ref.resource;
    if id == EVENTS {
        return;
    }
    for (kind, role) in own() {
        if kind.qualified() == id {
            queue.push(role, event.object_ref.clone());
        }
    }
    for state in [Some(&*event.object), event.previous.as_deref()].into_iter().flatten() {
        owners_of(state, queue);
    }
    for it in ALL {
        let told = |after: &After| match after {
            After::Any => true,
            After::These(resources) => resources.contains(&id),
        };
        for wake in it.wakes.iter().filter(|wake| told(&wake.after)) {
            (wake.queue)(&mut Call { world, census, event, role: it.role, queue });
        }
    }
    wake_operators(world, id, event.object.namespace(), queue);
}

/// Queues what simulated operators look at again after a change of this resource's.
fn wake_operators(world: &World, resource: &str, namespace: &str, queue: &mut Queue) {
    for (place, twin) in operators::ALL.iter().enumerate() {
        for wake in twin.wakes.iter().filter(|wake| wake.after.contains(&resource)) {
            for kind in wake.queue {
                let within = if wake.within == Within::Namespace && kind.namespaced { namespace } else { "" };
                all(world, kind, within, Role::Operator(place), queue);
            }
        }
    }
}

/// Queues the owners of an object for the controllers that look after their kinds; pods own nothing that a scheduler or
/// kubelet would look at.
fn owners_of(object: &Stored, queue: &mut Queue) {
    for owner in object.owner_references() {
        let Some(kind) = Kind::of(text(owner, "/apiVersion"), text(owner, "/kind")) else { continue };
        let namespace = if kind.namespaced { object.namespace() } else { "" };
        for (own, role) in own() {
            if own == kind && !matches!(role, Role::Scheduler | Role::Kubelet) {
                queue.push(role, reference(kind, namespace, text(owner, "/name")));
            }
        }
    }
}
