use std::sync::Arc;
use std::time::Duration;

use landfall_chart::Dialect;
use landfall_cluster::DeleteOptions;
use landfall_engine::{Clock, Event, Executor, Fate, OnFailure, Probe, Report, RunOptions, StepResult, Trial};
use landfall_object::ObjectKey;
use landfall_store::{OperationRow, OperationState, Store};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::keeper::Keeper;
use crate::prepare::{
    Course, DeployOptions, Force, HookRuns, Prepared, Remainder, RollbackOptions, UninstallOptions, Verb, Wait,
};
use crate::record::target;
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

/// What was found of an earlier operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Recovery {
    /// Nothing is left open.
    Clean,
    /// An operation that a process left behind was brought to its end.
    Resumed(Box<Delivered>),
    /// A record left `pending-*` by somebody long gone was marked as failed.
    Repaired(Box<Record>),
}

/// Carries prepared operations out, and brings abandoned ones to an end.
pub struct Runner {
    /// The releases' namespace and cluster.
    pub releases: Releases,
    /// The journal.
    pub store: Store,
    /// Where progress is told.
    pub events: Sender<Event>,
    /// A listener at the edges of journal writes and effects.
    pub probe: Arc<dyn Probe>,
    /// Ends a run cleanly.
    pub stop: CancellationToken,
    /// Makes an operation's id: a new ULID each time.
    pub new_id: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Runner {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.releases.clock)
    }

    fn executor(&self, keeper: &Arc<Keeper>, course: &Course) -> Executor {
        let on_failure = match (course.remainder, course.verb) {
            (Remainder::LeftAlone, _) => OnFailure::Stop,
            (Remainder::Written, Verb::Install | Verb::Uninstall) => OnFailure::FinishWrites,
            (Remainder::Written, _) => OnFailure::FinishChanges,
        };
        Executor::new(self.releases.cluster.clone(), self.store.clone(), self.events.clone())
            .clock(self.clock())
            .probe(Arc::clone(&self.probe))
            .ledger(Arc::clone(keeper) as Arc<dyn landfall_engine::Ledger>)
            .stop(self.stop.clone())
            .on_failure(on_failure)
    }

    /// Tries every object of an operation before it begins; what is refused is in the answer, and nothing is changed but
    /// for namespaces that stay until [`Runner::conclude_trial`].
    ///
    /// # Errors
    /// [`Error::Engine`] when the cluster cannot be reached or the run is stopped.
    pub async fn try_out(&self, prepared: &mut Prepared) -> Result<Trial, Error> {
        let trial = self.trying().try_out(&[&prepared.plan], &*self.new_id).await?;
        prepared.adopt(&trial.made);
        Ok(trial)
    }

    /// Says what becomes of the namespaces that a trial made; answers those that went.
    ///
    /// # Errors
    /// As [`Runner::try_out`].
    pub async fn conclude_trial(&self, trial: &Trial, fate: Fate) -> Result<Vec<ObjectKey>, Error> {
        Ok(self.trying().conclude_trial(trial, 0, fate).await?)
    }

    fn trying(&self) -> Executor {
        Executor::new(self.releases.cluster.clone(), self.store.clone(), self.events.clone())
            .clock(self.clock())
            .probe(Arc::clone(&self.probe))
            .stop(self.stop.clone())
    }

    /// Carries a prepared operation out.
    ///
    /// A delivery that fails is told in the report; with `atomic` it is undone afterwards, its evidence taken before.
    ///
    /// # Errors
    /// [`Error::Engine`] when the run was refused (a live object has changed, another operation is under way) or
    /// broken off; it is resumed by [`Runner::recover`].
    pub async fn run(&self, prepared: &Prepared) -> Result<Delivered, Error> {
        let keeper = Arc::new(Keeper::new(self.releases.clone(), prepared.course.clone(), prepared.plan.clone()));
        let detail = serde_json::to_value(&prepared.course)
            .map_err(|error| Error::Damaged { what: prepared.course.target(), reason: error.to_string() })?;
        let options = RunOptions { operation: (self.new_id)(), detail };
        let report = self.executor(&keeper, &prepared.course).run(&prepared.plan, options).await?;
        self.conclude(&prepared.course, &keeper, report).await
    }

    /// Brings whatever an earlier process left open on a release to an end.
    ///
    /// To be called by whoever holds the store alone: an operation open in the journal then belongs to a dead process.
    /// A record left `pending-*` that the journal does not know (the store was lost, or another Helm died) is marked as
    /// failed once it is older than `patience`.
    ///
    /// # Errors
    /// [`Error::Pending`] when such a record is younger; as [`Runner::run`].
    pub async fn recover(&self, name: &str, patience: Duration) -> Result<Recovery, Error> {
        if let Some(operation) = self.store.running_operation(&target(self.releases.namespace(), name)).await? {
            return Ok(Recovery::Resumed(Box::new(self.resume(&operation).await?)));
        }
        let Ok(mut last) = self.releases.last(name).await else { return Ok(Recovery::Clean) };
        if !last.info.status.is_pending() {
            return Ok(Recovery::Clean);
        }
        let now = self.releases.clock.now();
        let age = now.as_second() - last.info.last_deployed.unwrap_or(now).as_second();
        if age < i64::try_from(patience.as_secs()).unwrap_or(i64::MAX) {
            return Err(Error::Pending { name: name.to_owned(), status: last.info.status, age });
        }
        last.info.description = format!("{} was never finished: its process is gone", last.info.status);
        last.info.status = Status::Failed;
        self.releases.update(&last).await?;
        Ok(Recovery::Repaired(Box::new(last)))
    }

    /// Goes on with an operation found in the journal.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub async fn resume(&self, operation: &OperationRow) -> Result<Delivered, Error> {
        let broken =
            |reason: String| Error::Engine(landfall_engine::Error::NotResumable { id: operation.id.clone(), reason });
        let course: Course =
            serde_json::from_value(operation.detail.clone()).map_err(|error| broken(error.to_string()))?;
        let plan = serde_json::from_value(operation.plan.clone()).map_err(|error| broken(error.to_string()))?;
        let keeper = Arc::new(Keeper::new(self.releases.clone(), course.clone(), plan));
        let report = self.executor(&keeper, &course).resume(operation).await?;
        self.conclude(&course, &keeper, report).await
    }

    /// Ends an operation that was interrupted for good: its record is marked as failed, and nothing resumes it.
    ///
    /// # Errors
    /// What the cluster or the journal refuses with.
    pub async fn give_up(&self, prepared: &Prepared, words: &str) -> Result<(), Error> {
        let keeper = Keeper::new(self.releases.clone(), prepared.course.clone(), prepared.plan.clone());
        keeper.end_with(Some(words.to_owned())).await?;
        if let Some(operation) = self.store.running_operation(&prepared.course.target()).await? {
            let now = self.releases.clock.now().to_string();
            self.store.finish_operation(&operation.id, OperationState::Failed, &now).await?;
        }
        if prepared.course.atomic {
            self.undo(&prepared.course).await?;
        }
        Ok(())
    }

    async fn conclude(&self, course: &Course, keeper: &Keeper, report: Report) -> Result<Delivered, Error> {
        let failure_words = report.failure.as_ref().map(|failure| keeper.helm_words(failure));
        let kept = report.with(StepResult::Kept).cloned().collect();
        let mut delivered = Delivered { record: keeper.record(), report, undone: None, failure_words, kept };
        if delivered.succeeded() {
            return Ok(delivered);
        }
        if course.cleanup_on_fail {
            let created: Vec<ObjectKey> = delivered.report.with(StepResult::Created).cloned().collect();
            for key in created.iter().rev() {
                // Best effort, as Helm: what cannot be deleted is found by the next upgrade.
                let _ = self.releases.cluster.delete(key, &DeleteOptions::default()).await;
            }
        }
        if course.atomic {
            delivered.undone = self.undo(course).await?.map(Box::new);
        }
        Ok(delivered)
    }

    async fn undo(&self, course: &Course) -> Result<Option<Delivered>, Error> {
        let name = &course.record.name;
        let timeout = Duration::from_secs(course.timeout_seconds);
        let hooks = if course.no_hooks { HookRuns::Skip } else { HookRuns::Run };
        let prepared = match course.verb {
            Verb::Install => {
                let options =
                    UninstallOptions { timeout, hooks, remainder: course.remainder, ..UninstallOptions::default() };
                self.releases.prepare_uninstall(name, &options).await?
            }
            Verb::Upgrade => {
                let history = self.releases.history(name).await?;
                let good = history.iter().rev().find(|record| {
                    record.version != course.record.version
                        && matches!(record.info.status, Status::Superseded | Status::Deployed)
                });
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
                self.releases.prepare_rollback(name, &RollbackOptions { deploy, revision: good.version }).await?
            }
            Verb::Rollback | Verb::Uninstall | Verb::Test => return Ok(None),
        };
        // Boxed: undoing runs an operation of its own, which is never undone itself.
        Box::pin(self.run(&prepared)).await.map(Some)
    }
}
