//! The sealed-secrets controller's twin: it opens what its keys open, as the original does.
//!
//! ```text
//! no sealing key in kube-system ─► values are marked placeholders: what was sealed for another cluster can still be tried
//! keys there ─► a value opens or it does not, and the condition says which
//! cert.pem asked for ([`serve`]) ─► the first key is made; a newer one when it is thirty days old, and none is ever deleted
//! ```
//!
//! Whoever wants true values restores the keys they were sealed for, or seals for this cluster.

mod serve;

use landfall_apiserver::{ObjectRef, Status, rfc3339};
use landfall_object::{ONCE_ANNOTATION, Object, SIMULATED, once_guard};
use landfall_secrets::{Keyring, MANAGED, PATCH, SKIP_OWNER, unseal};
use landfall_sprig::{Context, Seeded};
use serde_json::{Value, json};

pub(crate) use serve::answer;

use crate::controllers::desk::{Agent, Desk, EventType, Found, Outcome};
use crate::controllers::fields::{
    annotate, annotation, child, controller_reference, count, deleting, is_controlled_by, list, map, name, namespace,
    text, uid,
};
use crate::controllers::kind::{SECRET, kinds};
use crate::controllers::writers::{is_written_by_others, writers_of};
use crate::operators::{DEFINITIONS, Twin, Wake, Within};

kinds! {
    SEALED_SECRET = "bitnami.com" "v1alpha1" "SealedSecret" "sealedsecrets.bitnami.com" namespaced;
}

/// The sealed-secrets controller.
pub(crate) const TWIN: Twin = Twin {
    name: "sealed-secrets",
    agent: Agent::Operator("sealed-secrets-simulated"),
    kinds: &[SEALED_SECRET],
    leases: &[],
    queue: &[SEALED_SECRET],
    // A new sealing key is one more Secret, and may open what did not open so far anywhere.
    wakes: &[Wake { after: &["secrets", DEFINITIONS], queue: &[SEALED_SECRET], within: Within::Everywhere }],
    reconcile,
};

/// Where the sealing keys are, as in the original's chart.
pub(crate) const KEYS: &str = "kube-system";

/// What stands in for every value, in base64.
const PLACEHOLDER: &str = "fnNpbXVsYXRlZA==";

/// How the API server ends what it says of a Secret that may not be changed.
const IMMUTABLE: &str = "field is immutable when `immutable` is set";

/// How a Secret that is there already may be written (`pkg/controller/controller.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Adoption {
    /// Everything is replaced.
    Whole,
    /// What is sealed is added.
    Patch,
}

/// Whether a Secret's maker lets sealed ones write it too.
pub(crate) fn is_shared(secret: &Value) -> bool {
    [MANAGED, PATCH].into_iter().any(|key| annotation(secret, key) == Some("true"))
}

/// The Secrets that hold sealing keys in use.
fn key_secrets(secrets: impl IntoIterator<Item = Found>) -> Vec<Found> {
    secrets.into_iter().filter(|secret| landfall_secrets::is_key_secret(secret.value())).collect()
}

/// Makes the secret that a sealed one stands for.
fn reconcile(desk: &mut Desk<'_>, object: &ObjectRef) -> Result<Outcome, Status> {
    let (namespace_, name_) = (object.namespace.as_str(), object.name.as_str());
    let Some(sealed) = desk.get(&SEALED_SECRET, namespace_, name_).filter(|s| !deleting(s)) else {
        return Ok(Outcome::done());
    };
    let there = desk.get(&SECRET, namespace_, name_);
    let keys = key_secrets(desk.list(&SECRET, KEYS));
    if is_settled(&sealed, there.as_ref().map(|it| it.value()), &keys) {
        return Ok(Outcome::done());
    }
    let made = if keys.is_empty() {
        pretended(&sealed)
    } else {
        let (keyring, _unusable) = Keyring::of_secrets(keys.iter().map(|key| key.value()));
        let context = Context::new(desk.now(), Seeded::new(seed(&sealed)));
        match unseal(&sealed, &keyring, &context) {
            Ok(opened) => opened.to_secret(&sealed),
            Err(error) => {
                let why = error.to_string();
                return refused(desk, &sealed, "ErrUnsealFailed", &format!("Failed to unseal: {why}"), &why);
            }
        }
    };
    let wanted = match there.as_ref() {
        None => made,
        Some(secret) => {
            let Some(adoption) = adoption(secret, &sealed) else {
                let why = format!("Resource {name_:?} already exists and is not managed by SealedSecret");
                return refused(desk, &sealed, "ErrUpdateFailed", &why, &format!("failed update: {why}"));
            };
            // Whoever fills it knows better than a placeholder.
            if keys.is_empty() && !is_shared(secret) && is_written_by_others(secret, "f:data", TWIN.agent.name()) {
                return Ok(Outcome::done());
            }
            adopted(secret, made, adoption)
        }
    };
    if let Some(why) = guarded(there.as_ref(), &wanted) {
        return refused(desk, &sealed, "ErrUpdateFailed", &why, &format!("failed update: {why}"));
    }
    match there {
        Some(there) if *there.value() == wanted => {}
        there => {
            if let Err(refusal) = write(desk, there.as_ref(), wanted) {
                if !refusal.message.ends_with(IMMUTABLE) {
                    return Err(refusal);
                }
                let why = format!(
                    "Error updating {namespace_}/{name_}: the target Secret is immutable. Once a Secret is marked as immutable, it is not possible to revert this change nor to mutate the contents of the data field. You can only delete and recreate the Secret."
                );
                return refused(desk, &sealed, "ErrUpdateFailed", &why, &refusal.message);
            }
            let said = if keys.is_empty() { " (simulated)" } else { "" };
            let said = format!("SealedSecret unsealed successfully{said}");
            desk.event(&sealed, EventType::Normal, "Unsealed", &said);
        }
    }
    finish(desk, &sealed, "True", "")
}

