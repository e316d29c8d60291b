//! A cluster's secrets saved, restored, and tried with a backup alone.

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, Error, ListOptions, WriteOptions};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_object::{Gvk, Object, ObjectKey, SIMULATED, mark_born, once_guard};
use landfall_secrets::{Backup, Saved, same_value, saved_for, unseal};
use landfall_source::surroundings;
use serde::Serialize;

/// Who writes what is restored.
const MANAGER: &str = "landfall";
/// How often a placeholder is replaced that its controller writes meanwhile.
const TRIES: u32 = 8;

/// What is to be saved of a cluster.
///
/// # Errors
/// What the cluster refuses with; [`code::NOTHING_TO_SAVE`].
#[boxed]
pub async fn escrow(cluster: &Cluster) -> Result<Backup, Diagnostic> {
    let secrets = secrets(cluster).await?;
    let backup = Backup::of(&secrets);
    if backup.is_empty() {
        let text = "there is neither a sealing key nor a key that is generated once on this cluster";
        return Err(Diagnostic::error(code::NOTHING_TO_SAVE, text));
    }
    Ok(backup)
}

async fn secrets(cluster: &Cluster) -> Result<Vec<Object>, Diagnostic> {
    let listed = cluster.list(&Gvk::new("", "v1", "Secret"), &ListOptions::default()).await;
    listed.map_err(|error| error.diagnose())
}

/// What became of the Secrets of a backup.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Restored {
    /// They were not there, or a placeholder stood in for them.
    pub created: Vec<ObjectKey>,
    /// They were there with the same values.
    pub unchanged: Vec<ObjectKey>,
}

/// Puts back what a backup holds. All is compared first: where one Secret is there with another value, nothing is written.
///
/// # Errors
/// What the cluster refuses with; what is there with another value, each.
#[boxed]
pub async fn restore(cluster: &Cluster, backup: &Backup) -> Result<Restored, Vec<Diagnostic>> {
    let told = |error: Error| vec![error.diagnose()];
    let (mut missing, mut restored, mut refused) = (Vec::new(), Restored::default(), Vec::new());
    for secret in backup.secrets() {
        match cluster.get(&secret.key()).await.map_err(told)? {
            None => missing.push(secret),
            Some(live) if is_same(&live, &secret) => restored.unchanged.push(live.key()),
            Some(live) if is_placeholder(&live) => missing.push(secret),
            Some(live) => refused.push(otherwise(&live, &secret)),
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    for secret in missing {
        if let Some(namespace) = secret.namespace() {
            let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, namespace);
            match cluster.create(&Object::new(&key), &WriteOptions::default()).await {
                Err(error) if !error.is_already_exists() => return Err(told(error)),
                _ => {}
            }
        }
        put(cluster, &secret).await.map_err(told)?;
        restored.created.push(secret.key());
    }
    Ok(restored)
}

/// Creates a Secret. What came in between wins and is told; but for a placeholder, which stands back.
async fn put(cluster: &Cluster, secret: &Object) -> Result<(), Error> {
    // What it is known again by is what it comes back with: nobody else's word is taken for it.
    let mut secret = secret.clone();
    mark_born(&mut secret, None);
    let secret = &secret;
    let options = WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() };
    let mut tries = 0;
    loop {
        tries += 1;
        let live = cluster.get(&secret.key()).await?;
        let written = match &live {
            // The sealing keys that were put back first may have opened it by now.
            Some(live) if is_same(live, secret) => return Ok(()),
            Some(live) if is_placeholder(live) => {
                let mut replacing = secret.clone();
                replacing.set_resource_version(live.resource_version().unwrap_or_default());
                cluster.replace(&replacing, &options).await
            }
            Some(_) | None => cluster.create(secret, &options).await,
        };
        match written {
            Ok(_) => return Ok(()),
            // Its controller wrote in between: what that is decides.
            Err(error) if tries < TRIES && (error.is_conflict() || error.is_not_found()) => {}
            Err(error) if tries < TRIES && error.is_already_exists() && live.is_none() => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether a simulated controller made it, and nobody else wrote to it: its values are none.
fn is_placeholder(live: &Object) -> bool {
    let managers: std::collections::BTreeSet<&str> =
        live.list_at("/metadata/managedFields").iter().filter_map(|entry| entry["manager"].as_str()).collect();
    live.annotation(SIMULATED).is_some() && managers.len() <= 1 && once_guard(Some(live), None).is_ok()
}

/// Whether a live Secret holds all that was saved of it.
fn is_same(live: &Object, saved: &Object) -> bool {
    let keys = saved.at("/data").and_then(|data| data.as_object());
    let mut keys = keys.into_iter().flatten().map(|(key, _)| key);
    keys.all(|key| same_value(value(live, key), value(saved, key)))
}

fn value<'a>(secret: &'a Object, key: &str) -> Option<&'a str> {
    secret.at("/data")?.get(key)?.as_str()
}

fn otherwise(live: &Object, saved: &Object) -> Diagnostic {
    if let Err(violation) = once_guard(Some(live), Some(saved)) {
        return violation.diagnose();
    }
    let text = format!("{} is there with another value than the backup's", live.key());
    Diagnostic::refused(code::RESTORED_OTHERWISE, text)
        .note("nothing was written")
        .help("restore onto a cluster that has none of it, or delete what is there first, if it is the wrong one")
}

/// What could be opened again with a backup alone.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Drill {
    /// The sealing keys and the keys generated once that the cluster has.
    pub kept: Vec<Kept>,
    /// The SealedSecrets of the cluster.
    pub sealed: Vec<Opened>,
}

