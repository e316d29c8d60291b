//! The guard over keys that are generated once: `object`'s, which every writer of Secrets asks, and what deleting something else
//! would take along.

use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, ListOptions, Scope};
use landfall_diag::is_mutant;
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::Value;

use crate::desired::{Desired, Task, WaitFor};
use crate::planning::Live;

pub use landfall_object::OnceViolation;
pub(crate) use landfall_object::once_guard as guard;

/// Secrets but for the records of releases, which are many and large and hold no such key.
const SECRETS: &str = "type!=helm.sh/release.v1";

/// The guard right before a write: what was planned may be older than the protection.
///
/// # Errors
/// [`OnceViolation`].
pub(crate) fn again(live: &Object, next: &Object) -> Result<(), OnceViolation> {
    if is_mutant("once-write") {
        return Ok(());
    }
    guard(Some(live), Some(next))
}

/// Whether an object may be deleted: not a Secret that holds a key generated once, and nothing with which the cluster would delete
/// such a one: its namespace, its owner or an owner of that, or the definition of such an owner's kind.
///
/// Where Secrets cannot be listed nobody can know, and it may. `place` is the name by which `conformance once` opens the guard of
/// one writer.
///
/// # Errors
/// [`OnceViolation`], about the Secret.
pub(crate) async fn deletion(cluster: &Cluster, live: &Object, place: &str) -> Result<(), OnceViolation> {
    if is_mutant(place) {
        return Ok(());
    }
    guard(Some(live), None)?;
    Held::look(cluster, [live]).await.guard(live)
}

/// The same where what would go along was looked up for several deletions at once.
///
/// # Errors
/// [`OnceViolation`], about the Secret.
pub(crate) fn deletion_among(held: &Held, live: &Object, place: &str) -> Result<(), OnceViolation> {
    if is_mutant(place) {
        return Ok(());
    }
    guard(Some(live), None)?;
    held.guard(live)
}

/// Lets everything stay that may not go, where a wish would have it go: what is refused in the midst of a delivery leaves that
/// undone by half, and a removal that is refused never ends.
pub(crate) async fn kept(cluster: &Cluster, desired: &mut Desired, live: &Live) {
    if is_mutant("once-delete") {
        return;
    }
    let items = || desired.phases.iter().flat_map(|phase| &phase.items);
    let going: Vec<&Object> = items()
        .filter_map(|item| match &item.task {
            Task::Delete { key, .. } => live.get(key),
            _ => None,
        })
        .collect();
    if going.is_empty() {
        return;
    }
    let held = Held::look(cluster, going.iter().copied()).await;
    let why = |live: &Object| match (guard(Some(live), None), held.guard(live)) {
        (Err(own), _) => Some(format!("kept: {} generated once", own.keys.join(", "))),
        (_, Err(other)) => {
            Some(format!("kept: with it {} would go, which holds {} generated once", other.key, other.keys.join(", ")))
        }
        _ => None,
    };
    let stay: BTreeMap<ObjectKey, String> = going.iter().filter_map(|live| Some((live.key(), why(live)?))).collect();
    for item in desired.phases.iter_mut().flat_map(|phase| &mut phase.items) {
        match &mut item.task {
            Task::Delete { key, .. } => {
                if let Some(why) = stay.get(key) {
                    item.why.clone_from(why);
                    item.task = Task::Keep { key: key.clone() };
                }
            }
            // What is kept will not go: it is not waited for.
            Task::Wait { keys, wait: WaitFor::Deletion, .. } => keys.retain(|key| !stay.contains_key(key)),
            _ => {}
        }
    }
    for phase in &mut desired.phases {
        phase.items.retain(|item| !matches!(&item.task, Task::Wait { keys, .. } if keys.is_empty()));
    }
}

/// The Secrets with a key generated once, each with all that the cluster's garbage collection would follow down to it.
#[derive(Default)]
pub(crate) struct Held {
    secrets: Vec<(Object, Vec<Owner>)>,
}

/// Something that owns a Secret, or owns something that does.
struct Owner {
    uid: String,
    group: String,
    kind: String,
}

impl Held {
    /// Those that could go with one of these objects. Owners are read where such a Secret has some, and nowhere else.
    #[boxed]
    pub(crate) async fn look<'o, I>(cluster: &Cluster, going: I) -> Self
    where
        I: IntoIterator<Item = &'o Object> + Send,
        I::IntoIter: Send,
    {
        if is_mutant("once-followers") {
            return Held::default();
        }
        // What is of a namespace owns nothing outside of it.
        let mut places: Vec<Option<&str>> = going.into_iter().map(Object::namespace).collect();
        places.dedup();
        let namespace = match places.as_slice() {
            [Some(one)] => Some((*one).to_owned()),
            _ => None,
        };
        let options = ListOptions { namespace, field_selector: Some(SECRETS.to_owned()), ..ListOptions::default() };
        let secrets = cluster.list(&Gvk::new("", "v1", "Secret"), &options).await.unwrap_or_default();
        let mut held = Held::default();
        for secret in secrets.into_iter().filter(|secret| guard(Some(secret), None).is_err()) {
            let owners = owners(cluster, &secret).await;
            held.secrets.push((secret, owners));
        }
        held
    }

    /// Whether an object may be deleted, as far as nothing of these goes with it.
    ///
    /// # Errors
    /// [`OnceViolation`], about the Secret.
    pub(crate) fn guard(&self, live: &Object) -> Result<(), OnceViolation> {
        let taken = self.secrets.iter().filter(|(secret, owners)| takes(live, secret, owners));
        taken.map(|(secret, _)| secret).try_for_each(|secret| guard(Some(secret), None))
    }
}

/// Whether a Secret goes when an object goes.
fn takes(live: &Object, secret: &Object, owners: &[Owner]) -> bool {
    let is_owner = owners.iter().any(|owner| live.uid() == Some(&owner.uid));
    is_owner
        || match (live.group(), live.kind()) {
            ("", "Namespace") => secret.namespace() == Some(live.name()),
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                let (group, kind) = (live.str_at("/spec/group"), live.str_at("/spec/names/kind"));
                owners.iter().any(|owner| (group, kind) == (Some(&owner.group), Some(&owner.kind)))
            }
            _ => false,
        }
}

/// The owners of an object, and theirs.
async fn owners(cluster: &Cluster, object: &Object) -> Vec<Owner> {
    let mut owners: Vec<Owner> = Vec::new();
    let mut next = vec![object.clone()];
    while let Some(object) = next.pop() {
        for reference in object.list_at("/metadata/ownerReferences") {
            let text = |field: &str| reference.get(field).and_then(Value::as_str).unwrap_or_default();
            if owners.iter().any(|known| known.uid == text("uid")) {
                continue;
            }
            let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
            let owner = Owner { uid: text("uid").to_owned(), group: group.to_owned(), kind: text("kind").to_owned() };
            let gvk = Gvk::new(group, version, text("kind"));
            // Who cannot be read has no owners that anybody could know of.
            if let Ok(resource) = cluster.resource(&gvk).await {
                let namespace = object.namespace().filter(|_| resource.scope == Scope::Namespaced);
                let read = cluster.get(&ObjectKey::new(gvk, namespace, text("name"))).await;
                next.extend(read.ok().flatten().filter(|found| found.uid() == Some(&owner.uid)));
            }
            owners.push(owner);
        }
    }
    owners
}