/// Tells why there is no Secret, or not the one that is sealed.
fn refused(desk: &mut Desk<'_>, sealed: &Value, reason: &str, said: &str, message: &str) -> Result<Outcome, Status> {
    if !desk.was_said(sealed, reason, said) {
        desk.event(sealed, EventType::Warning, reason, said);
    }
    finish(desk, sealed, "False", message)
}

/// A number for what a template draws: the same for the same object, so that a rehearsal can be repeated.
fn seed(sealed: &Value) -> u64 {
    let generation = u64::try_from(count(sealed, "/metadata/generation")).unwrap_or_default();
    uid(sealed).bytes().fold(generation, |seed, byte| seed.rotate_left(8) ^ u64::from(byte))
}

/// Why a Secret may not become what is sealed: it holds a key that is generated once, and would lose it.
fn guarded(there: Option<&Found>, wanted: &Value) -> Option<String> {
    let there = Object::from_value(there?.value().clone()).ok()?;
    let wanted = Object::from_value(wanted.clone()).ok()?;
    once_guard(Some(&there), Some(&wanted)).err().map(|violation| violation.to_string())
}

/// Whether nothing has happened to a sealed secret since its condition was written, so that nothing has to be opened.
///
/// The original compares `spec` alone and misses that a scope was changed by its annotation; here a write of anything but the status
/// counts, and a new key does where one was missing.
fn is_settled(sealed: &Value, there: Option<&Value>, keys: &[Found]) -> bool {
    let known = list(sealed, "/status/conditions").iter().find(|condition| text(condition, "/type") == "Synced");
    let Some(known) =
        known.filter(|_| count(sealed, "/status/observedGeneration") == count(sealed, "/metadata/generation"))
    else {
        return false;
    };
    let last = text(known, "/lastUpdateTime");
    // Times are of whole seconds: what is of the same one may have come after.
    let is_later = |time: &str| time >= last;
    let mut writes =
        list(sealed, "/metadata/managedFields").iter().filter(|entry| text(entry, "/subresource") != "status");
    if writes.any(|entry| is_later(text(entry, "/time"))) {
        return false;
    }
    if text(known, "/status") == "True" {
        let Some(secret) = there else { return false };
        let has = |key: &String| secret.pointer("/data").and_then(|data| data.get(key)).is_some();
        let mut wanted = ["/spec/encryptedData", "/spec/template/data"]
            .into_iter()
            .flat_map(|part| map(sealed, part).into_iter().flatten().map(|(key, _)| key));
        let is_true = annotation(secret, SIMULATED).is_none() || keys.is_empty();
        return is_true && adoption(secret, sealed).is_some() && wanted.all(has);
    }
    let newer = keys.iter().any(|key| is_later(text(key.value(), "/metadata/creationTimestamp")));
    !newer && !text(known, "/message").starts_with("failed update: ")
}

fn write(desk: &mut Desk<'_>, there: Option<&Found>, wanted: Value) -> Result<(), Status> {
    match there {
        None => desk.create(&SECRET, wanted)?,
        Some(_) => desk.update(&SECRET, wanted)?,
    };
    Ok(())
}

