//! Which controllers want to know of a change.

use landfall_apiserver::{Change, Event, ObjectRef, Stored, World};
use landfall_object::references::provides;
use serde_json::Value;

use super::fields::{controller_of, deleting, is_true, list, text};
use super::kind::{
    API_SERVICE, AUTOSCALER, BUDGET, CLAIM, CRON_JOB, DAEMON_SET, DEPLOYMENT, INGRESS, JOB, Kind, NAMESPACE, NODE, POD,
    QUOTA, REPLICA_SET, REPLICATION_CONTROLLER, SERVICE, SIGNING_REQUEST, STATEFUL_SET, VOLUME,
};
use super::pods::is_terminated;
use super::queue::{Queue, Role};
use super::selector;
use crate::operators::{self, Within};

/// The controllers that look after each kind itself; operators name theirs in their own files.
const OWN: &[(Kind, Role)] = &[
    (NAMESPACE, Role::Namespace),
    (NODE, Role::Node),
    (DEPLOYMENT, Role::Deployment),
    (REPLICA_SET, Role::ReplicaSet),
    (REPLICATION_CONTROLLER, Role::ReplicationController),
    (STATEFUL_SET, Role::StatefulSet),
    (DAEMON_SET, Role::DaemonSet),
    (JOB, Role::Job),
    (CRON_JOB, Role::CronJob),
    (CLAIM, Role::Claim),
    (VOLUME, Role::Volume),
    (SERVICE, Role::Service),
    (INGRESS, Role::Ingress),
    (BUDGET, Role::Budget),
    (AUTOSCALER, Role::Autoscaler),
    (QUOTA, Role::Quota),
    (SIGNING_REQUEST, Role::Signer),
    (API_SERVICE, Role::ApiService),
    (POD, Role::Scheduler),
    (POD, Role::Kubelet),
];

/// The controllers and simulated operators that look after each kind itself.
fn own() -> impl Iterator<Item = (&'static Kind, Role)> {
    let operated = operators::ALL.iter().enumerate();
    let operated = operated.flat_map(|(place, twin)| twin.queue.iter().map(move |kind| (kind, Role::Operator(place))));
    OWN.iter().map(|(kind, role)| (kind, *role)).chain(operated)
}

/// Queues every object for its controllers: at the start, and when events were missed.
pub(super) fn everything(world: &World, queue: &mut Queue) {
    for (kind, role) in own() {
        all(world, kind, "", role, queue);
    }
    for resource in world.registry().all_stored() {
        for object in world.list(&resource.id, None) {
            if deleting(object) || !object.owner_references().is_empty() {
                let reference = ObjectRef {
                    resource: resource.id.clone(),
                    namespace: object.namespace().to_owned(),
                    name: object.name().to_owned(),
                };
                queue.push(Role::Garbage, reference);
            }
        }
    }
}

/// Queues all that acts on what containers are declared to do.
pub(super) fn players(world: &World, queue: &mut Queue) {
    all(world, &POD, "", Role::Kubelet, queue);
    all(world, &AUTOSCALER, "", Role::Autoscaler, queue);
    all(world, &CLAIM, "", Role::Claim, queue);
}

/// Queues all that simulated operators look after.
pub(super) fn operated(world: &World, queue: &mut Queue) {
    for (kind, role) in own() {
        if matches!(role, Role::Operator(_) | Role::Ingress) {
            all(world, kind, "", role, queue);
        }
    }
}

