//! A repository, a cluster and an Application that keep their own books, and hold what the machine wants against them.

use std::sync::Arc;

use super::events::Event;
use jiff::{SignedDuration, Timestamp};
use landfall_apps::machine::{
    Action, Activity, Attempt, Automation, Begun, Comparison, Difference, End, Freshness, Observation, Past, Removal,
    Retrying, State, Wanted, step,
};
use landfall_apps::{Asker, Initiator, Operation, ResourceName, Retry, Windows};

/// What the machine has begun and nobody has answered yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Open {
    /// One that is forgotten is answered late, when the machine has begun something else.
    Resolve {
        number: u64,
        forgotten: bool,
    },
    /// As above.
    Compare {
        number: u64,
        revisions: Vec<String>,
        forgotten: bool,
        /// How often the machine was told before that something has changed which is no commit.
        changes: u32,
    },
    Recover {
        number: u64,
    },
    Sync(Begun),
    Remove {
        number: u64,
    },
}

/// A repository, a cluster and an Application.
pub(super) struct World {
    pub(super) state: State,
    pub(super) now: Timestamp,
    pub(super) wanted: Wanted,
    commit: usize,
    empty: Vec<bool>,
    branch: bool,
    pub(super) delivered: Option<Vec<String>>,
    pub(super) drift: bool,
    orphan: bool,
    pub(super) open: Vec<Open>,
    activity: Activity,
    pub(super) wakes: Vec<Timestamp>,
    gone: bool,
    // The books: what the Application's status and the journal would say.
    attempt: Option<Attempt>,
    ended: Option<Timestamp>,
    pub(super) heals: u32,
    pub(super) waiting: Option<Retrying>,
    journal: Option<Begun>,
    // Whether only the status knows of it, for the journal was lost.
    lost: bool,
    pub(super) carried: Option<Operation>,
    // What the machine was told.
    told_tip: Option<Vec<String>>,
    told: Option<(Vec<String>, Comparison)>,
    /// What the last comparison held for: its revisions, the specification, and so many changes that are no commits.
    known: Option<(Vec<String>, Arc<str>, u32)>,
    changes: u32,
    /// How often a comparison was asked for that needs but the files.
    pub(super) of_files: u32,
    terminated: bool,
    /// Whether somebody has ended what is being gone on with.
    pub(super) ends_recovery: bool,
    unlooked: bool,
    pub(super) asked: u32,
    pub(super) begun: u32,
    // How often in a row somebody else was quicker, and until when that holds a sync back.
    overtaken: usize,
    held: Timestamp,
}

/// Seconds that a sync holds back which was overtaken so often in a row.
const HELD: [i64; 9] = [0, 0, 1, 2, 4, 8, 16, 32, 60];

fn name() -> ResourceName {
    ResourceName { kind: "ConfigMap".into(), name: "a".into(), ..ResourceName::default() }
}

impl World {
    pub(super) fn new(automation: Option<Automation>) -> Self {
        World::within(automation, Windows::default())
    }

    pub(super) fn within(automation: Option<Automation>, windows: Windows) -> Self {
        let wanted = Wanted {
            windows,
            automation,
            source: Arc::from("source 0"),
            compared_by: Arc::from("spec 0"),
            removal: Removal::Stays,
        };
        let mut world = World {
            state: State::default(),
            now: Timestamp::UNIX_EPOCH,
            wanted: wanted.clone(),
            commit: 0,
            empty: vec![false],
            branch: true,
            delivered: None,
            drift: false,
            orphan: false,
            open: Vec::new(),
            activity: Activity::Acts,
            wakes: Vec::new(),
            gone: false,
            attempt: None,
            ended: None,
            heals: 0,
            waiting: None,
            journal: None,
            lost: false,
            carried: None,
            told_tip: None,
            told: None,
            known: None,
            changes: 0,
            of_files: 0,
            terminated: false,
            ends_recovery: false,
            unlooked: true,
            asked: 0,
            begun: 0,
            overtaken: 0,
            held: Timestamp::UNIX_EPOCH,
        };
        world.tell(vec![Observation::Restored(Box::default()), Observation::Wanted(wanted)]);
        world
    }

