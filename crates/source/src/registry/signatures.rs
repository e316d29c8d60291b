//! What stands beside an image in its repository: signatures and attestations, as cosign puts them there
//! (sigstore/cosign: `specs/SIGNATURE_SPEC.md`, `specs/ATTESTATION_SPEC.md`; in-toto's DSSE).
//!
//! ```text
//! sha256-HEX.sig ─► layers: payload (simple signing, JSON) + annotation with its signature ─► who signed this digest?
//! sha256-HEX.att ─► layers: DSSE envelope (payload type, payload, signatures) ─► statement about this digest
//! ```
//!
//! A signature that is good says nothing unless its payload names the very digest that was asked for.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::exchange::Registry;
use super::reference::Reference;
use crate::error::SourceError;

const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const ENVELOPE: &str = "application/vnd.dsse.envelope.v1+json";
const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
/// Most layers that are looked at: each is another signature.
const MOST_LAYERS: usize = 32;
/// What stands in front of the point of a P-256 key in its `SubjectPublicKeyInfo` (RFC 5480).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The same of an Ed25519 key (RFC 8410).
const EDWARDS: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A public key that images are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyingKey {
    /// ECDSA on P-256 with SHA-256, which `cosign generate-key-pair` makes.
    P256(Vec<u8>),
    /// Ed25519.
    Ed25519(Vec<u8>),
}

/// A text is no public key that signatures are verified with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no public key of ECDSA P-256 or Ed25519 in PEM, as `cosign public-key` prints one")]
pub struct BadKey;

impl VerifyingKey {
    /// Reads `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    /// It is none, or one of another kind.
    pub fn parse(pem: &str) -> Result<Self, BadKey> {
        let inside = pem.split_once("-----BEGIN PUBLIC KEY-----").ok_or(BadKey)?.1;
        let inside = inside.split_once("-----END PUBLIC KEY-----").ok_or(BadKey)?.0;
        let text: String = inside.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(text).map_err(|_| BadKey)?;
        match (der.strip_prefix(&P256), der.strip_prefix(&EDWARDS)) {
            (Some(point), _) if point.len() == 65 && point[0] == 4 => Ok(VerifyingKey::P256(point.to_vec())),
            (_, Some(point)) if point.len() == 32 => Ok(VerifyingKey::Ed25519(point.to_vec())),
            _ => Err(BadKey),
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            VerifyingKey::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
            }
            VerifyingKey::Ed25519(point) => UnparsedPublicKey::new(&ED25519, point).verify(message, signature).is_ok(),
        }
    }
}

/// What a look for a signature has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// The key has signed this very digest.
    Verified,
    /// Nothing is signed.
    Unsigned,
    /// There are signatures, and none of them is the key's.
    ByAnother,
    /// The key has signed something, and not this digest.
    OtherDigest,
}

/// An attestation of an image that a key has signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Attestation {
    /// What it states, as `https://slsa.dev/provenance/v1`.
    pub kind: String,
    /// The statement itself; foreign.
    pub predicate: Value,
}

impl Registry {
    /// Whether a key has signed an image, by its digest (`sha256:…`).
    ///
    /// # Errors
    /// No answer, no access, other bytes than promised.
    pub async fn signed(&self, reference: &Reference, digest: &str, key: &VerifyingKey) -> Result<Signed, SourceError> {
        let mut found = Signed::Unsigned;
        for (payload, layer) in self.beside(reference, digest, "sig", SIMPLE_SIGNING).await? {
            let text = layer.pointer(&format!("/annotations/{}", SIGNATURE.replace('/', "~1"))).and_then(Value::as_str);
            let signature = text.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
            found = match key.verifies(&payload, &signature) {
                true if names(&payload, digest) => return Ok(Signed::Verified),
                true => Signed::OtherDigest,
                false if found == Signed::Unsigned => Signed::ByAnother,
                false => found,
            };
        }
        Ok(found)
    }

    /// The attestations of an image that a key has signed; what others have signed is left out.
    ///
    /// # Errors
    /// No answer, no access, other bytes than promised.
    pub async fn attested(
        &self,
        reference: &Reference,
        digest: &str,
        key: &VerifyingKey,
    ) -> Result<Vec<Attestation>, SourceError> {
        let envelopes = self.beside(reference, digest, "att", ENVELOPE).await?;
        Ok(envelopes.into_iter().filter_map(|(envelope, _)| statement(&envelope, digest, key)).collect())
    }

    /// The layers of what stands beside an image, with their descriptors; none where nothing does.
    async fn beside(
        &self,
        reference: &Reference,
        digest: &str,
        what: &str,
        kind: &str,
    ) -> Result<Vec<(Vec<u8>, Value)>, SourceError> {
        let Some((_, manifest)) = self.manifest(reference, &format!("{}.{what}", digest.replace(':', "-"))).await?
        else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for layer in manifest["layers"].as_array().into_iter().flatten().take(MOST_LAYERS) {
            if layer["mediaType"].as_str() == Some(kind) {
                found.push((self.blob(reference, layer).await?, layer.clone()));
            }
        }
        Ok(found)
    }
}

/// Whether a payload of simple signing is about a digest.
fn names(payload: &[u8], digest: &str) -> bool {
    let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
    payload.pointer("/critical/image/docker-manifest-digest").and_then(Value::as_str) == Some(digest)
        && payload.pointer("/critical/type").and_then(Value::as_str) == Some("cosign container image signature")
}

/// The statement in an envelope that a key has signed, where it is about a digest.
fn statement(envelope: &[u8], digest: &str, key: &VerifyingKey) -> Option<Attestation> {
    let envelope: Value = serde_json::from_slice(envelope).ok()?;
    let kind = envelope["payloadType"].as_str()?;
    let payload = STANDARD.decode(envelope["payload"].as_str()?).ok()?;
    // What is signed is the type with the payload, each with its length in front (DSSE v1: PAE).
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(&payload);
    let mut signatures = envelope["signatures"].as_array()?.iter().filter_map(|one| one["sig"].as_str());
    let is_signed =
        signatures.any(|text| STANDARD.decode(text).is_ok_and(|signature| key.verifies(&message, &signature)));
    let statement: Value = serde_json::from_slice(&payload).ok()?;
    let wanted = digest.strip_prefix("sha256:")?;
    let is_about = statement["subject"]
        .as_array()?
        .iter()
        .any(|subject| subject.pointer("/digest/sha256").and_then(Value::as_str) == Some(wanted));
    (is_signed && is_about && kind == "application/vnd.in-toto+json").then(|| Attestation {
        kind: statement["predicateType"].as_str().unwrap_or_default().to_owned(),
        predicate: statement["predicate"].clone(),
    })
}
