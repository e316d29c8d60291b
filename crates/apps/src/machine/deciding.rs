//! What follows from what is known.

use jiff::Timestamp;

use super::{
    Action, Activity, Asked, Automation, Begun, Compared, Comparison, Difference, End, Ending, Freshness, Look,
    Removal, State, Wanted, Working, later,
};
use crate::{Asker, Operation};

/// Seconds before drift is put right that came back after it was: 2, 6, 18, …
const HEAL_FIRST: u64 = 2;
const HEAL_FACTOR: u64 = 3;
/// The longest of them, in seconds; whoever kept quiet for so long begins anew.
const HEAL_LONGEST: u64 = 300;

/// Seconds before drift is put right that was put right so often before.
fn heal_wait(attempts: u32) -> u64 {
    let Some(times) = attempts.checked_sub(1) else { return 0 };
    HEAL_FACTOR.checked_pow(times).and_then(|by| HEAL_FIRST.checked_mul(by)).unwrap_or(u64::MAX).min(HEAL_LONGEST)
}

impl State {
    pub(super) fn decide(&mut self, now: Timestamp) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.gone {
            actions.extend(self.stops());
            return actions;
        }
        // What its status says of the past comes with the Application, or before it.
        let (Some(wanted), Some(_)) = (self.wanted.clone(), &self.past) else { return actions };
        if self.working == Working::Unknown {
            let number = self.next_number();
            self.working = Working::Recovering { number, ending: Ending::Open };
            actions.push(Action::Recover { number });
        }
        if let Some((operation, attempt, why)) = self.given_up.take() {
            actions.push(Action::GiveUp { operation, attempt, why });
        }
        if wanted.removal != Removal::Stays {
            self.remove(wanted.removal, now, &mut actions);
            return actions;
        }
        if self.not_resolved.is_due(now, &mut actions) {
            self.ask = self.ask.max(Some(Freshness::Latest));
        }
        if let Some(freshness) = self.ask.take_if(|_| self.asking.is_none()) {
            let number = self.next_number();
            self.asking = Some(number);
            if let Some(look @ Look::Begins) = &mut self.look {
                *look = Look::Resolves(number);
            }
            self.not_resolved.at = None;
            actions.push(Action::Resolve { number, freshness });
        }
        self.gives_way(&wanted, now);
        actions.extend(self.stops());
        self.begin(&wanted, now, &mut actions);
        self.stale |= self.not_compared.is_due(now, &mut actions);
        actions.extend(self.compare(&wanted));
        // One that an earlier process left open is gone on with: nobody compares until its hooks have ended.
        let goes_on = self.past.as_ref().is_some_and(|past| past.interrupted.is_some());
        let is_syncing = match self.working {
            Working::Syncing { .. } => true,
            Working::Recovering { .. } => goes_on,
            _ => false,
        };
        if is_syncing {
            self.look.take_if(|look| *look == Look::Resolved);
        }
        actions
    }

    fn remove(&mut self, removal: Removal, now: Timestamp, actions: &mut Vec<Action>) {
        self.end("the Application is being deleted");
        self.look = None;
        actions.extend(self.stops());
        if !matches!(self.working, Working::Idle | Working::Waiting(_)) {
            return;
        }
        match removal {
            Removal::Cascades => match self.remove_at.filter(|at| now < *at) {
                Some(at) => actions.push(Action::WakeAt(at)),
                None => {
                    let number = self.next_number();
                    self.working = Working::Removing { number };
                    actions.push(Action::Remove { number });
                }
            },
            Removal::Leaves | Removal::Stays => self.working = Working::Over,
        }
    }

    /// Wants an automated sync to end that waits for health, when a new commit or somebody's wish has come.
    fn gives_way(&mut self, wanted: &Wanted, now: Timestamp) {
        let Working::Syncing { begun, activity: Activity::Waits, ending: Ending::Open } = &self.working else { return };
        if !begun.operation.is_automated() {
            return;
        }
        if let Some(why) = self.superseded(&begun.operation) {
            self.end(&why);
        } else if self.requested.is_some() && wanted.windows.pass(Asker::Somebody, now).is_ok() {
            self.end("superseded by another operation");
        }
    }

    /// Which other revisions there are to be delivered than an operation's, in words for its record.
    fn superseded(&self, operation: &Operation) -> Option<String> {
        let newer = self.tip.as_ref().filter(|tip| **tip != operation.revisions)?;
        Some(format!("superseded by {}", newer.join(", ")))
    }

    fn stops(&mut self) -> Option<Action> {
        let (number, ending) = match &mut self.working {
            Working::Syncing { begun, ending, .. } => (begun.number, ending),
            Working::Recovering { number, ending } => (*number, ending),
            _ => return None,
        };
        let Ending::Wanted(why) = ending else { return None };
        let why = std::mem::take(why);
        *ending = Ending::Told(why.clone());
        Some(Action::Stop { number, why })
    }

    /// Whether the project's sync windows let a sync begin; if not, notes why and when it is worth asking again.
    fn passes(&mut self, wanted: &Wanted, asker: Asker, now: Timestamp, actions: &mut Vec<Action>) -> bool {
        let Err(closed) = wanted.windows.pass(asker, now) else { return true };
        actions.extend(closed.until.map(Action::WakeAt));
        let until = closed.until.map(|until| format!(", until {until} at the earliest"));
        self.closed = Some(closed.why + until.as_deref().unwrap_or_default());
        false
    }

    fn begin(&mut self, wanted: &Wanted, now: Timestamp, actions: &mut Vec<Action>) {
        self.closed = None;
        if let Working::Waiting(waiting) = &self.working {
            let is_automated = waiting.operation.is_automated();
            let gives_way = is_automated && !waiting.operation.revisions.is_empty();
            let asker = if is_automated { Asker::Policy } else { Asker::Somebody };
            let at = waiting.at;
            if self.requested.is_some() {
                self.working = Working::Idle;
            } else if let Some(why) = self.superseded(&waiting.operation).filter(|_| gives_way) {
                let (operation, attempt) = (waiting.operation.clone(), waiting.number);
                let failed = End::Failed { revisions: operation.revisions.clone(), message: why.clone() };
                self.attempted(&failed, now);
                self.working = Working::Idle;
                actions.push(Action::GiveUp { operation, attempt, why });
            } else if now < at {
                actions.push(Action::WakeAt(at));
            } else if !self.passes(wanted, asker, now, actions) {
                return;
            }
        }
        // Before it is known what its revisions lead to, an automated sync may be of an old commit.
        if let Working::Waiting(waiting) = &self.working
            && now >= waiting.at
            && (!waiting.operation.is_automated() || self.tip.is_some())
        {
            let (operation, attempt) = (waiting.operation.clone(), waiting.number);
            actions.extend(self.sync(operation, attempt));
        }
        if self.working != Working::Idle {
            return;
        }
        self.refused = None;
        if self.requested.is_some() {
            if self.passes(wanted, Asker::Somebody, now, actions)
                && let Some(operation) = self.requested.take()
            {
                actions.extend(self.sync(operation, 0));
            }
        } else if let Some(operation) = self.automated(wanted, now, actions)
            && self.passes(wanted, Asker::Policy, now, actions)
        {
            actions.extend(self.sync(operation, 0));
        }
    }

    fn sync(&mut self, mut operation: Operation, attempt: u32) -> Option<Action> {
        if operation.is_automated() && operation.revisions.is_empty() {
            operation.revisions.clone_from(self.tip.as_ref()?);
        }
        let tries_again = operation.retry.allows(attempt + 1);
        let begun = Begun { number: self.next_number(), operation, attempt, tries_again };
        self.working = Working::Syncing { begun: begun.clone(), activity: Activity::Acts, ending: Ending::Open };
        Some(Action::Sync(begun))
    }

    /// The sync that the Application's policy asks for now (controller/appcontroller.go, autoSync).
    fn automated(&mut self, wanted: &Wanted, now: Timestamp, actions: &mut Vec<Action>) -> Option<Operation> {
        let automation = wanted.automation.as_ref()?;
        let tip = self.tip.as_ref()?;
        let compared = self.compared.as_ref()?;
        if compared.asked.revisions != *tip || compared.asked.by != wanted.compared_by {
            return None;
        }
        let Ok(Comparison::OutOfSync { by, resources }) = &compared.result else { return None };
        if *by != Difference::Changes && !automation.prune {
            return None;
        }
        let mut operation = Operation::automated(automation.retry.clone());
        operation.revisions.clone_from(tip);
        let past = self.past.as_ref()?;
        let attempted = past.attempt.as_ref();
        if let Some(attempt) = attempted.filter(|it| it.revisions == *tip && it.source == wanted.source) {
            if let Some(failure) = &attempt.failure {
                self.refused = Some(format!("Failed last sync attempt to {}: {failure}", tip.join(", ")));
                return None;
            }
            if !automation.self_heal || resources.is_empty() {
                return None;
            }
            let at = |seconds: u64| past.ended.map_or(now, |ended| later(ended, seconds));
            let attempts = if now >= at(HEAL_LONGEST) { 0 } else { past.heal_attempts };
            let due = at(heal_wait(attempts));
            if now < due {
                actions.push(Action::WakeAt(due));
                return None;
            }
            operation.resources.clone_from(resources);
            operation.heal_attempts = attempts + 1;
        }
        if wipes_out(automation, *by) {
            self.refused = Some("auto-sync will wipe out all resources".to_owned());
            return None;
        }
        if let Some(held) = self.held_until.filter(|held| now < *held) {
            actions.push(Action::WakeAt(held));
            return None;
        }
        Some(operation)
    }

    fn compare(&mut self, wanted: &Wanted) -> Option<Action> {
        let may = matches!(self.working, Working::Idle | Working::Waiting(_)) && self.comparing.is_none();
        if !may || !(self.stale || self.moved) || self.asking.is_some() {
            return None;
        }
        let revisions = self.tip.clone()?;
        let holds = |compared: &&Compared| compared.result.is_ok() && compared.asked.by == wanted.compared_by;
        let last = self.compared.as_ref().filter(|_| !self.stale).filter(holds);
        let since = last.map(|compared| compared.asked.revisions.clone());
        (self.stale, self.moved, self.not_compared.at) = (false, false, None);
        let number = self.next_number();
        if let Some(look @ Look::Resolved) = &mut self.look {
            *look = Look::Compares(number);
        }
        self.comparing = Some(Asked { number, revisions: revisions.clone(), by: wanted.compared_by.clone() });
        Some(Action::Compare { number, revisions, since })
    }
}

fn wipes_out(automation: &Automation, by: Difference) -> bool {
    by == Difference::AllPruned && automation.prune && !automation.allow_empty
}
