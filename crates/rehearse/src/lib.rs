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

mod examine;
mod finding;
mod inventory;
mod pods;
mod reference;
mod report;
mod rule;
mod rules;
mod study;
mod subject;
mod trial;
mod waiver;

pub use examine::{Blame, Examination, NoBlame, examine};
pub use finding::{Commit, Finding, Severity, Spot, ValueOrigin, Waived, Witness};
pub use inventory::Inventory;
pub use pods::{Container, ContainerRole, PodTemplate, pod_template, selects};
pub use reference::reference;
pub use report::{Format, findings_json, findings_markdown, findings_sarif, findings_text};
pub use rule::Rule;
pub use rules::{RULES, rule};
pub use study::{Conditions, study};
pub use subject::{ClusterFacts, Desired, DesiredUnit, Found, Known, Role, Subject};
pub use trial::{Start, Trial, WaveWait};
pub use waiver::IdleWaiver;