/// Queues what a change concerns.
pub(super) fn event(world: &World, event: &Event, queue: &mut Queue) {
    let id = &*event.object_ref.resource;
    if id == "events" {
        return;
    }
    let object = &event.object;
    for (kind, role) in own() {
        if kind.qualified() == id {
            queue.push(role, event.object_ref.clone());
        }
    }
    if event.change == Change::Deleted {
        for dependent in world.dependents(object.uid()) {
            queue.push(Role::Garbage, dependent.clone());
        }
    } else if deleting(object) || !object.owner_references().is_empty() {
        queue.push(Role::Garbage, event.object_ref.clone());
    }
    for owner in object.owner_references().iter().filter(|_| event.change == Change::Deleted) {
        garbage_of_owner(world, object, owner, queue);
    }
    for state in [Some(object), event.previous.as_ref()].into_iter().flatten() {
        for owner in state.owner_references() {
            owner_of(state, owner, queue);
        }
    }
    let namespace = object.namespace();
    if !namespace.is_empty() {
        all(world, &QUOTA, namespace, Role::Quota, queue);
        if event.change == Change::Deleted && world.find("namespaces", "", namespace).is_some_and(|n| n.is_deleting()) {
            queue.push(Role::Namespace, reference(&NAMESPACE, "", namespace));
        }
    }
    match id {
        "pods" => pod(world, event, queue),
        "replicasets.apps" => replica_set(world, object, queue),
        "services" => {
            all(world, &API_SERVICE, "", Role::ApiService, queue);
            all(world, &INGRESS, namespace, Role::Ingress, queue);
        }
        // As on the real control plane, endpoints that a person writes stay; only where they go, they are made anew.
        "endpoints" if event.change != Change::Deleted => {}
        "endpoints" | "endpointslices.discovery.k8s.io" => {
            let service = if id == "endpoints" {
                object.name()
            } else {
                object.label("kubernetes.io/service-name").unwrap_or_default()
            };
            queue.push(Role::Service, reference(&SERVICE, namespace, service));
            all(world, &API_SERVICE, "", Role::ApiService, queue);
        }
        "configmaps" if object.name() == "kube-root-ca.crt" => {
            queue.push(Role::Namespace, reference(&NAMESPACE, "", namespace));
            waiting_pods(world, namespace, queue);
        }
        "secrets" | "configmaps" => waiting_pods(world, namespace, queue),
        "serviceaccounts" => queue.push(Role::Namespace, reference(&NAMESPACE, "", namespace)),
        "persistentvolumeclaims" => {
            all(world, &VOLUME, "", Role::Volume, queue);
            waiting_pods(world, namespace, queue);
            all(world, &STATEFUL_SET, namespace, Role::StatefulSet, queue);
        }
        "persistentvolumes" | "storageclasses.storage.k8s.io" => {
            for claim in world.list(CLAIM.qualified(), None) {
                if text(claim, "/status/phase") != "Bound" || id == "persistentvolumes" {
                    queue.push(Role::Claim, reference(&CLAIM, claim.namespace(), claim.name()));
                }
            }
            unscheduled(world, queue);
        }
        "nodes" => {
            unscheduled(world, queue);
            all(world, &DAEMON_SET, "", Role::DaemonSet, queue);
            if event.change == Change::Added {
                for pod in world.list(POD.qualified(), None) {
                    if text(pod, "/spec/nodeName") == object.name() {
                        queue.push(Role::Kubelet, reference(&POD, pod.namespace(), pod.name()));
                    }
                }
            }
        }
        "deployments.apps" | "statefulsets.apps" | "replicationcontrollers" => {
            all(world, &AUTOSCALER, namespace, Role::Autoscaler, queue);
            all(world, &BUDGET, namespace, Role::Budget, queue);
        }
        "ingressclasses.networking.k8s.io" => all(world, &INGRESS, "", Role::Ingress, queue),
        // Pods may wait for what an operator makes of it.
        _ if is_custom(id) && !wakes_operators(id) && event.change != Change::Deleted => {
            for made in provides(object.object()) {
                waiting_pods(world, made.namespace.as_deref().unwrap_or_default(), queue);
            }
        }
        _ => {}
    }
    wake_operators(world, id, namespace, queue);
}

