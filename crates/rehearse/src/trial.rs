//! A delivery onto a fork of the cluster, as it went.

use std::time::Duration;

use landfall_delivery::Outcome::Failed;
use landfall_delivery::{LeftOut, Summary, UnitPlan};
use landfall_diag::Diagnostic;
use landfall_engine::{Action, FieldChange};
use landfall_object::ObjectKey;
use landfall_rules::{Failure, Inventory, Outcome, Refused, Removal, Start};
use serde::Serialize;

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
    /// What was refused at the outset and left out, so that the rest could be tried.
    pub left_out: Vec<LeftOut>,
    /// What nobody brings and was taken as there: `Secret db`.
    pub taken_as_there: Vec<String>,
    /// Keys that what it refers to does not have; the rest was tried as if it had them.
    pub lacking: Vec<Diagnostic>,
    /// CronJobs that were run once and cannot run.
    pub scheduled: Vec<Unrun>,
}

/// A CronJob that cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrun {
    /// The CronJob.
    pub object: ObjectKey,
    /// The container that cannot be made, where it is one.
    pub container: Option<String>,
    /// What was said of it.
    pub why: String,
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
        use landfall_delivery::Verdict;
        let fails =
            |summary: &Summary| summary.checks.iter().any(|check| matches!(check.verdict, Verdict::Failed { .. }));
        self.came_up() && self.left_out.is_empty() && self.lacking.is_empty() && !self.outcome.as_ref().is_ok_and(fails)
    }

    /// Whether all that was tried is there and healthy, whatever was refused before and whatever checks say.
    pub(crate) fn came_up(&self) -> bool {
        use landfall_delivery::Outcome;
        self.outcome.as_ref().is_ok_and(|summary| {
            summary.units.iter().all(|unit| matches!(unit.outcome, Outcome::Delivered | Outcome::Unchanged))
        })
    }

    /// What rules see of it.
    pub(crate) fn as_outcome(&self) -> Outcome<'_> {
        let steps = || self.plans.iter().flat_map(|plan| plan.plan.steps());
        let failed = self.outcome.iter().flat_map(|summary| &summary.units).filter(|unit| unit.outcome == Failed);
        let deleted = || steps().filter(|step| step.action == Action::Delete).map(|step| &step.key).collect();
        let gone = |change: &&FieldChange| change.to.is_none();
        Outcome {
            start: &self.start,
            delivers: self.would_deliver(),
            refused: self.outcome.as_ref().err().map(Vec::as_slice),
            left_out: self
                .left_out
                .iter()
                .map(|it| Refused { unit: &it.unit, object: &it.object, field: it.field.as_deref(), told: &it.told })
                .collect(),
            failures: failed
                .map(|unit| {
                    let evidence = || unit.failure.iter().flat_map(|failure| &failure.evidence);
                    Failure {
                        unit: &unit.name,
                        object: evidence().map(|it| &it.object).next(),
                        container: evidence().find_map(|it| it.container.as_deref()),
                        in_pod: evidence().find_map(landfall_cluster::Evidence::in_pod),
                        cause: unit.failure.as_ref().and_then(sole_cause),
                        told: &unit.diagnostics,
                    }
                })
                .collect(),
            deleted: (!self.plans.is_empty()).then(deleted),
            removals: steps()
                .flat_map(|step| {
                    step.changes.iter().filter(gone).map(|change| Removal {
                        object: &step.key,
                        path: &change.path,
                        from: change.from.as_ref(),
                    })
                })
                .collect(),
            after: &self.after,
            scheduled: self
                .scheduled
                .iter()
                .map(|it| landfall_rules::Unrun {
                    object: &it.object,
                    container: it.container.as_deref(),
                    why: &it.why,
                })
                .collect(),
        }
    }
}

/// Why the pod of the one object does not run that a delivery fails of; nothing where others have failed or were waited for, too.
fn sole_cause(failure: &landfall_delivery::FailureReport) -> Option<String> {
    failure.evidence.first().filter(|_| failure.is_sole)?.cause()
}
