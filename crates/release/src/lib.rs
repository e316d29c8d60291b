//! Helm releases: the record's wire format; install, upgrade, rollback, uninstall, test as plans.
//!
//! ```text
//! chart room ─► Content{manifest, hooks, notes, crds, chart, config}
//!                   │
//! Releases ─────────┴─► prepare_{install,upgrade,rollback,uninstall,test} ─► Prepared{plan, records}
//!  (the records of a namespace)                                                  │
//!                                                 the engine's Conductor::run ───┴─► Delivered{record, report}
//! ```
//!
//! Stock `helm` 3 and 4 list, upgrade and roll back what this room delivers, and the other way round: the truth lives
//! in Helm's own Secrets, in Helm's own format.
//!
//! Invariants: a record is stored as `pending-*` before the first effect and gets its final status after the last;
//! what runs when an upgrade's pre-hook fails is left as it was; an interrupted operation is resumed by the engine's
//! journal, and a record whose operation nobody remembers is repaired only when it is old enough to be dead.

mod codec;
mod compile;
mod content;
mod course;
mod door;
mod error;
mod keeper;
mod manifest;
mod moment;
mod name;
mod options;
mod ownership;
mod past;
mod prepare;
mod record;
mod releases;
mod section;
mod settle;
pub mod verbs;
mod wish;
mod words;

pub use codec::{decode, encode};
pub use content::{Content, CrdFile};
pub use course::Prepared;
pub use door::Delivered;
pub use error::{Error, Which};
pub use manifest::{ManifestObject, hook_objects, manifest_objects};
pub use name::{ReleaseName, validate_release_name};
pub use options::{
    Apply, ArgoHooks, DeployOptions, Force, HookRuns, InstallOptions, OwnershipCheck, Pods, Remainder, RollbackOptions,
    TestFilter, TestOptions, UninstallOptions, UpgradeOptions, Wait,
};
pub use ownership::mark;
pub use past::Past;
pub use record::{HookRecord, Info, LastRun, Record, Status};
pub use releases::{Driver, KeptRuns, ListFilter, Releases, Unpacked};
pub use verbs::first_record;
pub use wish::Wish;
