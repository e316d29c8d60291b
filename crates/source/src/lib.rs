//! What desired state is fetched from: directories, git trees read straight from objects, archives, remotes.
//!
//! ```text
//! directory ─┐
//! commit    ─┼─► SourceTree ── read(path), directory(path) ─► landfall_chart::Tree (in memory)
//! archive   ─┘        └─ revision: <sha>, <sha>+dirty.<8 hex>, none+<8 hex>
//! ```
//!
//! Invariants: nothing is checked out and nothing is executed; a path never leaves its tree, symbolic links
//! included; the same content has the same revision.

mod archive;
mod blame;
mod error;
mod git;
mod remote;
mod revision;
mod source_tree;
mod worktree;

pub use archive::read_archive;
pub use blame::LineCommit;
pub use error::SourceError;
pub use remote::{RemoteRef, fetch_repository, repository_key};
pub use revision::Revision;
pub use source_tree::SourceTree;
