//! The garbage collector: dependents go after their owners, before them, or stay (`pkg/controller/garbagecollector`).

use std::collections::BTreeSet;

use landfall_apiserver::{DeleteOptions, ObjectRef, Part, Propagation, Status, Stored, World};
use serde_json::Value;

use super::desk::{Desk, EventType, Found, Outcome};
use super::fields::{deleting, has_finalizer, list, namespace, remove, remove_finalizer, text, truth, uid};
use super::loops::{After, Call, Loop, Wake};
use super::queue::{Queue, Role};

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";

/// How an owner stands to a dependent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// It is there and stays.
    Solid,
    /// It is gone.
    Gone,
    /// It waits for its dependents to go first.
    Waiting,
}

/// Owners that were seen to go while others named them (`absentOwnerCache`): when their kind goes with them, as with its
/// definition, nobody can be asked for them any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Absent {
    uids: BTreeSet<String>,
}

impl Absent {
    /// Notes one that has gone; those that nothing names any more are forgotten.
    pub(super) fn note(&mut self, world: &World, uid: &str) {
        if world.dependents(uid).is_empty() {
            return;
        }
        self.uids.retain(|known| !world.dependents(known).is_empty());
        self.uids.insert(uid.to_owned());
    }

    fn has(&self, uid: &str) -> bool {
        self.uids.contains(uid)
    }
}

/// What it looks after, and what wakes it.
pub(super) const LOOP: Loop =
    Loop { role: Role::Garbage, kinds: &[], wakes: &[Wake { after: After::Any, queue: collectable }] };

