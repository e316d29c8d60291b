//! Helm's front door, as the engine's conductor asks for it: who keeps the record, and what becomes of a failure.

use std::time::Duration;

use landfall_chart::Dialect;
use landfall_engine::{Begun, Behind, Door, OnFailure, Plan, Report, StepResult};
use landfall_object::ObjectKey;

use crate::course::{Course, Prepared, Verb};
use crate::keeper::Keeper;
use crate::options::{DeployOptions, Force, HookRuns, Remainder, RollbackOptions, UninstallOptions, Wait};
use crate::{Error, Record, Releases, Status};

/// How an operation on a release has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// The release's record.
    pub record: Record,
    /// What the engine did.
    pub report: Report,
    /// What was done to undo a failure (`--atomic`), and how that ended.
    pub undone: Option<Box<Delivered>>,
    /// Why it failed, in Helm's words.
    pub failure_words: Option<String>,
    /// Objects that were kept although the release no longer holds them.
    pub kept: Vec<ObjectKey>,
}

impl Delivered {
    /// Whether everything was done.
    pub fn succeeded(&self) -> bool {
        self.report.succeeded()
    }
}

impl Door for Releases {
    type Target = str;
    type Operation = Prepared;
    type Course = Course;
    type Keeper = Keeper;
    type Ended = Delivered;
    type Repaired = Record;
    type Error = Error;

    fn target(&self, name: &str) -> String {
        Releases::target(self, name)
    }

    fn parts(prepared: &Prepared) -> (&Plan, &Course) {
        (&prepared.plan, &prepared.course)
    }

    fn keeper(&self, course: &Course, plan: &Plan, _: Begun) -> Keeper {
        Keeper::new(self.clone(), course.clone(), plan.clone())
    }

    fn on_failure(&self, course: &Course) -> OnFailure {
        let behind = match (course.remainder, course.verb) {
            (Remainder::LeftAlone, _) => Behind::NotBegun,
            (Remainder::Written, Verb::Install | Verb::Uninstall) => Behind::Finished,
            (Remainder::Written, _) => Behind::FinishedUnlessCreated,
        };
        OnFailure { behind, created_goes: course.cleanup_on_fail, undone: course.atomic }
    }

    /// An install is uninstalled, an upgrade goes back to the last revision that was well.
    async fn undo(&self, course: &Course) -> Result<Option<Prepared>, Error> {
        let name = &course.record.name;
        let timeout = Duration::from_secs(course.timeout_seconds);
        let hooks = if course.no_hooks { HookRuns::Skip } else { HookRuns::Run };
        match course.verb {
            Verb::Install => {
                let options =
                    UninstallOptions { timeout, hooks, remainder: course.remainder, ..UninstallOptions::default() };
                self.prepare_uninstall(name, &options).await.map(Some)
            }
            Verb::Upgrade => {
                let past = self.past(name).await?;
                let good = past.good(course.record.version);
                let Some(good) = good else { return Ok(None) };
                let deploy = DeployOptions {
                    hooks,
                    wait: if course.wait_for_jobs { Wait::ReadyAndJobs } else { Wait::Ready },
                    force: if course.force_replace { Force::Replace } else { Force::No },
                    timeout,
                    max_history: course.max_history,
                    apply: course.apply,
                    dialect: if course.helm_4 { Dialect::V4 } else { Dialect::V3 },
                    remainder: course.remainder,
                    ..DeployOptions::default()
                };
                self.prepare_rollback(name, &RollbackOptions { deploy, revision: good.version }).await.map(Some)
            }
            Verb::Rollback | Verb::Uninstall | Verb::Test => Ok(None),
        }
    }

    /// A record left `pending-*` by somebody long gone is marked as failed.
    async fn repair(&self, name: &str, patience: Duration) -> Result<Option<Record>, Error> {
        let Ok(mut last) = self.last(name).await else { return Ok(None) };
        if !last.info.status.is_pending() {
            return Ok(None);
        }
        let now = self.clock.now();
        let age = now.as_second() - last.info.last_deployed.unwrap_or(now).as_second();
        if age < i64::try_from(patience.as_secs()).unwrap_or(i64::MAX) {
            return Err(Error::Pending { name: name.to_owned(), status: last.info.status, age });
        }
        last.info.description = format!("{} was never finished: its process is gone", last.info.status);
        last.info.status = Status::Failed;
        self.update(&last).await?;
        Ok(Some(last))
    }

    fn ended(&self, keeper: &Keeper, report: Report, undone: Option<Delivered>) -> Delivered {
        let failure_words = report.failure.as_ref().map(|failure| keeper.helm_words(failure));
        let kept = report.with(StepResult::Kept).cloned().collect();
        Delivered { record: keeper.record(), report, undone: undone.map(Box::new), failure_words, kept }
    }
}
