//! Applications: desired against live, sync policy.
//!
//! ```text
//! Application (an object) ─► spec.rs ──────────────┐
//! Target (a rendered object, from delivery) ──┐    │
//!                                             ├─► compile.rs ─► engine: Desired ─► Plan
//! live objects that the application tracks ───┘        PreSync · Sync · PostSync · SyncFail, waves, hooks, prune
//!
//! status.rs   what the plan and the health of its objects mean for the Application's status
//! sync.rs     prepare; keep the status while the engine's conductor carries a sync out or goes on with it
//! ```
//!
//! Reads what Argo CD's users write (`argoproj.io/v1alpha1`), with Argo CD's meaning. Rendering a source is delivery's:
//! this room takes rendered objects as values.
//!
//! Invariant: nothing is pruned that does not carry this application's own tracking annotation.

mod annotations;
mod compile;
mod error;
mod fault;
mod glob;
mod project;
mod spec;
mod status;
mod sync;
mod tracking;

pub use annotations::{HookType, ResourceOptions};
pub use compile::{Compiled, HealthWait, Target, compile};
pub use error::Error;
pub use fault::{Fault, FieldStep};
pub use project::Project;
pub use spec::{
    Application, Automated, Destination, DirectorySource, HelmParameter, HelmSource, IgnoreDifference, Source,
    SyncOptions, SyncPolicy,
};
pub use status::{ResourceStatus, SyncStatus, compared, health_of};
pub use sync::{Applications, PreparedSync, SyncRequest, Synced};
pub use tracking::{TRACKING_ANNOTATION, tracking_id};
