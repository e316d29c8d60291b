//! The GitOps server: keeps Applications in sync with git, tells their status, answers webhooks and probes.
//!
//! ```text
//! options.rs, serve.rs    what is asked for; opened in an order in which what is wrong changes nothing
//! rights.rs, ground.rs    may it work there; the kinds, namespaces and targets that are put there first
//!
//! watches ──► live.rs         what is live: a row an object, no bodies; one watch a kind
//! refs    ──► repositories.rs which commit a revision leads to, and its files
//! webhook ──► http.rs              │
//!               ▼                  ▼
//!            controller.rs   one task that owns everything: observations in, `apps::machine` steps, actions out
//!               │  entry.rs       an Application as it is known, and the status that follows from it
//!               ▼
//!            errands.rs      what takes time: resolve, compare, sync, write; each answers with an observation
//! sets.rs                 ApplicationSets: asked, expanded, applied; a task of its own beside the controller
//! board.rs, metrics.rs    what probes and metrics may read
//! ```
//!
//! Invariants: what is decided is decided by `apps::machine`, what is carried out by `delivery` as `landfall up` does it;
//! nothing but an errand writes; each write follows from a journal or can be repeated; secrets are never kept.

mod board;
mod controller;
mod entry;
mod errands;
mod ground;
mod http;
mod live;
mod metrics;
mod options;
mod repositories;
mod rights;
mod serve;
mod sets;

pub use options::{BadListen, Listen, Options, StandInRepository};
pub use serve::{Ready, serve};
