//! Versions, channels, tags and image policies: the rules alone, without network, files or clock.
//!
//! ```text
//! root version (package.json) ── progression ─► may it follow the one before it?
//!     └─ next(channel, run, attempt) ─► Tag ── channel, shape ─► may it run there? ── order ─► is it newer than what runs?
//! tags of a repository ── Filter, Selector ─► the one that a policy chooses
//! values text ── bindings ─► where a tag stands ── retagged ─► the same text, every other byte kept
//! Evidence of digests ── Record ─► what counts ── judge (Gates) ─► each gate open, or refused in a sentence of its own
//! tag ── Ledger ─► the digest that it had first; another one blocks
//! ```
//!
//! Invariants
//! - A version is read strictly: what SemVer 2.0 does not have is refused, with the reason.
//! - A refusal says which rule; no two rules say the same.
//! - A tag that went through here is one word that a registry can have: nothing of it can become YAML, a template or a
//!   command.

mod binding;
mod channel;
mod evidence;
mod filter;
mod gates;
mod hold;
mod imported;
mod ledger;
mod progression;
mod promotion;
mod released;
mod role;
mod selector;
mod tag;
mod version;

pub use binding::{
    Binding, BindingPath, Renaming, Shared, bindings, is_digest, path_on, renamings, retagged, shared_at, tag_at,
    tag_in, with_digest, with_tag,
};
pub use channel::{ChannelRefusal, check_channel, next};
pub use evidence::{CHECK, Evidence, HEALTH, REPORT, RUNS, Record, RunOf};
pub use filter::{Filter, FilterError, Filtered};
pub use gates::{
    Asked, DeclaredCheck, GateRefusal, GateVerdict, TestedImage, Vouched, judge, level_word, report_findings,
};
pub use hold::{Held, bare, held};
pub use imported::{Imported, Marker, Taken, markers, of_flux, of_updater};
pub use ledger::{Ledger, LedgerEntry, Moved};
pub use progression::{Progression, progression};
pub use promotion::{ByHand, PromotionRefusal, branch_of, declared, not_back, released_as};
pub use released::{NamedImage, ReleasedImage};
pub use role::{Roles, is_older, role_of, with_role, without_role};
pub use selector::{Candidate, Chosen, Order, Selector};
pub use tag::{MAX_TAG, Tag, TagPolicy, TagRefusal};
pub use version::{Version, VersionRefusal};
