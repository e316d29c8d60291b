//! What a controller says of itself: what it looks after, and which changes make it look again.
//!
//! It says so in its own file, and stands in the roll (`roll.rs`).

use landfall_apiserver::{Change, Event, ObjectRef, Stored, World};

use super::census::Census;
use super::kind::Kind;
use super::queue::{Queue, Role};

/// A controller: what it looks after, and what makes it look again.
pub(super) struct Loop {
    pub(super) role: Role,
    /// The kinds whose objects it looks at, each time one changes, or one that it owns.
    pub(super) kinds: &'static [Kind],
    /// After which changes of others it looks again.
    pub(super) wakes: &'static [Wake],
}

/// A change of others that a controller wants to know of.
pub(super) struct Wake {
    pub(super) after: After,
    /// Queues what the change concerns.
    pub(super) queue: fn(&mut Call<'_>),
}

/// Of which resources the changes are.
pub(super) enum After {
    Any,
    These(&'static [&'static str]),
}

/// A change, told to one controller.
pub(super) struct Call<'a> {
    pub(super) world: &'a World,
    /// Its pods.
    pub(super) census: &'a Census,
    pub(super) event: &'a Event,
    /// Who is told.
    pub(super) role: Role,
    pub(super) queue: &'a mut Queue,
}

impl<'a> Call<'a> {
    /// What changed, as it is now, or was at last.
    pub(super) fn object(&self) -> &'a Stored {
        &self.event.object
    }

    /// The resource of what changed.
    pub(super) fn resource(&self) -> &'a str {
        &self.event.object_ref.resource
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.event.change == Change::Deleted
    }

    /// What changed as it is, and as it was.
    pub(super) fn states(&self) -> impl Iterator<Item = &'a Stored> + use<'a> {
        [Some(&*self.event.object), self.event.previous.as_deref()].into_iter().flatten()
    }

    /// One object is to be looked at.
    pub(super) fn look_at(&mut self, kind: &Kind, namespace: &str, name: &str) {
        self.queue.push(self.role, reference(kind, namespace, name));
    }

    /// One object of any resource is to be looked at.
    pub(super) fn look_at_ref(&mut self, object: ObjectRef) {
        self.queue.push(self.role, object);
    }

    /// All objects of a kind in a namespace (everywhere for an empty one) are to be looked at.
    pub(super) fn look_at_all(&mut self, kind: &Kind, namespace: &str) {
        all(self.world, kind, namespace, self.role, self.queue);
    }
}

pub(super) fn reference(kind: &Kind, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef { resource: kind.qualified().into(), namespace: namespace.to_owned(), name: name.to_owned() }
}

/// Queues all objects of a kind in a namespace (everywhere for an empty one) for a controller.
pub(super) fn all(world: &World, kind: &Kind, namespace: &str, role: Role, queue: &mut Queue) {
    for object in world.list(kind.qualified(), Some(namespace).filter(|n| !n.is_empty())) {
        queue.push(role, reference(kind, object.namespace(), object.name()));
    }
}
