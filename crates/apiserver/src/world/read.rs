//! Reading: by name, in order, as of a version.

use std::sync::Arc;

use super::{Change, Event, ObjectRef, Objects, Stored, World, key};
use crate::selector::LabelSelector;
use crate::status::Status;

impl World {
    /// The object, if there is one. `resource` is a storage id such as `pods` or `deployments.apps`.
    pub fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Stored>> {
        self.objects.get(resource)?.get(&*key(namespace, name)).cloned()
    }

    /// The object a reference names, if it is there.
    pub fn find_ref(&self, object: &ObjectRef) -> Option<Arc<Stored>> {
        self.find(&object.resource, &object.namespace, &object.name)
    }

    /// The object, or the 404 that the API answers.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Result<Arc<Stored>, Status> {
        self.find(resource, namespace, name).ok_or_else(|| match self.registry.stored(resource) {
            Some(known) => Status::not_found(&known.group, &known.plural, name),
            None => Status::no_such_resource(),
        })
    }

    /// Objects of a resource ordered by namespace and name; of one namespace, or of all for `None`.
    pub fn list<'a>(
        &'a self,
        resource: &str,
        namespace: Option<&str>,
    ) -> impl DoubleEndedIterator<Item = &'a Arc<Stored>> + use<'a> {
        self.objects.get(resource).map(|objects| in_namespace(objects, namespace)).into_iter().flatten()
    }

    /// Objects whose labels match.
    pub fn select(&self, resource: &str, namespace: Option<&str>, selector: &LabelSelector) -> Vec<Arc<Stored>> {
        self.list(resource, namespace)
            .filter(|object| selector.matches(&object["metadata"]["labels"]))
            .cloned()
            .collect()
    }

    /// How many objects of a resource there are.
    pub fn count(&self, resource: &str) -> usize {
        self.objects.get(resource).map_or(0, |objects| objects.len())
    }

    /// How many objects there are, of all resources.
    pub fn total(&self) -> usize {
        self.objects.values().map(|objects| objects.len()).sum()
    }

    /// Events after a version, oldest first; 410 when some of them are no longer kept.
    pub fn events_since(&self, version: u64) -> Result<impl DoubleEndedIterator<Item = &Arc<Event>>, Status> {
        self.ring.since(version)
    }

    /// A resource's objects as they are now; sharing, not copying.
    pub(crate) fn objects(&self, resource: &str) -> Arc<Objects> {
        self.objects.get(resource).cloned().unwrap_or_default()
    }

    /// A resource's objects as they were at a version: the present with later events undone.
    pub(crate) fn objects_at(&self, resource: &str, version: u64) -> Result<Arc<Objects>, Status> {
        let mut objects = self.objects(resource);
        for event in self.ring.since(version)?.rev().filter(|event| &*event.object_ref.resource == resource) {
            let map = Arc::make_mut(&mut objects);
            let key = key(&event.object_ref.namespace, &event.object_ref.name);
            match (event.change, &event.previous) {
                (Change::Added, _) | (_, None) => map.remove(&key),
                (_, Some(previous)) => map.insert(key, previous.clone()),
            };
        }
        Ok(objects)
    }
}

/// The objects of one namespace, or all.
pub(crate) fn in_namespace<'a>(
    objects: &'a Objects,
    namespace: Option<&str>,
) -> impl DoubleEndedIterator<Item = &'a Arc<Stored>> + use<'a> {
    use std::ops::Bound;
    let (from, to) = match namespace {
        None => (Bound::Unbounded, Bound::Unbounded),
        // '0' is the byte after '/'.
        Some(namespace) => (
            Bound::Included(Box::<str>::from(format!("{namespace}/"))),
            Bound::Excluded(Box::<str>::from(format!("{namespace}0"))),
        ),
    };
    objects.range::<Box<str>, _>((from, to)).map(|(_, object)| object)
}
