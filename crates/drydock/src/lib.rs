//! The embedded cluster around its API: simulated controllers, scheduler, kubelet, operators, ingress, virtual time,
//! faults, forks.
//!
//! ```text
//!   controllers, kubelet ──────► landfall_apiserver::World ──► events ──► controllers
//!   (steps, no waiting)            │
//!   ingress ──► ready pods ────────┘
//! ```
//!
//! Invariants: controllers write through the same functions as the API's handlers; time and randomness are parameters;
//! nothing pretends: what containers answer is what the project declares.

mod behaviour;
mod cluster;
mod controllers;
mod diary;
mod fault;
mod ingress;
mod kubelet;
mod operators;
mod runtime;
mod scheduler;
mod simulation;

pub use behaviour::{Behaviour, Play, PlayError, Prerequisite};
pub use cluster::{Cluster, Drive, ForkClock, Hold, Options};
pub use controllers::{ControlPlane, NodeSpec, Switch};
pub use fault::{Effect as FaultEffect, Fault, FaultError};
pub use ingress::{
    IngressError, IngressOptions, IngressServer, NOT_SIMULATED_HEADER, SIMULATED_HEADER, UNDECLARED_HEADER,
};
pub use kubelet::ImageReference;
pub use landfall_apiserver::{
    Actor, AuditEntry, Authority, Authorization, Body, Cause, Change, Clock, Containers, CustomResource, DeleteOptions,
    Details, Effect, Error, Event, ExecOutcome, FieldError, FieldSelector, FieldTerm, HttpAnswer, LabelSelector, Life,
    LogLine, ObjectRef, Operator, Part, Propagation, Randomness, Registry, Requirement, Resource, ScalePaths, Scope,
    ServeLimits, Served, Service, Settings, Status, Storage, Stored, Subresource, Undeclared, User, VirtualClock,
    World, rfc3339, rfc3339_micro,
};
pub use operators::standing::{
    Entry as OperatorEntry, OPERATOR_RECORD, OperatorRecord, Operators, SimulatedOperator, Standing,
    simulated_operator_names, simulated_operators,
};
pub use runtime::{Controller, Restless, Runtime};
pub use simulation::{DeclaredExec, DeclaredHttp, Script, Simulation, SimulationError};
