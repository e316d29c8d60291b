//! One sealed value: a session key under RSA, the value under the session key (`pkg/crypto/crypto.go`).
//!
//! ```text
//! 2 bytes   big-endian length L of what follows
//! L bytes   RSA-OAEP (SHA-256, MGF1 of SHA-256, label) of a session key of 32 bytes
//! the rest  AES-256-GCM of the value under the session key, nonce zero, nothing beside it; 16 bytes of tag at the end
//! ```
//!
//! The nonce may be zero because no session key is ever used twice.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::OAEP_SHA256_MGF1SHA256;
use zeroize::Zeroizing;

use crate::key::{PrivateKey, PublicKey};
use crate::masked::Masked;
use crate::random;

/// Bytes of a session key.
const SESSION: usize = 32;
/// Bytes of a tag of AES-GCM.
const TAG: usize = 16;
/// Bytes in front of the RSA block.
const LENGTH: usize = 2;

/// What cryptography could not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// Too few bytes to be a sealed value; the words are upstream's.
    #[error("SealedSecret data is too short")]
    TooShort,
    /// No key opens it: another key, another scope, name or namespace, or changed bytes. Which, nobody can know.
    #[error("no key could decrypt secret")]
    Closed,
    /// The cryptography itself failed: no randomness, no memory.
    #[error("the cryptographic library refused")]
    Failed,
}

fn cipher(session: &[u8]) -> Result<LessSafeKey, CryptoError> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, session).map_err(|_| CryptoError::Failed)?))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// Seals a value for the holder of a key, bound to a label.
///
/// # Errors
/// [`CryptoError::Failed`]
pub fn seal(key: &PublicKey, value: &[u8], label: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let session = random::bytes::<SESSION>()?;
    let mut block = vec![0; key.oaep().ciphertext_size()];
    let block = key
        .oaep()
        .encrypt(&OAEP_SHA256_MGF1SHA256, &session[..], &mut block, bound(label))
        .map_err(|_| CryptoError::Failed)?;
    // Room for the tag from the start: growing would leave a copy in clear behind.
    let mut body = Vec::with_capacity(value.len() + TAG);
    body.extend_from_slice(value);
    cipher(&session[..])?
        .seal_in_place_append_tag(nonce(), Aad::empty(), &mut body)
        .map_err(|_| CryptoError::Failed)?;
    let length = u16::try_from(block.len()).map_err(|_| CryptoError::Failed)?;
    Ok([&length.to_be_bytes()[..], &*block, &body[..]].concat())
}

/// Opens a sealed value with one key.
///
/// # Errors
/// [`CryptoError::TooShort`] or [`CryptoError::Closed`].
pub fn open(key: &PrivateKey, sealed: &[u8], label: &[u8]) -> Result<Masked, CryptoError> {
    let (length, rest) = sealed.split_first_chunk::<LENGTH>().ok_or(CryptoError::TooShort)?;
    let (block, body) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(CryptoError::TooShort)?;
    let mut session = Zeroizing::new(vec![0; key.oaep().min_output_size()]);
    let session = key
        .oaep()
        .decrypt(&OAEP_SHA256_MGF1SHA256, block, &mut session, bound(label))
        .map_err(|_| CryptoError::Closed)?;
    // Upstream would take 16 and 24 bytes, too; nothing makes such.
    if session.len() != SESSION {
        return Err(CryptoError::Closed);
    }
    let mut body = Zeroizing::new(body.to_vec());
    let cipher = cipher(session)?;
    let value = cipher.open_in_place(nonce(), Aad::empty(), &mut body).map_err(|_| CryptoError::Closed)?;
    Ok(Masked::from(&*value))
}

/// An empty label is none to aws-lc; both mean the same to OAEP.
fn bound(label: &[u8]) -> Option<&[u8]> {
    (!label.is_empty()).then_some(label)
}
