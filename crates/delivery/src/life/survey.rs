//! What a cluster knows of a Secret.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use landfall_cluster::{Cluster, Error, ListOptions};
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_object::{Gvk, Object, ObjectKey, SIMULATED};
use landfall_secrets::{Keyring, Ledger, Masked, PlainSecret, Sealed, Traces, sealed_form};

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
    pub async fn stale(&self, cluster: &Cluster, namespace: &str, target: &str) -> Result<Vec<Stale>, Diagnostic> {
        let Some(recorded) = self.ledger.of(namespace, target) else { return Ok(Vec::new()) };
        let Some(secret) = &self.secret else { return Ok(Vec::new()) };
        let last = recorded.changed.values().max().copied();
        // What was changed last is delivered when the Secret was last written; what was changed before, before that.
        let since = |key: &str| {
            let changed = recorded.changed.get(key).copied()?;
            let delivered = written(secret, key)?;
            (delivered >= changed).then_some(if Some(changed) == last { delivered } else { changed })
        };
        let within = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
        let pods = cluster.list(&Gvk::new("", "v1", "Pod"), &within).await.map_err(|error| told(&error))?;
        let mut found = Vec::new();
        for (group, kind) in WORKLOADS {
            let workloads = cluster.list(&Gvk::new(group, "v1", kind), &within).await.map_err(|error| told(&error))?;
            for workload in workloads {
                let Some(consumer) = Consumer::of(&workload, namespace, target) else { continue };
                let began = pods.iter().filter(|pod| is_of(pod, &workload)).filter_map(began).min();
                let Some(began) = began else { continue };
                let keys: Vec<String> = recorded
                    .changed
                    .keys()
                    .filter(|key| consumer.reads(key) && since(key).is_some_and(|since| began < since))
                    .cloned()
                    .collect();
                if !keys.is_empty() {
                    found.push(Stale { workload: workload.key(), keys });
                }
            }
        }
        Ok(found)
    }
}

/// The workloads of a namespace that read one of these keys.
///
/// # Errors
/// The cluster does not answer.
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
