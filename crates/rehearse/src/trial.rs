//! A delivery onto a fork of the cluster, as it went.

use std::time::Duration;

use landfall_delivery::{Summary, UnitPlan};
use landfall_diag::Diagnostic;
use landfall_object::ObjectKey;
use serde::Serialize;

use crate::inventory::Inventory;

/// One delivery that was tried.
#[derive(Debug)]
pub struct Trial {
    /// On which cluster.
    pub start: Start,
    /// The plans, made before the first thing was touched; empty when none could be made.
    pub plans: Vec<UnitPlan>,
    /// How it went, or why nothing was begun.
    pub outcome: Result<Summary, Vec<Diagnostic>>,
    /// How long each wave and hook waited, in order.
    pub waits: Vec<WaveWait>,
    /// The cluster's objects at the end.
    pub after: Inventory,
    /// How long the delivery took on the cluster's clock.
    pub took: Duration,
    /// Workloads that had fewer ready pods for a while.
    pub troughs: Vec<Trough>,
}

/// A workload that had fewer ready pods for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trough {
    /// The workload.
    pub object: ObjectKey,
    /// Ready before.
    pub before: i64,
    /// Ready at the worst moment.
    pub ready: i64,
}

/// What a delivery starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "from", content = "name")]
pub enum Start {
    /// A new cluster.
    Empty,
    /// A cluster on which a revision was delivered.
    Revision(String),
    /// A cluster as it was read, or a snapshot of one.
    Cluster(String),
}

/// How long something was waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaveWait {
    /// The release or Application.
    pub unit: String,
    /// The phase, as `pre-upgrade`.
    pub phase: String,
    /// The wave.
    pub wave: i32,
    /// Whether a hook ran, rather than objects being waited for.
    pub is_hook: bool,
    /// What was waited for: the last to come.
    pub objects: Vec<ObjectKey>,
    /// How long, in whole seconds of the cluster's clock.
    pub seconds: u64,
    /// What was missing last, when it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl Trial {
    /// Whether everything was delivered and is healthy.
    pub fn would_deliver(&self) -> bool {
        use landfall_delivery::{Outcome, Verdict};
        self.outcome.as_ref().is_ok_and(|summary| {
            summary.units.iter().all(|unit| matches!(unit.outcome, Outcome::Delivered | Outcome::Unchanged))
                && !summary.checks.iter().any(|check| matches!(check.verdict, Verdict::Failed { .. }))
        })
    }
}

impl std::fmt::Display for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Start::Empty => f.write_str("an empty cluster"),
            Start::Revision(revision) => write!(f, "what {revision} runs"),
            Start::Cluster(name) => write!(f, "{name} as it is"),
        }
    }
}
