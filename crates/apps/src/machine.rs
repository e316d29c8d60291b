//! When an Application is looked at, compared and synced: a machine without clock and I/O.
//!
//! ```text
//! Observation ─► step(state, observations, now) ─► state, Action
//!   Wanted, Requested        the Application           Recover   what an earlier process left open comes to its end
//!   Moved, Resolved          its revisions             Resolve   what do its revisions lead to
//!   LiveChanged              its objects               Compare   is the cluster as the source says
//!   Refreshed                somebody's wish           Sync      an operation begins
//!   Compared, Does, Ended    what was begun            Stop      and gives way
//!   Tick                     time                      Remove    what it delivered goes
//!                                                      GiveUp    what waited is not tried again
//!                                                      WakeAt    tell me then
//! ```
//!
//! The rules are Argo CD's (controller/appcontroller.go, controller/sync.go), told in `research/gitops.md` §1.5 and
//! §1.7 of the plan; where they knowingly differ stands in `docs/argo-compatibility.md`. How a sync goes, phase by phase, is
//! the engine's matter.
//!
//! Invariants (held by `tests/it/machine.rs` in random interleavings): one operation at a time · nothing is synced by
//! itself that was not compared at the very revisions that it delivers · what has failed at a revision is tried again
//! as often as its retries say and no more · drift is put right ever more slowly · a hook that runs is not ended for a
//! new commit · what is overtaken again and again begins ever later · an answer to what nobody asks any more says
//! nothing · after a kill the same follows from the Application's status · an operation that its status tells of as under way,
//! and of which no journal knows, is carried out anew.

mod deciding;
mod seen;

use std::sync::Arc;

use jiff::Timestamp;

pub use self::seen::{
    Activity, Attempt, Automation, CASCADE, Comparison, Difference, End, Freshness, OF_HOOKS, Observation, Past,
    Removal, Retrying, Wanted,
};
use crate::Operation;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Bring to an end what an earlier process left open; ends with [`Observation::Ended`].
    Recover {
        /// Which.
        number: u64,
    },
    /// Find out what the revisions lead to; ends with [`Observation::Resolved`].
    Resolve {
        /// Which.
        number: u64,
        /// How fresh the answer must be.
        freshness: Freshness,
    },
    /// Compare the cluster with the source at these revisions; ends with [`Observation::Compared`].
    Compare {
        /// Which.
        number: u64,
        /// One a source.
        revisions: Vec<String>,
        /// The revisions of the comparison before, where nothing is known to have changed since but them: what was found then is
        /// found again if what is read from the source is the same.
        since: Option<Vec<String>>,
    },
    /// Carry out a sync; ends with [`Observation::Ended`].
    Sync(Begun),
    /// End the sync under way for good: what it has not begun is not begun, and nothing resumes it.
    Stop {
        /// Which.
        number: u64,
        /// Why, in words for its record.
        why: String,
    },
    /// Take along what the Application delivered, and let it go; ends with [`Observation::Ended`].
    Remove {
        /// Which.
        number: u64,
    },
    /// Write down that an operation which waited to be tried again is not: nobody answers.
    GiveUp {
        /// The operation.
        operation: Operation,
        /// How often it was tried before.
        attempt: u32,
        /// Why, in words for its record.
        why: String,
    },
    /// Send a [`Observation::Tick`] then.
    WakeAt(Timestamp),
}

/// A sync that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Which.
    pub number: u64,
    /// What is asked for.
    pub operation: Operation,
    /// 0, or how often it was tried before.
    pub attempt: u32,
    /// Whether a failure is followed by another try.
    pub tries_again: bool,
}

