//! A change tried on a fork of the cluster: what would break is known before it is merged.
//!
//! ```text
//! target, base ─► study: rendered twice, with origins ─┐
//! cluster: live (read only, masked), base, or empty ───┼─► Subject ─► rules ─► findings ─► one a cause, waived
//! fork ─► the real plan and engine, virtual time ──────┘                            │
//!         └─► trial: would it deliver, what waits ────────────────────► Rehearsal ──┴─► text, JSON, SARIF, Markdown
//! ```
//!
//! Invariants: nothing is written to a cluster that is not simulated here; secrets of a live cluster are masked before
//! anything is kept of them; rules ([`landfall_rules`]) see what was played as data, never the cluster; what could not be
//! simulated is said, never passed.

mod apart;
mod api;
mod at_hand;
mod blame;
mod earlier;
mod environments;
mod graph;
mod idle;
mod impact;
mod keeping;
mod meant;
mod nodes;
mod preview;
mod recognised;
mod rehearsal;
mod report;
mod settings;
mod settled;
mod snapshot;
mod stage;
mod study;
mod trial;
mod unmet;

pub use api::{Asked, ask_api};
pub use at_hand::{NotChecked, level};
pub use blame::TargetBlame;
pub use environments::{Difference, FieldDifference, Side, differences};
pub use graph::{Edge, Graph, Leads, Node};
pub use impact::{Impact, Loss, Restart, Touched};
pub use keeping::{Guarantee, Keeping, keepings};
pub use meant::mean;
pub use preview::{FieldDiff, ObjectDiff, Preview, ResourceChange, study_all};
pub use rehearsal::{FirstInstall, From, Rehearsal, Request, TrialReport, rehearse};
pub use report::{
    COMMENT_MARK, Shown, findings_markdown, preview_markdown, preview_text, rehearsal_markdown, rehearsal_text,
};
pub use snapshot::Snapshot;
pub use study::{Conditions, study};
pub use trial::{Trial, Trough, WaveWait};
pub use unmet::faults_of_nothing;
