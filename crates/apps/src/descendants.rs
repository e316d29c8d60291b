//! What goes along with Applications and ApplicationSets: the Applications that they deliver or generate, and what those do in turn.

use std::collections::{BTreeMap, BTreeSet};

use landfall_object::Object;

use crate::machine::CASCADE;
use crate::tracking::{instance_name, owner};

/// Whether an object delivers others: with it goes what it has delivered.
pub fn delivers(object: &Object) -> bool {
    object.group() == "argoproj.io" && matches!(object.kind(), "Application" | "ApplicationSet")
}

/// Applications and ApplicationSets, by whose they are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Descendants {
    below: BTreeMap<Node, Vec<(Node, String)>>,
}

/// One that delivers or generates others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    /// An Application, by its [`instance_name`].
    Application(String),
    /// An ApplicationSet, by namespace and name.
    Set(String, String),
}

impl Node {
    fn of(object: &Object) -> Self {
        let namespace = object.namespace().unwrap_or_default();
        match object.kind() {
            "ApplicationSet" => Node::Set(namespace.to_owned(), object.name().to_owned()),
            _ => Node::Application(instance_name(namespace, object.name())),
        }
    }

    /// Whose an object is: the set's that generated it, or the Application's that delivered it.
    fn parents(object: &Object) -> impl Iterator<Item = Self> {
        let namespace = object.namespace().unwrap_or_default();
        let of_set = |owner: &serde_json::Value| {
            (owner["kind"] == "ApplicationSet")
                .then(|| Some(Node::Set(namespace.to_owned(), owner["name"].as_str()?.to_owned())))?
        };
        let sets: Vec<Node> = object.list_at("/metadata/ownerReferences").iter().filter_map(of_set).collect();
        sets.into_iter().chain(owner(object).map(|name| Node::Application(name.to_owned())))
    }
}

impl Descendants {
    /// Of all Applications and ApplicationSets of a cluster.
    pub(crate) fn of(all: &[Object]) -> Self {
        let mut below: BTreeMap<Node, Vec<(Node, String)>> = BTreeMap::new();
        // An Application without the finalizer leaves what it delivered.
        let leaves = |object: &Object| {
            let finalizers = object.list_at("/metadata/finalizers");
            let cascades = finalizers.iter().filter_map(serde_json::Value::as_str).any(|it| it.starts_with(CASCADE));
            object.kind() == "Application" && !cascades
        };
        let leaving: BTreeSet<Node> = all.iter().filter(|it| leaves(it)).map(Node::of).collect();
        for object in all.iter().filter(|it| delivers(it)) {
            for parent in Node::parents(object).filter(|parent| !leaving.contains(parent)) {
                below.entry(parent).or_default().push((Node::of(object), object.name().to_owned()));
            }
        }
        Descendants { below }
    }

    /// The Applications that go when an object does, by name, itself among them. A set of none stands for itself.
    pub(crate) fn with(&self, object: &Object) -> Vec<String> {
        let mut found = BTreeMap::new();
        let mut open = vec![(Node::of(object), object.name().to_owned())];
        let mut seen = BTreeSet::new();
        while let Some((node, name)) = open.pop() {
            if !seen.insert(node.clone()) {
                continue;
            }
            open.extend(self.below.get(&node).into_iter().flatten().cloned());
            if let Node::Application(instance) = node {
                found.insert(instance, name);
            }
        }
        if found.is_empty() { vec![object.name().to_owned()] } else { found.into_values().collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(kind: &str, name: &str, metadata: Value) -> Object {
        let mut object = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": kind,
            "metadata": {"name": name, "namespace": "argocd"}});
        let more = metadata.as_object().cloned().unwrap_or_default();
        object["metadata"].as_object_mut().expect("a map").extend(more);
        Object::from_value(object).expect("a map")
    }

    #[test]
    fn with_a_parent_goes_what_its_children_deliver_and_generate() {
        let cascades = json!([format!("{CASCADE}/background")]);
        let of = |parent: &str, kind: &str, name: &str| json!({"argocd.argoproj.io/tracking-id": format!("{parent}:argoproj.io/{kind}:argocd/{name}")});
        let top = object("Application", "top", json!({"finalizers": cascades}));
        let set = object("ApplicationSet", "set", json!({"annotations": of("top", "ApplicationSet", "set")}));
        let made = |name: &str| {
            object("Application", name, json!({"ownerReferences": [{"kind": "ApplicationSet", "name": "set"}]}))
        };
        let kid = object("Application", "kid", json!({"annotations": of("top", "Application", "kid")}));
        let grandchild =
            object("Application", "grandchild", json!({"annotations": of("kid", "Application", "grandchild")}));
        let all = [top.clone(), set.clone(), made("a"), made("b"), kid.clone(), grandchild];
        let known = Descendants::of(&all);
        assert_eq!(known.with(&top), ["a", "b", "kid", "top"], "kid has no finalizer: what it delivered stays");
        assert_eq!(known.with(&set), ["a", "b"]);
        assert_eq!(known.with(&kid), ["kid"]);
        assert_eq!(Descendants::default().with(&set), ["set"], "one that has generated nothing");
    }

    #[test]
    fn a_circle_ends() {
        let cascades = json!([CASCADE]);
        let one = |name: &str, parent: &str| {
            let id = format!("{parent}:argoproj.io/Application:argocd/{name}");
            object(
                "Application",
                name,
                json!({"finalizers": cascades, "annotations": {"argocd.argoproj.io/tracking-id": id}}),
            )
        };
        let all = [one("a", "b"), one("b", "a")];
        assert_eq!(Descendants::of(&all).with(&all[0]), ["a", "b"]);
    }
}
