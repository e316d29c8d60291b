//! A cluster's secrets saved, restored, and tried with a backup alone.

use async_recursion::async_recursion as boxed;
use jiff::Timestamp;
use landfall_cluster::{Cluster, Error, ListOptions, Patch, WriteOptions};
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_object::{Gvk, Object, ObjectKey, SIMULATED, STOOD_IN, mark_born, once_guard, once_keys};
use landfall_project::Environment;
use landfall_secrets::{Backup, MANAGED, PATCH, Saved, control, same_value, saved_for, unseal};
use landfall_source::surroundings;
use serde::Serialize;
use serde_json::json;

use crate::life::{SealingController, is_sealed};

/// Who writes what is restored.
const MANAGER: &str = "landfall";
/// By what Helm knows whose an object is.
const RELEASE: &str = "meta.helm.sh/release-name";
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
    /// Those of them that the SealedSecret of their name may take from now on.
    pub left: Vec<ObjectKey>,
    /// Those that it may not: what is sealed there has another value of a key that is generated once.
    pub withheld: Vec<ObjectKey>,
}

/// Puts back what a backup holds. All is compared first: where one Secret is there with another value, nothing is written.
///
/// What a SealedSecret wrote where it was saved, or what these environments have sealed in a file, its SealedSecret may take.
///
/// # Errors
/// What the cluster refuses with; what is there with another value, each.
#[boxed]
pub async fn restore(
    cluster: &Cluster,
    backup: &Backup,
    environments: &[&Environment],
) -> Result<Restored, Vec<Diagnostic>> {
    let told = |error: Error| vec![error.diagnose()];
    let (mut missing, mut restored, mut refused) = (Vec::new(), Restored::default(), Vec::new());
    let mut stayed = Vec::new();
    for secret in backup.secrets() {
        match cluster.get(&secret.key()).await.map_err(told)? {
            None => missing.push(secret),
            Some(live) if is_same(&live, &secret) => {
                restored.unchanged.push(live.key());
                stayed.push((live, secret));
            }
            Some(live) if is_placeholder(&live) => missing.push(secret),
            Some(live) => refused.push(otherwise(&live, &secret)),
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    // What is generated once comes before the keys that open what is sealed: another value would be born by them in its place.
    missing.sort_by_key(|secret| matches!(saved_for(secret), Some(Saved::SealingKey(_))));
    for mut secret in missing {
        let standing = standing(cluster, backup, environments, &secret).await?;
        match standing {
            Standing::Left => mark(&mut secret),
            Standing::Withheld => unmark(&mut secret),
            Standing::Own => {}
        }
        if let Some(namespace) = secret.namespace() {
            let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, namespace);
            match cluster.create(&Object::new(&key), &WriteOptions::default()).await {
                Err(error) if !error.is_already_exists() => return Err(told(error)),
                _ => {}
            }
        }
        let put = put(cluster, &secret).await.map_err(told)?;
        restored.created.push(secret.key());
        match (standing, put) {
            (Standing::Left, Put::Written) => restored.left.push(secret.key()),
            (Standing::Withheld, _) => restored.withheld.push(secret.key()),
            (Standing::Left, Put::There) | (Standing::Own, _) => {}
        }
    }
    // Put back by an earlier version, or by one that was killed: its own writing, and nobody else's.
    for (live, saved) in stayed.iter().filter(|(live, _)| is_own(live) && !control::is_taken(live.value())) {
        match standing(cluster, backup, environments, saved).await? {
            Standing::Left => {
                let patch = json!({"metadata": {"uid": live.uid(), "annotations": {MANAGED: "true"}}});
                cluster.patch(&live.key(), &Patch::Merge(patch), &options()).await.map_err(told)?;
                restored.left.push(live.key());
            }
            Standing::Withheld => restored.withheld.push(live.key()),
            Standing::Own => {}
        }
    }
    Ok(restored)
}

/// Whose a Secret is that is put back.
enum Standing {
    /// No SealedSecret's.
    Own,
    /// The one's of its name.
    Left,
    /// The same, but what is sealed there is another value: the original would let it take the place of what was generated once.
    Withheld,
}

async fn standing(
    cluster: &Cluster,
    backup: &Backup,
    environments: &[&Environment],
    saved: &Object,
) -> Result<Standing, Vec<Diagnostic>> {
    let once = once_keys(saved);
    let is_its = control::is_taken(saved.value()) || environments.iter().any(|it| is_sealed(it, saved));
    if once.is_empty() || !is_its {
        return Ok(Standing::Own);
    }
    let key = ObjectKey::new(sealed_kind(), saved.namespace(), saved.name());
    let sealed = match cluster.get(&key).await {
        Ok(sealed) => sealed,
        Err(Error::NoMatch { .. }) => None,
        Err(error) if error.code() == Some(403) => None,
        Err(error) => return Err(vec![error.diagnose()]),
    };
    let Some(sealed) = sealed else { return Ok(Standing::Left) };
    let (there, _) = SealingController::default().keyring(cluster).await.map_err(|diagnostic| vec![diagnostic])?;
    let mut opened = [backup.keyring(), there]
        .into_iter()
        .filter_map(|keyring| control::opened(sealed.value(), &keyring, Timestamp::now()).ok())
        .filter_map(|opened| Object::from_value(opened).ok());
    let Some(opened) = opened.next() else { return Ok(Standing::Left) };
    let agrees = |key: &String| same_value(value(&opened, key), value(saved, key));
    Ok(if once.iter().all(agrees) { Standing::Left } else { Standing::Withheld })
}

/// Marks a Secret as one that the SealedSecret of its name may take, where it is not.
fn mark(secret: &mut Object) {
    if !control::is_shared(secret.value()) {
        secret.set_annotation(MANAGED, "true");
    }
}

/// Takes such marks away.
fn unmark(secret: &mut Object) {
    for mark in [MANAGED, PATCH] {
        secret.remove_annotation(mark);
    }
}

/// Whether nobody but Landfall has written a Secret, and no release has it.
fn is_own(live: &Object) -> bool {
    let managers = live.list_at("/metadata/managedFields");
    let is_released = live.annotation(RELEASE).is_some();
    !managers.is_empty() && !is_released && managers.iter().all(|entry| entry["manager"] == MANAGER)
}

fn options() -> WriteOptions {
    WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() }
}

