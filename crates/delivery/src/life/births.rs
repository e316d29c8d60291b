//! What would be born as another value than the one that git has the fingerprint of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_project::{Environment, Secrets};
use landfall_secrets::{Backup, Declared, Fingerprint, Keyring, Masked, Permanence, PlainSecret, control, is_same};

use super::SealingController;
use crate::session::Session;

impl Session {
    /// Refuses a Secret that would be born with another value of a key than the one that was generated: from then on the wrong value would
    /// be the one that is guarded. What lives already the engine guards, and the controller where it is sealed; but for what is marked
    /// as that one's to take, as what was restored is. What no key of this cluster opens is born of nothing.
    ///
    /// `objects` are to be delivered, each with the namespace of its unit.
    ///
    /// # Errors
    /// Such a value, or the cluster does not answer.
    pub(crate) async fn check_births(
        &self,
        environment: &Environment,
        objects: &[(&Object, &str)],
    ) -> Result<(), Vec<Diagnostic>> {
        let mut keyring = None;
        let mut refused = Vec::new();
        for (_, secrets) in environment.secrets.iter().flat_map(Secrets::all) {
            let prints = prints(secrets);
            for (object, namespace) in objects.iter().filter(|(object, _)| !prints.is_empty() && makes(object, secrets))
            {
                let namespace = object.namespace().unwrap_or(namespace);
                let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(namespace), &*secrets.target);
                let live = match self.cluster.get(&key).await {
                    Ok(live) => live,
                    Err(error) if error.code() == Some(403) => continue,
                    Err(error) => return Err(vec![error.diagnose()]),
                };
                // A controller that is not ours lets what is sealed take the place of what lives, where it is marked for that.
                let is_open = object.kind() == "SealedSecret"
                    && live.as_ref().is_some_and(|live| control::is_shared(live.value()));
                let live = live.and_then(|live| PlainSecret::read(live.value()).ok().flatten());
                let mut born = (*object).clone();
                born.set_namespace(namespace);
                if object.kind() == "SealedSecret" {
                    if keyring.is_none() {
                        let read = SealingController::default().keyring(&self.cluster).await;
                        keyring = Some(read.map_err(|diagnostic| vec![diagnostic])?.0);
                    }
                    let Some(opened) = opened(&born, keyring.as_ref()) else { continue };
                    born = opened;
                }
                let Ok(Some(values)) = PlainSecret::read(born.value()) else { continue };
                for (name, print) in &prints {
                    let lives = live.as_ref().and_then(|live| live.data.get(name)).filter(|it| !it.reveal().is_empty());
                    let value = values.data.get(name).filter(|value| !value.reveal().is_empty());
                    let counts = |value: &&Masked| lives.is_none_or(|lives| is_open && !is_same(lives, value));
                    if value.filter(counts).is_some_and(|value| print.is_of(value) == Ok(false)) {
                        refused.push(another(name, &key));
                    }
                }
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }
}

/// Refuses a backup with another value of a key than the one that was generated, as a delivery of it would be.
///
/// # Errors
/// Each such value.
pub fn check_restored(environment: &Environment, backup: &Backup) -> Result<(), Vec<Diagnostic>> {
    let mut refused = Vec::new();
    for (_, secrets) in environment.secrets.iter().flat_map(Secrets::all) {
        let prints = prints(secrets);
        if prints.is_empty() {
            continue;
        }
        for secret in backup.secrets().filter(|secret| declares(environment, secrets, secret)) {
            let Ok(Some(values)) = PlainSecret::read(secret.value()) else { continue };
            for (name, print) in &prints {
                let value = values.data.get(name).filter(|value| !value.reveal().is_empty());
                if value.is_some_and(|value| print.is_of(value) == Ok(false)) {
                    refused.push(other_saved(name, &secret.key()));
                }
            }
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(refused) }
}

/// Whether an environment has the values of a Secret sealed in a file, from which a SealedSecret of its name is delivered.
pub(crate) fn is_sealed(environment: &Environment, secret: &Object) -> bool {
    let mut all = environment.secrets.iter().flat_map(Secrets::all).map(|(_, secrets)| secrets);
    all.any(|secrets| secrets.file.is_some() && declares(environment, secrets, secret))
}

/// Whether it is this Secret that is declared.
fn declares(environment: &Environment, secrets: &Secrets, secret: &Object) -> bool {
    let released = || environment.releases.iter().filter_map(|release| release.namespace.as_ref());
    let namespace = secret.namespace().unwrap_or_default();
    let is_there = match &secrets.namespace {
        Some(named) => **named == *namespace,
        // Where no release says where it goes, its name alone does.
        None => released().next().is_none() || released().any(|named| **named == *namespace),
    };
    secret.name() == &*secrets.target && is_there
}

/// The keys that git has the fingerprints of.
fn prints(secrets: &Secrets) -> BTreeMap<String, Fingerprint> {
    // A declaration that contradicts itself is told by whoever reads it for its own sake.
    let keys = Declared::of(secrets).map(|declared| declared.keys).unwrap_or_default();
    let once = keys.into_iter().filter(|(_, key)| key.permanence == Permanence::Once);
    once.filter_map(|(name, key)| Some((name, key.fingerprint?))).collect()
}

/// Whether an object is the declared Secret, or what it is made of.
fn makes(object: &Object, secrets: &Secrets) -> bool {
    let named = match object.kind() {
        "SealedSecret" => object.str_at("/spec/template/metadata/name").filter(|name| !name.is_empty()),
        "Secret" => None,
        _ => return false,
    };
    named.unwrap_or(object.name()) == &*secrets.target
}

fn opened(sealed: &Object, keyring: Option<&Keyring>) -> Option<Object> {
    let secret = control::opened(sealed.value(), keyring?, Timestamp::now()).ok()?;
    Object::from_value(secret).ok()
}

fn other_saved(name: &str, key: &ObjectKey) -> Diagnostic {
    let place = format!("{}/{}", key.namespace.as_deref().unwrap_or_default(), key.name);
    let text = format!("`{name}` of {place} never changes, and what was saved is not the value that was generated");
    Diagnostic::refused(code::ANOTHER_BORN, text)
        .note("landfall.yaml has the fingerprint of the one that was; once another one lives, it would be the one that is guarded")
        .note("nothing was written")
        .help("take the backup that has it")
        .help("where another one is meant, take the key's `fingerprint` out of landfall.yaml")
}

fn another(name: &str, key: &ObjectKey) -> Diagnostic {
    let place = format!("{}/{}", key.namespace.as_deref().unwrap_or_default(), key.name);
    Diagnostic::refused(
        code::ANOTHER_BORN,
        format!("`{name}` of {place} never changes, and what would be delivered is not the value that was generated"),
    )
    .note(
        "landfall.yaml has the fingerprint of the one that was; what it has encrypted or signed would be lost with it",
    )
    .help("put back the sealed value that was generated (git has it), or restore it: landfall secrets restore FILE")
    .help("where another one is meant, take the key's `fingerprint` out of landfall.yaml")
}
