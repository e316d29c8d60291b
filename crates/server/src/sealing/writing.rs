//! What the controller writes: the Secret, its condition, an event, a key.

use jiff::Timestamp;
use landfall_cluster::{Cluster, Error, Patch, WriteOptions};
use landfall_object::{Object, ObjectKey};
use landfall_secrets::control::{self, KEY_NAMESPACE, Refusal};
use landfall_secrets::{KeySize, SealingKey};
use serde_json::{Value, json};

use super::{Dealt, MANAGER, data_of, secret_kind};
use crate::options::Sealing;
use crate::said;

/// Whose events they are, as the original's.
const COMPONENT: &str = "sealed-secrets";

fn options() -> WriteOptions {
    WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() }
}

/// Makes a sealing key and keeps it in the cluster, in the form of the original; what is to be said of it.
pub(super) async fn make_key(cluster: &Cluster, now: Timestamp) -> Result<Option<String>, Error> {
    // Some tenths of a second of computing.
    let made = tokio::task::spawn_blocking(move || SealingKey::generate(KeySize::default(), now)).await;
    let Ok(Ok(key)) = made else {
        return Ok(Some("no sealing key can be made".to_owned()));
    };
    let Ok(secret) = Object::from_value(key.to_secret(KEY_NAMESPACE)) else { return Ok(None) };
    let kept = cluster.create(&secret, &options()).await?;
    let fingerprint = key.private.public().fingerprint();
    let name = kept.name();
    Ok(Some(format!(
        "a new sealing key, {fingerprint}, is in {KEY_NAMESPACE}/{name}: save it with `landfall secrets backup`"
    )))
}

/// Writes what follows from a SealedSecret as it was opened; where it is only looked at, says what would be written.
///
/// The Secret is read, judged and replaced at one resource version: who writes in between makes it be looked at again.
pub(super) async fn deal(
    cluster: &Cluster,
    sealed: &Object,
    made: Result<Value, Refusal>,
    mode: Sealing,
    now: Timestamp,
) -> Result<Dealt, Error> {
    let key = ObjectKey::new(secret_kind(), sealed.namespace(), sealed.name());
    let mut there = cluster.get(&key).await?;
    if let Some(freed) = there.as_ref().and_then(|it| control::freed(it.value())).filter(|_| mode == Sealing::Kept) {
        there = Some(write(cluster, there.as_ref(), freed).await?);
    }
    let live = there.as_ref().map(Object::value);
    let wanted = made.and_then(|made| control::wanted(sealed.value(), live, made, MANAGER));
    if mode == Sealing::Observed {
        let would = match &wanted {
            Ok(None) => None,
            Ok(Some(_)) => Some(format!("{key} would be written")),
            Err(refusal) => Some(format!("{key} would not be written: {}", refusal.said)),
        };
        return Ok(Dealt { data: live.map(data_of), refusal: wanted.err(), would });
    }
    let written = match wanted {
        Err(refusal) => Err(refusal),
        Ok(None) => Ok((live.map(data_of), false)),
        Ok(Some(wanted)) => match write(cluster, there.as_ref(), wanted).await {
            Ok(secret) => Ok((Some(data_of(secret.value())), true)),
            Err(error) => match refusal_of(sealed, &error) {
                Some(refusal) => Err(refusal),
                None => return Err(error),
            },
        },
    };
    match written {
        Ok((data, is_new)) => {
            if is_new {
                say(cluster, sealed, ("Normal", "Unsealed", "SealedSecret unsealed successfully"), now).await;
            }
            tell(cluster, sealed, "", now).await?;
            Ok(Dealt { data, refusal: None, would: None })
        }
        Err(refusal) => {
            deny(cluster, sealed, &refusal, now).await?;
            Ok(Dealt { data: None, refusal: Some(refusal), would: None })
        }
    }
}

/// What the API server has against a write for good.
fn refusal_of(sealed: &Object, error: &Error) -> Option<Refusal> {
    Refusal::of_server(sealed.value(), error.code()?, &error.to_string())
}

/// Tells why there is no Secret, or not the one that is sealed: in the condition and by an event, where it is not told yet.
pub(super) async fn deny(cluster: &Cluster, sealed: &Object, refusal: &Refusal, now: Timestamp) -> Result<(), Error> {
    if tell(cluster, sealed, &refusal.message, now).await? {
        say(cluster, sealed, ("Warning", refusal.reason, &refusal.said), now).await;
    }
    Ok(())
}

async fn write(cluster: &Cluster, there: Option<&Object>, wanted: Value) -> Result<Object, Error> {
    let wanted = Object::from_value(wanted)
        .map_err(|error| Error::Malformed { action: "write a Secret".to_owned(), reason: error.to_string() })?;
    match there {
        None => cluster.create(&wanted, &options()).await,
        Some(_) => cluster.replace(&wanted, &options()).await,
    }
}

/// Writes the condition where it is not told yet; whether it was not.
async fn tell(cluster: &Cluster, sealed: &Object, message: &str, now: Timestamp) -> Result<bool, Error> {
    let Some(status) = control::status(sealed.value(), message, now) else { return Ok(false) };
    match cluster.patch_status(&sealed.key(), &Patch::Merge(json!({"status": status})), &options()).await {
        // It went meanwhile.
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
        Ok(_) => Ok(true),
    }
}

/// An event of a SealedSecret.
async fn say(cluster: &Cluster, sealed: &Object, told: (&str, &str, &str), now: Timestamp) {
    said::event(cluster, sealed, (COMPONENT, MANAGER), told, now).await;
}