/// What is known of an Application and under way for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    wanted: Option<Wanted>,
    past: Option<Past>,
    /// What its revisions lead to.
    tip: Option<Vec<String>>,
    /// Why that is not known.
    unresolved: Option<String>,
    /// How fresh the source is to be asked for; not at all when absent.
    ask: Option<Freshness>,
    /// The question under way.
    asking: Option<u64>,
    /// The look that somebody has asked for last, until it has come to its end.
    look: Option<Look>,
    /// Whether something happened since the last comparison began.
    stale: bool,
    /// Whether its revisions lead elsewhere since then.
    moved: bool,
    comparing: Option<Asked>,
    compared: Option<Compared>,
    /// What could not be compared in a row, and what not be asked of the source.
    not_compared: Failing,
    not_resolved: Failing,
    working: Working,
    requested: Option<Operation>,
    /// Why it does not sync by itself although it differs.
    refused: Option<String>,
    /// Which sync window keeps a sync from beginning that is due.
    closed: Option<String>,
    /// Whether the Application is no longer there.
    gone: bool,
    /// When what it delivered is tried to be removed again.
    remove_at: Option<Timestamp>,
    /// How often in a row somebody else was quicker than a sync.
    overtaken: u32,
    /// No sync begins by itself before that.
    held_until: Option<Timestamp>,
    /// What somebody has ended that was open, and of which it is to be written down.
    given_up: Option<(Operation, u32, String)>,
    last_number: u64,
}

/// Why something ends that somebody has ended.
const TERMINATED: &str = "Operation terminated";

/// Seconds until a removal that failed is tried again.
const REMOVED_AGAIN: u64 = 10;

/// Seconds until what could not be made is tried again: 3, 6, 12, …, and the longest of them.
const TRIED_AGAIN: u64 = 3;
const TRIED_LONGEST: u64 = 300;

/// What fails and is tried again, ever later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Failing {
    /// How often in a row.
    times: u32,
    /// When it is tried again; nothing while it is, or well.
    at: Option<Timestamp>,
}

impl Failing {
    fn noted<T, E>(&mut self, result: &Result<T, E>, now: Timestamp) {
        if result.is_ok() {
            *self = Failing::default();
            return;
        }
        let at = later(now, doubled(TRIED_AGAIN, self.times, TRIED_LONGEST));
        *self = Failing { times: self.times.saturating_add(1), at: Some(at) };
    }

    /// Whether it is time to try again; where it is not yet, it asks to be woken.
    fn is_due(&mut self, now: Timestamp, actions: &mut Vec<Action>) -> bool {
        if let Some(at) = self.at.filter(|at| now < *at) {
            actions.push(Action::WakeAt(at));
            return false;
        }
        self.at.take().is_some()
    }
}

/// Seconds that are doubled so often, up to the longest.
fn doubled(seconds: u64, times: u32, longest: u64) -> u64 {
    1u64.checked_shl(times).and_then(|by| seconds.checked_mul(by)).unwrap_or(longest).min(longest)
}

/// The longest, in seconds, that a sync holds back that was overtaken before: 0, 1, 2, 4, …
const HELD_LONGEST: u64 = 60;

/// Seconds that a sync holds back that was overtaken so often in a row.
fn held(overtaken: u32) -> u64 {
    let Some(times) = overtaken.checked_sub(2) else { return 0 };
    doubled(1, times, HELD_LONGEST)
}

/// How far a look has come that somebody has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It is to be asked what its revisions lead to.
    Begins,
    /// That is the question under way.
    Resolves(u64),
    /// That is known, and it is to be compared.
    Resolved,
    /// That is the comparison under way.
    Compares(u64),
}

/// What a comparison is about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    number: u64,
    revisions: Vec<String>,
    by: Arc<str>,
}

/// What a comparison has found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Compared {
    asked: Asked,
    result: Result<Comparison, String>,
}

/// What is under way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Working {
    /// It is to be looked what an earlier process left open.
    #[default]
    Unknown,
    /// That is done.
    Recovering { number: u64, ending: Ending },
    /// Nothing is.
    Idle,
    /// A sync is.
    Syncing { begun: Begun, activity: Activity, ending: Ending },
    /// A sync that failed waits for its next try.
    Waiting(Retrying),
    /// What it delivered goes.
    Removing { number: u64 },
    /// It has gone, or cannot be taken along: nothing more is done.
    Over,
}

/// Whether a sync is to end before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    /// It is not.
    Open,
    /// It is to be told so, and why.
    Wanted(String),
    /// It was told.
    Told(String),
}

/// Takes note of what has happened and says what is to be done.
pub fn step(mut state: State, observations: Vec<Observation>, now: Timestamp) -> (State, Vec<Action>) {
    for observation in observations {
        state.note(observation, now);
    }
    let actions = state.decide(now);
    (state, actions)
}

