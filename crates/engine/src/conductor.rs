use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, DeleteOptions};
use landfall_object::health::Rulebook;
use landfall_object::{HealthStatus, ObjectKey};
use landfall_store::{OperationRow, OperationState, Store};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::desired::Task;
use crate::door::{Begun, Door, OnFailure};
use crate::entry::Outcome;
use crate::event::Event;
use crate::executor::{Executor, RunOptions, not_resumable};
use crate::journal::Journal;
use crate::ledger::{Ending, Ledger, NoLedger};
use crate::plan::Plan;
use crate::report::{Report, StepResult};
use crate::standing::{Standing, so_far};
use crate::trial::{Concluded, Fate, Trial};
use crate::{Error, NoProbe, Probe, WallClock, once};

/// Carries operations of all doors out, and brings to an end what others left open.
///
/// Each call works on its own, so that many may be under way on one conductor; a future that is dropped leaves its
/// operation as a killed process would: open in the journal, to be gone on with.
#[derive(Clone)]
pub struct Conductor {
    /// The cluster.
    pub cluster: Cluster,
    /// The journal.
    pub store: Store,
    /// Where progress is told; events that nobody receives are dropped.
    pub events: Sender<Event>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// A listener at the edges of journal writes and effects.
    pub probe: Arc<dyn Probe>,
    /// By what objects are judged whose health is waited for.
    pub health: Rulebook,
    /// Ends runs cleanly: no further step is begun, the journal keeps what was done.
    pub stop: CancellationToken,
    /// Makes an operation's id: a new ULID each time.
    pub new_id: Arc<dyn Fn() -> String + Send + Sync>,
}

/// What was found of an earlier operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Recovery<E, R> {
    /// Nothing is left open.
    Clean,
    /// An operation that a process left behind was brought to its end.
    Resumed(Box<E>),
    /// A record whose operation nobody remembers was repaired.
    Repaired(Box<R>),
}

impl Conductor {
    /// On the machine's clock, without a probe.
    pub fn new(
        cluster: Cluster,
        store: Store,
        events: Sender<Event>,
        new_id: Arc<dyn Fn() -> String + Send + Sync>,
    ) -> Self {
        let (clock, probe) = (Arc::new(WallClock), Arc::new(NoProbe));
        let health = Rulebook::default();
        Conductor { cluster, store, events, clock, probe, health, stop: CancellationToken::new(), new_id }
    }

    /// Carries an operation out, from its first step.
    ///
    /// One that fails is an end, too, undone where its door wants that; an error means that it was refused or broken off.
    ///
    /// # Errors
    /// [`Error::LiveChanged`] and [`Error::Busy`] before anything is touched; [`Error::Interrupted`],
    /// [`Error::Store`] and [`Error::Ledger`] with the operation left open, for [`Conductor::recover`].
    pub async fn run<D: Door>(&self, door: &D, operation: &D::Operation) -> Result<D::Ended, D::Error> {
        self.begin(door, operation, None).await
    }

    /// As [`Conductor::run`]; where it undoes another one, that one ends as this one begins.
    async fn begin<D: Door>(
        &self,
        door: &D,
        operation: &D::Operation,
        undoes: Option<String>,
    ) -> Result<D::Ended, D::Error> {
        let (plan, course) = D::parts(operation);
        let started_at = self.clock.now();
        let keeper = Arc::new(door.keeper(course, plan, Begun::Now(started_at)));
        let detail = serde_json::to_value(course)
            .map_err(|error| Error::Store(landfall_store::Error::Damaged { what: error.to_string() }))?;
        let options = RunOptions { operation: (self.new_id)(), detail, started_at, undoes };
        let executor = self.executor(Arc::clone(&keeper) as Arc<dyn Ledger>, door.on_failure(course));
        let report = executor.run(plan, options).await?;
        self.conclude(door, course, &keeper, report).await
    }

    /// Goes on with an operation that a process left behind.
    ///
    /// # Errors
    /// [`Error::NotResumable`] when it cannot be read or has ended; otherwise as [`Conductor::run`].
    pub async fn resume<D: Door>(&self, door: &D, operation: &OperationRow) -> Result<D::Ended, D::Error> {
        let broken = |error: serde_json::Error| not_resumable(&operation.id, &error.to_string());
        let course: D::Course = serde_json::from_value(operation.detail.clone()).map_err(broken)?;
        let plan: Plan = serde_json::from_value(operation.plan.clone()).map_err(broken)?;
        let begun = operation.started_at.parse().unwrap_or_else(|_| self.clock.now());
        let keeper = Arc::new(door.keeper(&course, &plan, Begun::Before(begun)));
        let executor = self.executor(Arc::clone(&keeper) as Arc<dyn Ledger>, door.on_failure(&course));
        let report = executor.resume(operation, &plan).await?;
        self.conclude(door, &course, &keeper, report).await
    }

