//! Where a Secret is to be, and who reads it: found in what is delivered.

use std::collections::{BTreeMap, BTreeSet};

use landfall_object::references::references;
use landfall_object::{Object, ObjectKey};
use landfall_secrets::Scope;

use crate::rendering::render_offline;
use crate::up::Candidate;

/// Where a Secret is to be, and who reads it.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// The namespaces in which something makes or reads it; one, unless it is not known which.
    pub namespaces: BTreeSet<String>,
    /// What makes it: a Secret or a SealedSecret.
    pub maker: Option<Object>,
    /// Who reads it.
    pub consumers: Vec<Consumer>,
    /// Units that could not be rendered.
    pub unread: Vec<String>,
}

/// Somebody who reads a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Who.
    pub object: ObjectKey,
    /// Which keys; nothing for all of them.
    pub keys: Option<BTreeSet<String>>,
    /// The claims that hold its data: names, and beginnings of names that a number ends.
    pub claims: BTreeSet<String>,
}

impl Consumer {
    /// What an object reads of a Secret; nothing where it does not.
    pub fn of(object: &Object, namespace: &str, target: &str) -> Option<Self> {
        let all = references(object);
        let of_secret = |reference: &&landfall_object::references::Reference| {
            reference.kind == "Secret"
                && reference.name == target
                && reference.namespace.as_deref().is_none_or(|of| of == namespace)
        };
        let read: Vec<_> = all.iter().filter(of_secret).collect();
        if read.is_empty() || object.kind() == "SealedSecret" {
            return None;
        }
        let keys: Option<BTreeSet<String>> = read.iter().map(|reference| reference.key.clone()).collect();
        let mut claims: BTreeSet<String> = all
            .iter()
            .filter(|reference| reference.kind == "PersistentVolumeClaim")
            .map(|reference| reference.name.clone())
            .collect();
        for template in object.list_at("/spec/volumeClaimTemplates") {
            if let Some(name) = template.pointer("/metadata/name").and_then(serde_json::Value::as_str) {
                claims.insert(format!("{name}-{}-", object.name()));
            }
        }
        Some(Self { object: object.key(), keys, claims })
    }

    /// Whether it reads a key.
    pub fn reads(&self, key: &str) -> bool {
        self.keys.as_ref().is_none_or(|keys| keys.contains(key))
    }

    /// Whether a claim holds its data.
    pub fn holds(&self, claim: &str) -> bool {
        self.claims.iter().any(|known| match known.strip_suffix('-') {
            Some(_) => claim
                .strip_prefix(known.as_str())
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())),
            None => claim == known,
        })
    }

    /// As it is named in messages: `Deployment/web`.
    pub fn shown(&self) -> String {
        format!("{}/{}", self.object.gvk.kind, self.object.name)
    }
}

impl Site {
    /// Looks for a Secret in what is delivered; a unit that cannot be rendered is named.
    pub fn find(candidates: &[Candidate], target: &str) -> Self {
        let mut site = Self::default();
        for (name, unit) in candidates {
            let rendered = unit.as_ref().ok().map(|unit| (unit, render_offline(unit)));
            let Some((unit, Ok(rendered))) = rendered else {
                site.unread.push(name.clone());
                continue;
            };
            for object in rendered.objects.iter().chain(&rendered.hooks).map(|rendered| &rendered.object) {
                let namespace = object.namespace().unwrap_or(&unit.namespace).to_owned();
                let mut object = object.clone();
                object.set_namespace(namespace.clone());
                let is_maker = matches!(object.kind(), "Secret" | "SealedSecret") && object.name() == target;
                if is_maker {
                    site.namespaces.insert(namespace);
                    site.maker = Some(object);
                } else if let Some(consumer) = Consumer::of(&object, &namespace, target) {
                    site.namespaces.insert(namespace);
                    site.consumers.push(consumer);
                }
            }
        }
        site
    }

    /// The one namespace in which it is to be: the one that was asked for, else where it is made or read.
    pub fn namespace(&self, asked: Option<&str>) -> Option<String> {
        let made = self.maker.as_ref().and_then(Object::namespace);
        let alone = || self.namespaces.iter().next().map(String::as_str).filter(|_| self.namespaces.len() == 1);
        asked.or(made).or_else(alone).map(str::to_owned)
    }

    /// How far sealed values of it may be moved: as what makes it says.
    pub fn scope(&self) -> Scope {
        let metadata = self.maker.as_ref().and_then(|maker| maker.at("/metadata"));
        metadata.map(Scope::of).unwrap_or_default()
    }

    /// The SealedSecret that makes it.
    pub fn sealed(&self) -> Option<&Object> {
        self.maker.as_ref().filter(|maker| maker.kind() == "SealedSecret")
    }

    /// Who reads one of these keys, each once.
    pub fn readers<'s>(&'s self, keys: &'s BTreeSet<String>) -> Vec<&'s Consumer> {
        let mut found: BTreeMap<String, &Consumer> = BTreeMap::new();
        for consumer in &self.consumers {
            if keys.iter().any(|key| consumer.reads(key)) {
                found.entry(consumer.shown()).or_insert(consumer);
            }
        }
        found.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn consumer(value: serde_json::Value) -> Option<Consumer> {
        Consumer::of(&Object::from_value(value).expect("a map"), "shop", "keys")
    }

    #[test]
    fn who_names_a_key_reads_that_one_and_who_takes_all_reads_all() {
        let workload = |container: serde_json::Value| {
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "shop"},
                "spec": {"template": {"spec": {"containers": [container]}},
                    "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}})
        };
        let one = consumer(workload(json!({"name": "a", "env": [
            {"name": "P", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "PASSWORD"}}}]})));
        let one = one.expect("it reads");
        assert!(one.reads("PASSWORD") && !one.reads("TOKEN"));
        assert!(one.holds("data-db-0") && !one.holds("data-db-x") && !one.holds("data-web-0"));
        assert_eq!(one.shown(), "StatefulSet/db");
        let all =
            consumer(workload(json!({"name": "a", "envFrom": [{"secretRef": {"name": "keys"}}]}))).expect("it reads");
        assert!(all.reads("TOKEN"));
        assert_eq!(consumer(workload(json!({"name": "a", "envFrom": [{"secretRef": {"name": "other"}}]}))), None);
    }
}
