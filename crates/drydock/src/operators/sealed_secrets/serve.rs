//! What the controller answers over HTTP, through the API server's proxy of its service (`pkg/controller/server.go`).
//!
//! It answers for the service of the chart's own name also where no chart was installed, so that sealing needs nothing but the
//! definition of SealedSecrets; and for any service whose selector says that it is the controller's.

use jiff::Timestamp;
use landfall_apiserver::{Actor, HttpAnswer, ServiceRequest, Stored, World};
use landfall_secrets::control::{self, Answer, SERVICE as SERVED_AS, is_key_due};
use landfall_secrets::{KeySize, Keyring, SealingKey};
use parking_lot::Mutex;

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

/// Whether the service is the controller's, SealedSecrets are served, and no real controller acts.
fn is_ours(world: &World, request: &ServiceRequest<'_>) -> bool {
    if world.find(DEFINITIONS, "", SEALED_SECRET.id).is_none() {
        return false;
    }
    let record = world.find(CONFIG_MAP.id, OPERATOR_RECORD.0, OPERATOR_RECORD.1);
    if record.is_some_and(|record| OperatorRecord::of_config_map(&record).get(TWIN.name).is_some()) {
        return false;
    }
    if (request.namespace, request.name) == SERVED_AS {
        return true;
    }
    let service = world.find(SERVICE.id, request.namespace, request.name);
    service.is_some_and(|service| {
        map(&service, "/spec/selector").and_then(|all| all.get(SELECTED.0)).is_some_and(|name| name == SELECTED.1)
    })
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
