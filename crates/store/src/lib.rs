//! Small stores over one pool: the only room that knows SQL.
//!
//! ```text
//! Pool ─┬─ journal.rs        operation ─< step (intent before the effect, outcome after it)
//!       │    └─ seal.rs      what an operation needs to go on: sealed in the file, pruned when it ends
//!       ├─ history.rs        target, number → what was delivered
//!       ├─ facts.rs          space, name → a small JSON value
//!       ├─ tokens.rs         tokens of the API: scopes, projects, the digest of the secret
//!       ├─ accounts.rs       who signs in: the slow digest of a password, tries, sessions
//!       ├─ orders.rs         what was asked of Applications through the API, and how they may sync by themselves
//!       ├─ audit.rs          who changed what, before it is done and how it ended
//!       ├─ news.rs           what is to be told to people: each change once, to each of them once
//!       ├─ fleet.rs          edges, what enrolls them, releases, campaigns, what happened
//!       ├─ promotions.rs    the digest that each tag had first, what was seen of digests, what is held, what was promoted
//!       ├─ shards.rs         who writes the journal of which shard of Applications
//!       └─ cluster_state.rs  the embedded cluster's objects, event ring and counters
//! ```
//!
//! Each small store is one file: a type of its own over the shared [`Pool`], its rows, its tables under `migrations/` and
//! their step in `schema_part`. [`Store`] is the set of them that deliveries need. A new one is one file, its migrations, one
//! line in `migrations.rs` and its promises in `tests/it/contract`.
//!
//! The rows are this room's own types; bodies are JSON or bytes whose meaning their owner knows. Clock and
//! identifiers come in from the caller. Of a file one connection serves a pool: writes are serialised, so nothing is ever
//! busy, and a written row is on disk when the call returns (`synchronous=FULL`, write-ahead log).
//!
//! The back ends are SQLite, for one process, and PostgreSQL, for several that share it. The statements are the same texts
//! (`statement.rs`), and so are the promises of each small store, which are tested against a constructor of either.
//! Processes that share a database write the journal by a [`Fence`]: it is looked at in the transaction that writes.
//!
//! Invariant: losing a store loses history, journals and fingerprints, never the ability to deliver.

mod accounts;
mod audit;
mod cluster_state;
mod database;
mod error;
mod facts;
mod fleet;
mod history;
mod journal;
mod migrations;
mod news;
mod orders;
mod pool;
mod promotions;
mod seal;
mod shards;
mod sqlite_transaction;
mod statement;
mod store;
mod tokens;

pub use accounts::{AccountRow, Accounts, SessionRow};
pub use audit::{Audit, AuditEntry, AuditRow};
pub use cluster_state::{ClusterBatch, ClusterContents, ClusterEventRow, ClusterObjectRow, ClusterState};
pub use database::{BadDatabaseAddress, DatabaseAddress, Sole};
pub use error::Error;
pub use facts::Facts;
pub use fleet::{
    ArtifactRow, CampaignRow, CredentialRow, EdgeEventRow, EdgeRow, EdgeTokenRow, Enrollment, Fleet, FleetContents,
    FleetEdges, FleetWrite, KnownEdge, MemberRow, MetadataRow, NewEdge, PresenceRow, ReleaseRow,
};
pub use history::{History, HistoryEntry, HistoryRow};
pub use journal::{Journal, NewOperation, OperationRow, OperationState, StepIntent, StepOutcome, StepRow};
pub use news::{News, NewsItem, NewsRow, Post};
pub use orders::{OrderRow, Orders, PolicyRow};
pub use pool::{Location, Pool, Purpose, is_unmade};
pub use promotions::{EvidenceRow, HoldRow, PromotionEvent, PromotionRow, Promotions, PublishedRow};
pub use shards::{Announcements, Fence, Shards};
pub use store::Store;
pub use tokens::{TokenRow, Tokens};
