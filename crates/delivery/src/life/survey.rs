//! What a cluster knows of a Secret.

use std::collections::{BTreeMap, BTreeSet};

use async_recursion::async_recursion as boxed;
use jiff::Timestamp;
use landfall_cluster::{Cluster, Error, ListOptions};
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_object::{Gvk, Object, ObjectKey, SIMULATED};
use landfall_secrets::{Keyring, Ledger, Masked, PlainSecret, Recorded, Sealed, Traces, sealed_form};

use super::controller::SealingController;
use super::remembered::remembered;
use super::site::{Consumer, Site};

/// What a cluster knows of a Secret.
#[derive(Debug, Default)]
pub struct Survey {
    /// The Secret, where it lives and is no stand-in of a simulation.
    pub secret: Option<Object>,
    /// Its values.
    pub live: BTreeMap<String, Masked>,
    /// The sealing keys.
    pub keyring: Keyring,
    /// Why the sealing keys could not be read.
    pub unread: Option<String>,
    /// What is remembered.
    pub ledger: Ledger,
    /// Claims of the namespace that are bound.
    pub bound: Vec<String>,
}

/// A workload whose pods run with a value from before a change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stale {
    /// The workload.
    pub workload: ObjectKey,
    /// The keys that changed since its pods began.
    pub keys: Vec<String>,
}

/// What a workload that runs pods may be.
const WORKLOADS: [(&str, &str); 3] = [("apps", "Deployment"), ("apps", "StatefulSet"), ("apps", "DaemonSet")];

fn told(error: &Error) -> Diagnostic {
    error.diagnose()
}

impl Survey {
    /// Asks a cluster.
    ///
    /// # Errors
    /// The cluster does not answer, or refuses what must be known.
    #[boxed]
    pub async fn make(
        cluster: &Cluster,
        controller: &SealingController,
        namespace: &str,
        target: &str,
    ) -> Result<Self, Diagnostic> {
        let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(namespace), target);
        let secret = cluster.get(&key).await.map_err(|error| told(&error))?;
        let secret = secret.filter(|secret| secret.annotation(SIMULATED).is_none());
        let live = secret.as_ref().and_then(|secret| PlainSecret::read(secret.value()).ok().flatten());
        let (keyring, unread) = controller.keyring(cluster).await?;
        let claims = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
        let bound = match cluster.list(&Gvk::new("", "v1", "PersistentVolumeClaim"), &claims).await {
            Ok(claims) => claims,
            Err(error) if error.code() == Some(403) => Vec::new(),
            Err(error) => return Err(told(&error)),
        };
        let is_bound = |claim: &&Object| claim.str_at("/status/phase") == Some("Bound");
        Ok(Self {
            secret,
            live: live.map(|live| live.data).unwrap_or_default(),
            keyring,
            unread,
            ledger: remembered(cluster, &controller.namespace).await?,
            bound: bound.iter().filter(is_bound).map(|claim| claim.name().to_owned()).collect(),
        })
    }

    /// What is known of a key, with how it stands in the file that holds it.
    pub fn traces(&self, key: &str, written: Option<&str>, label: &[u8], site: &Site) -> Traces {
        let owners = site.consumers.iter().filter(|consumer| consumer.keys.is_some() && consumer.reads(key));
        let claims: BTreeSet<&String> =
            owners.flat_map(|owner| self.bound.iter().filter(|claim| owner.holds(claim))).collect();
        Traces {
            live: self.live.get(key).filter(|value| !value.reveal().is_empty()).cloned(),
            sealed: self.sealed(written, label),
            claims: claims.into_iter().cloned().collect(),
        }
    }

    fn sealed(&self, written: Option<&str>, label: &[u8]) -> Sealed {
        let Some(written) = written.filter(|written| !written.is_empty()) else { return Sealed::Absent };
        let Ok(bytes) = sealed_form(written) else { return Sealed::Placeholder };
        match self.keyring.open(&bytes, label) {
            Ok((value, _)) => Sealed::Open(value),
            Err(_) if self.unread.is_some() => Sealed::Unseen,
            Err(_) => Sealed::Closed,
        }
    }

    /// The sealing keys that are in use, by their fingerprints, the newest first.
    pub fn sealing_keys(&self) -> Vec<String> {
        self.keyring.keys().iter().map(|key| key.private.public().fingerprint()).collect()
    }

    /// What is to be saved and is in no backup: sealing keys by their fingerprints, and keys that are generated once.
    pub fn unsaved(&self) -> Vec<String> {
        let mut names = self.sealing_keys();
        names.extend(self.secret.iter().flat_map(landfall_secrets::saved_names));
        let unsaved = self.ledger.unsaved(names.iter().map(String::as_str));
        unsaved.into_iter().map(str::to_owned).collect()
    }

    /// When a key was last given a value, as the ledger has it, else the Secret's own managers.
    pub fn changed(&self, namespace: &str, target: &str, key: &str) -> Option<Timestamp> {
        let remembered = self.ledger.of(namespace, target).and_then(|recorded| recorded.changed.get(key)).copied();
        remembered.or_else(|| written(self.secret.as_ref()?, key))
    }

    /// The workloads of a namespace whose pods began before a key that they read was changed.
    ///
    /// # Errors
    /// The cluster does not answer.
    #[boxed]
    pub async fn stale(&self, cluster: &Cluster, namespace: &str, target: &str) -> Result<Vec<Stale>, Diagnostic> {
        let Some(recorded) = self.ledger.of(namespace, target) else { return Ok(Vec::new()) };
        let Some(secret) = &self.secret else { return Ok(Vec::new()) };
        let within = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
        let pods = cluster.list(&Gvk::new("", "v1", "Pod"), &within).await.map_err(|error| told(&error))?;
        let mut workloads = Vec::new();
        for (group, kind) in WORKLOADS {
            workloads.extend(cluster.list(&Gvk::new(group, "v1", kind), &within).await.map_err(|error| told(&error))?);
        }
        Ok(stale_among(recorded, secret, &workloads, &pods))
    }
}

