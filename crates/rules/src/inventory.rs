//! Objects by identity: a cluster's at one moment, or a delivery's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use landfall_object::schema::Schemas;
use landfall_object::{Object, ObjectKey};

/// Group, kind, namespace (empty for none) and name; the version does not matter.
type Id = (String, String, String, String);

/// Objects that can be found by kind, namespace and name.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    objects: BTreeMap<Id, Object>,
    /// What was made of its definitions, by their names: each is read once, whoever asks.
    read: Arc<Mutex<BTreeMap<String, Schemas>>>,
}

impl Inventory {
    /// One object; `namespace` is `None` for cluster-scoped kinds.
    pub fn get(&self, group: &str, kind: &str, namespace: Option<&str>, name: &str) -> Option<&Object> {
        let id = (group.to_owned(), kind.to_owned(), namespace.unwrap_or_default().to_owned(), name.to_owned());
        self.objects.get(&id)
    }

    /// The object of a key, in whatever version it is.
    pub fn of(&self, key: &ObjectKey) -> Option<&Object> {
        self.get(&key.gvk.group, &key.gvk.kind, key.namespace.as_deref(), &key.name)
    }

    /// All objects of a kind, by namespace and name.
    pub fn of_kind<'a>(&'a self, group: &'a str, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        let from = (group.to_owned(), kind.to_owned(), String::new(), String::new());
        self.objects
            .range(from..)
            .take_while(move |((other_group, other_kind, _, _), _)| other_group == group && other_kind == kind)
            .map(|(_, object)| object)
    }

    /// Everything, by group, kind, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// How many objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Keeps only some.
    pub fn retain(&mut self, keep: impl Fn(&Object) -> bool) {
        self.objects.retain(|_, object| keep(object));
    }

    /// Puts an object in, in place of an earlier one of the same identity.
    pub fn insert(&mut self, object: Object) {
        self.read = Arc::default();
        let id = (
            object.group().to_owned(),
            object.kind().to_owned(),
            object.namespace().unwrap_or_default().to_owned(),
            object.name().to_owned(),
        );
        self.objects.insert(id, object);
    }
}

impl Inventory {
    /// The kinds of one of its definitions; none where the definition cannot be read.
    pub(crate) fn kinds_of(&self, definition: &Object) -> Schemas {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let kinds = read.entry(definition.name().to_owned()).or_insert_with(|| {
            let mut schemas = Schemas::builtin();
            // One that cannot be read is the API's to refuse.
            let _ = schemas.join(definition);
            schemas
        });
        kinds.clone()
    }
}

impl FromIterator<Object> for Inventory {
    fn from_iter<T: IntoIterator<Item = Object>>(objects: T) -> Self {
        let mut inventory = Inventory::default();
        for object in objects {
            inventory.insert(object);
        }
        inventory
    }
}

#[cfg(test)]
mod tests {
    use landfall_object::Gvk;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_definition_is_read_once_and_anew_where_it_is_another_one() {
        let definition = |version: &str| {
            let names = json!({"kind": "Kite", "plural": "kites"});
            let schema = json!({"openAPIV3Schema": {"type": "object"}});
            let versions = json!([{"name": version, "served": true, "storage": true, "schema": schema}]);
            let spec = json!({"group": "example.com", "names": names, "scope": "Namespaced", "versions": versions});
            let kind = "CustomResourceDefinition";
            let value = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": kind, "metadata": {"name": "kites.example.com"}, "spec": spec});
            Object::from_value(value).expect("a map")
        };
        let knows =
            |schemas: &Schemas, version: &str| schemas.kind(&Gvk::new("example.com", version, "Kite")).is_some();
        let (first, second) = (definition("v1"), definition("v2"));
        let mut there: Inventory = [first.clone()].into_iter().collect();
        for _ in 0..2 {
            let read = there.kinds_of(&first);
            assert!(knows(&read, "v1") && !knows(&read, "v2"));
        }
        there.insert(second.clone());
        let read = there.kinds_of(&second);
        assert!(knows(&read, "v2") && !knows(&read, "v1"));
        let mut both = Schemas::builtin();
        both.join(&first).expect("joins");
        both.take(read);
        assert!(
            knows(&both, "v2") && !knows(&both, "v1"),
            "the kinds of one definition take the place of what it was before"
        );
    }
}
