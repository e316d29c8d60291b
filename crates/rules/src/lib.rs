//! What can be seen to be wrong in objects, charts, project files and the outcomes of a play handed in as data.
//!
//! ```text
//! units with origins, cluster before, outcomes, files ─► Subject ─► rules ─► findings ─► one a cause, located, waived
//! ```
//!
//! Invariants: nothing is asked for here, all of it is handed in; a rule reads typed objects and references, never the names
//! of files or the words of comments; one rule is one file of `catalogue`, named by what is wrong.

mod beyond;
pub mod calls;
mod catalogue;
pub mod classes;
mod components;
pub mod decoded;
mod demand;
mod documents;
mod examine;
mod fingerprints;
mod grouped;
mod inventory;
mod operated;
mod outcome;
pub mod place;
mod pods;
mod reference;
mod report;
pub mod routes;
mod rule;
mod scripts;
mod shell;
mod siblings;
mod subject;
mod synced;
mod texts;
mod waiver;
mod workflows;
mod written;

pub use beyond::{has_part, is_beyond};
pub use catalogue::{
    RULES, compared, is_credential, is_placeholder, password_in, printed_of_items, rule, unkept_servers,
};
pub use demand::{Demand, demand};
pub use documents::{FactsBlock, facts_blocks, facts_table, with_facts};
pub use examine::{Blame, Examination, NoBlame, conclude, examine};
pub use fingerprints::Fingerprints;
pub use inventory::Inventory;
pub use outcome::{Failure, Outcome, Refused, Removal, Start, Unrun};
pub use pods::{Container, ContainerRole, PodTemplate, pod_template, selects};
pub use reference::reference;
pub use report::{VALUES_SHOWN, counted, findings_json, findings_sarif, findings_text, place_text};
pub use rule::Rule;
pub use subject::{
    ClusterFacts, Desired, DesiredUnit, Door, Found, Known, OtherSetting, Role, SecretId, SettingFault, Stumble,
    Subject, container_at,
};
pub use waiver::IdleWaiver;
