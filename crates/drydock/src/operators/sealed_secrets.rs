//! The sealed-secrets controller, simulated: keys come true, values are marked placeholders, nothing is decrypted.

use landfall_apiserver::{ObjectRef, Status, rfc3339};
use landfall_object::SIMULATED;
use serde_json::{Value, json};

use crate::controllers::desk::{Agent, Desk, EventType, Found, Outcome};
use crate::controllers::fields::{
    annotate, annotation, child, controller_reference, count, deleting, is_controlled_by, list, map, name, namespace,
    text,
};
use crate::controllers::kind::{SECRET, kinds};
use crate::controllers::writers::is_written_by_others;
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
    wakes: &[Wake { after: &["secrets", DEFINITIONS], queue: &[SEALED_SECRET], within: Within::Namespace }],
    reconcile,
};

/// What stands in for every value, in base64.
const PLACEHOLDER: &str = "fnNpbXVsYXRlZA==";

/// On a Secret: sealed ones may take it over whole.
const MANAGED: &str = "sealedsecrets.bitnami.com/managed";
/// On a Secret: sealed ones may add to it.
const PATCH: &str = "sealedsecrets.bitnami.com/patch";
/// On a template: the Secret is to outlive what it was made from.
const NO_OWNER: &str = "sealedsecrets.bitnami.com/skip-set-owner-references";

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

/// Makes the secret that a sealed one stands for.
fn reconcile(desk: &mut Desk<'_>, object: &ObjectRef) -> Result<Outcome, Status> {
    let (namespace_, name_) = (object.namespace.as_str(), object.name.as_str());
    let Some(sealed) = desk.get(&SEALED_SECRET, namespace_, name_).filter(|s| !deleting(s)) else {
        return Ok(Outcome::done());
    };
    let template = sealed.pointer("/spec/template").cloned().unwrap_or_else(|| json!({}));
    let secret_name = Some(text(&template, "/metadata/name")).filter(|n| !n.is_empty()).unwrap_or(name(&sealed));
    let there = desk.get(&SECRET, namespace_, secret_name);
    let wanted = match there.as_ref() {
        None => unsealed(&sealed, &template, secret_name),
        Some(secret) => {
            let Some(adoption) = adoption(secret, &sealed) else {
                let why = format!(
                    "failed update: Resource \"{secret_name}\" already exists and is not managed by SealedSecret"
                );
                if desk.first_reported(&sealed, "ErrUpdateFailed").is_none() {
                    desk.event(&sealed, EventType::Warning, "ErrUpdateFailed", &why);
                }
                return finish(desk, &sealed, "False", &why);
            };
            // Whoever fills it knows better than a placeholder.
            if !is_shared(secret) && is_written_by_others(secret, "f:data", TWIN.agent.name()) {
                return Ok(Outcome::done());
            }
            adopted(secret, unsealed(&sealed, &template, secret_name), adoption)
        }
    };
    match there {
        Some(there) if *there.value() == wanted => {}
        there => {
            write(desk, there.as_ref(), wanted)?;
            desk.event(&sealed, EventType::Normal, "Unsealed", "SealedSecret unsealed successfully (simulated)");
        }
    }
    finish(desk, &sealed, "True", "")
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
    let whole = is_controlled_by(secret, sealed) || annotation(secret, MANAGED) == Some("true");
    whole.then_some(Adoption::Whole)
}

/// The secret as the template has it, each value a placeholder.
fn unsealed(sealed: &Value, template: &Value, name: &str) -> Value {
    let mut data = json!({});
    for key in map(sealed, "/spec/encryptedData").into_iter().flatten().map(|(key, _)| key) {
        data[key] = PLACEHOLDER.into();
    }
    for key in map(template, "/data").into_iter().flatten().map(|(key, _)| key) {
        data[key] = PLACEHOLDER.into();
    }
    let kind = text(template, "/type");
    let mut made = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace(sealed)},
        "type": if kind.is_empty() { "Opaque" } else { kind },
        "data": data,
    });
    if annotation(template, NO_OWNER) != Some("true") {
        made["metadata"]["ownerReferences"] = json!([controller_reference(sealed)]);
    }
    for part in ["labels", "annotations"] {
        if let Some(entries) = map(template, &format!("/metadata/{part}")) {
            made["metadata"][part] = Value::Object(entries.clone());
        }
    }
    annotate(&mut made, SIMULATED, "every value is ~simulated");
    made
}

/// What is there with what is unsealed.
fn adopted(there: &Value, unsealed: Value, adoption: Adoption) -> Value {
    let mut wanted = there.clone();
    wanted["type"] = unsealed["type"].clone();
    match adoption {
        Adoption::Whole => {
            wanted["data"] = unsealed["data"].clone();
            for part in ["labels", "annotations", "ownerReferences"] {
                wanted["metadata"][part] = unsealed["metadata"][part].clone();
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
            let keys: Vec<&str> = map(&unsealed, "/data").into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            annotate(&mut wanted, SIMULATED, &format!("~simulated: {}", keys.join(", ")));
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
