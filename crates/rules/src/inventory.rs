//! Objects by identity: a cluster's at one moment, or a delivery's.

use std::collections::BTreeMap;

use landfall_object::{Object, ObjectKey};

/// Group, kind, namespace (empty for none) and name; the version does not matter.
type Id = (String, String, String, String);

/// Objects that can be found by kind, namespace and name.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    objects: BTreeMap<Id, Object>,
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
        let id = (
            object.group().to_owned(),
            object.kind().to_owned(),
            object.namespace().unwrap_or_default().to_owned(),
            object.name().to_owned(),
        );
        self.objects.insert(id, object);
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