fn sealed_kind() -> Gvk {
    Gvk::from_api_version(landfall_secrets::API_VERSION, landfall_secrets::KIND)
}

/// How a Secret came to be there.
enum Put {
    /// It was written.
    Written,
    /// Its controller has opened it meanwhile.
    There,
}

/// Creates a Secret. What came in between wins and is told; but for a placeholder, which stands back.
async fn put(cluster: &Cluster, secret: &Object) -> Result<Put, Error> {
    // What it is known again by is what it comes back with: nobody else's word is taken for it.
    let mut secret = secret.clone();
    mark_born(&mut secret, None);
    let secret = &secret;
    let options = options();
    let mut tries = 0;
    loop {
        tries += 1;
        let live = cluster.get(&secret.key()).await?;
        let written = match &live {
            // The sealing keys that were put back first may have opened it by now.
            Some(live) if is_same(live, secret) => return Ok(Put::There),
            Some(live) if is_placeholder(live) => {
                let mut replacing = secret.clone();
                replacing.set_resource_version(live.resource_version().unwrap_or_default());
                // Whoever began before runs with the placeholder.
                replacing.set_annotation(STOOD_IN, Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
                cluster.replace(&replacing, &options).await
            }
            Some(_) | None => cluster.create(secret, &options).await,
        };
        match written {
            Ok(_) => return Ok(Put::Written),
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

/// Whether a live Secret holds what was saved of it: of one that a SealedSecret writes what is generated once, for all else follows
/// from what is sealed, and may have changed since.
fn is_same(live: &Object, saved: &Object) -> bool {
    let agrees = |key: &str| same_value(value(live, key), value(saved, key));
    let once = once_keys(saved);
    if !once.is_empty() && control::is_taken(live.value()) {
        return once.iter().all(|key| agrees(key));
    }
    let keys = saved.at("/data").and_then(|data| data.as_object());
    keys.into_iter().flatten().all(|(key, _)| agrees(key))
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
    let sealed = cluster.list(&sealed_kind(), &ListOptions::default()).await;
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
