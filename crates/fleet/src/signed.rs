//! Keys, signatures, and what was signed.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::canonical::{NotCanonical, canonical};
use crate::hex::{hex, sha256_hex, unhex};

/// What DER begins with that holds an Ed25519 public key (SubjectPublicKeyInfo).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// What DER begins with that holds an Ed25519 seed (PKCS#8).
const PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Names a key: the SHA-256 of its canonical form, 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

/// An Ed25519 public key, in the shape that The Update Framework gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    keytype: String,
    scheme: String,
    keyval: KeyValue,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct KeyValue {
    public: String,
}

/// A signature and the key that it is said to be of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// Which key.
    pub keyid: KeyId,
    /// 128 hexadecimal digits.
    pub sig: String,
}

/// A document with its signatures, not yet looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Who signed.
    pub signatures: Vec<Signature>,
    /// What.
    pub signed: Value,
}

/// Why a document counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// It is not JSON of the right shape.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It has numbers that cannot be signed.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// Too few of the keys that may have signed it.
    #[error("it has {found} valid signatures of keys that may sign it, and needs {needed}")]
    Threshold {
        /// How many did.
        found: usize,
        /// How many have to.
        needed: usize,
    },
}

/// An Ed25519 key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    seed: [u8; 32],
}

impl PublicKey {
    /// A key of its 32 bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8; 32]) -> Self {
        Self { keytype: "ed25519".to_owned(), scheme: "ed25519".to_owned(), keyval: KeyValue { public: hex(bytes) } }
    }

    /// Reads a PEM file with a SubjectPublicKeyInfo, as OpenSSL and Node write it; `None` for anything else.
    #[must_use]
    pub fn of_pem(text: &str) -> Option<Self> {
        let der = pem(text, "PUBLIC KEY")?;
        Some(Self::of_bytes(der.strip_prefix(&SPKI)?.try_into().ok()?))
    }

    /// As a PEM file with a SubjectPublicKeyInfo.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let der = [&SPKI[..], &self.bytes()].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// Names the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let value = json!({"keytype": self.keytype, "scheme": self.scheme, "keyval": {"public": self.keyval.public}});
        KeyId(sha256_hex(&canonical(&value).unwrap_or_default()))
    }

    /// Whether the signature is this key's over these bytes.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        self.keytype == "ed25519"
            && self.scheme == "ed25519"
            && UnparsedPublicKey::new(&ED25519, self.bytes()).verify(bytes, signature).is_ok()
    }

    fn bytes(&self) -> Vec<u8> {
        unhex(&self.keyval.public).unwrap_or_default()
    }
}

impl SigningKey {
    /// A key of 32 random bytes that the caller drew; `None` when the cryptography refuses them.
    #[must_use]
    pub fn of_seed(seed: [u8; 32]) -> Option<Self> {
        Some(Self { pair: Ed25519KeyPair::from_seed_unchecked(&seed).ok()?, seed })
    }

    /// Reads a PEM file with an unencrypted PKCS#8 key, as OpenSSL and Node write it; a literal `\n` is a line's end, too.
    #[must_use]
    pub fn of_pem(text: &str) -> Option<Self> {
        let der = pem(&text.replace("\\n", "\n"), "PRIVATE KEY")?;
        Self::of_seed(der.strip_prefix(&PKCS8)?.get(..32)?.try_into().ok()?)
    }

    /// As a PEM file with an unencrypted PKCS#8 key: a secret.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let der = [&PKCS8[..], &self.seed].concat();
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
    }

    /// The key by which its signatures are held.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey {
            keytype: "ed25519".to_owned(),
            scheme: "ed25519".to_owned(),
            keyval: KeyValue { public: hex(self.pair.public_key().as_ref()) },
        }
    }

    /// The 64 bytes of a signature.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sign(bytes).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "SigningKey({})", self.public().id().0)
    }
}

impl Signed {
    /// A document signed by these keys.
    ///
    /// # Errors
    /// When the document cannot be written as canonical JSON.
    pub fn by<T: Serialize>(document: &T, keys: &[&SigningKey]) -> Result<Self, Unsigned> {
        let signed = serde_json::to_value(document).map_err(|error| Unsigned::Unreadable(error.to_string()))?;
        let mut document = Self { signatures: Vec::new(), signed };
        for key in keys {
            document.sign(key)?;
        }
        Ok(document)
    }

