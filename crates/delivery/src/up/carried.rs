//! A release's operation carried out, and told of a unit.

use landfall_diag::{Diagnose, Diagnostic};
use landfall_engine::Failure;
use landfall_release::{Delivered, Prepared, Status};

use super::UpOptions;
use crate::pods;
use crate::session::Session;
use crate::summary::{FailureReport, Outcome, UnitSummary, changes, found_so};
use crate::unit::Unit;

impl Session {
    /// Carries an operation on a unit's release out.
    pub(crate) async fn carry_out(&self, prepared: &Prepared, summary: &mut UnitSummary) {
        match self.conduct(&summary.name, &self.releases(&summary.namespace), prepared).await {
            Ok(delivered) => {
                summary.revision = delivered.record.version;
                summary.changes.extend(changes(&prepared.plan, Some(&delivered.report)));
                summary.unchanged += found_so(&prepared.plan, &delivered.report);
                let Some(failure) = &delivered.report.failure else {
                    summary.outcome = Outcome::Delivered;
                    return;
                };
                let mut diagnostic = failure.diagnose();
                if let Some(words) = &delivered.failure_words {
                    diagnostic = diagnostic.note(format!("helm: {words}"));
                }
                if let Some(back) = &delivered.undone {
                    diagnostic = diagnostic.note(undoing(back));
                }
                self.tell_failure(summary, failure, diagnostic).await;
            }
            Err(error) => {
                summary.revision = prepared.record.version;
                summary.broken_off(error.diagnose());
            }
        }
    }

    /// Tells of a unit that its operation failed, with what could be seen of it.
    pub(crate) async fn tell_failure(&self, summary: &mut UnitSummary, failure: &Failure, diagnostic: Diagnostic) {
        summary.outcome = Outcome::Failed;
        summary.diagnostics.push(diagnostic);
        summary.failure = self.failure_report(&summary.namespace, failure).await;
    }

    async fn failure_report(&self, namespace: &str, failure: &Failure) -> Option<FailureReport> {
        let pods = pods::pods(&self.cluster, namespace).await.ok()?;
        let events = pods::events(&self.cluster, namespace).await.ok()?;
        let is_sole = failure.further.is_empty() && failure.pending <= 1;
        let is_held_up = failure.further.is_empty() && failure.pending > 0 && failure.held_up.len() == failure.pending;
        Some(FailureReport { evidence: failure.evidence.clone(), is_sole, is_held_up, pods, events })
    }

    pub(super) async fn test(&self, unit: &Unit, options: &UpOptions, summary: &mut UnitSummary) {
        let releases = self.releases(&unit.namespace);
        let tests = landfall_release::TestOptions { timeout: options.timeout, filters: Vec::new() };
        match releases.prepare_test(&unit.name, &tests).await {
            Ok(prepared) if prepared.plan.steps().next().is_none() => {}
            Ok(prepared) => {
                let outcome = summary.outcome;
                self.carry_out(&prepared, summary).await;
                if summary.outcome == Outcome::Delivered {
                    summary.outcome = outcome;
                }
            }
            Err(error) => {
                summary.outcome = Outcome::Failed;
                summary.diagnostics.push(error.diagnose());
            }
        }
    }
}

/// What the undoing of a failed operation has come to.
fn undoing(back: &Delivered) -> String {
    let uninstalls = matches!(back.record.info.status, Status::Uninstalling | Status::Uninstalled);
    match (&back.report.failure, uninstalls) {
        (None, true) => "it was uninstalled again".to_owned(),
        (None, false) => "the last good revision was put back".to_owned(),
        (Some(failure), true) => format!("uninstalling it again failed, too: {}", failure.message),
        (Some(failure), false) => format!("putting the last good revision back failed, too: {}", failure.message),
    }
}
