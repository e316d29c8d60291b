//! A Secret written on the cluster itself, where no file holds it.

use std::collections::{BTreeMap, BTreeSet};

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_cluster::{Cluster, Patch, WriteOptions};
use landfall_diag::{Diagnose as _, Diagnostic, is_mutant};
use landfall_object::{Gvk, ONCE_ANNOTATION, Object, ObjectKey, SIMULATED, mark_born, once_guard, once_keys};
use landfall_secrets::{Declared, MANAGED, Masked, PATCH};
use serde_json::{Map, Value, json};

use super::survey::Stale;

/// The guard, with the name by which `conformance once` opens it.
fn guard(live: Option<&Object>, wanted: &Object, place: &str) -> Result<(), Diagnostic> {
    match once_guard(live, Some(wanted)) {
        Err(violation) if !is_mutant(place) => Err(violation.diagnose()),
        _ => Ok(()),
    }
}

/// What rolls a workload's pods, as kubectl writes it.
pub(super) const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";

/// Who writes a Secret, and restarts who reads it.
#[derive(Clone)]
pub struct SecretWriter<'c> {
    /// The cluster.
    pub cluster: &'c Cluster,
    /// The Secret's namespace; made where it is not there.
    pub namespace: &'c str,
    /// What is declared of it.
    pub declared: &'c Declared,
}

impl SecretWriter<'_> {
    fn options() -> WriteOptions {
        WriteOptions { field_manager: Some("landfall".to_owned()), ..WriteOptions::default() }
    }

    /// The Secret as it is to be: what lives, with these values over it, and what is generated once marked as such. Its
    /// values are in clear.
    pub fn wanted(&self, live: Option<&Object>, values: &BTreeMap<String, Masked>) -> Object {
        let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(self.namespace), &self.declared.target);
        let mut wanted = live.cloned().unwrap_or_else(|| {
            let mut new = Object::new(&key);
            let kind = if self.declared.kind.is_empty() { "Opaque" } else { &self.declared.kind };
            new.map_mut().insert("type".to_owned(), kind.into());
            new
        });
        let mut data: Map<String, Value> = wanted.at("/data").and_then(Value::as_object).cloned().unwrap_or_default();
        for (key, value) in values {
            data.insert(key.clone(), STANDARD.encode(value.reveal()).into());
        }
        let mut once: BTreeSet<String> = self.declared.once().map(str::to_owned).collect();
        once.extend(once_keys(&wanted));
        once.retain(|key| data.contains_key(key));
        wanted.map_mut().insert("data".to_owned(), Value::Object(data));
        if !once.is_empty() {
            wanted.set_annotation(ONCE_ANNOTATION, once.into_iter().collect::<Vec<_>>().join(","));
            mark_born(&mut wanted);
        }
        wanted
    }

    /// Writes values into the Secret; who wrote in between is told. Its namespace is made where it is not there.
    ///
    /// # Errors
    /// A key that is generated once would be changed; what the cluster refuses with.
    #[boxed]
    pub async fn write(&self, live: Option<&Object>, values: &BTreeMap<String, Masked>) -> Result<Object, Diagnostic> {
        let wanted = self.wanted(live, values);
        guard(live, &wanted, "once-life")?;
        if live.is_some() {
            return self.cluster.replace(&wanted, &Self::options()).await.map_err(|error| error.diagnose());
        }
        let namespace = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, self.namespace);
        match self.cluster.create(&Object::new(&namespace), &Self::options()).await {
            Err(error) if !error.is_already_exists() && error.code() != Some(403) => return Err(error.diagnose()),
            _ => {}
        }
        // Created, never replaced: what came in between wins, and is told.
        self.cluster.create(&wanted, &Self::options()).await.map_err(|error| error.diagnose())
    }

    /// Marks a Secret that somebody has made by hand as one that the sealing controller may take, which leaves others alone:
    /// as a whole where `sealed` has all of its keys, key by key otherwise. Says whether it was to be marked.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn hand_over(&self, live: &Object, sealed: &BTreeSet<&str>) -> Result<bool, Diagnostic> {
        let is_marked = [MANAGED, PATCH].into_iter().any(|mark| live.annotation(mark) == Some("true"));
        if is_marked || !live.list_at("/metadata/ownerReferences").is_empty() || live.annotation(SIMULATED).is_some() {
            return Ok(false);
        }
        let data = live.at("/data").and_then(Value::as_object);
        let has_all = data.into_iter().flatten().all(|(key, _)| sealed.contains(key.as_str()));
        let mark = if has_all { MANAGED } else { PATCH };
        let patch = json!({"metadata": {"uid": live.uid(), "annotations": {mark: "true"}}});
        let patched = self.cluster.patch(&live.key(), &Patch::Merge(patch), &Self::options()).await;
        patched.map(|_| true).map_err(|error| error.diagnose())
    }

    /// Takes keys out of the Secret.
    ///
    /// # Errors
    /// A key that is generated once would be removed; what the cluster refuses with.
    #[boxed]
    pub async fn drop_keys(&self, live: Option<&Object>, keys: &[&str]) -> Result<(), Diagnostic> {
        let Some(live) = live else { return Ok(()) };
        let mut wanted = live.clone();
        if let Some(data) = wanted.at_mut("/data").and_then(Value::as_object_mut) {
            data.retain(|key, _| !keys.contains(&key.as_str()));
        }
        guard(Some(live), &wanted, "once-dropped")?;
        self.cluster.replace(&wanted, &Self::options()).await.map(drop).map_err(|error| error.diagnose())
    }

    /// Rolls workloads, as `kubectl rollout restart` does.
    ///
    /// # Errors
    /// What the cluster refuses with.
    #[boxed]
    pub async fn restart(cluster: &Cluster, stale: &[Stale], at: jiff::Timestamp) -> Result<(), Diagnostic> {
        // To the part of a second: what came within the second before is known to have come before.
        let stamp = at.to_string();
        for one in stale {
            let patch = json!({"spec": {"template": {"metadata": {"annotations": {RESTARTED: stamp}}}}});
            let patched = cluster.patch(&one.workload, &Patch::Strategic(patch), &Self::options()).await;
            patched.map_err(|error| error.diagnose())?;
        }
        Ok(())
    }
}
