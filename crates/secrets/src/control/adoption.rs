//! Whether a Secret that is there already may be written, and what it becomes.

use landfall_object::{BORN_ANNOTATION, ONCE_ANNOTATION};
use serde_json::{Map, Value};

use super::{KEEPER, TWIN, annotation, text};
use crate::{API_VERSION, KIND, MANAGED, PATCH};

/// How a Secret that is there already may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// Everything is replaced.
    Whole,
    /// What is sealed is added.
    Patch,
}

/// Types of Secrets that others live by, and that no SealedSecret takes over whatever their annotations say.
const NEVER: [&str; 2] = ["kubernetes.io/service-account-token", "helm.sh/release.v1"];

/// Whether a Secret's maker lets sealed ones write it too.
pub fn is_shared(secret: &Value) -> bool {
    [MANAGED, PATCH].into_iter().any(|key| annotation(secret, key) == Some("true"))
}

/// Whether a SealedSecret may write a Secret as it stands: it is marked, one owns it, or a controller of ours protected it.
pub fn is_taken(secret: &Value) -> bool {
    is_shared(secret)
        || controller(secret).is_some_and(is_sealed)
        || [TWIN, KEEPER].into_iter().any(|agent| has_protected(secret, agent))
}

/// Marks a Secret as one that a SealedSecret of its name may take, where it is not.
pub(crate) fn leave(secret: &mut Value) {
    if !is_shared(secret) {
        insert(&mut secret["metadata"]["annotations"], MANAGED, "true".into());
    }
}

/// How a Secret may be written for a SealedSecret of its name; nothing where it may not.
///
/// The original takes over whatever is annotated, also what another controller owns, and what is the cluster's own.
pub fn adoption(secret: &Value, sealed: &Value, agent: &str) -> Option<Adoption> {
    let controller = controller(secret);
    if NEVER.contains(&text(secret, "/type")) || controller.is_some_and(|owner| text(owner, "/kind") != KIND) {
        return None;
    }
    if annotation(secret, PATCH) == Some("true") {
        return Some(Adoption::Patch);
    }
    let uid = text(sealed, "/metadata/uid");
    let is_owned = controller.is_some_and(|owner| !uid.is_empty() && text(owner, "/uid") == uid);
    let whole = is_owned || annotation(secret, MANAGED) == Some("true") || has_protected(secret, agent);
    whole.then_some(Adoption::Whole)
}

/// Whether it was the agent that protected a Secret whose keys are generated once. Such a one has no owner by which to know
/// who made it, and its data may have been edited since: those edits are what is taken back.
fn has_protected(secret: &Value, agent: &str) -> bool {
    let fields = secret.pointer("/metadata/managedFields").and_then(Value::as_array);
    let protection = format!("f:{ONCE_ANNOTATION}");
    annotation(secret, ONCE_ANNOTATION).is_some()
        && fields.into_iter().flatten().any(|entry| {
            let annotations = entry.pointer("/fieldsV1/f:metadata/f:annotations");
            text(entry, "/manager") == agent && annotations.is_some_and(|it| it.get(&protection).is_some())
        })
}

fn controller(secret: &Value) -> Option<&Value> {
    let owners = secret.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    owners.into_iter().flatten().find(|owner| owner["controller"] == true)
}

/// Whether an owner is a SealedSecret, of whatever version.
fn is_sealed(owner: &Value) -> bool {
    let group = |version: &str| version.split_once('/').map(|(group, _)| group.to_owned());
    text(owner, "/kind") == KIND && group(text(owner, "/apiVersion")) == group(API_VERSION)
}

/// A Secret without SealedSecrets as its owners, where it has a key that is generated once: with its owner, or the definition of
/// its owner's kind, the cluster's garbage collection would take it.
pub(super) fn unowned(mut secret: Value) -> Value {
    if annotation(&secret, ONCE_ANNOTATION).is_none() {
        return secret;
    }
    if let Some(metadata) = secret["metadata"].as_object_mut()
        && let Some(owners) = metadata.get_mut("ownerReferences").and_then(Value::as_array_mut)
    {
        owners.retain(|owner| !is_sealed(owner));
        if owners.is_empty() {
            metadata.remove("ownerReferences");
        }
    }
    secret
}