/// Those of the workloads whose pods began before a key that they read got the value that the Secret has.
fn stale_among(recorded: &Recorded, secret: &Object, workloads: &[Object], pods: &[Object]) -> Vec<Stale> {
    let (namespace, target) = (secret.namespace().unwrap_or_default(), secret.name());
    let made: Option<Timestamp> = secret.creation_timestamp().and_then(|text| text.parse().ok());
    let last = recorded.changed.values().max().copied();
    // What was changed last is delivered when the Secret was last written; what was changed before, before that. A Secret that
    // was made after a change never had another value.
    let since = |key: &str| {
        let changed = recorded.changed.get(key).copied().filter(|changed| Some(*changed) > made)?;
        let delivered = written(secret, key)?;
        (delivered >= changed).then_some(if Some(changed) == last { delivered } else { changed })
    };
    let mut found = Vec::new();
    for workload in workloads {
        let Some(consumer) = Consumer::of(workload, namespace, target) else { continue };
        let Some(began) = pods.iter().filter(|pod| is_of(pod, workload)).filter_map(began).min() else { continue };
        let keys: Vec<String> = recorded
            .changed
            .keys()
            .filter(|key| consumer.reads(key) && since(key).is_some_and(|since| began <= since))
            .cloned()
            .collect();
        if !keys.is_empty() {
            found.push(Stale { workload: workload.key(), keys });
        }
    }
    found
}

/// The workloads of a namespace that read one of these keys.
///
/// # Errors
/// The cluster does not answer.
#[boxed]
pub async fn running(
    cluster: &Cluster,
    namespace: &str,
    target: &str,
    keys: &BTreeSet<String>,
) -> Result<Vec<Stale>, Diagnostic> {
    let within = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
    let mut found = Vec::new();
    if keys.is_empty() {
        return Ok(found);
    }
    for (group, kind) in WORKLOADS {
        let workloads = cluster.list(&Gvk::new(group, "v1", kind), &within).await.map_err(|error| told(&error))?;
        for workload in workloads {
            let Some(consumer) = Consumer::of(&workload, namespace, target) else { continue };
            let read: Vec<String> = keys.iter().filter(|key| consumer.reads(key)).cloned().collect();
            if !read.is_empty() {
                found.push(Stale { workload: workload.key(), keys: read });
            }
        }
    }
    Ok(found)
}

/// Whether a pod is a workload's: by its labels, as the workload's selector has them.
fn is_of(pod: &Object, workload: &Object) -> bool {
    let wanted = workload.at("/spec/selector/matchLabels").and_then(serde_json::Value::as_object);
    wanted.is_some_and(|wanted| {
        !wanted.is_empty() && wanted.iter().all(|(name, value)| pod.label(name) == value.as_str())
    })
}

fn began(pod: &Object) -> Option<Timestamp> {
    pod.str_at("/status/startTime").or_else(|| pod.creation_timestamp())?.parse().ok()
}

/// When a key of a Secret was last written: by who manages its field, else when the Secret was made.
fn written(secret: &Object, key: &str) -> Option<Timestamp> {
    let field = format!("f:{key}");
    let entries = secret.list_at("/metadata/managedFields").iter();
    let owning =
        entries.filter(|entry| entry.pointer("/fieldsV1/f:data").is_some_and(|data| data.get(&field).is_some()));
    let latest = owning.filter_map(|entry| entry["time"].as_str()?.parse().ok()).max();
    latest.or_else(|| secret.creation_timestamp()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    fn workload(name: &str, key: &str) -> Object {
        object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"spec": {"containers": [
                {"name": "a", "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "keys", "key": key}}}]}]}}}}))
    }

    fn pod(app: &str, began: &str) -> Object {
        object(
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": app, "namespace": "shop", "labels": {"app": app}},
            "status": {"startTime": format!("2027-01-01T{began}Z")}}),
        )
    }

    /// LP-40, LP-43: who runs with the value before is told, who reads another key or began afterwards is not.
    #[test]
    fn who_began_before_the_value_was_delivered_runs_with_the_one_before() {
        let secret = object(json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "keys", "namespace": "shop", "creationTimestamp": "2027-01-01T08:00:00Z",
                "managedFields": [{"time": "2027-01-01T10:30:00Z", "fieldsV1": {"f:data": {"f:A": {}, "f:B": {}, "f:C": {}}}}]}}));
        let mut recorded = Recorded::default();
        for (key, at) in [("A", "10:00:00"), ("B", "09:00:00"), ("C", "07:00:00")] {
            recorded.change(key, [], format!("2027-01-01T{at}Z").parse().expect("a time"));
        }
        let workloads = [
            workload("early", "A"),
            workload("between", "A"),
            workload("late", "A"),
            workload("other", "B"),
            workload("first", "C"),
        ];
        let pods = [
            pod("early", "08:30:00"),
            pod("between", "10:15:00"),
            pod("late", "10:45:00"),
            pod("other", "09:30:00"),
            pod("first", "08:00:00"),
        ];
        let told = |pods: &[Object]| -> Vec<String> {
            let stale = stale_among(&recorded, &secret, &workloads, pods);
            stale.iter().map(|one| format!("{} {}", one.workload.name, one.keys.join(","))).collect()
        };
        assert_eq!(told(&pods), ["early A", "between A"]);
        assert_eq!(told(&[pod("other", "08:45:00")]), ["other B"]);
        assert_eq!(told(&[]), Vec::<String>::new());
    }
}
