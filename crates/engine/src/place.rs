//! Where objects go: into a namespace or into the cluster itself, by the kinds that are served and those that come.

use std::collections::{BTreeMap, BTreeSet};

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, Error, Scope};
use landfall_object::{Gvk, Object};

/// Kinds that come with what is delivered, by group and kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds {
    scopes: BTreeMap<(String, String), Scope>,
}

impl Kinds {
    /// Those that CustomResourceDefinitions among the objects define.
    pub fn defined<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let scopes = objects
            .into_iter()
            .filter(|object| object.kind() == "CustomResourceDefinition")
            .filter_map(|object| {
                let group = object.str_at("/spec/group")?.to_owned();
                let kind = object.str_at("/spec/names/kind")?.to_owned();
                let scope =
                    if object.str_at("/spec/scope") == Some("Cluster") { Scope::Cluster } else { Scope::Namespaced };
                Some(((group, kind), scope))
            })
            .collect();
        Kinds { scopes }
    }

    /// Takes others in; of one kind the later counts.
    pub fn extend(&mut self, others: Kinds) {
        self.scopes.extend(others.scopes);
    }

    /// Whether a kind is among them.
    pub fn contains(&self, gvk: &Gvk) -> bool {
        self.scope(gvk).is_some()
    }

    fn scope(&self, gvk: &Gvk) -> Option<Scope> {
        self.scopes.get(&(gvk.group.clone(), gvk.kind.clone())).copied()
    }
}

/// What is known of where objects go.
#[derive(Debug, Clone, Default)]
pub struct Places {
    home: String,
    to_come: Kinds,
    /// Kinds as the cluster serves them; `None` for one that it does not.
    served: BTreeMap<Gvk, Option<Scope>>,
}

impl Places {
    /// Where these kinds are served and no others.
    pub fn of(home: impl Into<String>, served: impl IntoIterator<Item = (Gvk, Scope)>) -> Self {
        let served = served.into_iter().map(|(gvk, scope)| (gvk, Some(scope))).collect();
        Places { home: home.into(), to_come: Kinds::default(), served }
    }

    /// Asks the cluster for kinds; `home` is the namespace of objects that name none.
    ///
    /// # Errors
    /// What the cluster refuses with, or that it cannot be reached; a kind that is not served is no error.
    #[boxed]
    pub async fn look_up(cluster: &Cluster, home: &str, kinds: BTreeSet<Gvk>) -> Result<Self, Error> {
        let mut served = BTreeMap::new();
        for gvk in kinds {
            let scope = match cluster.resource(&gvk).await {
                Ok(resource) => Some(resource.scope),
                Err(Error::NoMatch { .. }) => None,
                Err(error) => return Err(error),
            };
            served.insert(gvk, scope);
        }
        Ok(Places { home: home.to_owned(), to_come: Kinds::default(), served })
    }

    /// Kinds that come before what is placed from now on, whatever is served.
    pub fn expect(&mut self, kinds: Kinds) {
        self.to_come.extend(kinds);
    }

    /// The namespace of objects that name none.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// The object with the namespace it will live in: none where its kind has none.
    ///
    /// # Errors
    /// [`Error::NoMatch`] naming the object, when its kind is neither served nor comes.
    pub fn place(&self, object: Object) -> Result<Object, Error> {
        let gvk = object.gvk();
        match self.to_come.scope(&gvk).or_else(|| self.served.get(&gvk).copied().flatten()) {
            Some(scope) => Ok(scope.place(object, &self.home)),
            None => {
                let (name, namespace) = (object.name().to_owned(), object.namespace().unwrap_or_default().to_owned());
                Err(Error::NoMatch { gvk: Box::new(gvk), name, namespace })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, kind: &str, namespace: Option<&str>) -> Object {
        let metadata = json!({"name": "x", "namespace": namespace});
        Object::from_value(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})).expect("a map")
    }

    fn definition(scope: &str) -> Object {
        let spec = json!({"group": "example.com", "names": {"kind": "Widget"}, "scope": scope});
        let kind = "CustomResourceDefinition";
        Object::from_value(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": kind, "spec": spec})).expect("a map")
    }

    #[test]
    fn objects_go_where_their_kind_lives_whether_it_is_served_or_comes() {
        let served = [(Gvk::new("", "v1", "Secret"), Scope::Namespaced), (Gvk::new("", "v1", "Node"), Scope::Cluster)];
        let mut places = Places::of("shop", served);
        let at = |places: &Places, object| places.place(object).map(|it| it.namespace().map(str::to_owned));
        assert_eq!(at(&places, object("v1", "Secret", None)).expect("is served").as_deref(), Some("shop"));
        assert_eq!(at(&places, object("v1", "Secret", Some("own"))).expect("is served").as_deref(), Some("own"));
        assert_eq!(at(&places, object("v1", "Node", Some("own"))).expect("is served"), None);
        let unserved = at(&places, object("example.com/v1", "Widget", None)).expect_err("it is not there");
        assert!(matches!(unserved, Error::NoMatch { name, .. } if name == "x"));
        for (scope, namespace) in [("Namespaced", Some("shop")), ("Cluster", None)] {
            places.expect(Kinds::defined([&definition(scope)]));
            assert_eq!(at(&places, object("example.com/v1", "Widget", None)).expect("it comes").as_deref(), namespace);
        }
    }
}