/// A Secret that must not be lost.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// The Secret.
    pub secret: ObjectKey,
    /// What of it: a sealing key's fingerprint, or keys that are generated once.
    pub what: String,
    /// Whether the backup has it, with the same values.
    pub saved: bool,
}

/// A SealedSecret.
#[derive(Debug, Clone, Serialize)]
pub struct Opened {
    /// Which.
    pub sealed: ObjectKey,
    /// Why it does not open with the backup's keys; nothing where it does.
    pub problem: Option<String>,
}

impl Drill {
    /// Whether losing the cluster would lose nothing.
    pub fn succeeded(&self) -> bool {
        self.kept.iter().all(|kept| kept.saved) && self.sealed.iter().all(|sealed| sealed.problem.is_none())
    }
}

/// Tries a backup against a cluster, of which nothing is changed: whether it has all that is to be saved, and opens all that is sealed.
///
/// # Errors
/// What the cluster refuses with.
#[boxed]
pub async fn drill(cluster: &Cluster, backup: &Backup) -> Result<Drill, Diagnostic> {
    let mut drill = Drill::default();
    let saved: Vec<Object> = backup.secrets().collect();
    for live in secrets(cluster).await? {
        let what = match saved_for(&live) {
            None => continue,
            Some(Saved::SealingKey(fingerprint)) => fingerprint,
            Some(Saved::Once(keys)) => keys.join(", "),
        };
        let is_saved =
            saved.iter().any(|saved| saved.key() == live.key() && is_same(&live, saved) && is_same(saved, &live));
        drill.kept.push(Kept { secret: live.key(), what, saved: is_saved });
    }
    let sealed = cluster.list(&Gvk::new("bitnami.com", "v1alpha1", "SealedSecret"), &ListOptions::default()).await;
    let sealed = match sealed {
        Ok(sealed) => sealed,
        Err(Error::NoMatch { .. }) => Vec::new(),
        Err(error) => return Err(error.diagnose()),
    };
    let keyring = backup.keyring();
    for sealed in sealed {
        let problem = unseal(sealed.value(), &keyring, &surroundings()).err().map(|error| error.to_string());
        drill.sealed.push(Opened { sealed: sealed.key(), problem });
    }
    Ok(drill)
}
