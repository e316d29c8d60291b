//! What a delivery leans on and nobody brings, taken as there: what is behind it is played too. The rules tell it (LF103).

use std::borrow::Cow;
use std::collections::BTreeSet;

use landfall_cluster::Cluster;
use landfall_delivery::{Candidate, Door, Missing, Unit, unresolved};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_drydock::Prerequisite;
use landfall_object::references::Need;
use landfall_object::{ASSUMED, Gvk, Object, ObjectKey, SIMULATED, is_label, is_object_name};
use landfall_rules::has_part;
use serde_json::json;

use super::{Attempt, Stage, broken};

/// What a delivery leans on and does not bring.
pub(super) struct Taken {
    /// What a cluster may have from elsewhere, as `Secret db`.
    pub(super) as_there: Vec<String>,
    /// Keys that what is there, or is delivered, does not have: nobody else brings them.
    pub(super) lacking: Vec<Diagnostic>,
}

impl Stage {
    /// Takes the prerequisites of a delivery as there.
    pub(super) async fn take_as_there(&mut self, attempt: &Attempt<'_>) -> Result<Taken, Vec<Diagnostic>> {
        let cluster = Cluster::new(self.drydock.client());
        let (mut taken, mut lacking) = (BTreeSet::new(), Vec::new());
        for namespace in self.foreign_namespaces(attempt) {
            self.put(&cluster, &stub("Namespace", None, &namespace)).await?;
            taken.insert(format!("Namespace {namespace}"));
        }
        let missing = unresolved(&placed(attempt.objects), &cluster).await.map_err(|error| vec![error.diagnose()])?;
        let theirs = names_not_at_hand(attempt.candidates);
        // What a program may make may as well be of a chart that is not at hand and that it is called after.
        let is_theirs = |missing: &Missing| {
            matches!(missing.kind.as_str(), "Secret" | "ConfigMap")
                && missing.key.is_none()
                && theirs.iter().any(|name| has_part(&missing.name, name))
        };
        for unresolved in missing.into_iter().filter(|it| it.need == Need::Start || is_theirs(&it.missing)) {
            if unresolved.missing.key.is_some() {
                lacking.push(unresolved.diagnostic());
            }
            let Missing { kind, namespace, name, key, .. } = unresolved.missing;
            // Nobody brings what nothing can be called.
            if !is_object_name(&name) || namespace.as_deref().is_some_and(|it| !is_namespace_name(it)) {
                continue;
            }
            let within = namespace.clone().unwrap_or_default();
            match kind.as_str() {
                "Secret" | "ConfigMap" => drop(self.play.taken_as_there.insert(Prerequisite {
                    kind: kind.clone(),
                    namespace: within,
                    name: name.clone(),
                    key: key.clone(),
                })),
                "ServiceAccount" | "PersistentVolumeClaim" => {
                    self.put(&cluster, &within_which(&within)).await?;
                    self.put(&cluster, &stub(&kind, Some(&within), &name)).await?;
                }
                _ => continue,
            }
            if key.is_none() {
                taken.insert(format!("{kind} {name}"));
            }
        }
        if !theirs.is_empty() {
            for (namespace, name) in self.asked_beside(attempt) {
                for object in answering(&namespace, &name) {
                    self.put(&cluster, &object).await?;
                }
                taken.insert(format!("Service {name}"));
            }
        }
        if !taken.is_empty() || !lacking.is_empty() {
            self.drydock.perform(self.play.clone());
            self.drydock.settle();
        }
        Ok(Taken { as_there: taken.into_iter().collect(), lacking })
    }

    /// Puts what others lean on there, as it is delivered elsewhere; what is refused there is missed by nobody here.
    pub(crate) async fn set_beside(&mut self, beside: &[Object]) -> Result<(), Vec<Diagnostic>> {
        let cluster = Cluster::new(self.drydock.client());
        let namespaces: BTreeSet<&str> = beside.iter().filter_map(Object::namespace).collect();
        for namespace in namespaces.into_iter().filter(|it| is_namespace_name(it)) {
            self.put(&cluster, &stub("Namespace", None, namespace)).await?;
        }
        for object in beside {
            let mut object = object.clone();
            object.set_annotation(SIMULATED, ASSUMED);
            let _refused = cluster.create(&object, &Default::default()).await;
        }
        self.drydock.settle();
        Ok(())
    }