impl State {
    /// That of an Application which takes the place of another one of its name: what comes late for that one answers nothing
    /// that this one asks.
    pub fn behind(former: u64) -> Self {
        State { last_number: former, ..State::default() }
    }

    /// The number of what was begun last.
    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Whether it waits for the end of an operation of this number.
    pub fn works_on(&self, number: u64) -> bool {
        match &self.working {
            Working::Recovering { number: own, .. } | Working::Removing { number: own } => *own == number,
            Working::Syncing { begun, .. } => begun.number == number,
            Working::Unknown | Working::Idle | Working::Waiting(_) | Working::Over => false,
        }
    }

    /// Whether it waits for a comparison of this number.
    pub fn compares(&self, number: u64) -> bool {
        self.comparing.as_ref().is_some_and(|asked| asked.number == number)
    }

    /// Why it cannot be compared, if it cannot.
    pub fn comparison_error(&self) -> Option<&str> {
        let failed = self.compared.as_ref().and_then(|compared| compared.result.as_ref().err());
        self.unresolved.as_deref().or(failed.map(String::as_str))
    }

    /// Why it does not sync by itself although it differs, if so.
    pub fn sync_error(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Which sync window keeps a sync from beginning that is due, if one does.
    pub fn closed(&self) -> Option<&str> {
        self.closed.as_deref()
    }

    /// What its revisions lead to, as far as that is known.
    pub fn tip(&self) -> Option<&[String]> {
        self.tip.as_deref()
    }

    /// Whether a sync is under way.
    pub fn is_syncing(&self) -> bool {
        matches!(self.working, Working::Syncing { .. } | Working::Recovering { .. })
    }

    /// Whether a look is under way that somebody has asked for. It is over as soon as it is known why the source cannot be asked; while
    /// a sync is under way nothing is compared, and none is waited for.
    pub fn is_looking(&self) -> bool {
        self.look.is_some()
    }

    /// Whether nothing is under way or about to be.
    pub fn is_at_rest(&self) -> bool {
        let works = !matches!(self.working, Working::Idle | Working::Over);
        let is_due = (self.stale || self.moved) && self.tip.is_some();
        let looks = self.comparing.is_some() || self.asking.is_some() || is_due;
        let stays = self.wanted.as_ref().is_some_and(|wanted| wanted.removal == Removal::Stays);
        !works && (!looks || self.gone || !stays)
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn note(&mut self, observation: Observation, now: Timestamp) {
        match observation {
            Observation::Wanted(wanted) => self.wants(wanted),
            Observation::Gone => {
                self.gone = true;
                self.end("the Application was deleted");
            }
            Observation::Restored(past) => self.past = Some(*past),
            Observation::Requested(operation) => self.requested = Some(operation),
            Observation::Withdrawn => self.requested = None,
            Observation::Terminated => self.terminated(),
            Observation::Resolved { number, result } => self.resolved(number, result, now),
            Observation::Refreshed(freshness) => {
                self.stale = true;
                if freshness > Freshness::Recent {
                    self.ask = self.ask.max(Some(freshness));
                    self.look = Some(Look::Begins);
                }
            }
            Observation::Moved => self.ask = self.ask.max(Some(Freshness::Latest)),
            Observation::LiveChanged => self.stale = true,
            Observation::Compared { number, result } => {
                if let Some(asked) = self.comparing.take_if(|asked| asked.number == number) {
                    self.look.take_if(|look| *look == Look::Compares(number));
                    self.not_compared.noted(&result, now);
                    self.compared = Some(Compared { asked, result });
                }
            }
            Observation::Does { number, activity: doing } => {
                if let Working::Syncing { begun, activity, .. } = &mut self.working
                    && begun.number == number
                {
                    *activity = doing;
                }
            }
            Observation::Ended { number, end } => self.ended(number, end, now),
            Observation::Tick => {}
        }
    }

    fn wants(&mut self, wanted: Wanted) {
        let before = self.wanted.as_ref();
        if before.is_none_or(|before| before.source != wanted.source) {
            self.ask = self.ask.max(Some(Freshness::Latest));
            // What other revisions led to says nothing of these, nor what they turn out to lead to.
            (self.tip, self.unresolved, self.asking) = (None, None, None);
            self.look = self.look.map(|_| Look::Begins);
        }
        if before.is_none_or(|before| before.compared_by != wanted.compared_by) {
            self.stale = true;
        }
        self.wanted = Some(wanted);
    }

    /// Ends what is under way, or what waits for its next try: also before this process has looked what that is.
    fn terminated(&mut self) {
        if let Working::Recovering { ending: ending @ Ending::Open, .. } = &mut self.working {
            // Who goes on with it stops, and writes down that it is over.
            *ending = Ending::Wanted(TERMINATED.to_owned());
            return;
        }
        let waiting = match std::mem::take(&mut self.working) {
            Working::Waiting(waiting) => {
                self.working = Working::Idle;
                Some(waiting)
            }
            other => {
                self.working = other;
                self.past.as_mut().and_then(|past| past.retrying.take())
            }
        };
        if let Some(waiting) = waiting {
            self.requested.take_if(|requested| *requested == waiting.operation);
        }
        self.end(TERMINATED);
    }

    fn resolved(&mut self, number: u64, result: Result<Vec<String>, String>, now: Timestamp) {
        if self.asking.take_if(|asking| *asking == number).is_none() {
            return;
        }
        self.not_resolved.noted(&result, now);
        if self.look.take_if(|look| *look == Look::Resolves(number)).is_some() {
            self.look = result.is_ok().then_some(Look::Resolved);
        }
        match result {
            Ok(revisions) => {
                self.unresolved = None;
                if self.tip.as_ref() != Some(&revisions) {
                    self.tip = Some(revisions);
                    self.moved = true;
                }
            }
            // What was delivered stays: a branch that is gone prunes nothing.
            Err(why) => self.unresolved = Some(why),
        }
    }

    fn ended(&mut self, ended: u64, end: End, now: Timestamp) {
        match std::mem::take(&mut self.working) {
            Working::Recovering { number, ending } if number == ended => self.recovered(&end, &ending, now),
            Working::Removing { number } if number == ended => match end {
                End::Succeeded(_) | End::NothingOpen => self.working = Working::Over,
                _ => {
                    self.working = Working::Idle;
                    self.remove_at = Some(later(now, REMOVED_AGAIN));
                }
            },
            Working::Syncing { begun, ending, .. } if begun.number == ended => {
                self.working = self.follows(begun, ending, &end, now);
            }
            other => {
                self.working = other;
                return;
            }
        }
        // What was compared before is out of date, also where the answer is still to come.
        self.compared = None;
        self.comparing = None;
        self.stale = true;
        if let Some(look @ Look::Compares(_)) = &mut self.look {
            *look = Look::Resolved;
        }
    }

    /// What follows a sync.
    fn follows(&mut self, begun: Begun, ending: Ending, end: &End, now: Timestamp) -> Working {
        let Begun { operation, attempt, .. } = begun;
        self.past.get_or_insert_default().heal_attempts = operation.heal_attempts;
        self.hold(&operation, end, now);
        match (end, ending) {
            // What somebody asked for, or is tried again, comes to its turn although somebody else was quicker.
            (End::Overtaken, Ending::Open) if !operation.is_automated() || attempt > 0 => {
                let at = self.held_until.unwrap_or(now);
                Working::Waiting(Retrying { operation, number: attempt, at })
            }
            (End::Stopped, Ending::Told(why)) => {
                // It counts as a failure: what was ended by somebody does not begin again by itself.
                let failed = End::Failed { revisions: operation.revisions, message: why };
                self.attempted(&failed, now);
                Working::Idle
            }
            (End::Failed { .. }, Ending::Open | Ending::Wanted(_)) if operation.retry.allows(attempt + 1) => {
                self.attempted(end, now);
                self.waiting(operation, attempt + 1, now)
            }
            _ => {
                self.attempted(end, now);
                Working::Idle
            }
        }
    }

    /// Takes note of whether somebody else was quicker: another writer, or the next commit.
    fn hold(&mut self, operation: &Operation, end: &End, now: Timestamp) {
        let newer = self.tip.as_ref().is_some_and(|tip| *tip != operation.revisions);
        let overtaken = match end {
            End::Overtaken => true,
            End::Stopped => operation.is_automated() && newer,
            End::Succeeded(_) | End::Failed { .. } | End::NothingOpen => false,
        };
        self.overtaken = if overtaken { self.overtaken.saturating_add(1) } else { 0 };
        self.held_until = overtaken.then(|| later(now, held(self.overtaken)));
    }

    fn recovered(&mut self, end: &End, ending: &Ending, now: Timestamp) {
        let past = self.past.get_or_insert_default();
        let (retrying, interrupted) = (past.retrying.take(), past.interrupted.take());
        if let Ending::Wanted(why) | Ending::Told(why) = ending {
            return self.terminated_while_recovering(end, why, retrying, interrupted, now);
        }
        self.working = match (end, interrupted) {
            (End::NothingOpen, interrupted) => {
                // What was known of one under way is lost, and so is how far it came.
                let anew = |(operation, number)| Retrying { operation, number, at: now };
                match retrying.or_else(|| interrupted.map(anew)) {
                    Some(again) => {
                        self.requested.take_if(|requested| *requested == again.operation);
                        Working::Waiting(again)
                    }
                    None => Working::Idle,
                }
            }
            (end, Some((operation, attempt))) => {
                past.heal_attempts = operation.heal_attempts;
                // The wish that it was begun for still stands in the Application as it was first seen.
                self.requested.take_if(|requested| *requested == operation);
                match end {
                    End::Failed { .. } if operation.retry.allows(attempt + 1) => {
                        self.waiting(operation, attempt + 1, now)
                    }
                    _ => Working::Idle,
                }
            }
            _ => Working::Idle,
        };
        self.attempted(end, now);
    }

    /// Somebody has ended what was being gone on with: it does not begin again by itself, however far that had come.
    fn terminated_while_recovering(
        &mut self,
        end: &End,
        why: &str,
        retrying: Option<Retrying>,
        interrupted: Option<(Operation, u32)>,
        now: Timestamp,
    ) {
        let was_under_way = interrupted.is_some();
        let ended = interrupted.or_else(|| retrying.map(|again| (again.operation, again.number)));
        self.working = Working::Idle;
        let Some((operation, attempt)) = ended else { return self.attempted(end, now) };
        self.past.get_or_insert_default().heal_attempts = operation.heal_attempts;
        self.requested.take_if(|requested| *requested == operation);
        match end {
            End::Stopped if was_under_way => {
                self.hold(&operation, end, now);
                let failed = End::Failed { revisions: operation.revisions, message: why.to_owned() };
                self.attempted(&failed, now);
            }
            End::Stopped => {}
            // It had been looked at before that was said: nobody has written down that it is over.
            End::NothingOpen | End::Overtaken => {
                let failed = End::Failed { revisions: operation.revisions.clone(), message: why.to_owned() };
                self.attempted(&failed, now);
                self.given_up = Some((operation, attempt, why.to_owned()));
            }
            End::Succeeded(_) | End::Failed { .. } => self.attempted(end, now),
        }
    }

    fn waiting(&self, mut operation: Operation, number: u32, now: Timestamp) -> Working {
        let at = later(now, operation.retry.wait(number));
        if operation.retry.refresh && operation.is_automated() {
            operation.revisions.clear();
        }
        Working::Waiting(Retrying { operation, number, at })
    }

    fn attempted(&mut self, end: &End, now: Timestamp) {
        let source = self.wanted.as_ref().map_or_else(Arc::default, |wanted| Arc::clone(&wanted.source));
        let attempt = match end {
            End::Succeeded(revisions) => Attempt { revisions: revisions.clone(), source, failure: None },
            End::Failed { revisions, message } => {
                Attempt { revisions: revisions.clone(), source, failure: Some(message.clone()) }
            }
            End::Overtaken | End::Stopped | End::NothingOpen => return,
        };
        let past = self.past.get_or_insert_default();
        (past.attempt, past.ended) = (Some(attempt), Some(now));
    }

    /// Wants the sync under way to end.
    fn end(&mut self, why: &str) {
        if let Working::Syncing { ending: ending @ Ending::Open, .. } = &mut self.working {
            *ending = Ending::Wanted(why.to_owned());
        }
    }
}

/// A moment so many seconds later.
fn later(now: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}
