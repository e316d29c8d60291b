//! SealedSecrets both ways, sealing keys and their backups: the rules and the cryptography.
//!
//! ```text
//! Secret ──► PlainSecret ──► seal (Certificate, Scope) ──► SealedSecret      what kubeseal does
//! SealedSecret ──► unseal (Keyring) ──► Unsealed ──► Secret                  what the controller does
//!                └► reseal ──► SealedSecret under the newest key
//! key Secrets ──► Keyring ──► newest: what is sealed with, published as cert.pem
//! anything ──► age::encrypt ──► a file that only its recipients open
//! SealedSecret, Secret, keys ──► control ──► what a controller writes, and what it says of it
//!
//! landfall.yaml ──► Declared ──► fate: kept, taken over or born ──► make ──► seal, Fingerprint     a key's life
//! values file, SealedSecret's manifest ──► Holder ──► the same file with other sealed values, no other byte changed
//! ```
//!
//! The formats are others': SealedSecrets are Bitnami's (`pkg/crypto`, `pkg/apis/sealedsecrets/v1alpha1`), backups are age's
//! (`age-encryption.org/v1`). Both are tried against their originals.
//!
//! Invariants
//! - A value in clear is [`Masked`] from where it is decoded or decrypted on: wiped when it goes, never in a `Debug`.
//! - RSA goes through aws-lc alone, in constant time; each value is sealed with a session key of its own.
//! - A scope comes from a SealedSecret's own metadata; a template that claims a wider one is refused.
//! - No I/O and no clock: times come in. What is sealed with, and what a new value is drawn from, is the system's
//!   randomness, and nobody can hand in another ([`random`]).
//! - A value that lives is never replaced by a new one, but by who names it: [`fate`] decides, and asks nobody.
//! - No input makes anything here panic, or take more memory than its own size and a constant.

pub mod age;
mod backup;
mod birth;
mod compose;
pub mod control;
mod declared;
mod fingerprint;
mod forms;
mod given;
mod holder;
mod hybrid;
mod key;
mod keyring;
mod ledger;
mod making;
mod masked;
mod plain;
mod print;
mod random;
mod scope;
mod seal;
pub mod sops;
mod template;
mod unseal;

pub use backup::{Backup, BackupError, Saved, same_value, saved_for, saved_names};
pub use birth::{Denial, Fate, Orphan, Sealed, Traces, fate, is_same};
pub use compose::{ComposeError, compose};
pub use declared::{Contradiction, Declared, Key, Making, Permanence};
pub use fingerprint::Fingerprint;
pub use forms::written_forms;
pub use given::{GivenError, lines, pairs};
pub use holder::{Holder, HolderError, sealed_form};
pub use hybrid::{CryptoError, open, seal as seal_value};
pub use key::{Certificate, CertificateError, KeyError, KeySize, PrivateKey, PublicKey};
pub use keyring::{ACTIVE, KEY_LABEL, KEY_PREFIX, Keyring, SealingKey, is_key_secret};
pub use ledger::{Intended, Ledger, Pending, Prints, Recognised, Recorded, Task};
pub use making::{MakeError, make};
pub use masked::Masked;
pub use plain::{PlainError, PlainSecret};
pub use print::{go_json, go_yaml};
pub use scope::{Scope, UnknownScope};
pub use seal::{Override, SealError, Sealing, seal};
pub use unseal::{UnsealError, Unsealed, merged, normalised, reseal, unseal};

/// The group and version of SealedSecrets.
pub const API_VERSION: &str = "bitnami.com/v1alpha1";
/// Their kind.
pub const KIND: &str = "SealedSecret";
/// On a Secret: a SealedSecret may take it over whole.
pub const MANAGED: &str = "sealedsecrets.bitnami.com/managed";
/// On a Secret: a SealedSecret may add to it.
pub const PATCH: &str = "sealedsecrets.bitnami.com/patch";
/// On a template: the Secret is to outlive what it was made from.
pub const SKIP_OWNER: &str = "sealedsecrets.bitnami.com/skip-set-owner-references";
