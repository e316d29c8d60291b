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

use landfall_apiserver::{ObjectRef, Status};
use landfall_object::{ONCE_ANNOTATION, SIMULATED, STOOD_IN};
use landfall_secrets::control::{self, Adoption, Refusal, STANDS_IN, adoption, is_settled, is_stand_in};
use landfall_secrets::{Keyring, SKIP_OWNER};
use serde_json::{Value, json};

pub(crate) use landfall_secrets::control::{KEY_NAMESPACE as KEYS, is_shared};
pub(crate) use serve::{answer, service_for};

use crate::controllers::desk::{Agent, Desk, EventType, Found, Outcome};
use crate::controllers::fields::{annotate, annotation, controller_reference, deleting, map, name, namespace, text};
use crate::controllers::kind::{SECRET, kinds};
use crate::controllers::writers::is_written_by_others;
use crate::operators::{DEFINITIONS, Twin, Wake, Within};

kinds! {
    SEALED_SECRET = "bitnami.com" "v1alpha1" "SealedSecret" "sealedsecrets.bitnami.com" namespaced;
}

/// The sealed-secrets controller.
pub(crate) const TWIN: Twin = Twin {
    name: "sealed-secrets",
    agent: Agent::Operator(control::TWIN),
    kinds: &[SEALED_SECRET],
    leases: &[],
    queue: &[SEALED_SECRET],
    // A new sealing key is one more Secret, and may open what did not open so far anywhere.
    wakes: &[Wake { after: &["secrets", DEFINITIONS], queue: &[SEALED_SECRET], within: Within::Everywhere }],
    reconcile,
};

/// What stands in for every value, in base64.
const PLACEHOLDER: &str = "fnNpbXVsYXRlZA==";

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
    let mut there = desk.get(&SECRET, namespace_, name_);
    if let Some(freed) = there.as_ref().and_then(|it| control::freed(it.value())) {
        desk.update(&SECRET, freed)?;
        there = desk.get(&SECRET, namespace_, name_);
    }
    let keys = key_secrets(desk.list(&SECRET, KEYS));
    let keys: Vec<&Value> = keys.iter().map(|key| key.value()).collect();
    let (live, own) = (there.as_ref().map(|it| it.value()), TWIN.agent.name());
    if is_settled(&sealed, live, &keys, own) {
        return Ok(Outcome::done());
    }
    let made = if keys.is_empty() {
        // Whoever fills it knows better than a placeholder.
        if live.is_some_and(|it| adoption(it, &sealed, own).is_some() && is_filled(it)) {
            return Ok(Outcome::done());
        }
        pretended(&sealed, live)
    } else {
        let (keyring, _unusable) = Keyring::of_secrets(keys.iter().copied());
        match control::opened(&sealed, &keyring, desk.now()) {
            Ok(made) => stood_in_for(made, live, desk.now()),
            Err(refusal) => return refused(desk, &sealed, &refusal),
        }
    };
    match control::wanted(&sealed, live, made, own) {
        Err(refusal) => return refused(desk, &sealed, &refusal),
        Ok(None) => {}
        Ok(Some(wanted)) => {
            if let Err(status) = write(desk, there.as_ref(), wanted) {
                return match Refusal::of_server(&sealed, status.code, &status.message) {
                    Some(refusal) => refused(desk, &sealed, &refusal),
                    None => Err(status),
                };
            }
            let said = if keys.is_empty() { " (simulated)" } else { "" };
            let said = format!("SealedSecret unsealed successfully{said}");
            desk.event(&sealed, EventType::Normal, "Unsealed", &said);
        }
    }
    finish(desk, &sealed, "")
}

/// With until when a placeholder stood there: whoever began before runs with that, and no cluster tells it otherwise.
fn stood_in_for(mut made: Value, live: Option<&Value>, now: jiff::Timestamp) -> Value {
    let known = live.and_then(|live| annotation(live, STOOD_IN)).map(str::to_owned);
    let is_placeholder = live.is_some_and(is_stand_in);
    if let Some(until) = is_placeholder.then(|| now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()).or(known) {
        annotate(&mut made, STOOD_IN, &until);
    }
    made
}

/// Whether somebody else has put values into a Secret that was not shared.
fn is_filled(secret: &Value) -> bool {
    !is_shared(secret) && is_written_by_others(secret, "f:data", TWIN.agent.name())
}

/// Tells why there is no Secret, or not the one that is sealed.
fn refused(desk: &mut Desk<'_>, sealed: &Value, refusal: &Refusal) -> Result<Outcome, Status> {
    if !desk.was_said(sealed, refusal.reason, &refusal.said) {
        desk.event(sealed, EventType::Warning, refusal.reason, &refusal.said);
    }
    finish(desk, sealed, &refusal.message)
}

fn write(desk: &mut Desk<'_>, there: Option<&Found>, wanted: Value) -> Result<(), Status> {
    match there {
        None => desk.create(&SECRET, wanted)?,
        Some(_) => desk.update(&SECRET, wanted)?,
    };
    Ok(())
}

/// The secret as the template has it, each value a placeholder; where it is added to one that is there, only its keys are.
fn pretended(sealed: &Value, there: Option<&Value>) -> Value {
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
    // A placeholder is no value that was generated once: the real one is to take its place.
    if let Some(annotations) = made["metadata"]["annotations"].as_object_mut() {
        annotations.remove(ONCE_ANNOTATION);
    }
    let is_added = there.is_some_and(|it| adoption(it, sealed, TWIN.agent.name()) == Some(Adoption::Patch));
    let said = if is_added {
        let keys: Vec<&str> = map(&made, "/data").into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        format!("{STANDS_IN}: {}", keys.join(", "))
    } else {
        format!("every value is {STANDS_IN}")
    };
    annotate(&mut made, SIMULATED, &said);
    made
}

fn finish(desk: &mut Desk<'_>, sealed: &Value, message: &str) -> Result<Outcome, Status> {
    if let Some(status) = control::status(sealed, message, desk.now()) {
        let mut changed = sealed.clone();
        changed["status"] = status;
        desk.update_status(&SEALED_SECRET, changed)?;
    }
    Ok(Outcome::done())
}
