//! What live objects say of whose they are, as far as somebody watches their kinds: how an Application finds objects again that it has
//! delivered before, and that neither its status nor the store remembers. Argo CD finds them so, too (gitops-engine, pkg/cache, by the
//! tracking id).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use landfall_object::{Gvk, ObjectKey};

use crate::ResourceName;

/// The claims of a cluster's objects; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Claims(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// In which version a kind is watched, by its group and kind.
    versions: BTreeMap<(String, String), String>,
    /// By what their Applications are called on them.
    of: HashMap<Box<str>, HashSet<Arc<ResourceName>>>,
}

impl Claims {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that a kind is watched.
    pub fn watches(&self, gvk: &Gvk) {
        self.known().versions.insert((gvk.group.clone(), gvk.kind.clone()), gvk.version.clone());
    }

    /// Takes note that an object says it belongs to an Application, by what that is called on it.
    pub fn made(&self, instance: &str, object: &Arc<ResourceName>) {
        let mut known = self.known();
        match known.of.get_mut(instance) {
            Some(objects) => drop(objects.insert(Arc::clone(object))),
            None => drop(known.of.insert(instance.into(), HashSet::from([Arc::clone(object)]))),
        }
    }

    /// Takes note that it says so no more.
    pub fn withdrawn(&self, instance: &str, object: &ResourceName) {
        let mut known = self.known();
        let Some(objects) = known.of.get_mut(instance) else { return };
        objects.remove(object);
        if objects.is_empty() {
            known.of.remove(instance);
        }
    }

    /// Forgets all of it: nobody watches that cluster any more.
    pub fn forget(&self) {
        *self.known() = Known::default();
    }

    /// The objects that say they belong to an Application.
    pub fn of(&self, instance: &str) -> Vec<ObjectKey> {
        let known = self.known();
        let key = |object: &Arc<ResourceName>| {
            let ResourceName { group, kind, namespace, name } = &**object;
            let version = known.versions.get(&(group.clone(), kind.clone()))?;
            let namespace = Some(namespace.as_str()).filter(|namespace| !namespace.is_empty());
            Some(ObjectKey::new(Gvk::new(group, version, kind), namespace, name))
        };
        known.of.get(instance).into_iter().flatten().filter_map(key).collect()
    }
}