    pub(super) fn tell(&mut self, observations: Vec<Observation>) {
        let (state, actions) = step(std::mem::take(&mut self.state), observations, self.now);
        self.state = state;
        self.wakes.retain(|at| *at > self.now);
        for action in actions {
            self.take(action);
        }
    }

    pub(super) fn tip(&self) -> Vec<String> {
        vec![format!("commit {}", self.commit)]
    }

    pub(super) fn works(&self) -> Option<&Open> {
        self.open.iter().find(|open| matches!(open, Open::Recover { .. } | Open::Sync(_) | Open::Remove { .. }))
    }

    /// Holds what the machine wants against the books.
    fn take(&mut self, action: Action) {
        assert!(!self.gone || matches!(action, Action::Stop { .. }), "{action:?} for nobody");
        match action {
            Action::Recover { number } => {
                assert_eq!(self.works(), None, "two at once");
                self.ends_recovery = false;
                self.open.push(Open::Recover { number });
            }
            Action::Resolve { number, .. } => {
                let twice = |open: &Open| matches!(open, Open::Resolve { forgotten: false, .. });
                assert!(!self.open.iter().any(twice), "asked twice");
                self.open.push(Open::Resolve { number, forgotten: false });
            }
            Action::Compare { number, revisions, since } => {
                assert_eq!(self.works(), None, "compared while something changes");
                let twice = |open: &Open| matches!(open, Open::Compare { forgotten: false, .. });
                assert!(!self.open.iter().any(twice), "compared twice at once");
                assert_eq!(self.told_tip.as_ref(), Some(&revisions));
                self.unlooked = false;
                if let Some(since) = since {
                    let now = (since, Arc::clone(&self.wanted.compared_by), self.changes);
                    assert_eq!(self.known.as_ref(), Some(&now), "more has changed than the commit");
                    self.of_files += 1;
                }
                let changes = self.changes;
                self.open.push(Open::Compare { number, revisions, forgotten: false, changes });
            }
            Action::Sync(begun) => {
                assert_eq!(self.works(), None, "two at once");
                assert_eq!(self.wanted.removal, Removal::Stays);
                let asker = if begun.operation.is_automated() { Asker::Policy } else { Asker::Somebody };
                assert_eq!(self.wanted.windows.pass(asker, self.now), Ok(()), "it begins while it may not");
                self.check_begun(&begun);
                self.activity = Activity::Acts;
                self.terminated = false;
                self.waiting = None;
                (self.journal, self.lost) = (Some(begun.clone()), false);
                self.open.push(Open::Sync(begun));
            }
            Action::Stop { number, .. } if self.works() == Some(&Open::Recover { number }) => {
                assert!(self.ends_recovery, "what was open was ended for nothing");
            }
            Action::Stop { number, .. } => {
                let Some(Open::Sync(begun)) = self.works() else { panic!("nothing is there to stop") };
                assert_eq!(begun.number, number);
                let newer = self.told_tip.as_ref() != Some(&begun.operation.revisions) || self.carried.is_some();
                let gives_way = begun.operation.is_automated() && self.activity == Activity::Waits && newer;
                let leaves = self.gone || self.wanted.removal != Removal::Stays;
                assert!(leaves || self.terminated || gives_way, "{begun:?} was stopped for nothing");
            }
            Action::Remove { number } => {
                assert_eq!(self.works(), None, "two at once");
                assert_eq!(self.wanted.removal, Removal::Cascades);
                self.open.push(Open::Remove { number });
            }
            Action::GiveUp { operation, why, .. } => {
                let waiting = self.waiting.take().expect("it waits");
                let is_newer = operation.is_automated() && self.told_tip.as_ref() != Some(&operation.revisions);
                assert!(waiting.operation == operation && (is_newer || self.ends_recovery), "given up for nothing");
                let (revisions, source) = (operation.revisions, self.wanted.source.clone());
                self.attempt = Some(Attempt { revisions, source, failure: Some(why) });
                (self.ended, self.journal, self.lost) = (Some(self.now), None, false);
            }
            Action::WakeAt(at) => {
                assert!(at > self.now, "it is that late already");
                self.wakes.push(at);
            }
        }
    }

