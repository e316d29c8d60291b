//! Waiting: until all objects are as judged, one can never be, or time is up.
//!
//! ```text
//! objects, and what explains them ─► Watching (watching.rs) ─► Scene: what is there, what went (scene.rs)
//!     each change ─► judged (judge.rs): ready, not yet, never
//!                    pods that cannot start (stuck.rs), for want of what nobody brings (missing.rs, unbound.rs)
//!                    Jobs that went before they were seen (vanished.rs), pods that are refused (refused.rs)
//!     ─► told what is missing, or ended with the evidence (failed.rs)
//! ```

mod failed;
mod held_up;
mod judge;
mod missing;
mod refused;
mod scene;
mod stuck;
mod unbound;
mod vanished;
mod watching;

use std::time::Duration;

use landfall_cluster::Outlook;
use landfall_object::ObjectKey;

use self::judge::Verdict;
use self::missing::{ToCome, secrets_to_come};
use self::scene::Scene;
use self::stuck::told_stuck;
use self::watching::{News, Watching};
use crate::Error;
use crate::desired::WaitFor;
use crate::entry::{Intent, Outcome};
use crate::event::{Event, Pending};
use crate::executor::Executor;
use crate::journal::Journal;
use crate::plan::{Plan, Step};
use crate::report::StepResult;
use crate::standing::so_far;
use crate::stop::{Stop, recorded};

pub(crate) use self::judge::Judge;

/// An object to wait for; of another uid it is another object.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) key: ObjectKey,
    pub(crate) uid: Option<String>,
}

impl Watched {
    pub(crate) fn named(key: ObjectKey) -> Self {
        Watched { key, uid: None }
    }
}

/// How long a controller may fail to create pods before that is taken as final: a service account of a new namespace
/// appears a moment after it.
const FAILING_TO_CREATE: Duration = Duration::from_secs(10);

/// What is waited for, and for how long.
struct Wait<'w> {
    step: &'w Step,
    watched: &'w [Watched],
    judge: Judge,
    timeout: Duration,
    /// Secrets that a controller will make, so that their absence is no reason to give up.
    to_come: &'w [ToCome],
    since: jiff::Timestamp,
    /// What was told last to be missing.
    told: Vec<Pending>,
}

/// What ends a moment of waiting.
enum Woken {
    News(News),
    Impatient,
    Late,
}

/// What a look at the scene has shown.
enum Look {
    Done,
    Goes,
    Fails(Stop),
}

impl Executor {
    /// A wait of a plan.
    pub(crate) async fn run_wait(
        &self,
        step: &Step,
        keys: &[ObjectKey],
        wait: WaitFor,
        timeout: Duration,
        plan: &Plan,
        journal: &mut Journal<'_>,
    ) -> Result<(), Stop> {
        if let Some(outcome) = journal.outcome(&step.id).cloned() {
            return recorded(outcome)?.map(|_| ()).map_err(Stop::Failed);
        }
        journal.intend(vec![(step.id.clone(), Intent::Wait { keys: keys.len() })]).await?;
        self.tell(Event::StepStarted { id: step.id.clone(), action: step.action, key: step.key.clone() }).await;
        self.ledger.reached(&so_far(plan, journal)).await?;
        let judge = match wait {
            WaitFor::Rollout(jobs) => Judge::Rollout(jobs),
            WaitFor::Health => Judge::Health,
            WaitFor::HealthAsTold => Judge::HealthAsTold,
            WaitFor::Deletion => Judge::Deletion,
        };
        let watched: Vec<Watched> = keys
            .iter()
            .map(|key| Watched {
                key: key.clone(),
                // Only what the plan saw has to go; a successor of the same name may be there.
                uid: if wait == WaitFor::Deletion { plan.uid_seen(key).map(str::to_owned) } else { None },
            })
            .collect();
        let result = self.wait(step, &watched, judge, timeout, &secrets_to_come(plan)).await;
        let (outcome, result) = match result {
            Ok(()) => (Outcome::done(StepResult::Ready), Ok(())),
            Err(Stop::Failed(failure)) => (Outcome::failed(&failure), Err(Stop::Failed(failure))),
            Err(broken) => return Err(broken),
        };
        journal.conclude(vec![(step.id.clone(), outcome)]).await?;
        // What failed is told by its own name, not by that of the first one that was waited for.
        let (key, told) = match &result {
            Err(Stop::Failed(failure)) => (failure.key.clone(), StepResult::Failed),
            _ => (step.key.clone(), StepResult::Ready),
        };
        self.tell(Event::StepDone { id: step.id.clone(), key, result: told }).await;
        result
    }

