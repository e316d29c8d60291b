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
//! anything is kept of them; a rule reads typed objects and references, never the names of files or the words of
//! comments; what could not be simulated is said, never passed.

mod api;
mod blame;
mod calls;
mod classes;
mod components;
mod decoded;
pub mod doctor;
mod documents;
mod environments;
mod examine;
mod finding;
mod graph;
mod impact;
mod inventory;
mod keeping;
mod nodes;
mod play;
mod pods;
mod preview;
mod recognised;
mod reference;
mod rehearsal;
mod report;
mod routes;
mod rule;
mod rules;
mod settled;
mod snapshot;
mod stage;
mod study;
mod subject;
mod synced;
mod trial;
mod unmet;
mod waiver;
mod workflows;

pub use api::{Asked, ask_api};
pub use blame::TargetBlame;
pub use documents::{FactsBlock, facts_blocks, facts_table, with_facts};
pub use environments::{Difference, FieldDifference, Side, differences};
pub use examine::{Blame, Examination, NoBlame, examine};
pub use finding::{Commit, Finding, Severity, Spot, ValueOrigin, Waived, Witness};
pub use graph::{Edge, Graph, Leads, Node};
pub use impact::{Impact, Loss, Restart, Touched};
pub use inventory::Inventory;
pub use keeping::{Guarantee, Keeping, keepings};
pub use play::{Operators, declared_play};
pub use pods::{Container, ContainerRole, PodTemplate, pod_template, selects};
pub use preview::{FieldDiff, ObjectDiff, Preview, ResourceChange, study_all};
pub use reference::reference;
pub use rehearsal::{FirstInstall, From, Rehearsal, Request, TrialReport, rehearse};
pub use report::{
    COMMENT_MARK, findings_json, findings_markdown, findings_sarif, findings_text, preview_markdown, preview_text,
    rehearsal_markdown, rehearsal_text,
};
pub use rule::Rule;
pub use rules::{RULES, rule};
pub use snapshot::{Fingerprints, Snapshot};
pub use study::{Conditions, study};
pub use subject::{ClusterFacts, Desired, DesiredUnit, Found, Known, Role, Subject};
pub use trial::{Start, Trial, Trough, WaveWait};
pub use unmet::faults_of_nothing;
pub use waiver::IdleWaiver;
