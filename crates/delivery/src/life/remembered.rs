//! The ledger of a cluster's secrets: a ConfigMap beside the sealing keys.

use async_recursion::async_recursion as boxed;
use jiff::Timestamp;
use landfall_cluster::{Cluster, ListOptions, WriteOptions};
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_object::{Gvk, Object, ObjectKey, SIMULATED};
use landfall_secrets::{Ledger, PlainSecret, Recorded};
use serde_json::{Value, json};

use super::survey::{arrivals, met};

/// What the ConfigMap is called, and the key in it.
const NAME: &str = "landfall-secrets";
const KEY: &str = "ledger.json";
/// How often somebody else may write in between.
const TRIES: usize = 8;

fn key(namespace: &str) -> ObjectKey {
    ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(namespace), NAME)
}

fn read(found: &Object) -> Ledger {
    let text = found.at("/data").and_then(|data| data.get(KEY)).and_then(Value::as_str);
    text.map(Ledger::read).unwrap_or_default()
}

/// What is remembered beside the sealing keys of a namespace; nothing where one may not read it.
///
/// # Errors
/// The cluster does not answer.
#[boxed]
pub async fn remembered(cluster: &Cluster, namespace: &str) -> Result<Ledger, Diagnostic> {
    match cluster.get(&key(namespace)).await {
        Ok(found) => Ok(found.as_ref().map(read).unwrap_or_default()),
        Err(error) if error.code() == Some(403) => Ok(Ledger::default()),
        Err(error) => Err(error.diagnose()),
    }
}

/// What is remembered beside the sealing keys of every namespace.
///
/// # Errors
/// The cluster does not answer.
#[boxed]
pub(super) async fn all_remembered(cluster: &Cluster) -> Result<Vec<Ledger>, Diagnostic> {
    let kept = Gvk::new("", "v1", "ConfigMap");
    let found = cluster.list(&kept, &ListOptions::default()).await.map_err(|error| error.diagnose())?;
    Ok(found.iter().filter(|found| found.name() == NAME).map(read).collect())
}

/// Remembers that sealing keys are in a backup.
///
/// # Errors
/// What the cluster refuses with.
#[boxed]
pub async fn saved(cluster: &Cluster, namespace: &str, keys: &[String], at: Timestamp) -> Result<(), Diagnostic> {
    let at = landfall_object::whole_second(at);
    let change = |ledger: &mut Ledger| {
        ledger.saved.extend(keys.iter().map(|key| (key.clone(), at)));
    };
    remember(cluster, namespace, &change).await
}

/// Remembers of all Secrets which values have come to them that keys were given last, or were about to be given by who was killed.
///
/// # Errors
/// What the cluster refuses with.
#[boxed]
pub async fn remember_arrivals(cluster: &Cluster, namespace: &str) -> Result<(), Diagnostic> {
    let ledger = remembered(cluster, namespace).await?;
    let mut arrived = Vec::new();
    let counts = |recorded: &Recorded| !recorded.changed.is_empty() || !recorded.intended.is_empty();
    for (place, recorded) in ledger.secrets.iter().filter(|(_, recorded)| counts(recorded)) {
        let Some((home, name)) = place.split_once('/') else { continue };
        let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(home), name);
        let Some(secret) = cluster.get(&key).await.map_err(|error| error.diagnose())? else { continue };
        if secret.annotation(SIMULATED).is_some() {
            continue;
        }
        let live = PlainSecret::read(secret.value()).ok().flatten().map(|live| live.data).unwrap_or_default();
        let found = recorded.written(&[&live]).unwrap_or_default();
        let mut settled = recorded.clone();
        found.iter().for_each(|key| settled.carry_out(key));
        settled.arrived.extend(arrivals(&settled, &secret));
        met(&mut settled, &secret);
        arrived.push((home, name, recorded, settled));
    }
    arrived.retain(|(_, _, before, settled)| *before != settled);
    if arrived.is_empty() {
        return Ok(());
    }
    let change = |ledger: &mut Ledger| {
        for (home, name, before, settled) in &arrived {
            // Somebody may have given it another value in between: who asks next finds what has become of that.
            let recorded = ledger.of_mut(home, name);
            if recorded == *before {
                *recorded = settled.clone();
            }
        }
    };
    remember(cluster, namespace, &change).await
}

/// Remembers something; who writes in between is read again.
///
/// # Errors
/// What the cluster refuses with.
#[boxed]
pub async fn remember(
    cluster: &Cluster,
    namespace: &str,
    change: &(dyn Fn(&mut Ledger) + Sync),
) -> Result<(), Diagnostic> {
    let options = WriteOptions { field_manager: Some("landfall".to_owned()), ..WriteOptions::default() };
    let mut tried = 0;
    loop {
        tried += 1;
        let found = cluster.get(&key(namespace)).await.map_err(|error| error.diagnose())?;
        let mut ledger = found.as_ref().map(read).unwrap_or_default();
        let before = ledger.clone();
        change(&mut ledger);
        if ledger == before {
            return Ok(());
        }
        let mut object = found.clone().unwrap_or_else(|| Object::new(&key(namespace)));
        object.map_mut().insert("data".to_owned(), json!({KEY: ledger.text()}));
        let written = match found {
            Some(_) => cluster.replace(&object, &options).await,
            None => cluster.create(&object, &options).await,
        };
        match written {
            Ok(_) => return Ok(()),
            Err(error) if tried < TRIES && (error.is_conflict() || error.is_already_exists()) => {}
            Err(error) => return Err(error.diagnose()),
        }
    }
}