    /// Brings to an end whatever an earlier process left open on a target.
    ///
    /// To be called by whoever holds the store alone: an operation open in the journal then belongs to a dead process.
    /// A record that says of an operation that it is under way, and that the journal does not know (the store was lost,
    /// or it was another program's), is repaired by its door once it is older than `patience`.
    ///
    /// # Errors
    /// As [`Conductor::run`], and what the door says of a record that is younger.
    pub async fn recover<D: Door>(
        &self,
        door: &D,
        target: &D::Target,
        patience: Duration,
    ) -> Result<Recovery<D::Ended, D::Repaired>, D::Error> {
        let open = self.store.journal.running_operation(&door.target(target)).await.map_err(Error::Store)?;
        if let Some(operation) = open {
            return Ok(Recovery::Resumed(Box::new(self.resume(door, &operation).await?)));
        }
        let repaired = door.repair(target, patience).await?;
        Ok(repaired.map_or(Recovery::Clean, |repaired| Recovery::Repaired(Box::new(repaired))))
    }

    /// Ends an operation that was interrupted for good: its record says that it failed, nothing resumes it, and it is
    /// undone where its door wants that. Answers what undid it.
    ///
    /// What ended the operation does not end its undoing; `stop` does, and leaves that open for [`Conductor::recover`].
    ///
    /// # Errors
    /// What the cluster or the journal refuses with.
    pub async fn give_up<D: Door>(
        &self,
        door: &D,
        operation: &D::Operation,
        stop: CancellationToken,
    ) -> Result<Option<D::Ended>, D::Error> {
        let (plan, course) = D::parts(operation);
        let open = self.store.journal.running_operation(&plan.target).await.map_err(Error::Store)?;
        let began = open.as_ref().and_then(|open| open.started_at.parse().ok());
        let keeper = door.keeper(course, plan, began.map_or_else(|| Begun::Now(self.clock.now()), Begun::Before));
        let id = open.as_ref().map(|open| open.id.as_str()).unwrap_or_default();
        let journal = Journal::read(&self.store, &*self.probe, &*self.clock, id).await?;
        keeper.ended(Ending::GivenUp, &so_far(plan, &journal)).await?;
        if door.on_failure(course).undone {
            let undoing = Conductor { stop, ..self.clone() };
            return undoing.undo(door, course, open.map(|open| open.id)).await;
        }
        self.abandon(&plan.target).await?;
        Ok(None)
    }

