//! The edge agent: a program that is enrolled once, looks after itself and one payload, and leaves a working version whatever happens.
//!
//! ```text
//!  service unit ─► watchdog (`run`) ─┬─► worker (`work`, from a slot or as it came) ─► server: check-in, metadata, artifacts
//!                   outside all that │        │ fetches, verifies, fills the spare slot
//!                   is upgraded      │        └─ "switch" ─► watchdog starts the spare slot and waits for "well"
//!                                    └─► payload (from a slot): well when it stays up and its health check passes
//!
//!  disk.rs ◄─ journal.rs ◄─ update.rs (pure) ◄─ carry.rs, archive.rs     one journal a unit says which slot starts
//!  trusted.rs   signed metadata that was believed, over restarts         api.rs, http.rs   the server
//!  legacy/      the launcher that makes the existing agent's upgrades work
//! ```
//!
//! Invariants
//! - A slot that the journal names is whole and synced; power may go at any write (`carry/power.rs` cuts it there).
//! - Nothing is unpacked whose bytes are not those that were signed for this product, version and platform.
//! - A version is confirmed by itself and judged by a process that is none of its own: whatever way it ends, what ran before runs again.
//! - No secret is in an argument, the environment or a log.

mod api;
pub mod archive;
pub mod backoff;
pub mod carry;
pub mod command;
pub mod disk;
mod download;
pub mod enroll;
pub mod http;
pub mod install;
pub mod journal;
pub mod legacy;
mod log;
mod payload;
mod program;
pub mod settings;
pub mod status;
pub mod trusted;
pub mod update;
pub mod watchdog;
#[cfg(windows)]
mod windows;
mod words;
pub mod worker;

/// This build's version: what the agent says that it is, whatever directory it lies in.
pub const VERSION: &str = match option_env!("LANDFALL_AGENT_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};