    fn check_begun(&mut self, begun: &Begun) {
        let operation = &begun.operation;
        assert_eq!(begun.tries_again, operation.retry.allows(begun.attempt + 1));
        if begun.attempt > 0 {
            let waiting = self.waiting.take().expect("only what failed is tried again");
            assert_eq!(waiting.number, begun.attempt);
            assert!(self.now >= waiting.at, "tried again too early");
            assert!(operation.retry.allows(begun.attempt), "tried too often");
            assert_eq!(waiting.operation.initiator, operation.initiator);
            if operation.is_automated() {
                assert_eq!(self.told_tip.as_ref(), Some(&operation.revisions), "an old commit was tried again");
            }
            return;
        }
        if !operation.is_automated() {
            assert_eq!(self.carried.as_ref(), Some(operation), "nobody asked for it");
            match self.waiting.take() {
                Some(waiting) if waiting.operation == *operation => {
                    assert!(self.now >= waiting.at, "overtaken, and begun again at once");
                }
                _ => self.begun += 1,
            }
            return;
        }
        if let Some(waiting) = self.waiting.take_if(|waiting| waiting.operation == *operation) {
            assert_eq!(
                (waiting.number, self.told_tip.as_ref()),
                (0, Some(&operation.revisions)),
                "not carried out anew"
            );
            return;
        }
        assert!(self.now >= self.held, "overtaken {} times, and begun again at once", self.overtaken);
        let automation = self.wanted.automation.clone().expect("it syncs by itself");
        let (revisions, Comparison::OutOfSync { by, .. }) = self.told.as_ref().expect("it was compared") else {
            panic!("there was nothing to do")
        };
        assert_eq!(*revisions, operation.revisions, "something else was compared");
        assert_eq!(self.told_tip.as_ref(), Some(revisions));
        assert!(*by == Difference::Changes || automation.prune, "only pruning, and it does not prune");
        assert!(*by != Difference::AllPruned || automation.allow_empty, "everything would be gone");
        let same = self
            .attempt
            .as_ref()
            .filter(|attempt| attempt.revisions == operation.revisions && attempt.source == self.wanted.source);
        let Some(same) = same else {
            assert!(!operation.is_partial() && operation.heal_attempts == 0);
            return;
        };
        assert_eq!(same.failure, None, "it failed at this revision before");
        assert!(automation.self_heal, "it was delivered already");
        assert!(operation.is_partial());
        let quiet = self.ended.map_or(i64::MAX, |ended| self.now.duration_since(ended).as_secs());
        let expected = match self.heals {
            0 => 0,
            1 => 2,
            2 => 6,
            3 => 18,
            4 => 54,
            5 => 162,
            _ => 300,
        };
        assert!(quiet >= expected, "drift was put right {} times, and again after {quiet} s", self.heals);
        assert!(operation.heal_attempts == self.heals + 1 || (quiet >= 300 && operation.heal_attempts == 1));
    }

    fn found(&self, revisions: &[String]) -> Comparison {
        let number: usize = revisions[0].trim_start_matches("commit ").parse().expect("a commit's name");
        let differs = |by| Comparison::OutOfSync { by, resources: vec![name()] };
        let is_empty = self.empty[number];
        match &self.delivered {
            Some(delivered) if is_empty && delivered != revisions => differs(Difference::AllPruned),
            Some(delivered) if delivered == revisions && !self.drift && !self.orphan => Comparison::Synced,
            Some(delivered) if delivered == revisions && !self.drift => differs(Difference::OnlyPruning),
            None if is_empty => Comparison::Synced,
            _ => differs(Difference::Changes),
        }
    }

    /// What was compared before an operation ended says nothing of afterwards.
    fn forget(&mut self) {
        (self.told, self.known) = (None, None);
        self.unlooked = true;
        for open in &mut self.open {
            if let Open::Compare { forgotten, .. } = open {
                *forgotten = true;
            }
        }
    }

