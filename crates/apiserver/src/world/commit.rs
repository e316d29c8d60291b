//! The only place where state changes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Change, Effect, Event, ObjectRef, Past, Stored, World, key};

pub(super) const DEFINITIONS: &str = "customresourcedefinitions.apiextensions.k8s.io";

impl World {
    /// Keeps `object` (or removes it, for [`Change::Deleted`]) under the next resource version.
    pub(super) fn commit(
        &mut self,
        object_ref: ObjectRef,
        change: Change,
        mut object: Value,
        effect: Effect,
    ) -> Arc<Stored> {
        if effect == Effect::DryRun {
            let version = object["metadata"]["resourceVersion"].as_str().and_then(|v| v.parse().ok()).unwrap_or(0);
            return Arc::new(Stored::new(object, version));
        }
        let version = self.version + 1;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let stored = Arc::new(Stored::new(object, version));
        let resource = (change == Change::Deleted).then(|| object_ref.resource.clone());
        self.apply(object_ref, change, stored.clone());
        if let Some(resource) = resource {
            self.finish_definition(&resource);
        }
        stored
    }

    /// Carries out a change whose version is already known: from [`Self::commit`], or read back from a store.
    pub(crate) fn apply(&mut self, object_ref: ObjectRef, change: Change, stored: Arc<Stored>) {
        let version = stored.version();
        let map_key = key(&object_ref.namespace, &object_ref.name);
        let objects = Arc::make_mut(self.objects.entry(object_ref.resource.clone()).or_default());
        let previous = match change {
            Change::Deleted => objects.remove(&map_key),
            _ => objects.insert(map_key, stored.clone()),
        };
        let after = (change != Change::Deleted).then(|| stored.clone());
        self.index_owners(&object_ref, previous.as_deref().map(Stored::value), after.as_deref().map(Stored::value));
        if &*object_ref.resource == DEFINITIONS {
            self.serve_definition(previous.as_deref(), after.as_deref());
        }
        self.version = self.version.max(version);
        let now = self.now();
        self.ring.push(now, Arc::new(Event { version, change, object_ref, object: stored, previous }));
        self.changed.send_replace(self.version);
    }

    /// Puts an object in place without an event; for loading.
    pub(crate) fn load(&mut self, object_ref: &ObjectRef, stored: Arc<Stored>) {
        let version = stored.version();
        self.index_owners(object_ref, None, Some(stored.value()));
        if &*object_ref.resource == DEFINITIONS {
            self.serve_definition(None, Some(&stored));
        }
        let objects = Arc::make_mut(self.objects.entry(object_ref.resource.clone()).or_default());
        objects.insert(key(&object_ref.namespace, &object_ref.name), stored);
        self.version = self.version.max(version);
        self.changed.send_replace(self.version);
    }

    /// Sets version and history after loading: events of the past can be watched.
    pub(crate) fn resume(&mut self, version: u64, past: Past) {
        self.version = self.version.max(version);
        self.ring.start_after(self.version, past);
        self.changed.send_replace(self.version);
    }
}
