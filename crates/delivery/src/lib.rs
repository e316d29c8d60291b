//! The use cases that command line and server share: resolve a target, plan, up, down, status, history, checks.
//!
//! ```text
//! TargetQuery ─► Target (files + what it is) ─► Unit per release or Application
//!     ─► render ─► references resolve ─► plan ─► engine ─► checks ─► Summary
//! ```
//!
//! Invariants: nothing here prints, asks or reads the environment; nothing asks which kind of cluster it talks to;
//! what was not checked is never reported as passed.

mod checks;
mod duration;
mod target;

pub use checks::{CheckResult, Routes, SIMULATED_HEADER, Verdict, run_check, tally};
pub use duration::parse_duration;
pub use target::{Target, TargetKind, TargetPlace, TargetQuery, slug};
