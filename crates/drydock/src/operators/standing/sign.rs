//! What shows that a real operator acts: it holds its lease, it writes a status, it writes what its twin has made.

use landfall_apiserver::{Change, Event};
use landfall_object::SIMULATED;
use serde_json::Value;

use super::of_class;
use crate::controllers::fields::{annotation, controller_of, list, name, namespace, text};
use crate::controllers::kind::{INGRESS, SECRET};
use crate::controllers::writers::writers_of;
use crate::operators::{ALL, Twin, sealed_secrets};

const LEASES: &str = "leases.coordination.k8s.io";
/// The annotation that named an ingress's class before there was a field.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// A real operator was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sign {
    /// Who is to stand back: the twin's name, or that of an ingress class.
    pub(crate) name: String,
    /// Whose twin it is.
    pub(crate) twin: &'static Twin,
    /// In a sentence's part: `x holds the lease y`.
    pub(crate) because: String,
}

/// Whether one write shows that a real operator acts.
///
/// A status that was there when the object came is none: objects are put in place as other clusters have them.
pub(crate) fn sign(event: &Event) -> Option<Sign> {
    if event.change == Change::Deleted {
        return None;
    }
    let (id, object) = (&*event.object_ref.resource, &**event.object);
    if id == LEASES {
        let holder = text(object, "/spec/holderIdentity");
        let twin = ALL.iter().find(|twin| twin.leases.contains(&name(object)))?;
        let because = format!("{holder} holds the lease {}/{}", namespace(object), name(object));
        return (!holder.is_empty()).then(|| Sign { name: twin.name.to_owned(), twin, because });
    }
    if event.change == Change::Added && id == SECRET.id {
        return of_sealing_key(object);
    }
    let before = event.previous.as_deref().filter(|_| event.change == Change::Modified)?;
    if id == SECRET.id {
        return of_secret(object, before);
    }
    let twin = ALL.iter().find(|twin| twin.kinds.iter().any(|kind| kind.id == id))?;
    let writer = new_writer(object, before, "f:status", twin.agent.name())?;
    let name = if id == INGRESS.id { of_class(class(object)) } else { twin.name.to_owned() };
    Some(Sign { name, twin, because: format!("{writer} wrote the status of {}", called(object)) })
}

/// Who restores sealing keys without being a controller, by what their names as field managers begin with.
const RESTORERS: [&str; 4] = ["kubectl", "landfall", "helm", "argocd"];

/// A sealing key that somebody made who is neither the twin nor a person's tool: only the real controller makes such.
fn of_sealing_key(secret: &Value) -> Option<Sign> {
    let twin = &sealed_secrets::TWIN;
    if namespace(secret) != sealed_secrets::KEYS || !landfall_secrets::is_key_secret(secret) {
        return None;
    }
    let writer = writers_of(secret, "f:data", twin.agent.name()).map(|entry| text(entry, "/manager")).next()?;
    // A snapshot of another cluster has its keys, too, but not their values.
    landfall_secrets::SealingKey::of_secret(secret).ok()?;
    let is_tool = RESTORERS.iter().any(|tool| writer.to_ascii_lowercase().starts_with(tool));
    let because = format!("{writer} made the sealing key {}", called(secret));
    (!is_tool && !writer.is_empty()).then(|| Sign { name: twin.name.to_owned(), twin, because })
}

