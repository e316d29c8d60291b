//! Who depends on whom, by owner reference.

use std::sync::Arc;

use serde_json::Value;

use super::{ObjectRef, World};

impl World {
    /// Objects that name this UID as an owner.
    pub fn dependents(&self, uid: &str) -> &[ObjectRef] {
        self.dependents.get(uid).map_or(&[], Vec::as_slice)
    }

    pub(super) fn index_owners(&mut self, object: &ObjectRef, before: Option<&Value>, after: Option<&Value>) {
        let (before, after) = (owners(before), owners(after));
        if before == after {
            return;
        }
        let dependents = Arc::make_mut(&mut self.dependents);
        for uid in before.iter().filter(|uid| !after.contains(uid)) {
            if let Some(list) = dependents.get_mut(*uid) {
                list.retain(|known| known != object);
                if list.is_empty() {
                    dependents.remove(*uid);
                }
            }
        }
        for uid in after.iter().filter(|uid| !before.contains(uid)) {
            dependents.entry((*uid).into()).or_default().push(object.clone());
        }
    }
}

fn owners(object: Option<&Value>) -> Vec<&str> {
    object
        .and_then(|object| object["metadata"]["ownerReferences"].as_array())
        .into_iter()
        .flatten()
        .filter_map(|owner| owner["uid"].as_str())
        .collect()
}
