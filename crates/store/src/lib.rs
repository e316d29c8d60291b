//! History, journal and cluster state in SQLite: the only room that knows SQL.
//!
//! ```text
//! Store ── journal.rs        operation ─< step (intent before the effect, outcome after it)
//!       ── seal.rs           what an operation needs to go on: sealed in the file, pruned when it ends
//!       ── history.rs        target, number → what was delivered
//!       ── facts.rs          space, name → a small JSON value
//!       ── cluster_state.rs  the embedded cluster's objects, event ring and counters
//! ```
//!
//! The rows are this room's own types; bodies are JSON or bytes whose meaning their owner knows. Clock and
//! identifiers come in from the caller. One connection serves a store: writes are serialised, so nothing is ever
//! busy, and a written row is on disk when the call returns (`synchronous=FULL`, write-ahead log).
//!
//! Invariant: losing a store loses history, journals and fingerprints, never the ability to deliver.

mod cluster_state;
mod error;
mod facts;
mod history;
mod journal;
mod migrations;
mod seal;
mod store;

pub use cluster_state::{ClusterBatch, ClusterEventRow, ClusterObjectRow, ClusterState};
pub use error::Error;
pub use history::{HistoryEntry, HistoryRow};
pub use journal::{NewOperation, OperationRow, OperationState, StepIntent, StepOutcome, StepRow};
pub use store::{Durability, Location, Store};
