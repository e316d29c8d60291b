//! What the server is told of an update.

use landfall_fleet::UpgradeStatus;
use landfall_fleet::protocol::Progress;

use crate::disk::{Disk, RealDisk};
use crate::journal::{Outcome, Phase, Report, Unit};

/// How far a unit's update is, for the server.
pub(super) fn under_way(unit: &Unit) -> Option<Progress> {
    let journal = unit.load(&RealDisk).ok()?;
    let (status, target) = match &journal.phase {
        Phase::Idle => return None,
        Phase::Fetching { target } => (UpgradeStatus::Downloading, target),
        Phase::Fetched { target } => (UpgradeStatus::Verifying, target),
        Phase::Ready { target } | Phase::Trying { target, .. } => (UpgradeStatus::Restarting, target),
    };
    let bytes = RealDisk.length(&unit.part(&target.sha256)).ok().flatten().unwrap_or(target.size);
    Some(Progress { attempt: target.attempt.clone().unwrap_or_default(), status, reason: None, failure: None, bytes })
}

/// How an update ended, for the server.
pub(super) fn told(report: &Report) -> Progress {
    let status = match report.outcome {
        Outcome::Succeeded => UpgradeStatus::Succeeded,
        Outcome::Failed => UpgradeStatus::Failed,
        Outcome::RolledBack => UpgradeStatus::RolledBack,
    };
    Progress {
        attempt: report.attempt.clone().unwrap_or_default(),
        status,
        reason: report.reason.clone(),
        failure: report.failure,
        bytes: 0,
    }
}