/// What goes or has owners is looked at, and so is what waits for it: its dependents, and an owner that goes after them.
fn collectable(call: &mut Call<'_>) {
    let object = call.object();
    if !call.is_deleted() {
        if is_concerned(object) {
            call.look_at_ref(call.event.object_ref.clone());
        }
        return;
    }
    for dependent in call.world.dependents(object.uid()) {
        call.look_at_ref(dependent.clone());
    }
    for owner in object.owner_references() {
        let group = text(owner, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
        let Some(resource) = call.world.registry().stores_kind(group, text(owner, "/kind")) else { continue };
        let namespace = if resource.is_namespaced() { object.namespace() } else { "" }.to_owned();
        let name = text(owner, "/name").to_owned();
        call.look_at_ref(ObjectRef { resource: resource.id.clone(), namespace, name });
    }
}

fn is_concerned(object: &Stored) -> bool {
    deleting(object) || !object.owner_references().is_empty()
}

/// Queues all that goes or has owners.
pub(super) fn everything(world: &World, queue: &mut Queue) {
    for resource in world.registry().all_stored() {
        for object in world.list(&resource.id, None).filter(|object| is_concerned(object)) {
            let (namespace, name) = (object.namespace().to_owned(), object.name().to_owned());
            queue.push(Role::Garbage, ObjectRef { resource: resource.id.clone(), namespace, name });
        }
    }
}

/// Looks at one object: as an owner that goes, and as a dependent of owners.
pub(super) fn reconcile(desk: &mut Desk<'_>, absent: &Absent, object: &ObjectRef) -> Result<Outcome, Status> {
    desk.speaks_as("garbage-collector-controller");
    let Some(found) = desk.world().find_ref(object) else { return Ok(Outcome::done()) };
    if deleting(&found) && has_finalizer(&found, ORPHAN) {
        return orphan(desk, object, &found);
    }
    if deleting(&found) && has_finalizer(&found, FOREGROUND) {
        return delete_dependents_first(desk, absent, object, &found);
    }
    if !deleting(&found) && !found.owner_references().is_empty() {
        follow_owners(desk, absent, object, &found)?;
    }
    Ok(Outcome::done())
}

/// Cuts all ties to the owner, then lets it go.
fn orphan(desk: &mut Desk<'_>, object: &ObjectRef, owner: &Found) -> Result<Outcome, Status> {
    for dependent in desk.world().dependents(owner.uid()).to_vec() {
        let uid = owner.uid().to_owned();
        desk.modify(&dependent, Part::Main, |object| cut(object, &[uid]))?;
    }
    desk.modify(object, Part::Main, |object| {
        remove_finalizer(object, ORPHAN);
    })?;
    Ok(Outcome::done())
}

/// Deletes the dependents that block; the owner goes when none is left.
fn delete_dependents_first(
    desk: &mut Desk<'_>,
    absent: &Absent,
    object: &ObjectRef,
    owner: &Found,
) -> Result<Outcome, Status> {
    let dependents = desk.world().dependents(owner.uid()).to_vec();
    let mut blocked = false;
    for dependent in dependents {
        let Some(found) = desk.world().find_ref(&dependent) else { continue };
        let blocks =
            found.owner_references().iter().any(|r| text(r, "/uid") == owner.uid() && truth(r, "/blockOwnerDeletion"));
        blocked |= blocks;
        if !deleting(&found) {
            follow_owners(desk, absent, &dependent, &found)?;
        }
    }
    // What went at once no longer blocks.
    blocked = blocked
        && desk.world().dependents(owner.uid()).to_vec().iter().any(|dependent| {
            desk.world().find_ref(dependent).is_some_and(|found| {
                found
                    .owner_references()
                    .iter()
                    .any(|r| text(r, "/uid") == owner.uid() && truth(r, "/blockOwnerDeletion"))
            })
        });
    if !blocked {
        desk.modify(object, Part::Main, |object| {
            remove_finalizer(object, FOREGROUND);
        })?;
    }
    Ok(Outcome::done())
}

/// Deletes a dependent whose owners are all gone or going; otherwise cuts the ties to those (`attemptToDeleteItem`).
fn follow_owners(desk: &mut Desk<'_>, absent: &Absent, object: &ObjectRef, dependent: &Found) -> Result<(), Status> {
    let mut standing = Vec::new();
    for reference in dependent.owner_references() {
        let owner = match absent.has(text(reference, "/uid")) {
            true => Some(Owner::Gone),
            false => standing_of(desk, dependent, reference),
        };
        let Some(owner) = owner else { return Ok(()) };
        standing.push((text(reference, "/uid").to_owned(), owner));
    }
    let is = |wanted: Owner| standing.iter().any(|(_, owner)| *owner == wanted);
    if is(Owner::Solid) {
        let uids: Vec<String> =
            standing.iter().filter(|(_, owner)| *owner != Owner::Solid).map(|(uid, _)| uid.clone()).collect();
        if !uids.is_empty() {
            desk.modify(object, Part::Main, |object| cut(object, &uids))?;
        }
        return Ok(());
    }
    let has_dependents = !desk.world().dependents(dependent.uid()).is_empty();
    let propagation = if is(Owner::Waiting) && has_dependents || has_finalizer(dependent, FOREGROUND) {
        Propagation::Foreground
    } else if has_finalizer(dependent, ORPHAN) {
        Propagation::Orphan
    } else {
        Propagation::Background
    };
    let options = DeleteOptions {
        propagation: Some(propagation),
        uid: Some(dependent.uid().to_owned()),
        ..DeleteOptions::default()
    };
    match desk.delete_ref(object, &options) {
        Err(refusal) if refusal.is_conflict() => Ok(()),
        result => result,
    }
}

/// How the owner stands; `None` when its kind is not served, so that nothing can be known.
fn standing_of(desk: &mut Desk<'_>, dependent: &Found, reference: &Value) -> Option<Owner> {
    let group = text(reference, "/apiVersion").split_once('/').map_or("", |(group, _)| group).to_owned();
    let resource = desk.world().registry().stores_kind(&group, text(reference, "/kind")).cloned()?;
    let within = if resource.is_namespaced() { namespace(dependent) } else { "" };
    if resource.is_namespaced() && within.is_empty() {
        let message = format!(
            "ownerRef [{}] does not exist in namespace \"\": a cluster-scoped dependent cannot have a namespaced owner",
            text(reference, "/kind"),
        );
        desk.event(dependent, EventType::Warning, "OwnerRefInvalidNamespace", &message);
        return None;
    }
    let owner = desk.world().find(&resource.id, within, text(reference, "/name"));
    let owner = owner.filter(|owner| uid(owner) == text(reference, "/uid"));
    Some(match owner {
        None => Owner::Gone,
        Some(owner) if deleting(&owner) && has_finalizer(&owner, FOREGROUND) => Owner::Waiting,
        Some(_) => Owner::Solid,
    })
}

/// Takes the references to these owners away.
fn cut(object: &mut Value, uids: &[String]) {
    let kept: Vec<Value> = list(object, "/metadata/ownerReferences")
        .iter()
        .filter(|r| !uids.iter().any(|uid| text(r, "/uid") == uid))
        .cloned()
        .collect();
    if kept.is_empty() {
        remove(object, "/metadata", "ownerReferences");
    } else {
        object["metadata"]["ownerReferences"] = kept.into();
    }
}
