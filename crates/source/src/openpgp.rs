//! Signed texts of OpenPGP (RFC 4880, RFC 9580), read only: who signed a text, by the keys of a keyring.
//!
//! ```text
//! keyring file ─► packets ─► Keyring: keys with their names, each name and subkey signed by its primary key
//! `.prov` file ─► SignedText ─ text, signature ─► Keyring::signer ─► Signer: names, fingerprint
//! ```
//!
//! Keys and signatures of version 4 with RSA of 2,048 bits or more, ECDSA on NIST's curves, and Ed25519; what else a
//! keyring holds is passed over. A text signed over SHA-1 is refused. Errors are in the words that Helm prints.

mod key;
mod keyring;
mod packet;
mod signature;
mod signed_text;

pub use keyring::{KeyOwner, Keyring, Signer};
pub use signed_text::SignedText;

/// Why a keyring or a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenPgpError {
    /// Bytes that are not what they ought to be.
    #[error("openpgp: invalid data: {0}")]
    Malformed(String),
    /// Something that is not read.
    #[error("openpgp: unsupported feature: {0}")]
    Unsupported(String),
    /// The signature is not one of this text by this key.
    #[error("openpgp: invalid signature: {0}")]
    Invalid(String),
    /// No key of the keyring made the signature.
    #[error("openpgp: signature made by unknown entity")]
    UnknownSigner,
    /// The key has been withdrawn.
    #[error("openpgp: signature made by revoked key")]
    Revoked,
    /// The key's time is over.
    #[error("openpgp: key expired")]
    KeyExpired,
    /// The signature's time is over, or has not come.
    #[error("openpgp: signature expired")]
    SignatureExpired,
}

fn malformed(what: &str) -> OpenPgpError {
    OpenPgpError::Malformed(what.to_owned())
}
