//! The documents that describe the API, made once for each state of what is served.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::resource::{Registry, Resource};

/// Documents made so far, for one revision of the registry.
#[derive(Default)]
pub(crate) struct Documents {
    revision: u64,
    /// Those of v3 by their group and version.
    v3: BTreeMap<(String, String), Made>,
    pub(crate) v2: Option<Bytes>,
    pub(crate) v2_protobuf: Option<Bytes>,
}

/// A document of v3, and what it was made of.
struct Made {
    of: Vec<Arc<Resource>>,
    bytes: Bytes,
    hash: String,
}

impl Documents {
    /// Those of a revision: what was made of resources that have changed since is forgotten. A definition that comes costs its own group's document
    /// and no other's, of which an operator with a hundred kinds would have every client wait for all.
    pub(crate) fn at(&mut self, registry: &Registry) -> &mut Self {
        if self.revision != registry.revision() {
            self.revision = registry.revision();
            (self.v2, self.v2_protobuf) = (None, None);
            self.v3.retain(|(group, version), made| {
                made.of.iter().map(Arc::as_ptr).eq(registry.resources(group, version).map(Arc::as_ptr))
            });
        }
        self
    }

    /// The document of a group and version with its hash, where it was made.
    pub(crate) fn v3(&self, group: &str, version: &str) -> Option<(Bytes, String)> {
        let made = self.v3.get(&(group.to_owned(), version.to_owned()))?;
        Some((made.bytes.clone(), made.hash.clone()))
    }

    /// Keeps one.
    pub(crate) fn keep_v3(&mut self, registry: &Registry, group: &str, version: &str, bytes: &Bytes, hash: &str) {
        let of = registry.resources(group, version).cloned().collect();
        let made = Made { of, bytes: bytes.clone(), hash: hash.to_owned() };
        self.v3.insert((group.to_owned(), version.to_owned()), made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_kind_costs_its_own_groups_document() {
        let mut registry = Registry::builtin();
        let mut documents = Documents::default();
        let body = Bytes::from_static(b"{}");
        for (group, version) in [("apps", "v1"), ("batch", "v1")] {
            documents.at(&registry).keep_v3(&registry, group, version, &body, "hash");
        }
        documents.v2 = Some(body);
        let deployments = registry.served("apps", "v1", "deployments").expect("served");
        registry.insert(Resource { plural: "others".into(), id: Arc::from("others.apps"), ..(**deployments).clone() });
        let now = documents.at(&registry);
        assert!(now.v3("batch", "v1").is_some(), "nothing of it has changed");
        assert!(now.v3("apps", "v1").is_none(), "it lacks a kind");
        assert!(now.v2.is_none(), "it lacks a kind, too");
    }
}