    /// Watches until all objects are as judged, one can never be, or time is up.
    pub(crate) async fn wait(
        &self,
        step: &Step,
        watched: &[Watched],
        judge: Judge,
        timeout: Duration,
        to_come: &[ToCome],
    ) -> Result<(), Stop> {
        if watched.is_empty() {
            return Ok(());
        }
        let mut wait = Wait { step, watched, judge, timeout, to_come, since: self.clock.now(), told: Vec::new() };
        let mut watching = Watching::of(&self.cluster, watched, judge);
        let mut scene = Scene::since(self.begun()).judged_by(&self.health);
        let mut deadline = self.clock.sleep(timeout);
        let mut patience = self.clock.sleep(FAILING_TO_CREATE);
        loop {
            self.let_go();
            let woken = tokio::select! {
                biased;
                Some(news) = watching.next() => Woken::News(news),
                () = &mut patience => Woken::Impatient,
                () = self.stop.cancelled() => return Err(Error::Interrupted.into()),
                () = &mut deadline => Woken::Late,
            };
            self.hold();
            let (impatient, late) = (matches!(woken, Woken::Impatient), matches!(woken, Woken::Late));
            if impatient {
                patience = self.clock.sleep(FAILING_TO_CREATE);
            }
            if let Woken::News(news) = woken {
                match watching.take(news, &mut scene, judge) {
                    Ok(interruptions) => {
                        for reason in interruptions {
                            self.tell(Event::Interrupted { reason }).await;
                        }
                    }
                    Err(watching::Ended::Unserved) => return Ok(()),
                    Err(watching::Ended::Refused(error)) => return Err(self.refused(step, &watched[0].key, &error)),
                }
            }
            if !watching.has_seen_all(&scene) && !late {
                continue;
            }
            if self.look_for_vanished(&mut scene, watched, judge).await {
                patience = self.clock.sleep(vanished::BETWEEN_LOOKS);
            }
            if impatient && let Some((key, at, message)) = self.look_for_refused(&scene, watched, judge).await {
                return Err(self.never_ready(step, key, &at, "FailedCreate", &message).await);
            }
            match self.look(&mut wait, &mut scene, late).await {
                Look::Done => return Ok(()),
                Look::Goes => {}
                Look::Fails(stop) => return Err(stop),
            }
        }
    }

    /// Judges what is there; tells of it whenever something else is missing.
    async fn look(&self, wait: &mut Wait<'_>, scene: &mut Scene, late: bool) -> Look {
        let Wait { step, watched, judge, .. } = *wait;
        let pending = match scene.judge(watched, judge, self.clock.now()) {
            Verdict::Done => return Look::Done,
            Verdict::Failed { key, at, reason, message } => {
                return Look::Fails(self.never_ready(step, key, &at, &reason, &message).await);
            }
            Verdict::Pending(pending) => pending,
        };
        if late {
            return Look::Fails(self.timed_out(step, scene, pending, wait.timeout).await);
        }
        if let Some((key, pod, mut stuck)) = scene.stuck(watched, judge, &pending, wait.since, self.clock.now())
            && (stuck.outlook != Outlook::Curable || self.is_final(&pod, &mut stuck, wait.to_come).await)
        {
            let message = told_stuck(&pod, &stuck);
            return Look::Fails(self.never_ready(step, key, &pod, &stuck.reason, &message).await);
        }
        if pending != wait.told {
            wait.told.clone_from(&pending);
            let (total, since) = (watched.len(), wait.since);
            self.tell(Event::Waiting { id: step.id.clone(), pending, total, since }).await;
        }
        Look::Goes
    }
}
