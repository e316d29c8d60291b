//! What the controller answers over HTTP, through the API server's proxy of its service (`pkg/controller/server.go`).
//!
//! It answers for the service of the chart's own name also where no chart was installed, and for any service whose selector says that
//! it is the controller's. `kubeseal` reads the service before it asks it, for the name of its port: as long as there is none it is
//! shown one, under whatever name it asks for, and before SealedSecrets are defined, since what is sealed comes before what is
//! delivered. Nobody else is shown it, so that the real chart can make its own.

use jiff::Timestamp;
use landfall_apiserver::{Actor, HttpAnswer, ServiceRequest, Stored, World};
use landfall_object::SIMULATED;
use landfall_secrets::control::{self, Answer, SERVICE as SERVED_AS, is_key_due};
use landfall_secrets::{KeySize, Keyring, SealingKey};
use parking_lot::Mutex;
use serde_json::{Value, json};

use std::sync::Arc;

use super::{KEYS, SEALED_SECRET, TWIN, key_secrets};
use crate::controllers::fields::map;
use crate::controllers::kind::{CONFIG_MAP, SECRET, SERVICE};
use crate::operators::DEFINITIONS;
use crate::operators::standing::{OPERATOR_RECORD, OperatorRecord};

/// What the selector of the chart's service says.
const SELECTED: (&str, &str) = ("app.kubernetes.io/name", "sealed-secrets");

/// What is answered; `None` for services that are others', and when the twin does not act.
pub(crate) fn answer(world: &Mutex<World>, request: &ServiceRequest<'_>) -> Option<HttpAnswer> {
    if !is_ours(&world.lock(), request) {
        return None;
    }
    let path = request.path.split('?').next().unwrap_or_default();
    if path == "/v1/cert.pem" {
        make_due_key(world);
    }
    let (ring, now) = {
        let world = world.lock();
        (keyring(&world), world.now())
    };
    let Answer { status, kind, body } = control::answer(path, request.body, &ring, now);
    Some(HttpAnswer { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body })
}

/// The service that is shown to a client that is about to ask it; `None` for others, and when the twin does not act.
pub(crate) fn service_for(world: &World, namespace: &str, name: &str, agent: &str) -> Option<Value> {
    if !is_asker(agent) || !acts(world) || world.find(SERVICE.id, namespace, name).is_some() {
        return None;
    }
    Some(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "annotations": {SIMULATED: "no such service is stored; the cluster answers for it"}},
        "spec": {"type": "ClusterIP", "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "targetPort": "http"}]},
    }))
}

/// Whether it is kubeseal, stock or ours, by whatever name it was installed (`kubeseal-0.38`).
fn is_asker(agent: &str) -> bool {
    agent.starts_with("kubeseal")
}

/// Whether no real controller acts.
fn acts(world: &World) -> bool {
    let record = world.find(CONFIG_MAP.id, OPERATOR_RECORD.0, OPERATOR_RECORD.1);
    record.is_none_or(|record| OperatorRecord::of_config_map(&record).get(TWIN.name).is_none())
}

/// Whether the service is the controller's, SealedSecrets are served, and no real controller acts.
fn is_ours(world: &World, request: &ServiceRequest<'_>) -> bool {
    let is_asker = is_asker(request.agent);
    if !acts(world) || !is_asker && world.find(DEFINITIONS, "", SEALED_SECRET.id).is_none() {
        return false;
    }
    match world.find(SERVICE.id, request.namespace, request.name) {
        None => is_asker || (request.namespace, request.name) == SERVED_AS,
        Some(service) => {
            map(&service, "/spec/selector").and_then(|all| all.get(SELECTED.0)).is_some_and(|name| name == SELECTED.1)
        }
    }
}

fn keys(world: &World) -> Vec<Arc<Stored>> {
    key_secrets(world.list(SECRET.id, Some(KEYS)).cloned())
}

fn keyring(world: &World) -> Keyring {
    let keys = keys(world);
    Keyring::of_secrets(keys.iter().map(|key| key.value())).0
}

fn is_due(world: &World, now: Timestamp) -> bool {
    is_key_due(keyring(world).newest(), now)
}

/// Makes the first key, and a new one when the last is old. None goes.
fn make_due_key(world: &Mutex<World>) {
    let now = world.lock().now();
    if !is_due(&world.lock(), now) {
        return;
    }
    // Some tenths of a second, in which the cluster goes on.
    let Ok(key) = SealingKey::generate(KeySize::default(), now) else { return };
    let mut world = world.lock();
    if !is_due(&world, now) {
        return;
    }
    let made = world.create(&Actor::system(TWIN.agent.name()), SECRET.id, key.to_secret(KEYS));
    if let Err(refusal) = made {
        tracing::warn!(%refusal, "the sealing key cannot be kept");
    }
}