    /// Adds a key's signature, in place of an earlier one of the same key.
    ///
    /// # Errors
    /// When the document cannot be written as canonical JSON.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), Unsigned> {
        let bytes = canonical(&self.signed)?;
        let keyid = key.public().id();
        self.signatures.retain(|signature| signature.keyid != keyid);
        self.signatures.push(Signature { keyid, sig: hex(&key.sign(&bytes)) });
        Ok(())
    }

    /// Reads a document; nothing of it is believed yet.
    ///
    /// # Errors
    /// When it is not JSON of the right shape.
    pub fn parse(bytes: &[u8]) -> Result<Self, Unsigned> {
        serde_json::from_slice(bytes).map_err(|error| Unsigned::Unreadable(error.to_string()))
    }

    /// The document as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Holds that at least `needed` different ones of these keys have signed.
    ///
    /// # Errors
    /// When fewer have, or nothing of the kind can have been signed.
    pub fn check<'a>(&self, keys: impl Fn(&KeyId) -> Option<&'a PublicKey>, needed: usize) -> Result<(), Unsigned> {
        let bytes = canonical(&self.signed)?;
        let mut found: Vec<&KeyId> = Vec::new();
        for signature in self.signatures.iter().take(64) {
            if found.contains(&&signature.keyid) {
                continue;
            }
            let Some(key) = keys(&signature.keyid) else { continue };
            if unhex(&signature.sig).is_some_and(|sig| key.verifies(&bytes, &sig)) {
                found.push(&signature.keyid);
            }
        }
        let found = found.len();
        if needed > 0 && found >= needed { Ok(()) } else { Err(Unsigned::Threshold { found, needed }) }
    }
}

/// The signature that the existing agent holds an artifact by: over the text of its checksum, in base64.
#[must_use]
pub fn legacy_signature(key: &SigningKey, checksum: &str) -> String {
    STANDARD.encode(key.sign(checksum.as_bytes()))
}

/// Whether the signature is the key's over the text of the checksum.
#[must_use]
pub fn verify_legacy(key: &PublicKey, checksum: &str, signature: &str) -> bool {
    STANDARD.decode(signature.trim()).is_ok_and(|signature| key.verifies(checksum.as_bytes(), &signature))
}

fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let body = text.split_once(&begin)?.1.split_once(&end)?.0;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032's first test key; signature and PEM are what Node's crypto made of it.
    #[test]
    fn the_legacy_signature_is_the_one_of_the_existing_pipeline() {
        let seed = unhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").expect("digits");
        let key = SigningKey::of_seed(seed.try_into().expect("32 bytes")).expect("a key");
        let checksum = sha256_hex(b"abc");
        let signature = "leTSy2MGNbsmx/dqGw0FitQO5GxITEsc45vY3pMU0jHk5mtsYYpP7ntZf3PqKivwkjhF4I1kTrtiqlY0M6MqCg==";
        assert_eq!(legacy_signature(&key, &checksum), signature);
        let pem = key.public().to_pem();
        assert!(pem.contains("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="));
        let public = PublicKey::of_pem(&pem).expect("what was written");
        assert!(
            verify_legacy(&public, &checksum, signature) && !verify_legacy(&public, &sha256_hex(b"abd"), signature)
        );
        assert_eq!(SigningKey::of_pem(&key.to_pem()).expect("what was written").public(), public);
    }

    #[test]
    fn one_key_counts_once_towards_a_threshold() {
        let key = SigningKey::of_seed([1; 32]).expect("a key");
        let other = SigningKey::of_seed([2; 32]).expect("a key");
        let mut document = Signed::by(&json!({"a": 1}), &[&key]).expect("canonical");
        let twice = document.signatures[0].clone();
        document.signatures.push(twice);
        let (public, second) = (key.public(), other.public());
        let keys = |id: &KeyId| [&public, &second].into_iter().find(|key| key.id() == *id);
        assert_eq!(document.check(keys, 2), Err(Unsigned::Threshold { found: 1, needed: 2 }));
        document.sign(&other).expect("canonical");
        assert_eq!(document.check(keys, 2), Ok(()));
        document.signed = json!({"a": 2});
        assert_eq!(document.check(keys, 1), Err(Unsigned::Threshold { found: 0, needed: 1 }));
        assert!(document.check(keys, 0).is_err(), "no signature at all is never enough");
    }
}