/// A Secret that is there and somebody protected after a SealedSecret had come to own it, without that owner; nothing where it
/// has none. It is written before anything is asked of what is sealed: that may not open, or be refused, and the owner may go.
pub fn freed(there: &Value) -> Option<Value> {
    let mut freed = unowned(there.clone());
    if freed == *there {
        return None;
    }
    // The owner was what told whose it is.
    leave(&mut freed);
    Some(freed)
}

/// What has no owner is known by its annotation the next time, where nothing else tells that it may be written.
pub(super) fn keep_known(wanted: &mut Value, sealed: &Value, agent: &str) {
    if annotation(wanted, ONCE_ANNOTATION).is_some() && adoption(wanted, sealed, agent).is_none() {
        leave(wanted);
    }
}

/// What is there with what is unsealed.
pub fn adopted(there: &Value, unsealed: Value, adoption: Adoption) -> Value {
    let mut wanted = there.clone();
    wanted["type"] = unsealed.get("type").cloned().unwrap_or_else(|| "Opaque".into());
    match adoption {
        Adoption::Whole => {
            wanted["data"] = unsealed["data"].clone();
            for part in ["labels", "annotations", "ownerReferences"] {
                wanted["metadata"][part] = unsealed["metadata"][part].clone();
            }
            // What protects values is no template's to take away.
            for kept in [ONCE_ANNOTATION, BORN_ANNOTATION] {
                if let Some(keys) = annotation(there, kept)
                    && annotation(&unsealed, kept).is_none()
                {
                    insert(&mut wanted["metadata"]["annotations"], kept, keys.into());
                }
            }
        }
        Adoption::Patch => {
            let is_managed = annotation(there, MANAGED) == Some("true");
            add(&mut wanted["data"], &unsealed["data"]);
            for part in ["labels", "annotations"] {
                add(&mut wanted["metadata"][part], &unsealed["metadata"][part]);
            }
            if is_managed {
                wanted["metadata"]["ownerReferences"] = unsealed["metadata"]["ownerReferences"].clone();
            }
        }
    }
    if let Some(metadata) = wanted["metadata"].as_object_mut() {
        metadata.retain(|_, value| !value.is_null());
    }
    if let Some(fields) = wanted.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    wanted
}

fn add(to: &mut Value, more: &Value) {
    for (key, value) in more.as_object().into_iter().flatten() {
        insert(to, key, value.clone());
    }
}

