//! The embedded Kubernetes API: resources, storage, admission, validation, authentication, watches.
//!
//! ```text
//!            kubectl, helm (TLS)          kube::Client (in process)
//!                     └────────► service ◄────────┘        HTTP: negotiation, bodies, watches, tables
//!                                  │
//!   controllers (elsewhere) ────► World ──► events ──► watches, storage, whoever subscribes
//!                                  │
//!                 defaulting · managers · admission · strategy · validate
//! ```
//!
//! Invariants: the world changes in one place (`World::commit`), by one resource version at a time; handlers and
//! controllers write through the same functions; time and randomness are parameters. No controller is known here: what
//! containers answer comes in as [`Containers`], and who steps on after a write subscribes to the [`World`].

mod admission;
mod alarms;
mod api;
mod audit;
mod bootstrap;
mod clock;
mod containers;
mod convert;
mod crd;
mod credentials;
mod defaulting;
mod documents;
mod error;
mod lines;
mod managers;
mod open;
mod openapi;
mod places;
mod plane;
mod randomness;
mod rbac;
mod remarks;
mod resource;
mod selector;
mod serve;
mod status;
mod storage;
mod strategy;
mod table;
mod unwritable;
mod validate;
mod watchers;
mod world;
mod yaml_text;

pub use admission::untaint;
pub use alarms::Alarms;
pub use api::{Body, Service};
pub use audit::{AuditEntry, AuditLog};
pub use bootstrap::prepare;
pub use clock::{Clock, VirtualClock, rfc3339, rfc3339_micro};
pub use containers::{
    Backend, Containers, ExecOutcome, HttpAnswer, Life, LogLine, PortRequest, ServiceRequest, Undeclared,
};
pub use credentials::{Authority, Credentials, Grant, set_validity};
pub use error::Error;
pub use lines::ServeLimits;
pub use open::{Opening, Storage, Writer, open};
pub use plane::{Activity, Plane, Running};
pub use randomness::Randomness;
pub use resource::{CustomResource, Registry, Resource, ScalePaths, Scope, Subresource};
pub use selector::{FieldSelector, FieldTerm, LabelSelector, Operator, Requirement};
pub use serve::{Served, kubeconfig, serve};
pub use status::{Cause, Details, FieldError, Status};
pub use strategy::TEMPLATE_GENERATION;
pub use watchers::Watchers;
pub use world::{
    Actor, Authorization, Change, DeleteOptions, Effect, Event, ObjectRef, Part, Propagation, Settings, Stored, User,
    World,
};