/// Whether an operator looks at others of its objects again after a change of this resource's.
fn wakes_operators(resource: &str) -> bool {
    operators::ALL.iter().flat_map(|twin| twin.wakes).any(|wake| wake.after.contains(&resource))
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

/// Whether a resource is of a group that Kubernetes does not bring itself.
fn is_custom(resource: &str) -> bool {
    resource.split_once('.').is_some_and(|(_, group)| group.contains('.') && !group.ends_with(".k8s.io"))
}

fn reference(kind: &Kind, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef { resource: kind.qualified().into(), namespace: namespace.to_owned(), name: name.to_owned() }
}

/// Queues all objects of a kind in a namespace (everywhere for an empty one) for a controller.
fn all(world: &World, kind: &Kind, namespace: &str, role: Role, queue: &mut Queue) {
    for object in world.list(kind.qualified(), Some(namespace).filter(|n| !n.is_empty())) {
        queue.push(role, reference(kind, object.namespace(), object.name()));
    }
}

/// Queues the owner for the controller that looks after its kind.
fn owner_of(object: &Stored, owner: &Value, queue: &mut Queue) {
    let Some(kind) = Kind::of(text(owner, "/apiVersion"), text(owner, "/kind")) else { return };
    let namespace = if kind.namespaced { object.namespace() } else { "" };
    for (own, role) in own() {
        if own == kind && !matches!(role, Role::Scheduler | Role::Kubelet) {
            queue.push(role, reference(kind, namespace, text(owner, "/name")));
        }
    }
}

/// A dependent went: an owner that waits for its dependents may go on.
fn garbage_of_owner(world: &World, object: &Stored, owner: &Value, queue: &mut Queue) {
    let group = text(owner, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let Some(resource) = world.registry().stores_kind(group, text(owner, "/kind")) else { return };
    let namespace = if resource.is_namespaced() { object.namespace() } else { "" };
    queue.push(
        Role::Garbage,
        ObjectRef {
            resource: resource.id.clone(),
            namespace: namespace.to_owned(),
            name: text(owner, "/name").to_owned(),
        },
    );
}

fn pod(world: &World, event: &Event, queue: &mut Queue) {
    let pod = &event.object;
    let namespace = pod.namespace();
    let states = || [Some(pod), event.previous.as_ref()].into_iter().flatten();
    for service in world.list("services", Some(namespace)) {
        let wanted = service.pointer("/spec/selector").and_then(Value::as_object);
        if states().any(|state| selector::map_matches(wanted, state)) {
            queue.push(Role::Service, reference(&SERVICE, namespace, service.name()));
        }
    }
    for budget in world.list(BUDGET.qualified(), Some(namespace)) {
        if states().any(|state| selector::matches(budget.pointer("/spec/selector"), state)) {
            queue.push(Role::Budget, reference(&BUDGET, namespace, budget.name()));
        }
    }
    if controller_of(pod).is_none() {
        adopters(world, pod, queue);
    }
    // A program that has started may make what others wait for.
    let account = text(pod, "/spec/serviceAccountName");
    let phase = |state: &Stored| text(state, "/status/phase").to_owned();
    if !matches!(account, "" | "default")
        && matches!(phase(pod).as_str(), "Running" | "Succeeded")
        && event.previous.as_ref().is_none_or(|before| phase(before) != phase(pod))
    {
        waiting_pods(world, namespace, queue);
    }
    let node = text(pod, "/spec/nodeName");
    if !node.is_empty() && event.change != Change::Deleted && world.find(NODE.qualified(), "", node).is_none() {
        queue.push(Role::Node, reference(&NODE, "", node));
    }
    let gone = event.change == Change::Deleted || is_terminated(pod);
    if gone {
        // A deployment that waits for old pods, pods that wait for room, claims that wait for their users.
        if let Some(set) = controller_of(pod).filter(|o| text(o, "/kind") == "ReplicaSet")
            && let Some(set) = world.find(REPLICA_SET.qualified(), namespace, text(set, "/name"))
        {
            set.owner_references().iter().for_each(|owner| owner_of(&set, owner, queue));
        }
        unscheduled(world, queue);
    }
    let scheduled = event.previous.as_ref().is_some_and(|p| text(p, "/spec/nodeName") != text(pod, "/spec/nodeName"));
    if gone || scheduled || event.change == Change::Added {
        for volume in list(pod, "/spec/volumes") {
            let claim = text(volume, "/persistentVolumeClaim/claimName");
            if !claim.is_empty() {
                queue.push(Role::Claim, reference(&CLAIM, namespace, claim));
            }
            if volume.get("ephemeral").is_some() {
                let claim = format!("{}-{}", pod.name(), text(volume, "/name"));
                queue.push(Role::Claim, reference(&CLAIM, namespace, &claim));
            }
        }
    }
}

/// Queues what may adopt an orphan.
fn adopters(world: &World, pod: &Stored, queue: &mut Queue) {
    let kinds = [
        (REPLICA_SET, Role::ReplicaSet),
        (STATEFUL_SET, Role::StatefulSet),
        (DAEMON_SET, Role::DaemonSet),
        (JOB, Role::Job),
        (REPLICATION_CONTROLLER, Role::ReplicationController),
    ];
    for (kind, role) in kinds {
        for adopter in world.list(kind.qualified(), Some(pod.namespace())) {
            let wanted = adopter.pointer("/spec/selector");
            let fits = if kind == REPLICATION_CONTROLLER {
                selector::map_matches(wanted.and_then(Value::as_object), pod)
            } else {
                selector::matches(wanted, pod)
            };
            if fits {
                queue.push(role, reference(&kind, pod.namespace(), adopter.name()));
            }
        }
    }
}

fn replica_set(world: &World, set: &Stored, queue: &mut Queue) {
    if controller_of(set).is_some() {
        return;
    }
    for deployment in world.list(DEPLOYMENT.qualified(), Some(set.namespace())) {
        if selector::matches(deployment.pointer("/spec/selector"), set) {
            queue.push(Role::Deployment, reference(&DEPLOYMENT, set.namespace(), deployment.name()));
        }
    }
}

/// Pods that no node has: there may be room, a volume or a node for them now.
fn unscheduled(world: &World, queue: &mut Queue) {
    for pod in world.list(POD.qualified(), None) {
        if text(pod, "/spec/nodeName").is_empty() && !is_terminated(pod) {
            queue.push(Role::Scheduler, reference(&POD, pod.namespace(), pod.name()));
        }
    }
}

/// Pods that are not ready yet: what they lack may be there now.
fn waiting_pods(world: &World, namespace: &str, queue: &mut Queue) {
    for pod in world.list(POD.qualified(), Some(namespace)) {
        if is_terminated(pod) || is_true(pod, "ContainersReady") {
            continue;
        }
        let role = if text(pod, "/spec/nodeName").is_empty() { Role::Scheduler } else { Role::Kubelet };
        queue.push(role, reference(&POD, namespace, pod.name()));
    }
}
