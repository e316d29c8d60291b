//! A release's operation carried out, and told of a unit.

use landfall_diag::Diagnose;
use landfall_release::Prepared;

use super::UpOptions;
use crate::pods;
use crate::session::Session;
use crate::summary::{FailureReport, Outcome, UnitSummary, changes};
use crate::unit::Unit;

impl Session {
    pub(crate) async fn carry_out(&self, prepared: &Prepared, summary: &mut UnitSummary, unit: &Unit) {
        self.carry_out_in(prepared, summary, &unit.namespace).await;
    }

    pub(crate) async fn carry_out_in(&self, prepared: &Prepared, summary: &mut UnitSummary, namespace: &str) {
        let releases = self.releases(namespace);
        let (conductor, forward) = self.conductor(&summary.name);
        let result = conductor.run(&releases, prepared).await;
        drop(conductor);
        let _ended = forward.await;
        match result {
            Ok(delivered) => {
                summary.revision = delivered.record.version;
                summary.changes.extend(changes(&prepared.plan, Some(&delivered.report)));
                if delivered.succeeded() {
                    summary.outcome = Outcome::Delivered;
                    return;
                }
                summary.outcome = Outcome::Failed;
                if let Some(failure) = &delivered.report.failure {
                    let mut diagnostic = failure.diagnose();
                    if let Some(words) = &delivered.failure_words {
                        diagnostic = diagnostic.note(format!("helm: {words}"));
                    }
                    if delivered.undone.is_some() {
                        diagnostic = diagnostic.note("the last good revision was put back");
                    }
                    summary.diagnostics.push(diagnostic);
                    summary.failure = self.failure_report(namespace, failure.evidence.clone()).await;
                }
            }
            Err(error) => {
                summary.revision = prepared.record.version;
                summary.broken_off(error.diagnose());
            }
        }
    }

    pub(crate) async fn failure_report(
        &self,
        namespace: &str,
        evidence: Vec<landfall_cluster::Evidence>,
    ) -> Option<FailureReport> {
        let pods = pods::pods(&self.cluster, namespace).await.ok()?;
        let events = pods::events(&self.cluster, namespace).await.ok()?;
        Some(FailureReport { evidence, pods, events })
    }

    pub(super) async fn test(&self, unit: &Unit, options: &UpOptions, summary: &mut UnitSummary) {
        let releases = self.releases(&unit.namespace);
        let tests = landfall_release::TestOptions { timeout: options.timeout, filters: Vec::new() };
        match releases.prepare_test(&unit.name, &tests).await {
            Ok(prepared) if prepared.plan.steps().next().is_none() => {}
            Ok(prepared) => {
                let outcome = summary.outcome;
                self.carry_out(&prepared, summary, unit).await;
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