fn adoption(secret: &Value, sealed: &Value) -> Option<Adoption> {
    if annotation(secret, PATCH) == Some("true") {
        return Some(Adoption::Patch);
    }
    // What is generated once has no owner, by which to know who made it.
    let is_made_here = annotation(secret, ONCE_ANNOTATION).is_some() && {
        let mut writers = writers_of(secret, "f:data", "").map(|entry| text(entry, "/manager"));
        writers.next() == Some(TWIN.agent.name()) && writers.next().is_none()
    };
    let whole = is_controlled_by(secret, sealed) || annotation(secret, MANAGED) == Some("true") || is_made_here;
    whole.then_some(Adoption::Whole)
}

/// The secret as the template has it, each value a placeholder.
fn pretended(sealed: &Value) -> Value {
    let template = sealed.pointer("/spec/template").cloned().unwrap_or_else(|| json!({}));
    let mut data = json!({});
    for key in map(sealed, "/spec/encryptedData").into_iter().flatten().map(|(key, _)| key) {
        data[key] = PLACEHOLDER.into();
    }
    for key in map(&template, "/data").into_iter().flatten().map(|(key, _)| key) {
        data[key] = PLACEHOLDER.into();
    }
    let kind = text(&template, "/type");
    let mut made = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name(sealed), "namespace": namespace(sealed)},
        "type": if kind.is_empty() { "Opaque" } else { kind },
        "data": data,
    });
    if annotation(&template, SKIP_OWNER) != Some("true") {
        made["metadata"]["ownerReferences"] = json!([controller_reference(sealed)]);
    }
    for part in ["labels", "annotations"] {
        if let Some(entries) = map(&template, &format!("/metadata/{part}")) {
            made["metadata"][part] = Value::Object(entries.clone());
        }
    }
    annotate(&mut made, SIMULATED, "every value is ~simulated");
    made
}

/// What is there with what is unsealed.
fn adopted(there: &Value, unsealed: Value, adoption: Adoption) -> Value {
    let mut wanted = there.clone();
    wanted["type"] = unsealed.get("type").cloned().unwrap_or_else(|| "Opaque".into());
    match adoption {
        Adoption::Whole => {
            wanted["data"] = unsealed["data"].clone();
            for part in ["labels", "annotations", "ownerReferences"] {
                wanted["metadata"][part] = unsealed["metadata"][part].clone();
            }
            // What protects values is no template's to take away.
            if let Some(keys) = annotation(there, ONCE_ANNOTATION)
                && annotation(&unsealed, ONCE_ANNOTATION).is_none()
            {
                annotate(&mut wanted, ONCE_ANNOTATION, keys);
            }
        }
        Adoption::Patch => {
            for (parent, part) in [("", "data"), ("metadata", "labels"), ("metadata", "annotations")] {
                let pointer = if parent.is_empty() { format!("/{part}") } else { format!("/{parent}/{part}") };
                for (key, value) in map(&unsealed, &pointer).into_iter().flatten() {
                    let slot = if parent.is_empty() { &mut wanted } else { child(&mut wanted, parent) };
                    child(slot, part)[key] = value.clone();
                }
            }
            if annotation(there, MANAGED) == Some("true") {
                wanted["metadata"]["ownerReferences"] = unsealed["metadata"]["ownerReferences"].clone();
            }
            if annotation(&unsealed, SIMULATED).is_some() {
                let keys: Vec<&str> =
                    map(&unsealed, "/data").into_iter().flatten().map(|(key, _)| key.as_str()).collect();
                annotate(&mut wanted, SIMULATED, &format!("~simulated: {}", keys.join(", ")));
            }
        }
    }
    if let Some(metadata) = wanted["metadata"].as_object_mut() {
        metadata.retain(|_, value| !value.is_null());
    }
    wanted
}

fn finish(desk: &mut Desk<'_>, sealed: &Value, synced: &str, message: &str) -> Result<Outcome, Status> {
    let known = list(sealed, "/status/conditions").iter().find(|c| text(c, "/type") == "Synced");
    let current = count(sealed, "/status/observedGeneration") == count(sealed, "/metadata/generation");
    if current && known.is_some_and(|c| text(c, "/status") == synced && text(c, "/message") == message) {
        return Ok(Outcome::done());
    }
    let now = rfc3339(desk.now());
    let since = known
        .filter(|c| text(c, "/status") == synced)
        .map_or_else(|| now.clone().into(), |c| c["lastTransitionTime"].clone());
    let mut condition = json!({"type": "Synced", "status": synced, "lastTransitionTime": since, "lastUpdateTime": now});
    if !message.is_empty() {
        condition["message"] = message.into();
    }
    let mut changed = sealed.clone();
    changed["status"] = json!({
        "observedGeneration": count(sealed, "/metadata/generation"),
        "conditions": [condition],
    });
    desk.update_status(&SEALED_SECRET, changed)?;
    Ok(Outcome::done())
}