/// Puts an entry into a map, which it is made where it is something else.
fn insert(map: &mut Value, key: &str, value: Value) {
    if !map.is_object() {
        *map = Value::Object(Map::new());
    }
    if let Some(entries) = map.as_object_mut() {
        entries.insert(key.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(metadata: Value) -> Value {
        json!({"kind": "Secret", "type": "Opaque", "metadata": metadata, "data": {"A": "YQ=="}})
    }

    /// Attack A13: what is annotated is not yet anybody's to take.
    #[test]
    fn nothing_is_taken_from_another_controller_nor_what_the_cluster_lives_by() {
        let sealed = json!({"metadata": {"name": "s", "uid": "u"}});
        let how = |secret: &Value| adoption(secret, &sealed, "own");
        let marked = json!({"annotations": {MANAGED: "true"}});
        assert_eq!(how(&secret(marked.clone())), Some(Adoption::Whole));
        assert_eq!(how(&secret(json!({}))), None);
        let owner = |kind: &str, uid: &str| json!([{"kind": kind, "uid": uid, "controller": true}]);
        assert_eq!(how(&secret(json!({"ownerReferences": owner("SealedSecret", "u")}))), Some(Adoption::Whole));
        assert_eq!(how(&secret(json!({"ownerReferences": owner("SealedSecret", "former")}))), None);
        for annotated in [MANAGED, PATCH] {
            let mut taken = secret(json!({"annotations": {annotated: "true"}}));
            taken["metadata"]["ownerReferences"] = owner("Certificate", "c");
            assert_eq!(how(&taken), None, "{annotated}");
        }
        for kind in NEVER {
            let mut own = secret(marked.clone());
            own["type"] = kind.into();
            assert_eq!(how(&own), None, "{kind}");
        }
    }

    #[test]
    fn what_was_protected_here_is_taken_back_after_an_edit_and_what_another_protected_is_not() {
        let entry = |manager: &str, annotation: bool| {
            let metadata =
                if annotation { json!({"f:annotations": {format!("f:{ONCE_ANNOTATION}"): {}}}) } else { json!({}) };
            json!({"manager": manager, "fieldsV1": {"f:metadata": metadata, "f:data": {"f:A": {}}}})
        };
        let once = |writers: Value| secret(json!({"annotations": {ONCE_ANNOTATION: "A"}, "managedFields": writers}));
        let how = |writers: Value| adoption(&once(writers), &json!({"metadata": {"uid": "u"}}), "own");
        assert_eq!(how(json!([entry("own", true)])), Some(Adoption::Whole));
        assert_eq!(how(json!([entry("own", true), entry("kubectl-edit", false)])), Some(Adoption::Whole));
        assert_eq!(how(json!([entry("landfall", true), entry("own", false)])), None);
        let unprotected = secret(json!({"managedFields": [entry("own", true)]}));
        assert_eq!(adoption(&unprotected, &json!({"metadata": {"uid": "u"}}), "own"), None);
    }

    #[test]
    fn what_is_generated_once_has_no_sealed_secret_as_its_owner_whoever_protected_it() {
        let sealed = json!({"metadata": {"name": "s", "uid": "u"}});
        let own = json!({"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "s", "uid": "u", "controller": true});
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "c"});
        let made = || json!({"type": "Opaque", "data": {"A": "YQ=="}, "metadata": {"ownerReferences": [own]}});
        let wanted = |there: &Value| {
            super::super::wanted(&sealed, Some(there), made(), "own").expect("taken over").expect("written")
        };
        // Taken over: what made it a SealedSecret's to take is all that tells so the next time.
        let marked = secret(json!({"annotations": {MANAGED: "true", ONCE_ANNOTATION: "A"}}));
        let taken = wanted(&marked);
        assert_eq!(taken["metadata"].get("ownerReferences"), None);
        assert_eq!(super::super::wanted(&sealed, Some(&taken), made(), "own"), Ok(None), "and it settles");
        let patched = secret(json!({"annotations": {MANAGED: "true", PATCH: "true", ONCE_ANNOTATION: "A"}}));
        assert_eq!(wanted(&patched)["metadata"].get("ownerReferences"), None);
        // Protected by hand afterwards: the owner is taken off, and nobody else's.
        let owned = secret(json!({"annotations": {ONCE_ANNOTATION: "A"}, "ownerReferences": [own, other]}));
        let freed = freed(&owned).expect("it has one");
        assert_eq!(freed["metadata"]["ownerReferences"], json!([other]));
        assert_eq!(adoption(&freed, &sealed, "own"), Some(Adoption::Whole));
        assert_eq!(super::freed(&freed), None);
        assert_eq!(super::freed(&secret(json!({"ownerReferences": [own]}))), None, "nothing protects it");
        // What is new, in the form of the first versions too, which says in itself that it is protected.
        let mut new = made();
        new["metadata"]["annotations"] = json!({ONCE_ANNOTATION: "A"});
        let new = super::super::wanted(&sealed, None, new, "own").expect("opens").expect("written");
        assert_eq!(new["metadata"].get("ownerReferences"), None);
    }

    #[test]
    fn what_is_patched_keeps_what_it_has_and_what_is_replaced_keeps_its_protection() {
        let there = secret(json!({"annotations": {PATCH: "true", ONCE_ANNOTATION: "A"}, "uid": "x"}));
        let made = json!({"type": "Opaque", "data": {"B": "Yg=="}, "metadata": {"labels": {"x": "y"}}});
        let patched = adopted(&there, made.clone(), Adoption::Patch);
        assert_eq!(patched["data"], json!({"A": "YQ==", "B": "Yg=="}));
        assert_eq!(patched["metadata"]["labels"]["x"], "y");
        let whole = adopted(&there, made, Adoption::Whole);
        assert_eq!(whole["data"], json!({"B": "Yg=="}));
        assert_eq!(whole["metadata"]["annotations"], json!({ONCE_ANNOTATION: "A"}));
        assert_eq!(whole["metadata"]["uid"], "x");
    }
}
