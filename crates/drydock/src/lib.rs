//! The embedded cluster: a Kubernetes API with simulated controllers, kubelet and virtual time.
//!
//! ```text
//!            kubectl, helm (TLS)          kube::Client (in process)
//!                     └────────► service ◄────────┘        HTTP: negotiation, bodies, watches, tables
//!                                  │
//!   controllers, kubelet ──────► World ──► events ──► watches, controllers, storage
//!   (steps, no waiting)            │
//!                 defaulting · managers · admission · strategy · validate
//! ```
//!
//! Invariants: the world changes in one place (`World::commit`), by one resource version at a time; handlers and
//! controllers write through the same functions; time and randomness are parameters; nothing pretends: what
//! containers answer is what the project declares.

mod admission;
mod alarms;
mod api;
mod audit;
mod behaviour;
mod bootstrap;
mod clock;
mod cluster;
mod containers;
mod controllers;
mod convert;
mod crd;
mod credentials;
mod defaulting;
mod error;
mod fault;
mod ingress;
mod kubelet;
mod lines;
mod managers;
mod openapi;
mod operators;
mod places;
mod plane;
mod randomness;
mod rbac;
mod remarks;
mod resource;
mod runtime;
mod scheduler;
mod selector;
mod simulation;
mod status;
mod storage;
mod strategy;
mod table;
mod validate;
mod watchers;
mod world;
mod yaml_text;

pub use api::{Body, Service};
pub use audit::AuditEntry;
pub use behaviour::{Behaviour, Play, PlayError};
pub use clock::{Clock, VirtualClock, rfc3339, rfc3339_micro};
pub use cluster::{Cluster, Drive, ForkClock, Hold, Options, Served, Storage};
pub use containers::{Containers, ExecOutcome, HttpAnswer, Life, LogLine, Undeclared};
pub use controllers::{ControlPlane, NodeSpec, Switch};
pub use credentials::Authority;
pub use error::Error;
pub use fault::{Effect as FaultEffect, Fault, FaultError};
pub use ingress::{IngressError, IngressOptions, IngressServer, SIMULATED_HEADER, UNDECLARED_HEADER};
pub use kubelet::ImageReference;
pub use lines::ServeLimits;
pub use operators::definitions::{definition, definitions, known_kinds, operator};
pub use operators::standing::{
    Entry as OperatorEntry, OPERATOR_RECORD, OperatorRecord, Operators, SimulatedOperator, Standing,
    simulated_operator_names, simulated_operators,
};
pub use randomness::Randomness;
pub use resource::{CustomResource, Registry, Resource, ScalePaths, Scope, Subresource};
pub use runtime::{Controller, Restless, Runtime};
pub use selector::{FieldSelector, FieldTerm, LabelSelector, Operator, Requirement};
pub use simulation::{DeclaredExec, DeclaredHttp, Script, Simulation, SimulationError};
pub use status::{Cause, Details, FieldError, Status};
pub use world::{
    Actor, Authorization, Change, DeleteOptions, Effect, Event, ObjectRef, Part, Propagation, Settings, Stored, User,
    World,
};