    /// The namespaces that objects are put into, that are not there, and that no release makes on its way.
    fn foreign_namespaces(&self, attempt: &Attempt<'_>) -> BTreeSet<String> {
        let units = attempt.candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
        let makes_its_own = |unit: &&Unit| match &unit.door {
            Door::Release => true,
            Door::Application(bound) => bound.application.options().create_namespace,
        };
        let made = units.clone().filter(makes_its_own).map(|unit| unit.namespace.as_str());
        let brought = attempt.objects.iter().filter(|it| it.kind() == "Namespace").map(Object::name);
        let known: BTreeSet<&str> = made.chain(brought).collect();
        let asked = attempt.objects.iter().filter_map(Object::namespace).chain(units.map(|it| it.namespace.as_str()));
        let there = self.inventory();
        let is_there = |name: &str| there.get("", "Namespace", None, name).is_some();
        let is_missed = |name: &&str| is_namespace_name(name) && !known.contains(name) && !is_there(name);
        asked.filter(is_missed).map(str::to_owned).collect()
    }

    /// The Services by namespace and name that the API is to ask for kinds and that nobody brings: a chart that is not at hand may.
    fn asked_beside(&self, attempt: &Attempt<'_>) -> BTreeSet<(String, String)> {
        let there = self.inventory();
        let is_there = |namespace: &str, name: &str| {
            let brought = |it: &&Object| {
                it.kind() == "Service" && it.name() == name && it.namespace().is_none_or(|within| within == namespace)
            };
            attempt.objects.iter().any(|it| brought(&it)) || there.get("", "Service", Some(namespace), name).is_some()
        };
        let asked = attempt.objects.iter().filter(|it| it.kind() == "APIService").filter_map(|it| {
            let service = &it.value()["spec"]["service"];
            let (namespace, name) = (service["namespace"].as_str()?, service["name"].as_str()?);
            let can_be = is_namespace_name(namespace) && is_label(name);
            (can_be && !is_there(namespace, name)).then(|| (namespace.to_owned(), name.to_owned()))
        });
        asked.collect()
    }

    async fn put(&self, cluster: &Cluster, object: &Object) -> Result<(), Vec<Diagnostic>> {
        match cluster.create(object, &Default::default()).await {
            Err(error) if !error.is_already_exists() => {
                Err(broken(code::REHEARSAL_CLUSTER, "the simulated cluster cannot be made ready", &error))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a namespace can be called so: one that cannot is nowhere, and whatever is put into it is refused.
fn is_namespace_name(name: &str) -> bool {
    name.len() <= 63 && is_label(name)
}

/// The objects that a namespace can be there for: nothing beside the others can be looked up.
fn placed(objects: &[Object]) -> Cow<'_, [Object]> {
    let can_be = |it: &&Object| it.namespace().is_none_or(|name| name.is_empty() || is_namespace_name(name));
    match objects.iter().all(|it| can_be(&it)) {
        true => Cow::Borrowed(objects),
        false => Cow::Owned(objects.iter().filter(can_be).cloned().collect()),
    }
}

/// The names of the charts that are not at hand.
fn names_not_at_hand(candidates: &[Candidate]) -> BTreeSet<&str> {
    let units = candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok());
    let parts = units.flat_map(Unit::charts).flat_map(|source| source.chart.with_parts());
    parts.flat_map(|part| part.without.names()).collect()
}

/// What stands for something that is taken as there.
fn stub(kind: &str, namespace: Option<&str>, name: &str) -> Object {
    let mut object = Object::new(&ObjectKey::new(Gvk::new("", "v1", kind), namespace, name));
    object.set_annotation(SIMULATED, ASSUMED);
    if kind == "PersistentVolumeClaim" {
        let spec = json!({"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}});
        object.map_mut().insert("spec".to_owned(), spec);
    }
    object
}

/// The namespace of what is taken as there: the release's own may be yet to come.
fn within_which(namespace: &str) -> Object {
    Object::new(&ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, namespace))
}

/// A Service that is taken as there, and a pod behind it: the API asks it and is told nothing.
fn answering(namespace: &str, name: &str) -> [Object; 3] {
    let mut service = stub("Service", Some(namespace), name);
    service.map_mut().insert("spec".to_owned(), json!({"ports": [{"port": 443}]}));
    let key = ObjectKey::new(Gvk::new("discovery.k8s.io", "v1", "EndpointSlice"), Some(namespace), name);
    let mut slice = Object::new(&key);
    slice.set_annotation(SIMULATED, ASSUMED);
    slice.set_label("kubernetes.io/service-name", name);
    let behind = json!([{"addresses": ["192.0.2.1"], "conditions": {"ready": true}}]);
    slice.map_mut().extend([("addressType".to_owned(), json!("IPv4")), ("endpoints".to_owned(), behind)]);
    [within_which(namespace), service, slice]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_called_by_one_label() {
        for name in ["default", "a", "1-b", &"a".repeat(63)] {
            assert!(is_namespace_name(name), "{name}");
        }
        for name in ["", "map[namespace:x]", "a.b", "Shop", &"a".repeat(64)] {
            assert!(!is_namespace_name(name), "{name}");
        }
    }
}
