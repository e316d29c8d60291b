use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use jiff::Timestamp;
use landfall_cluster::Cluster;
use landfall_object::ObjectKey;
use landfall_object::health::Rulebook;
use landfall_store::{NewOperation, OperationRow, OperationState, Store};
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::behind::Failures;
use crate::clock::Clock;
use crate::desired::{PhaseRuns, Task};
use crate::digest::live_digest;
use crate::entry::{Intent, Outcome};
use crate::event::Event;
use crate::journal::Journal;
use crate::ledger::Ending;
use crate::plan::{Phase, Plan, Step};
use crate::planning::Live;
use crate::report::{FailureKind, Report, StepReport, StepResult};
use crate::standing::so_far;
use crate::stop::{Stop, recorded};
use crate::{Error, Ledger, OnFailure, Probe};

/// Carries one plan out.
pub(crate) struct Executor {
    pub(crate) cluster: Cluster,
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) probe: Arc<dyn Probe>,
    pub(crate) health: Rulebook,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) events: Sender<Event>,
    pub(crate) stop: CancellationToken,
    pub(crate) on_failure: OnFailure,
    /// When the delivery began that is being carried out.
    pub(crate) begun: Mutex<Option<Timestamp>>,
    /// Held while the executor works, let go while it waits.
    pub(crate) hold: Mutex<Option<Box<dyn Send>>>,
}

/// What one run needs beside its plan.
pub(crate) struct RunOptions {
    /// The operation's id, unique for ever: a ULID.
    pub(crate) operation: String,
    /// What the front door needs to resume: stored, not looked at.
    pub(crate) detail: Value,
    /// When it began, by which its record and the journal know it.
    pub(crate) started_at: Timestamp,
    /// The failed operation that it undoes, which ends in the journal as this one begins.
    pub(crate) undoes: Option<String>,
}

/// How a run begins.
enum Begins {
    /// With its first step; what was live a moment ago.
    Anew(Live),
    /// Where an earlier process left it.
    Again,
}

impl Executor {
    /// Carries a plan out, from its first step.
    ///
    /// One that fails and is undone stays open in the journal.
    #[boxed]
    pub(crate) async fn run(&self, plan: &Plan, options: RunOptions) -> Result<Report, Error> {
        let just = self.refuse_when_changed(plan).await?;
        let operation = NewOperation {
            id: options.operation.clone(),
            target: plan.target.clone(),
            kind: plan.kind.clone(),
            plan: plan.revealed().map_err(|error| not_resumable(&options.operation, &error.to_string()))?,
            detail: options.detail,
            started_at: options.started_at.to_string(),
        };
        self.probe.reach(format_args!("before operation"))?;
        let begun = match &options.undoes {
            Some(failed) => self.store.journal.begin_undoing(failed, &operation).await,
            None => self.store.journal.begin_operation(&operation).await,
        };
        match begun {
            Err(landfall_store::Error::Exists { .. }) => return Err(Error::Busy { target: plan.target.clone() }),
            other => other?,
        }
        self.probe.reach(format_args!("after operation"))?;
        self.begins(self.clock.now());
        self.carry_on(plan, &options.operation, Begins::Anew(just)).await
    }

    /// Goes on with an operation that a process left behind; ends as [`Executor::run`].
    #[boxed]
    pub(crate) async fn resume(&self, operation: &OperationRow, plan: &Plan) -> Result<Report, Error> {
        if operation.state != OperationState::Running {
            return Err(not_resumable(&operation.id, "it has ended"));
        }
        self.begins(operation.started_at.parse().unwrap_or_else(|_| self.clock.now()));
        self.carry_on(plan, &operation.id, Begins::Again).await
    }

    /// The plan was approved as shown: what it was made from must still be so. Answers what is there.
    async fn refuse_when_changed(&self, plan: &Plan) -> Result<Live, Error> {
        let keys: Vec<ObjectKey> = plan.seen.iter().map(|seen| seen.key.clone()).collect();
        let live = Live::new(self.cluster.get_all(&keys).await?);
        for seen in &plan.seen {
            if live.get(&seen.key).map(live_digest) != seen.digest {
                return Err(Error::LiveChanged { key: Box::new(seen.key.clone()) });
            }
        }
        Ok(live)
    }

    fn begins(&self, at: Timestamp) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// When the delivery began; what was there before it is not its doing.
    pub(crate) fn begun(&self) -> Timestamp {
        let begun = *self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.unwrap_or_else(|| self.clock.now())
    }

