//! Applications: desired against live, sync policy.
//!
//! ```text
//! Application (an object) ─► spec.rs ──────────────┐
//! Target (a rendered object, from delivery) ──┐    │
//!                                             ├─► compile.rs ─► engine: Desired ─► Plan
//! live objects that the application tracks ───┘        PreSync · Sync · PostSync · SyncFail, waves, hooks, prune
//!
//! machine.rs            when an Application is looked at, compared and synced: pure, told of everything
//! operation.rs          what was asked for
//! pin.rs                an Application that stays where it is until it is released
//! sync.rs, removal.rs   what the engine asks on the way: where objects go, which live ones are to be known
//! parting.rs            the hooks of an Application's deletion, before and after what it delivered goes
//! applications.rs       the door: what is known of an Application; the engine's conductor carries its sync out
//! connections.rs        who repositories are asked as and how other clusters are reached: Argo CD's labelled Secrets
//! keeper.rs, status.rs  the Application's status meanwhile and afterwards
//! pens.rs               whose turn it is to write into an Application
//! sets.rs               ApplicationSets: what their generators are answered with gives Applications
//! windows.rs, guard.rs  when a sync may begin; how many Applications may go without being asked
//! ignored.rs            differences that do not count
//! build_environment.rs  the variables that a source's settings may name
//! kept.rs               what stays although the source no longer names it
//! barred.rs             what Applications of protected projects have delivered is changed by those alone
//! ```
//!
//! Reads what Argo CD's users write (`argoproj.io/v1alpha1`), with Argo CD's meaning. Rendering a source is delivery's:
//! this room takes rendered objects as values.
//!
//! Invariant: nothing is pruned that does not carry this application's own tracking annotation.

mod annotations;
mod applications;
mod barred;
mod build_environment;
mod claims;
mod compile;
mod connections;
mod descendants;
mod error;
mod excluded;
mod expression;
mod fault;
mod glob;
mod guard;
mod health;
mod ignored;
mod keeper;
mod kept;
pub mod machine;
mod operation;
mod parting;
mod pause;
mod pens;
mod pin;
mod project;
mod removal;
mod results;
mod sealed_scope;
pub mod sets;
mod settings;
mod spec;
mod status;
mod sync;
mod tracking;
mod windows;

pub use annotations::{HookType, ResourceOptions};
pub use applications::Applications;
pub use barred::Barred;
pub use build_environment::BuildEnvironment;
pub use claims::Claims;
pub use compile::{Compiled, HealthWait, OUTSIDE, REPEATED, SharedObject, Target, compile};
pub use connections::{AUTHORITIES, ClusterConnection, Connection, KNOWN_HOSTS, SECRET_TYPE, connection, trust};
pub use descendants::delivers;
pub use error::Error;
pub use excluded::{EXCLUDED, ExcludedKinds};
pub use fault::{Fault, FieldStep};
pub use guard::{APPROVAL, Because, CONFIRMED, Held, held};
pub use health::HealthScripts;
pub use ignored::NOT_ACTED_ON;
pub use keeper::{Tried, refused_operation, tried_in_vain};
pub use kept::{Semantics, Stay, Stays, stays_by_kind};
pub use operation::{BREAK_GLASS_INFO, HookPart, Initiator, NotActedOn, Operation, ResourceName, Retry};
pub use parting::{DeletionHooks, PartingRequest};
pub use pause::{PAUSE_ANNOTATION, Pause};
pub use pens::{Pen, Pens};
pub use pin::{BadPin, PIN_ANNOTATION, Pin};
pub use project::{Project, ProjectRole};
pub use results::{Refused, terminated};
pub use settings::Settings;
pub use spec::{
    Application, Automated, Destination, DirectorySource, HelmParameter, HelmSource, IgnoreDifference, Source,
    SyncOptions, SyncPolicy,
};
pub use status::{
    ResourceStatus, SyncStatus, compared, counts, health_of, resource_entry, resource_key, sync_status, worst_of,
};
pub use sync::{PreparedSync, SyncRequest, Synced};
pub use tracking::{TRACKING_ANNOTATION, instance_name, owner, tracking_id};
pub use windows::{Asker, Closed, Windows};
