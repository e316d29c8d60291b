//! Where a key that is generated once lives, under another name or at another place than it is declared.

use std::collections::BTreeMap;

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, Error, ListOptions};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::{Gvk, Object, ObjectKey, SIMULATED, once_keys};
use landfall_secrets::{Fingerprint, Masked, PlainSecret};

/// A value that was generated once, where it lives.
#[derive(Debug, Clone)]
pub struct Former {
    /// Its Secret.
    pub secret: ObjectKey,
    /// Its key there.
    pub key: String,
    /// The value.
    pub value: Masked,
}

impl Former {
    /// Its Secret, as it is named in messages and taken by `--from`.
    pub fn place(&self) -> String {
        place(&self.secret)
    }

    /// Where it lives, in a few words; `name` is what it is called now.
    pub fn shown(&self, name: &str) -> String {
        if self.key == name { self.place() } else { format!("{} as `{}`", self.place(), self.key) }
    }
}

/// A Secret, as it is named in messages.
pub(crate) fn place(secret: &ObjectKey) -> String {
    format!("{}/{}", secret.namespace.as_deref().unwrap_or_default(), secret.name)
}

/// What takes keys over from where they lived before. `secret` is the declared one, where it is not the environment's first.
pub fn carrying(environment: Option<&str>, secret: Option<&str>, from: &str) -> String {
    initialising(None, (environment, secret), Some(from))
}

/// What makes keys or takes them over, all of them or one; `declared` is the environment and the Secret, where it is not its first.
pub(crate) fn initialising(
    key: Option<&str>,
    (environment, secret): (Option<&str>, Option<&str>),
    from: Option<&str>,
) -> String {
    let mut words = "landfall secrets init".to_owned();
    words.extend(key.into_iter().flat_map(|key| [" ", key]));
    for (name, value) in [("env", environment), ("secret", secret), ("from", from)] {
        words.extend(value.into_iter().flat_map(|value| [" --", name, " ", value]));
    }
    words
}

/// The Secrets of a cluster, as far as one may read them: those of the namespace first.
///
/// # Errors
/// The cluster does not answer.
#[boxed]
pub(crate) async fn readable(cluster: &Cluster, namespace: &str) -> Result<Vec<Object>, Diagnostic> {
    let kind = Gvk::new("", "v1", "Secret");
    let within = ListOptions { namespace: Some(namespace.to_owned()), ..ListOptions::default() };
    for options in [ListOptions::default(), within] {
        match cluster.list(&kind, &options).await {
            Ok(mut secrets) => {
                secrets.retain(|secret| secret.annotation(SIMULATED).is_none());
                secrets.sort_by_key(|secret| secret.namespace() != Some(namespace));
                return Ok(secrets);
            }
            Err(error) if error.code() == Some(403) => {}
            Err(error) => return Err(error.diagnose()),
        }
    }
    Ok(Vec::new())
}

/// The value that a fingerprint is of, where it lives: under its name in any Secret, under any name where that says that it was
/// generated once, or in the Secret itself. Each that is tried costs some hundredths of a second.
///
/// # Errors
/// A fingerprint cannot be computed.
pub(crate) fn of_print(
    secrets: &[Object],
    own: &ObjectKey,
    name: &str,
    print: &Fingerprint,
) -> Result<Option<Former>, Diagnostic> {
    let mut others = Vec::new();
    for secret in secrets {
        let Ok(Some(mut plain)) = PlainSecret::read(secret.value()) else { continue };
        if let Some(value) = plain.data.remove(name)
            && is_it(print, &value)?
        {
            return Ok(Some(Former { secret: secret.key(), key: name.to_owned(), value }));
        }
        let (once, is_own) = (once_keys(secret), secret.key() == *own);
        let may_be = |key: &str| is_own || once.iter().any(|once| once == key);
        let left = plain.data.into_iter().filter(|(key, _)| may_be(key));
        others.extend(left.map(|(key, value)| Former { secret: secret.key(), key, value }));
    }
    for one in others {
        if is_it(print, &one.value)? {
            return Ok(Some(one));
        }
    }
    Ok(None)
}

fn is_it(print: &Fingerprint, value: &Masked) -> Result<bool, Diagnostic> {
    let told = |error: landfall_secrets::CryptoError| Diagnostic::error(code::UNSEALED, error.to_string());
    if value.reveal().is_empty() { Ok(false) } else { print.is_of(value).map_err(told) }
}

/// The values of a Secret from which keys are taken over; nothing where it does not live.
///
/// # Errors
/// The cluster does not answer, or refuses.
#[boxed]
pub async fn values_at(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
) -> Result<Option<BTreeMap<String, Masked>>, Diagnostic> {
    let found = living(cluster, namespace, name).await.map_err(|error| error.diagnose())?;
    Ok(found.and_then(|secret| PlainSecret::read(secret.value()).ok().flatten()).map(|plain| plain.data))
}

/// The keys of a Secret that are generated once and live; none where one may not look.
///
/// # Errors
/// The cluster does not answer.
#[boxed]
pub async fn once_at(cluster: &Cluster, namespace: &str, name: &str) -> Result<Vec<String>, Diagnostic> {
    match living(cluster, namespace, name).await {
        Ok(found) => Ok(found.map(|secret| once_keys(&secret)).unwrap_or_default()),
        Err(error) if error.code() == Some(403) => Ok(Vec::new()),
        Err(error) => Err(error.diagnose()),
    }
}

/// A Secret that lives, and is no stand-in for one.
pub(super) async fn living(cluster: &Cluster, namespace: &str, name: &str) -> Result<Option<Object>, Error> {
    let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(namespace), name);
    Ok(cluster.get(&key).await?.filter(|secret| secret.annotation(SIMULATED).is_none()))
}
