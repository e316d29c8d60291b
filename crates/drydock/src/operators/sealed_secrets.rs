//! The sealed-secrets controller, simulated: keys come true, values are marked placeholders, nothing is decrypted.

use landfall_object::SIMULATED;
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::controllers::desk::{Desk, EventType, Outcome};
use crate::controllers::fields::{
    annotate, annotation, controller_reference, count, deleting, is_controlled_by, list, map, name, namespace, text,
};
use crate::controllers::kind::{SEALED_SECRET, SECRET};
use crate::status::Status;

/// What stands in for every value, in base64.
const PLACEHOLDER: &str = "fnNpbXVsYXRlZA==";

/// Makes the secret that a sealed one stands for.
pub(crate) fn reconcile(desk: &mut Desk<'_>, namespace_: &str, name_: &str) -> Result<Outcome, Status> {
    desk.speaks_as("sealed-secrets-simulated");
    let Some(sealed) = desk.get(&SEALED_SECRET, namespace_, name_).filter(|s| !deleting(s)) else {
        return Ok(Outcome::done());
    };
    let template = sealed.pointer("/spec/template").cloned().unwrap_or_else(|| json!({}));
    let secret_name = Some(text(&template, "/metadata/name")).filter(|n| !n.is_empty()).unwrap_or(name(&sealed));
    let mut data = json!({});
    for key in map(&sealed, "/spec/encryptedData").into_iter().flatten().map(|(key, _)| key) {
        data[key] = PLACEHOLDER.into();
    }
    for key in map(&template, "/data").into_iter().flatten().map(|(key, _)| key) {
        data[key] = PLACEHOLDER.into();
    }
    let there = desk.get(&SECRET, namespace_, secret_name);
    let managed = there.as_ref().is_none_or(|s| {
        is_controlled_by(s, &sealed) || annotation(s, "sealedsecrets.bitnami.com/managed") == Some("true")
    });
    if !managed {
        let why =
            format!("failed update: Resource \"{secret_name}\" already exists and is not managed by SealedSecret");
        if desk.first_reported(&sealed, "ErrUpdateFailed").is_none() {
            desk.event(&sealed, EventType::Warning, "ErrUpdateFailed", &why);
        }
        return finish(desk, &sealed, "False", &why);
    }
    let mut wanted = there.as_ref().map_or_else(
        || {
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret_name, "namespace": namespace(&sealed)}})
        },
        |s| s.value().clone(),
    );
    let kind = text(&template, "/type");
    wanted["type"] = if kind.is_empty() { "Opaque".into() } else { kind.into() };
    wanted["data"] = data;
    wanted["metadata"]["ownerReferences"] = json!([controller_reference(&sealed)]);
    for part in ["labels", "annotations"] {
        if let Some(entries) = map(&template, &format!("/metadata/{part}")) {
            wanted["metadata"][part] = Value::Object(entries.clone());
        }
    }
    annotate(&mut wanted, SIMULATED, "every value is ~simulated");
    match there {
        None => {
            desk.create(&SECRET, wanted)?;
            desk.event(&sealed, EventType::Normal, "Unsealed", "SealedSecret unsealed successfully (simulated)");
        }
        Some(there) if *there.value() != wanted => {
            desk.update(&SECRET, wanted)?;
            desk.event(&sealed, EventType::Normal, "Unsealed", "SealedSecret unsealed successfully (simulated)");
        }
        Some(_) => {}
    }
    finish(desk, &sealed, "True", "")
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