/// A Secret that a twin has made for an object of its own, and that somebody else fills.
fn of_secret(secret: &Value, before: &Value) -> Option<Sign> {
    annotation(before, SIMULATED)?;
    let owner = controller_of(secret)?;
    let group = text(owner, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
    let is_owner =
        |twin: &&Twin| twin.kinds.iter().any(|kind| kind.group == group && kind.kind == text(owner, "/kind"));
    let twin = ALL.iter().find(is_owner)?;
    if sealed_secrets::is_shared(secret) || secret.get("data") == before.get("data") {
        return None;
    }
    let writer = new_writer(secret, before, "f:data", twin.agent.name())?;
    Some(Sign { name: twin.name.to_owned(), twin, because: format!("{writer} wrote {}", called(secret)) })
}

fn called(object: &Value) -> String {
    let (within, kind) = (namespace(object), text(object, "/kind"));
    if within.is_empty() { format!("{kind} {}", name(object)) } else { format!("{kind} {within}/{}", name(object)) }
}

/// The class that an ingress names; empty for none.
pub(crate) fn class(ingress: &Value) -> &str {
    let class = text(ingress, "/spec/ingressClassName");
    if class.is_empty() { annotation(ingress, CLASS_ANNOTATION).unwrap_or_default() } else { class }
}

/// Who, but for `own`, wrote a field with the last write: entries of others lose fields by it, but get no new time.
fn new_writer<'a>(object: &'a Value, before: &Value, field: &'a str, own: &'a str) -> Option<&'a str> {
    let key = |entry: &Value| ["manager", "operation", "subresource", "time"].map(|part| entry[part].clone());
    let old: Vec<_> = list(before, "/metadata/managedFields").iter().map(key).collect();
    let mut writers = writers_of(object, field, own).filter(|entry| !old.contains(&key(entry)));
    writers.next().map(|entry| text(entry, "/manager"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use landfall_apiserver::{ObjectRef, Stored};

    fn event(resource: &str, before: Option<Value>, object: Value) -> Event {
        let stored = |object| Arc::new(Stored::new(object, 1));
        Event {
            version: 2,
            change: if before.is_some() { Change::Modified } else { Change::Added },
            object_ref: ObjectRef { resource: resource.into(), namespace: "n".into(), name: "a".into() },
            object: stored(object),
            previous: before.map(stored),
        }
    }

    fn certificate(writers: &[(&str, &str, &str)]) -> Value {
        let entries: Vec<Value> = writers
            .iter()
            .map(|(manager, time, field)| {
                json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": {*field: {}}})
            })
            .collect();
        json!({"kind": "Certificate", "metadata": {"name": "a", "namespace": "n", "managedFields": entries}})
    }

    #[test]
    fn a_status_that_somebody_else_writes_is_a_sign_and_one_that_came_along_is_none() {
        let id = "certificates.cert-manager.io";
        let imported = certificate(&[("controller", "1", "f:status")]);
        assert_eq!(sign(&event(id, None, imported.clone())), None);
        let own = certificate(&[("controller", "1", "f:status"), ("cert-manager-simulated", "2", "f:status")]);
        assert_eq!(sign(&event(id, Some(imported.clone()), own.clone())), None);
        let spec = certificate(&[("controller", "1", "f:status"), ("kubectl-edit", "2", "f:spec")]);
        assert_eq!(sign(&event(id, Some(imported), spec)), None);
        let theirs = certificate(&[("controller", "3", "f:status"), ("cert-manager-simulated", "2", "f:status")]);
        let found = sign(&event(id, Some(own), theirs)).expect("a sign");
        assert_eq!(
            (found.name.as_str(), found.because.as_str()),
            ("cert-manager", "controller wrote the status of Certificate n/a")
        );
    }

    /// Both open the same values with the same keys, so that nothing else would tell that the real one is there.
    #[test]
    fn a_sealing_key_is_a_sign_where_no_tool_and_not_the_twin_has_put_it_there() {
        let made =
            landfall_secrets::SealingKey::generate(landfall_secrets::KeySize::Rsa2048, jiff::Timestamp::UNIX_EPOCH);
        let made = made.expect("a key");
        let key = |manager: &str, within: &str| {
            let mut secret = made.to_secret(within);
            secret["metadata"]["name"] = "sealed-secrets-keyx".into();
            secret["metadata"]["managedFields"] =
                json!([{"manager": manager, "operation": "Update", "fieldsV1": {"f:data": {}}}]);
            secret
        };
        let found = sign(&event(SECRET.id, None, key("controller", "kube-system"))).expect("a sign");
        let because = "controller made the sealing key Secret kube-system/sealed-secrets-keyx";
        assert_eq!((found.name.as_str(), found.because.as_str()), ("sealed-secrets", because));
        for manager in ["sealed-secrets-simulated", "kubectl-client-side-apply", "landfall", "Helm"] {
            assert_eq!(sign(&event(SECRET.id, None, key(manager, "kube-system"))), None, "{manager}");
        }
        assert_eq!(sign(&event(SECRET.id, None, key("controller", "shop"))), None);
        let mut without_value = key("controller", "kube-system");
        without_value["data"]["tls.key"] = "c2hhMjU2".into();
        assert_eq!(sign(&event(SECRET.id, None, without_value)), None);
    }

    #[test]
    fn a_lease_is_a_sign_while_somebody_holds_it() {
        let lease = |holder: &str| {
            json!({"kind": "Lease", "metadata": {"name": "cert-manager-controller", "namespace": "n"},
                "spec": {"holderIdentity": holder}})
        };
        assert_eq!(sign(&event("leases.coordination.k8s.io", None, lease(""))), None);
        let found = sign(&event("leases.coordination.k8s.io", None, lease("x"))).expect("a sign");
        assert_eq!(found.because, "x holds the lease n/cert-manager-controller");
    }
}
