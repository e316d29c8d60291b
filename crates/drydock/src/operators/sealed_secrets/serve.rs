//! What the controller answers over HTTP, through the API server's proxy of its service (`pkg/controller/server.go`).
//!
//! It answers for the service of the chart's own name also where no chart was installed, so that sealing needs nothing but the
//! definition of SealedSecrets; and for any service whose selector says that it is the controller's.

use jiff::{SignedDuration, Timestamp};
use landfall_apiserver::{Actor, HttpAnswer, ServiceRequest, Stored, World};
use landfall_secrets::{KeySize, Keyring, SealingKey, reseal, unseal};
use landfall_sprig::{Context, Seeded};
use parking_lot::Mutex;
use serde_json::Value;

use std::sync::Arc;

use super::{KEYS, SEALED_SECRET, TWIN, key_secrets};
use crate::controllers::fields::{map, text};
use crate::controllers::kind::{CONFIG_MAP, SECRET, SERVICE};
use crate::operators::DEFINITIONS;
use crate::operators::standing::{OPERATOR_RECORD, OperatorRecord};

/// Namespace and name of the service, as kubeseal looks for it.
const SERVED_AS: (&str, &str) = ("kube-system", "sealed-secrets-controller");
/// What the selector of the chart's service says.
const SELECTED: (&str, &str) = ("app.kubernetes.io/name", "sealed-secrets");
/// How old the newest key may get: thirty days, as `--key-renew-period`.
const RENEWED: SignedDuration = SignedDuration::from_hours(720);
/// Bytes of a SealedSecret that is asked about.
const LONGEST: usize = 1 << 20;

/// What is answered; `None` for services that are others', and when the twin does not act.
pub(crate) fn answer(world: &Mutex<World>, request: &ServiceRequest<'_>) -> Option<HttpAnswer> {
    if !is_ours(&world.lock(), request) {
        return None;
    }
    let path = request.path.split('?').next().unwrap_or_default();
    Some(match path {
        "/healthz" => said(200, "text/plain", b"ok\n".to_vec()),
        "/v1/cert.pem" => match certificate(world) {
            Some(pem) => said(200, "application/x-pem-file", pem.into_bytes()),
            None => said(500, "text/plain; charset=utf-8", b"cannot get certificate\n".to_vec()),
        },
        "/v1/verify" | "/v1/rotate" if request.body.len() > LONGEST => said(413, "text/plain", Vec::new()),
        "/v1/verify" => said(verified(&world.lock(), request.body), "text/plain", Vec::new()),
        "/v1/rotate" => match rotated(&world.lock(), request.body) {
            Some(sealed) => said(200, "application/json", sealed.to_string().into_bytes()),
            None => said(500, "text/plain", Vec::new()),
        },
        _ => said(404, "text/plain; charset=utf-8", b"404 page not found\n".to_vec()),
    })
}

fn said(status: u16, kind: &str, body: Vec<u8>) -> HttpAnswer {
    HttpAnswer { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body }
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

/// The newest certificate, unless its time to be renewed has come.
fn fresh(world: &World, now: Timestamp) -> Option<String> {
    let ring = keyring(world);
    let newest = ring.newest()?;
    let renewed = newest.not_before.checked_add(RENEWED).unwrap_or(Timestamp::MAX);
    (now < renewed).then(|| newest.pem().to_owned())
}

/// The certificate to seal with; makes the first key, and a new one when the last is old. None goes.
fn certificate(world: &Mutex<World>) -> Option<String> {
    let now = world.lock().now();
    if let Some(pem) = fresh(&world.lock(), now) {
        return Some(pem);
    }
    // Some tenths of a second, in which the cluster goes on.
    let key = SealingKey::generate(KeySize::default(), now).ok()?;
    let mut world = world.lock();
    if let Some(pem) = fresh(&world, now) {
        return Some(pem);
    }
    let made = world.create(&Actor::system(TWIN.agent.name()), SECRET.id, key.to_secret(KEYS));
    if let Err(refusal) = &made {
        tracing::warn!(%refusal, "the sealing key cannot be kept");
    }
    made.ok()?;
    Some(key.certificate?.pem().to_owned())
}

/// 200 when all of it opens, 409 when not, 500 for what is no SealedSecret.
fn verified(world: &World, body: &[u8]) -> u16 {
    let Some(sealed) = sealed(body) else { return 500 };
    let context = Context::new(world.now(), Seeded::new(0));
    if unseal(&sealed, &keyring(world), &context).is_ok() { 200 } else { 409 }
}

/// The same values under the newest key.
fn rotated(world: &World, body: &[u8]) -> Option<Value> {
    let ring = keyring(world);
    reseal(&sealed(body)?, &ring, ring.newest()?).ok()
}

/// The one SealedSecret of a body, in JSON or YAML.
fn sealed(body: &[u8]) -> Option<Value> {
    let body = std::str::from_utf8(body).ok()?;
    let mut documents = landfall_yaml::documents(body);
    let first = documents.next()?.ok()?.to_json().ok()?;
    let is_one = documents.all(|part| part.is_ok_and(|part| part.to_json().is_ok_and(|it| it.is_null())));
    (is_one && text(&first, "/kind") == landfall_secrets::KIND).then_some(first)
}