    fn close(&mut self, operation: &Operation, number: u32, end: &End) {
        (self.journal, self.lost) = (None, false);
        self.forget();
        self.heals = operation.heal_attempts;
        let again = match end {
            End::Failed { .. } => operation.retry.allows(number + 1),
            // It was not begun: it keeps its turn.
            End::Overtaken => number > 0 || !operation.is_automated(),
            _ => false,
        };
        if self.carried.as_ref() == Some(operation) && !again {
            self.carried = None;
        }
        let newer = self.told_tip.as_ref().is_some_and(|tip| *tip != operation.revisions);
        let is_overtaken = match end {
            End::Overtaken => true,
            End::Stopped => operation.is_automated() && newer,
            _ => false,
        };
        self.overtaken = if is_overtaken { self.overtaken + 1 } else { 0 };
        self.held = self.now + SignedDuration::from_secs(HELD[self.overtaken.min(HELD.len() - 1)]);
        let attempt = |revisions: &Vec<String>, failure| Attempt {
            revisions: revisions.clone(),
            source: self.wanted.source.clone(),
            failure,
        };
        match end {
            End::Succeeded(revisions) => self.attempt = Some(attempt(revisions, None)),
            End::Failed { revisions, message } => {
                self.attempt = Some(attempt(revisions, Some(message.clone())));
                if operation.retry.allows(number + 1) {
                    let wait = operation.retry.wait(number + 1);
                    let at = self.now + SignedDuration::from_secs(wait.try_into().expect("small"));
                    self.waiting = Some(Retrying { operation: operation.clone(), number: number + 1, at });
                }
            }
            End::Stopped => self.attempt = Some(attempt(&operation.revisions, Some("stopped".into()))),
            End::Overtaken if again => {
                self.waiting = Some(Retrying { operation: operation.clone(), number, at: self.held });
                return;
            }
            End::Overtaken | End::NothingOpen => return,
        }
        self.ended = Some(self.now);
    }

    fn delivers(&mut self, operation: &Operation, well: bool) -> End {
        let revisions = if operation.revisions.is_empty() { self.tip() } else { operation.revisions.clone() };
        if !well {
            return End::Failed { revisions, message: "it broke".into() };
        }
        // What is put right is everything that differed; a person's part is a part.
        if !operation.is_partial() || operation.is_automated() {
            self.delivered = Some(revisions.clone());
        }
        self.drift = false;
        let prunes = self.wanted.automation.as_ref().is_some_and(|automation| automation.prune);
        if operation.prune.unwrap_or(prunes) {
            self.orphan = false;
        }
        End::Succeeded(revisions)
    }

