//! Namespaces: furnished when made, emptied when deleted (`pkg/controller/namespace`).

use landfall_apiserver::{DeleteOptions, ObjectRef, Part, Propagation, Status};
use serde_json::{Value, json};

use super::conditions::{self, Condition};
use super::desk::{Desk, Found, Outcome};
use super::fields::{child, deleting, list, text};
use super::kind::{CONFIG_MAP, NAMESPACE, SERVICE_ACCOUNT};
use super::loops::{After, Call, Loop, Wake};
use super::queue::Role;

/// What is deleted before all else, so that nothing is made anew meanwhile; pods go before what they need.
const FIRST: [&str; 1] = ["pods"];

/// The ConfigMap by which pods trust the API server.
const ROOT_CERTIFICATE: &str = "kube-root-ca.crt";

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop = Loop {
    role: Role::Namespace,
    kinds: &[NAMESPACE],
    wakes: &[
        Wake { after: After::Any, queue: emptied },
        Wake { after: After::These(&[CONFIG_MAP.id, SERVICE_ACCOUNT.id]), queue: furnishings },
    ],
};

/// A namespace that goes may be empty now.
fn emptied(call: &mut Call<'_>) {
    let namespace = call.object().namespace();
    let goes = || call.world.find(NAMESPACE.qualified(), "", namespace).is_some_and(|found| found.is_deleting());
    if !namespace.is_empty() && call.is_deleted() && goes() {
        call.look_at(&NAMESPACE, "", namespace);
    }
}

/// What every namespace has may be gone.
fn furnishings(call: &mut Call<'_>) {
    let object = call.object();
    if call.resource() == SERVICE_ACCOUNT.id || object.name() == ROOT_CERTIFICATE {
        call.look_at(&NAMESPACE, "", object.namespace());
    }
}

/// Furnishes one namespace, or empties it.
pub(super) fn reconcile(desk: &mut Desk<'_>, name: &str) -> Result<Outcome, Status> {
    let Some(namespace) = desk.get(&NAMESPACE, "", name) else { return Ok(Outcome::done()) };
    if deleting(&namespace) { empty(desk, &namespace) } else { furnish(desk, name) }
}

/// The service account `default` and the cluster's certificate.
fn furnish(desk: &mut Desk<'_>, name: &str) -> Result<Outcome, Status> {
    if desk.get(&SERVICE_ACCOUNT, name, "default").is_none() {
        let account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}});
        tolerate(desk.create(&SERVICE_ACCOUNT, account))?;
    }
    let certificate = desk.world().settings().authority.clone();
    match desk.get(&CONFIG_MAP, name, ROOT_CERTIFICATE) {
        None => {
            let config = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": ROOT_CERTIFICATE,
                    "namespace": name,
                    "annotations": {"kubernetes.io/description":
                        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints \
                         such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across \
                         distributions of Kubernetes clusters."},
                },
                "data": {"ca.crt": certificate},
            });
            tolerate(desk.create(&CONFIG_MAP, config))?;
        }
        Some(there) if text(&there, "/data/ca.crt") != certificate => {
            let mut restored = there.value().clone();
            restored["data"] = json!({"ca.crt": certificate});
            desk.update(&CONFIG_MAP, restored)?;
        }
        Some(_) => {}
    }
    Ok(Outcome::done())
}

/// A namespace that goes meanwhile, or an object that came meanwhile, is fine.
fn tolerate(result: Result<Found, Status>) -> Result<(), Status> {
    match result {
        Err(refusal) if !refusal.is_already_exists() && !super::pod_control::is_namespace_terminating(&refusal) => {
            Err(refusal)
        }
        _ => Ok(()),
    }
}

/// Deletes all that is in the namespace; when nothing is left, lets it go.
fn empty(desk: &mut Desk<'_>, namespace: &Found) -> Result<Outcome, Status> {
    let ours = |f: &Value| f == "kubernetes";
    if !list(namespace, "/spec/finalizers").iter().any(ours) {
        return Ok(Outcome::done());
    }
    let name = namespace.name().to_owned();
    let mut resources: Vec<_> =
        desk.world().registry().all_stored().filter(|r| r.is_namespaced() && r.allows("delete")).cloned().collect();
    resources.sort_by_key(|r| (!FIRST.contains(&&*r.id), r.id.clone()));
    let mut remaining: Vec<(String, usize)> = Vec::new();
    let mut held: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for resource in resources {
        let objects: Vec<Found> = desk.world().list(&resource.id, Some(&name)).cloned().collect();
        for object in &objects {
            if deleting(object) {
                for finalizer in object.finalizers() {
                    *held.entry(finalizer.to_owned()).or_default() += 1;
                }
                continue;
            }
            let reference =
                ObjectRef { resource: resource.id.clone(), namespace: name.clone(), name: object.name().to_owned() };
            let options = DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
            desk.delete_ref(&reference, &options)?;
        }
        let left = desk.world().list(&resource.id, Some(&name)).count();
        if left > 0 {
            remaining.push((format!("{}.{}", resource.plural, resource.group), left));
            if FIRST.contains(&&*resource.id) {
                break;
            }
        }
    }
    report(desk, namespace, &remaining, &held)?;
    if !remaining.is_empty() {
        return Ok(Outcome::done());
    }
    let reference = ObjectRef { resource: NAMESPACE.qualified().into(), namespace: String::new(), name };
    desk.modify(&reference, Part::Finalize, |namespace| {
        if let Some(finalizers) = child(namespace, "spec").get_mut("finalizers").and_then(Value::as_array_mut) {
            finalizers.retain(|f| f != "kubernetes");
        }
    })?;
    Ok(Outcome::done())
}

/// Writes into the status what still holds the namespace.
fn report(
    desk: &mut Desk<'_>,
    namespace: &Found,
    remaining: &[(String, usize)],
    held: &std::collections::BTreeMap<String, usize>,
) -> Result<(), Status> {
    let counted = |entries: Vec<String>| entries.join(", ");
    let resources = counted(
        remaining.iter().map(|(resource, count)| format!("{resource} has {count} resource instances")).collect(),
    );
    let finalizers = counted(held.iter().map(|(f, n)| format!("{f} in {n} resource instances")).collect());
    let yes_no = |yes: bool| if yes { "True" } else { "False" };
    let content = if remaining.is_empty() {
        ("ContentRemoved", "All content successfully removed".to_owned())
    } else {
        ("SomeResourcesRemain", format!("Some resources are remaining: {resources}"))
    };
    let finalizing = if held.is_empty() {
        ("ContentHasNoFinalizers", "All content-preserving finalizers finished".to_owned())
    } else {
        ("SomeFinalizersRemain", format!("Some content in the namespace has finalizers remaining: {finalizers}"))
    };
    let wanted = [
        ("NamespaceDeletionDiscoveryFailure", "False", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        ("NamespaceContentRemaining", yes_no(!remaining.is_empty()), content.0, content.1.as_str()),
        ("NamespaceFinalizersRemaining", yes_no(!held.is_empty()), finalizing.0, finalizing.1.as_str()),
    ];
    let Some(there) = desk.get(&NAMESPACE, "", namespace.name()) else { return Ok(()) };
    let mut changed = there.value().clone();
    let now = desk.now();
    let status = child(&mut changed, "status");
    status["phase"] = "Terminating".into();
    for (kind, state, reason, message) in wanted {
        conditions::set(status, &Condition { kind, status: state, reason, message }, now);
    }
    if changed != *there.value() {
        desk.update_status(&NAMESPACE, changed)?;
    }
    Ok(())
}
