//! The sealing keys of a cluster (`pkg/controller/keyregistry.go`, `keys.go`).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::hybrid::{self, CryptoError};
use crate::key::{Certificate, CertificateError, KeyError, KeySize, PrivateKey};
use crate::masked::Masked;

/// The label of the Secrets that hold sealing keys.
pub const KEY_LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";
/// Its value on keys that are in use.
pub const ACTIVE: &str = "active";
/// What their names begin with; a Secret of just this name is a key of the first versions.
pub const KEY_PREFIX: &str = "sealed-secrets-key";
/// How long a certificate is good: ten years, as the controller's `--key-ttl`.
const LIFE: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);

/// Whether a Secret holds a sealing key that is in use.
pub fn is_key_secret(secret: &Value) -> bool {
    let label = secret.pointer("/metadata/labels").and_then(|labels| labels.get(KEY_LABEL));
    match label {
        Some(label) => label == ACTIVE,
        None => secret.pointer("/metadata/name").is_some_and(|name| name == KEY_PREFIX),
    }
}

/// A sealing key with its certificate.
#[derive(Debug)]
pub struct SealingKey {
    /// The Secret that holds it; empty for one that is in none.
    pub name: String,
    /// What opens.
    pub private: PrivateKey,
    /// What is sealed with; nothing where only the key is known.
    pub certificate: Option<Certificate>,
    created: Option<Timestamp>,
}

impl SealingKey {
    /// A key without a certificate, as `--recovery-private-key` names one.
    pub fn bare(private: PrivateKey) -> Self {
        Self { name: String::new(), private, certificate: None, created: None }
    }

    /// Makes a key and signs its certificate.
    ///
    /// # Errors
    /// [`CertificateError::Unsigned`]
    pub fn generate(size: KeySize, now: Timestamp) -> Result<Self, CertificateError> {
        let unsigned = |error: KeyError| CertificateError::Unsigned(error.to_string());
        let private = PrivateKey::generate(size).map_err(unsigned)?;
        let certificate = private.certificate(now, LIFE, "")?;
        Ok(Self { name: String::new(), private, certificate: Some(certificate), created: Some(now) })
    }

    /// Reads the key of a Secret, as it is in the API.
    ///
    /// # Errors
    /// [`KeyError`] when it holds none.
    pub fn of_secret(secret: &Value) -> Result<Self, KeyError> {
        let part = |key: &str| {
            let text = secret.pointer("/data")?.get(key)?.as_str()?;
            STANDARD.decode(text).ok().map(Masked::new)
        };
        let private = PrivateKey::parse(part("tls.key").ok_or(KeyError::None)?.reveal())?;
        let certificate = part("tls.crt").and_then(|text| Certificate::parse(text.reveal()).ok());
        let text = |pointer: &str| secret.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let created = text("/metadata/creationTimestamp").parse().ok();
        Ok(Self { name: text("/metadata/name").to_owned(), private, certificate, created })
    }

    /// The Secret in which the controller would keep it; its values are in clear.
    pub fn to_secret(&self, namespace: &str) -> Value {
        let certificate = self.certificate.as_ref().map_or("", Certificate::pem);
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "generateName": KEY_PREFIX,
                "namespace": namespace,
                "labels": {KEY_LABEL: ACTIVE},
            },
            "type": "kubernetes.io/tls",
            "data": {
                "tls.key": STANDARD.encode(self.private.pem().reveal()),
                "tls.crt": STANDARD.encode(certificate),
            },
        })
    }

    /// Since when it is sealed with.
    pub fn since(&self) -> Option<Timestamp> {
        self.certificate.as_ref().map(|certificate| certificate.not_before).or(self.created)
    }
}

/// All sealing keys of a cluster, the newest first.
#[derive(Debug, Default)]
pub struct Keyring {
    keys: Vec<SealingKey>,
    /// Which opened last: values of one Secret are mostly sealed with one key, and a wrong key costs as much as the right one.
    last: AtomicUsize,
}

impl Keyring {
    /// A keyring of keys; of two that are one, the first is kept.
    pub fn new(keys: impl IntoIterator<Item = SealingKey>) -> Self {
        let mut by_fingerprint: BTreeMap<String, SealingKey> = BTreeMap::new();
        for key in keys {
            by_fingerprint.entry(key.private.public().fingerprint()).or_insert(key);
        }
        let mut keys: Vec<SealingKey> = by_fingerprint.into_values().collect();
        // A stable sort: keys of one moment stay in the order of their fingerprints.
        keys.sort_by_key(|key| Reverse((key.certificate.is_some(), key.since())));
        Self { keys, last: AtomicUsize::new(0) }
    }

    /// The keys of those Secrets that hold one that is in use; and the names of those that should and do not, with why.
    pub fn of_secrets<'a>(secrets: impl IntoIterator<Item = &'a Value>) -> (Self, Vec<(String, KeyError)>) {
        let (mut keys, mut unusable) = (Vec::new(), Vec::new());
        for secret in secrets.into_iter().filter(|secret| is_key_secret(secret)) {
            match SealingKey::of_secret(secret) {
                Ok(key) => keys.push(key),
                Err(error) => {
                    let name = secret.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                    unusable.push((name.to_owned(), error));
                }
            }
        }
        (Self::new(keys), unusable)
    }

    /// The keys, the newest first.
    pub fn keys(&self) -> &[SealingKey] {
        &self.keys
    }

    /// The certificate that is sealed with: the newest.
    pub fn newest(&self) -> Option<&Certificate> {
        self.keys.first()?.certificate.as_ref()
    }

    /// Opens a sealed value with whichever key does; gives the key's place, too.
    ///
    /// # Errors
    /// [`CryptoError::TooShort`], or [`CryptoError::Closed`] when none does.
    pub fn open(&self, sealed: &[u8], label: &[u8]) -> Result<(Masked, usize), CryptoError> {
        let first = self.last.load(Ordering::Relaxed).min(self.keys.len());
        let order = (first..self.keys.len()).chain(0..first);
        for at in order {
            // Upstream tells of nothing but that no key opens it, also where it is too short.
            if let Ok(value) = hybrid::open(&self.keys[at].private, sealed, label) {
                self.last.store(at, Ordering::Relaxed);
                return Ok((value, at));
            }
        }
        Err(CryptoError::Closed)
    }
}
