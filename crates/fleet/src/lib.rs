//! The edge: its protocols, the signed manifest of releases, and the campaign's state machine. No I/O, no clock, no randomness.
//!
//! ```text
//! legacy.rs       the seven routes of the agent that is out there, byte for byte
//! protocol.rs     our own agent's: enroll, check in, what is to run there
//! credential.rs   what tokens and credentials look like, and what is kept of them
//! delta.rs        what makes the bytes of one release of another's
//! platform.rs, version.rs   which bytes fit a machine, and which version is newer
//!
//! canonical.rs ─► signed.rs ─► metadata.rs   root, targets, timestamp: who may say what, until when
//!                                └─ trust.rs  what an edge believes, and what it refuses to believe
//!
//! selector.rs, window.rs ─► campaign.rs       waves of edges; `step(campaign, observations, now)` says what follows
//! ```
//!
//! Invariants
//! - A version is what an edge reports after its restart, never what it claims to have done.
//! - Whoever holds the server but not the offline keys can stop upgrades, not choose what is installed.
//! - Times are seconds since 1970 and come from the caller.

pub mod campaign;
mod canonical;
mod credential;
pub mod delta;
mod hex;
pub mod legacy;
mod metadata;
mod platform;
pub mod protocol;
mod selector;
mod signed;
mod status;
mod trust;
mod version;
mod window;

pub use canonical::{NotCanonical, canonical};
pub use credential::{BadCredential, Credential, CredentialKind, PREFIX_BYTES, Pepper, SECRET_BYTES};
pub use hex::{hex, sha256_hex, unhex};
pub use metadata::{
    Consent, Content, DELTA_FORMAT, Delta, MOST_CONTENT, MOST_DELTAS, Metadata, Pointer, Role, RoleKeys, Root, Target,
    TargetCustom, Targets, Timestamp,
};
pub use platform::{Platform, is_word};
pub use selector::{BadSelector, Selected, Selector};
pub use signed::{KeyId, PublicKey, Signature, Signed, SigningKey, Unsigned, legacy_signature, verify_legacy};
pub use status::UpgradeStatus;
pub use trust::{Distrust, Trust, Wanted};
pub use version::{BadVersion, Version, legacy_newer};
pub use window::{BadWindow, Window, Windows};