    /// Answers something that is open.
    pub(super) fn answer(&mut self, which: usize, well: bool) {
        if self.open.is_empty() {
            return;
        }
        let at = which % self.open.len();
        match self.open.remove(at) {
            Open::Resolve { number, forgotten: true } => {
                let result = Ok(vec!["commit of another source".to_owned()]);
                self.tell(vec![Observation::Resolved { number, result }]);
            }
            Open::Resolve { number, forgotten: false } => {
                let result = if self.branch && well { Ok(self.tip()) } else { Err("it is not there".to_owned()) };
                if let Ok(tip) = &result {
                    self.told_tip = Some(tip.clone());
                    self.unlooked = false;
                }
                self.tell(vec![Observation::Resolved { number, result }]);
            }
            Open::Compare { number, revisions, forgotten, changes } => {
                let result = if well { Ok(self.found(&revisions)) } else { Err("it does not render".to_owned()) };
                if !forgotten {
                    let by = Arc::clone(&self.wanted.compared_by);
                    self.known = well.then(|| (revisions.clone(), by, changes));
                    self.told = result.clone().ok().map(|found| (revisions, found));
                }
                self.tell(vec![Observation::Compared { number, result }]);
            }
            Open::Recover { number } => {
                let lost = self.journal.clone().filter(|_| self.lost);
                let end = match self.journal.take_if(|_| !self.lost) {
                    None => {
                        let again =
                            |Begun { operation, attempt, .. }| Retrying { operation, number: attempt, at: self.now };
                        self.waiting = lost.map(again).or(self.waiting.take());
                        End::NothingOpen
                    }
                    Some(begun) => {
                        let end = self.delivers(&begun.operation, well);
                        self.close(&begun.operation, begun.attempt, &end);
                        end
                    }
                };
                self.forget();
                self.tell(vec![Observation::Ended { number, end }]);
            }
            Open::Sync(begun) => {
                let end = self.delivers(&begun.operation, well);
                self.close(&begun.operation, begun.attempt, &end);
                self.tell(vec![Observation::Ended { number: begun.number, end }]);
            }
            Open::Remove { number } => {
                let end = if well { End::Succeeded(Vec::new()) } else { End::Overtaken };
                self.tell(vec![Observation::Ended { number, end }]);
            }
        }
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Push { empty } => {
                self.commit = self.empty.len();
                self.empty.push(empty);
                self.moved();
            }
            Event::Revert => {
                self.commit = self.commit.saturating_sub(1);
                self.moved();
            }
            Event::BranchGone => self.branch = false,
            Event::BranchBack => {
                self.branch = true;
                self.moved();
            }
            Event::Policy { automation } => {
                self.wanted.automation = automation;
                self.wanted.compared_by = format!("{}'", self.wanted.compared_by).into();
                self.told = None;
                self.tell(vec![Observation::Wanted(self.wanted.clone())]);
            }
            Event::OtherSource => {
                self.wanted.source = format!("{}'", self.wanted.source).into();
                self.wanted.compared_by = format!("{}'", self.wanted.compared_by).into();
                self.told = None;
                self.told_tip = None;
                for open in &mut self.open {
                    if let Open::Resolve { forgotten, .. } = open {
                        *forgotten = true;
                    }
                }
                self.tell(vec![Observation::Wanted(self.wanted.clone())]);
            }
            Event::Ask { retries, partial } => {
                if self.carried.is_some() || self.works().is_some() || self.gone {
                    return;
                }
                let operation = Operation {
                    initiator: Initiator::Person(format!("anna {}", self.asked)),
                    resources: if partial { vec![name()] } else { Vec::new() },
                    retry: Retry { limit: retries, ..Retry::default() },
                    ..Operation::default()
                };
                self.asked += 1;
                self.waiting = None;
                self.carried = Some(operation.clone());
                self.tell(vec![Observation::Requested(operation)]);
            }
            Event::Terminate => {
                self.terminated = true;
                self.ends_recovery = matches!(self.works(), Some(Open::Recover { .. }));
                let waiting = self.waiting.take();
                if waiting.is_some() && self.lost {
                    (self.journal, self.lost) = (None, false);
                }
                if waiting.is_some_and(|waiting| self.carried.as_ref() == Some(&waiting.operation)) {
                    self.carried = None;
                }
                self.tell(vec![Observation::Terminated]);
                self.stopped();
            }
            Event::Refresh(freshness) => self.looked_for(freshness),
            Event::Drift => {
                self.drift = true;
                self.unlooked = true;
                self.changes += 1;
                self.tell(vec![Observation::LiveChanged]);
            }
            Event::Orphan => {
                self.orphan = true;
                self.unlooked = true;
                self.changes += 1;
                self.tell(vec![Observation::LiveChanged]);
            }
            Event::Answer { which, well } => self.answer(which, well),
            Event::Overtake => self.overtake(),
            Event::Does(activity) => {
                if let Some(Open::Sync(Begun { number, .. })) = self.works() {
                    let number = *number;
                    self.activity = activity;
                    // What another one did is of no account.
                    let other = Observation::Does { number: number - 1, activity: Activity::Waits };
                    self.tell(vec![Observation::Does { number, activity }, other]);
                    self.stopped();
                }
            }
            Event::Pass { seconds } => {
                self.now += SignedDuration::from_secs(seconds.try_into().expect("small"));
                self.tell(vec![Observation::Tick]);
            }
            Event::Kill => self.kill(),
            Event::KillAndLose => {
                self.lost = self.journal.is_some();
                self.kill();
            }
            Event::Delete { cascades } => {
                self.wanted.removal = if cascades { Removal::Cascades } else { Removal::Leaves };
                self.waiting = None;
                self.tell(vec![Observation::Wanted(self.wanted.clone())]);
                self.stopped();
            }
            Event::Vanish => {
                self.gone = true;
                self.tell(vec![Observation::Gone]);
            }
        }
    }

    fn moved(&mut self) {
        self.unlooked = true;
        self.tell(vec![Observation::Moved]);
    }

    fn looked_for(&mut self, freshness: Freshness) {
        self.unlooked = true;
        self.changes += 1;
        self.tell(vec![Observation::Refreshed(freshness)]);
    }

    /// Somebody changes what is live between the plan of a sync and its beginning.
    fn overtake(&mut self) {
        let Some(at) = self.open.iter().position(|open| matches!(open, Open::Sync(_))) else { return };
        let Open::Sync(begun) = self.open.remove(at) else { return };
        self.close(&begun.operation, begun.attempt, &End::Overtaken);
        self.tell(vec![Observation::Ended { number: begun.number, end: End::Overtaken }]);
    }

    /// A sync that was told to stop does so at once, gone on with or not.
    pub(super) fn stopped(&mut self) {
        let told = format!("{:?}", self.state).contains("Told(");
        let stops = |open: &Open| matches!(open, Open::Sync(_) | Open::Recover { .. });
        let Some(at) = self.open.iter().position(stops).filter(|_| told) else { return };
        let number = match self.open.remove(at) {
            Open::Sync(begun) => {
                self.close(&begun.operation, begun.attempt, &End::Stopped);
                begun.number
            }
            Open::Recover { number } => {
                match self.journal.clone() {
                    Some(begun) => self.close(&begun.operation, begun.attempt, &End::Stopped),
                    None => self.forget(),
                }
                number
            }
            other => panic!("{other:?} does not stop"),
        };
        self.tell(vec![Observation::Ended { number, end: End::Stopped }]);
    }

    /// The process dies; another begins with what the Application's status and the journal say.
    fn kill(&mut self) {
        self.state = State::default();
        self.open.clear();
        self.wakes.clear();
        (self.told, self.known) = (None, None);
        self.told_tip = None;
        self.unlooked = true;
        (self.overtaken, self.held) = (0, Timestamp::UNIX_EPOCH);
        let waiting = self.waiting.take_if(|waiting| self.lost || waiting.number == 0);
        if waiting.is_some() && !self.lost {
            // Nothing was written of it: the wish that stands there is begun anew.
            self.begun -= 1;
        }
        if self.gone {
            return;
        }
        let past = Past {
            attempt: self.attempt.clone(),
            retrying: self.waiting.clone(),
            interrupted: self.journal.as_ref().map(|begun| (begun.operation.clone(), begun.attempt)),
            heal_attempts: self.heals,
            ended: self.ended,
        };
        let mut seen = vec![Observation::Restored(Box::new(past)), Observation::Wanted(self.wanted.clone())];
        // A wish that was begun stands there until it has ended.
        if let Some(carried) = self.carried.clone() {
            seen.push(Observation::Requested(carried));
        }
        self.tell(seen);
    }

    /// Nothing more happens from outside, and all goes well: the machine must come to rest.
    pub(super) fn settle(&mut self) {
        self.happen(Event::BranchBack);
        for _ in 0..100 {
            if !self.open.is_empty() {
                self.answer(0, true);
            } else if let Some(at) = self.wakes.iter().min().copied() {
                self.now = at;
                self.tell(vec![Observation::Tick]);
            } else {
                return;
            }
        }
        panic!("it never comes to rest: {:?}", self.state);
    }

    pub(super) fn check_settled(&self) {
        assert!(self.state.is_at_rest() && !self.state.is_looking(), "{:?}", self.state);
        assert_eq!(self.carried, None, "a wish was forgotten: {:?}", self.state);
        assert_eq!(self.begun, self.asked, "each wish is begun once");
        assert!(!self.unlooked, "something happened, and nobody looked: {:?}", self.state);
        let Some(automation) = &self.wanted.automation else { return };
        if automation.prune && automation.self_heal && self.state.sync_error().is_none() {
            assert_eq!(self.found(&self.tip()), Comparison::Synced, "it stays out of sync: {:?}", self.state);
        }
        if let Some(error) = self.state.sync_error() {
            let failed = self.attempt.as_ref().is_some_and(|attempt| attempt.failure.is_some());
            assert!(failed || self.found(&self.tip()) != Comparison::Synced, "{error} of nothing");
        }
    }
}
