//! What is asked of Applications, by commands and over HTTP: one implementation, one set of types.
//!
//! ```text
//! a command ── asked.rs ─────────────────────────────┐
//! a request ── http.rs ── gate.rs ── asked.rs ───────┴─► desk.rs ─┬─ listing.rs    filter, count, sort, page
//!                                                                 ├─ differing.rs  what differs, who wrote it, what wants it
//!                                                                 ├─ why.rs        application → object → pod → event
//!                                                                 ├─ looking.rs    events, logs
//!                                                                 └─ changing.rs   sync, rollback, refresh, terminate, pin, policy
//! shapes.rs, session.rs, reading.rs   the types, and an Application in them
//! book.rs, promoted.rs     published tags, evidence, what is held back, promotions; versions
//! client.rs               the same, asked of a server elsewhere
//! ```
//!
//! Invariants: whoever does not see a project finds none of its Applications; a change is in the audit log before it is
//! made; nothing here can hold a secret's value.

mod asked;
mod book;
mod changing;
mod client;
mod desk;
mod differing;
mod job;
mod listing;
mod looking;
mod promoted;
mod reading;
mod session;
mod shapes;
mod why;

pub(crate) use asked::named;
pub use asked::{Asked, Kind, Wire};
pub use book::Book;
pub(crate) use book::is_of;
pub use client::{Client, ServerAccess};
pub use desk::Desk;
pub(crate) use desk::{problem, status_of};
pub use job::{JobForge, enter};
pub use promoted::{
    EvidenceLine, HoldLine, HoldWish, LedgerLine, Lines, NextQuery, PromotionLine, PromotionNote, PromotionStep,
    VersionLine, VersionQuery,
};
pub(crate) use reading::revisions;
pub use session::{Credentials, JobCredentials, JobToken, NewPassword, SessionLine};
pub use shapes::{
    Accepted, AuditLine, AutomatedWish, Cause, CauseStep, Changed, CheckLine, ChecksLine, ConditionLine, DeleteWish,
    Detail, Diff, EventEntry, FieldDiff, HistoryEntry, Line, ListQuery, Listing, LogEntry, LogQuery, Name, ObjectDiff,
    ObjectLine, Objects, OperationLine, OwnerLine, PauseLine, PauseWish, PinLine, PinWish, PolicyWish, Problem,
    RefreshWish, ResourceLine, RollbackWish, SourceLine, SyncWish, WantLine, Why,
};