    /// Deletes the objects of hooks that an open operation has made and waits for: who ends it for good ends them, for nobody
    /// waits for them any more. What has come to its end stays, and what cannot be deleted.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn end_hooks(&self, target: &str) -> Result<(), Error> {
        let Some(open) = self.store.journal.running_operation(target).await? else { return Ok(()) };
        let plan: Plan =
            serde_json::from_value(open.plan).map_err(|error| not_resumable(&open.id, &error.to_string()))?;
        let journal = Journal::read(&self.store, &*self.probe, &*self.clock, &open.id).await?;
        let running = so_far(&plan, &journal).into_iter().filter(|state| state.standing == Standing::Running);
        for state in running.filter(|state| matches!(state.step.task, Task::Hook(_))) {
            let made = journal.outcome(&format!("{}.made", state.step.id)).and_then(Outcome::uid);
            let live = self.cluster.get(state.key).await.ok().flatten();
            let Some(live) = live.filter(|live| live.uid().is_some() && live.uid() == made) else { continue };
            let has_ended = self.health.assess(&live).is_none_or(|health| health.status == HealthStatus::Healthy);
            // As Helm: a CRD is never deleted for a hook, its objects would go with it.
            if has_ended
                || live.kind() == "CustomResourceDefinition"
                || once::deletion(&self.cluster, &live, "once-hook-gone").await.is_err()
            {
                continue;
            }
            let options = DeleteOptions { uid: live.uid().map(str::to_owned), ..DeleteOptions::default() };
            let _ = self.cluster.delete(state.key, &options).await;
        }
        Ok(())
    }

    /// Ends what is open on a target as failed, without going on with it: its steps come again.
    ///
    /// # Errors
    /// [`Error::Store`].
    #[boxed]
    pub async fn abandon(&self, target: &str) -> Result<(), Error> {
        if let Some(open) = self.store.journal.running_operation(target).await? {
            let now = self.clock.now().to_string();
            self.store.journal.finish_operation(&open.id, OperationState::Failed, &now).await?;
        }
        Ok(())
    }

    /// Tries the steps of plans that are to be carried out one after another, all before the first of them.
    ///
    /// Namespaces that the plans bring are made, because no server tries an object in one that is not there. They stay
    /// until [`Conductor::conclude_trial`] says what becomes of them; a process that dies in between leaves them to the
    /// next trial on the same target, which goes on with them.
    ///
    /// # Errors
    /// [`Error::Cluster`] when the cluster cannot be reached, [`Error::Interrupted`], [`Error::Store`].
    #[boxed]
    pub async fn try_out(&self, plans: &[&Plan]) -> Result<Trial, Error> {
        self.executor(Arc::new(NoLedger), OnFailure::default()).try_out(plans, &*self.new_id).await
    }

    /// Ends the trial of one plan: its namespaces stay or go. One that is to go stays where something is in it, or somebody else
    /// delivers into it.
    ///
    /// # Errors
    /// [`Error::Cluster`] and [`Error::Store`]; the trial is left open then, for the next one to conclude.
    #[boxed]
    pub async fn conclude_trial(&self, trial: &Trial, plan: usize, fate: Fate) -> Result<Concluded, Error> {
        self.executor(Arc::new(NoLedger), OnFailure::default()).conclude_trial(trial, plan, fate).await
    }

    fn executor(&self, ledger: Arc<dyn Ledger>, on_failure: OnFailure) -> Executor {
        Executor {
            cluster: self.cluster.clone(),
            store: self.store.clone(),
            clock: Arc::clone(&self.clock),
            probe: Arc::clone(&self.probe),
            health: self.health.clone(),
            ledger,
            events: self.events.clone(),
            stop: self.stop.clone(),
            on_failure,
            begun: Mutex::default(),
            hold: Mutex::default(),
        }
    }

    /// What becomes of an operation that has come to its end: nothing more, or it is undone.
    async fn conclude<D: Door>(
        &self,
        door: &D,
        course: &D::Course,
        keeper: &D::Keeper,
        report: Report,
    ) -> Result<D::Ended, D::Error> {
        if report.succeeded() {
            return Ok(door.ended(keeper, report, None));
        }
        let on_failure = door.on_failure(course);
        if on_failure.created_goes {
            let created: Vec<ObjectKey> = report.with(StepResult::Created).cloned().collect();
            for key in created.iter().rev() {
                // Also what this very operation has generated may have been used by then.
                let live = self.cluster.get(key).await.ok().flatten();
                if let Some(live) = live
                    && once::deletion(&self.cluster, &live, "once-undone").await.is_err()
                {
                    continue;
                }
                // Best effort, as Helm: what cannot be deleted is found by the next upgrade.
                let _ = self.cluster.delete(key, &DeleteOptions::default()).await;
            }
        }
        let undone =
            if on_failure.undone { self.undo(door, course, Some(report.operation.clone())).await? } else { None };
        Ok(door.ended(keeper, report, undone))
    }

    /// Undoes a failed operation by another one, where its door has one.
    ///
    /// Until that has begun the failed one is open in the journal: who goes on with it after a kill comes here again.
    async fn undo<D: Door>(
        &self,
        door: &D,
        course: &D::Course,
        failed: Option<String>,
    ) -> Result<Option<D::Ended>, D::Error> {
        let undoing = door.undo(course).await;
        match undoing {
            // Boxed: an operation that undoes is never undone itself.
            Ok(Some(operation)) => Box::pin(self.begin(door, &operation, failed)).await.map(Some),
            // One whose undoing cannot be compiled ends as well: left open, it would be in the way of all others.
            none => {
                if let Some(failed) = failed {
                    let executor = self.executor(Arc::new(NoLedger), OnFailure::default());
                    executor.finish(&failed, OperationState::Failed).await?;
                }
                none.map(|_| None)
            }
        }
    }
}