    /// The clock stands still from now on, where it can.
    pub(crate) fn hold(&self) {
        let held = self.clock.hold();
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    /// The clock goes on.
    pub(crate) fn let_go(&self) {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Sleeps with the clock going on.
    pub(crate) async fn sleep(&self, duration: Duration) {
        self.let_go();
        self.clock.sleep(duration).await;
        self.hold();
    }

    async fn carry_on(&self, plan: &Plan, operation: &str, begins: Begins) -> Result<Report, Error> {
        self.hold();
        let result = self.carry_on_held(plan, operation, begins).await;
        self.let_go();
        result
    }

    async fn carry_on_held(&self, plan: &Plan, operation: &str, begins: Begins) -> Result<Report, Error> {
        let (resumed, mut just) = match begins {
            Begins::Anew(live) => (false, Some(live)),
            Begins::Again => (true, None),
        };
        self.claim_all(&[plan], &[]).await?;
        let mut journal = Journal::read(&self.store, &*self.probe, &*self.clock, operation).await?;
        let steps = plan.steps().count();
        self.tell(Event::Planned { operation: operation.to_owned(), steps, done: journal.done() }).await;
        self.probe.reach(format_args!("before record begun"))?;
        if let Err(error) = self.ledger.begun(&so_far(plan, &journal)).await {
            // Nothing has been touched: there is nothing to resume.
            if !resumed {
                self.finish(operation, OperationState::Failed).await?;
            }
            return Err(error);
        }
        self.probe.reach(format_args!("after record begun"))?;
        let mut report = Report { operation: operation.to_owned(), steps: Vec::new(), failure: None, resumed };
        for phase in &plan.phases {
            let wanted = match phase.runs {
                PhaseRuns::OnSuccess => report.failure.is_none(),
                PhaseRuns::OnFailure => report.failure.is_some(),
            };
            if !wanted || phase.waves.is_empty() {
                continue;
            }
            self.tell(Event::PhaseStarted { phase: phase.name.clone() }).await;
            match self.run_phase((plan, phase), &mut journal, &mut report.steps, &mut just).await {
                Ok(()) => {}
                // The first failure is the cause; what fails while cleaning up must not hide it.
                Err(Stop::Failed(failure)) => {
                    report.failure.get_or_insert(*failure);
                }
                Err(Stop::Broken(error)) => return Err(error),
            }
        }
        self.probe.reach(format_args!("before record ended"))?;
        self.ledger.ended(Ending::of(report.failure.as_ref()), &so_far(plan, &journal)).await?;
        self.probe.reach(format_args!("after record ended"))?;
        if report.succeeded() {
            self.finish(operation, OperationState::Done).await?;
        } else if !self.on_failure.undone {
            self.finish(operation, OperationState::Failed).await?;
        }
        self.tell(Event::Finished { failure: report.failure.clone().map(Box::new) }).await;
        Ok(report)
    }

    #[boxed]
    pub(crate) async fn finish(&self, operation: &str, state: OperationState) -> Result<(), Error> {
        self.probe.reach(format_args!("before end"))?;
        self.store.journal.finish_operation(operation, state, &self.clock.now().to_string()).await?;
        self.probe.reach(format_args!("after end"))?;
        Ok(())
    }

    async fn run_phase(
        &self,
        (plan, phase): (&Plan, &Phase),
        journal: &mut Journal<'_>,
        reports: &mut Vec<StepReport>,
        just: &mut Option<Live>,
    ) -> Result<(), Stop> {
        // Hooks that have succeeded in this phase, for their clean-up.
        let mut succeeded: Vec<&Step> = Vec::new();
        let result = self.run_waves((plan, phase), journal, (reports, &mut succeeded), just).await;
        match &result {
            Ok(()) | Err(Stop::Failed(_)) => {
                for step in succeeded.into_iter().rev() {
                    self.clean_up_hook(step, journal, crate::DeletePolicy::HookSucceeded).await?;
                }
            }
            Err(Stop::Broken(_)) => {}
        }
        result
    }

    /// `just` is what was read right before the run, for the steps until the first wait.
    async fn run_waves<'p>(
        &self,
        (plan, phase): (&Plan, &'p Phase),
        journal: &mut Journal<'_>,
        (reports, succeeded): (&mut Vec<StepReport>, &mut Vec<&'p Step>),
        just: &mut Option<Live>,
    ) -> Result<(), Stop> {
        for wave in &phase.waves {
            let mut rest = wave.steps.as_slice();
            while let Some(step) = rest.first() {
                if self.stop.is_cancelled() {
                    return Err(Error::Interrupted.into());
                }
                match &step.task {
                    Task::Hook(hook) => {
                        *just = None;
                        self.run_hook(plan, step, hook, journal).await?;
                        reports.push(report(step, StepResult::HookSucceeded));
                        succeeded.push(step);
                        rest = &rest[1..];
                    }
                    Task::Wait { keys, wait, timeout } => {
                        *just = None;
                        let keys = &self.placed_keys(plan, keys).await;
                        self.run_wait(step, keys, *wait, Duration::from_secs(*timeout), plan, journal).await?;
                        reports.push(report(step, StepResult::Ready));
                        rest = &rest[1..];
                    }
                    _ => {
                        let plain = rest
                            .iter()
                            .position(|step| matches!(step.task, Task::Hook(_) | Task::Wait { .. }))
                            .unwrap_or(rest.len());
                        let (segment, after) = rest.split_at(plain);
                        self.run_segment((plan, segment), journal, reports, just.as_ref()).await?;
                        rest = after;
                    }
                }
            }
        }
        Ok(())
    }

    /// Steps that may be repeated without harm share one write of intents and one of outcomes.
    async fn run_segment(
        &self,
        (plan, segment): (&Plan, &[Step]),
        journal: &mut Journal<'_>,
        reports: &mut Vec<StepReport>,
        just: Option<&Live>,
    ) -> Result<(), Stop> {
        let intents =
            segment.iter().map(|step| (step.id.clone(), Intent::Act { action: step.action, key: step.key.clone() }));
        journal.intend(intents.collect()).await?;
        let at_hand = self.at_hand(plan, segment, just).await;
        let mut outcomes = Vec::new();
        let mut failures = Failures::default();
        for step in segment {
            if failures.end_before(step) {
                break;
            }
            if let Some(outcome) = journal.outcome(&step.id).cloned() {
                self.conclude_segment(journal, &mut outcomes).await?;
                match recorded(outcome)? {
                    Ok(result) => reports.push(report(step, result)),
                    Err(failure) => failures.take(step, failure, self.on_failure.behind)?,
                }
                continue;
            }
            if self.stop.is_cancelled() {
                self.conclude_segment(journal, &mut outcomes).await?;
                return Err(Error::Interrupted.into());
            }
            self.tell(Event::StepStarted { id: step.id.clone(), action: step.action, key: step.key.clone() }).await;
            match self.act(plan, step, &at_hand).await {
                Ok(effect) => {
                    let result = effect.result;
                    outcomes.push((step.id.clone(), Outcome::Done { result, uid: effect.uid }));
                    reports.push(report(step, result));
                    self.tell(Event::StepDone { id: step.id.clone(), key: step.key.clone(), result }).await;
                }
                Err(Stop::Failed(failure)) => {
                    let result = StepResult::Failed;
                    outcomes.push((step.id.clone(), Outcome::failed(&failure)));
                    self.conclude_segment(journal, &mut outcomes).await?;
                    reports.push(report(step, result));
                    self.tell(Event::StepDone { id: step.id.clone(), key: step.key.clone(), result }).await;
                    failures.take(step, failure, self.on_failure.behind)?;
                }
                Err(Stop::Broken(error)) => return Err(Stop::Broken(error)),
            }
        }
        self.conclude_segment(journal, &mut outcomes).await?;
        failures.first.map_or(Ok(()), |failure| Err(Stop::Failed(failure)))
    }

    async fn conclude_segment(
        &self,
        journal: &mut Journal<'_>,
        outcomes: &mut Vec<(String, Outcome)>,
    ) -> Result<(), Stop> {
        Ok(journal.conclude(std::mem::take(outcomes)).await?)
    }

    /// Tells of progress; a receiver that has gone is no reason to stop.
    pub(crate) async fn tell(&self, event: Event) {
        let _ = self.events.send(event).await;
    }

    /// A failure of the cluster at a step: refused by it, or it could not be reached.
    pub(crate) fn refused(&self, step: &Step, key: &ObjectKey, error: &landfall_cluster::Error) -> Stop {
        // What the cluster has no room for is no fault of the object: the same step is done once there is.
        if error.code() == Some(NO_ROOM) {
            return Stop::Broken(Error::NoRoom(Box::new(landfall_diag::Diagnose::diagnose(error))));
        }
        // Nor is it one that the run was told to stop because the cluster has gone.
        if error.is_unreachable() && self.stop.is_cancelled() {
            return Stop::Broken(Error::Interrupted);
        }
        let kind = if error.is_unreachable() { FailureKind::Unreachable } else { FailureKind::Refused };
        let mut message = error.to_string();
        if error.is_unreachable()
            && let Some(cause) = std::error::Error::source(error)
        {
            message = format!("{message}: {cause}");
        }
        self.failed(step, key, kind, message)
    }
}

/// HTTP's "Insufficient Storage".
const NO_ROOM: u16 = 507;

fn report(step: &Step, result: StepResult) -> StepReport {
    StepReport { id: step.id.clone(), key: step.key.clone(), result }
}

pub(crate) fn not_resumable(id: &str, reason: &str) -> Error {
    Error::NotResumable { id: id.to_owned(), reason: reason.to_owned() }
}
