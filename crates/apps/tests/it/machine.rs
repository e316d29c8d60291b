//! The machine in random interleavings, against a world that keeps its own books.
//!
//! `PROPTEST_CASES` says how many (256 where nobody does; 10,000 on demand).

#[path = "machine/days.rs"]
mod days;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use landfall_apps::machine::{
    Action, Activity, Attempt, Automation, Begun, Comparison, Difference, End, Freshness, Observation, Past, Removal,
    Retrying, State, Wanted, step,
};
use landfall_apps::{Application, Asker, Initiator, Operation, Project, ResourceName, Retry, Windows};
use landfall_object::Object;
use proptest::prelude::*;

/// What may happen next.
#[derive(Debug, Clone)]
enum Event {
    Push { empty: bool },
    Revert,
    BranchGone,
    BranchBack,
    Policy { automation: Option<Automation> },
    OtherSource,
    Ask { retries: i64, partial: bool },
    Terminate,
    Refresh(Freshness),
    Drift,
    Orphan,
    Answer { which: usize, well: bool },
    Overtake,
    Does(Activity),
    Pass { seconds: u64 },
    Kill,
    Delete { cascades: bool },
    Vanish,
}

fn automation() -> impl Strategy<Value = Option<Automation>> {
    let some =
        (any::<bool>(), any::<bool>(), any::<bool>(), 0i64..3).prop_map(|(prune, self_heal, allow_empty, limit)| {
            Automation { prune, self_heal, allow_empty, retry: Retry { limit, ..Retry::default() } }
        });
    prop_oneof![1 => Just(None), 5 => some.prop_map(Some)]
}

fn event() -> impl Strategy<Value = Event> {
    let freshness = prop_oneof![Just(Freshness::Recent), Just(Freshness::Latest), Just(Freshness::Hard)];
    let activity = prop_oneof![Just(Activity::Acts), Just(Activity::RunsHook), Just(Activity::Waits)];
    prop_oneof![
        8 => (0u8..8).prop_map(|of| Event::Push { empty: of == 0 }),
        2 => Just(Event::Revert),
        1 => Just(Event::BranchGone),
        2 => Just(Event::BranchBack),
        3 => automation().prop_map(|automation| Event::Policy { automation }),
        1 => Just(Event::OtherSource),
        3 => (0i64..3, any::<bool>()).prop_map(|(retries, partial)| Event::Ask { retries, partial }),
        1 => Just(Event::Terminate),
        2 => freshness.prop_map(Event::Refresh),
        6 => Just(Event::Drift),
        2 => Just(Event::Orphan),
        40 => (0usize..4, 0u8..4).prop_map(|(which, of)| Event::Answer { which, well: of > 0 }),
        4 => Just(Event::Overtake),
        6 => activity.prop_map(Event::Does),
        8 => (1u64..400).prop_map(|seconds| Event::Pass { seconds }),
        2 => Just(Event::Kill),
    ]
}

/// A project's sync windows, as they are about an Application; none without any.
fn windows(written: serde_json::Value) -> Windows {
    let object = |kind: &str, spec: serde_json::Value| {
        let object = serde_json::json!({
            "apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": "shop"}, "spec": spec,
        });
        Object::from_value(object).expect("a map")
    };
    let source = serde_json::json!({"repoURL": "https://git.example.com/a", "path": "x"});
    let application = Application::parse(&object("Application", serde_json::json!({"source": source})));
    let project = Project::parse(&object("AppProject", serde_json::json!({"syncWindows": written})));
    project.expect("a project").windows(&application.expect("an application"))
}

/// Nothing is synced in the first ten minutes of each third of an hour, but for what somebody asks for, perhaps.
fn closed_now_and_then(by_hand: bool) -> Windows {
    windows(serde_json::json!([{
        "kind": "deny", "schedule": "*/20 * * * *", "duration": "10m", "applications": ["*"], "manualSync": by_hand,
    }]))
}

fn any_windows() -> impl Strategy<Value = Windows> {
    prop_oneof![2 => Just(Windows::default()), 1 => any::<bool>().prop_map(closed_now_and_then)]
}

fn ending() -> impl Strategy<Value = Vec<Event>> {
    let removed = prop_oneof![
        any::<bool>().prop_map(|cascades| vec![Event::Delete { cascades }]),
        Just(vec![Event::Vanish]),
        any::<bool>().prop_map(|cascades| vec![Event::Delete { cascades }, Event::Kill]),
    ];
    prop_oneof![4 => Just(Vec::new()), 1 => removed]
}

/// What the machine has begun and nobody has answered yet.
#[derive(Debug, Clone, PartialEq)]
enum Open {
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
struct World {
    state: State,
    now: Timestamp,
    wanted: Wanted,
    commit: usize,
    empty: Vec<bool>,
    branch: bool,
    delivered: Option<Vec<String>>,
    drift: bool,
    orphan: bool,
    open: Vec<Open>,
    activity: Activity,
    wakes: Vec<Timestamp>,
    gone: bool,
    // The books: what the Application's status and the journal would say.
    attempt: Option<Attempt>,
    ended: Option<Timestamp>,
    heals: u32,
    waiting: Option<Retrying>,
    journal: Option<Begun>,
    carried: Option<Operation>,
    // What the machine was told.
    told_tip: Option<Vec<String>>,
    told: Option<(Vec<String>, Comparison)>,
    terminated: bool,
    unlooked: bool,
    asked: u32,
    begun: u32,
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
    fn new(automation: Option<Automation>) -> Self {
        World::within(automation, Windows::default())
    }

    fn within(automation: Option<Automation>, windows: Windows) -> Self {
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
            carried: None,
            told_tip: None,
            told: None,
            terminated: false,
            unlooked: true,
            asked: 0,
            begun: 0,
            overtaken: 0,
            held: Timestamp::UNIX_EPOCH,
        };
        world.tell(vec![Observation::Restored(Box::default()), Observation::Wanted(wanted)]);
        world
    }

    fn tell(&mut self, observations: Vec<Observation>) {
        let (state, actions) = step(std::mem::take(&mut self.state), observations, self.now);
        self.state = state;
        self.wakes.retain(|at| *at > self.now);
        for action in actions {
            self.take(action);
        }
    }

    fn tip(&self) -> Vec<String> {
        vec![format!("commit {}", self.commit)]
    }

    fn works(&self) -> Option<&Open> {
        self.open.iter().find(|open| matches!(open, Open::Recover { .. } | Open::Sync(_) | Open::Remove { .. }))
    }

    /// Holds what the machine wants against the books.
    fn take(&mut self, action: Action) {
        assert!(!self.gone || matches!(action, Action::Stop { .. }), "{action:?} for nobody");
        match action {
            Action::Recover { number } => {
                assert_eq!(self.works(), None, "two at once");
                self.open.push(Open::Recover { number });
            }
            Action::Resolve { number, .. } => {
                let twice = |open: &Open| matches!(open, Open::Resolve { forgotten: false, .. });
                assert!(!self.open.iter().any(twice), "asked twice");
                self.open.push(Open::Resolve { number, forgotten: false });
            }
            Action::Compare { number, revisions } => {
                assert_eq!(self.works(), None, "compared while something changes");
                let twice = |open: &Open| matches!(open, Open::Compare { forgotten: false, .. });
                assert!(!self.open.iter().any(twice), "compared twice at once");
                assert_eq!(self.told_tip.as_ref(), Some(&revisions));
                self.unlooked = false;
                self.open.push(Open::Compare { number, revisions, forgotten: false });
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
                self.journal = Some(begun.clone());
                self.open.push(Open::Sync(begun));
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
        self.told = None;
        self.unlooked = true;
        for open in &mut self.open {
            if let Open::Compare { forgotten, .. } = open {
                *forgotten = true;
            }
        }
    }

    fn close(&mut self, operation: &Operation, number: u32, end: &End) {
        self.journal = None;
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
    fn answer(&mut self, which: usize, well: bool) {
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
            Open::Compare { number, revisions, forgotten } => {
                let result = if well { Ok(self.found(&revisions)) } else { Err("it does not render".to_owned()) };
                if !forgotten {
                    self.told = result.clone().ok().map(|found| (revisions, found));
                }
                self.tell(vec![Observation::Compared { number, result }]);
            }
            Open::Recover { number } => {
                let end = match self.journal.take() {
                    None => End::NothingOpen,
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

    fn happen(&mut self, event: Event) {
        match event {
            Event::Push { empty } => {
                self.commit = self.empty.len();
                self.empty.push(empty);
                self.looked_for(Freshness::Latest);
            }
            Event::Revert => {
                self.commit = self.commit.saturating_sub(1);
                self.looked_for(Freshness::Latest);
            }
            Event::BranchGone => self.branch = false,
            Event::BranchBack => {
                self.branch = true;
                self.looked_for(Freshness::Latest);
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
                if self.waiting.take().is_some_and(|waiting| self.carried.as_ref() == Some(&waiting.operation)) {
                    self.carried = None;
                }
                self.tell(vec![Observation::Terminated]);
                self.stopped();
            }
            Event::Refresh(freshness) => self.looked_for(freshness),
            Event::Drift => {
                self.drift = true;
                self.unlooked = true;
                self.tell(vec![Observation::LiveChanged]);
            }
            Event::Orphan => {
                self.orphan = true;
                self.unlooked = true;
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

    fn looked_for(&mut self, freshness: Freshness) {
        self.unlooked = true;
        self.tell(vec![Observation::Refreshed(freshness)]);
    }

    /// Somebody changes what is live between the plan of a sync and its beginning.
    fn overtake(&mut self) {
        let Some(at) = self.open.iter().position(|open| matches!(open, Open::Sync(_))) else { return };
        let Open::Sync(begun) = self.open.remove(at) else { return };
        self.close(&begun.operation, begun.attempt, &End::Overtaken);
        self.tell(vec![Observation::Ended { number: begun.number, end: End::Overtaken }]);
    }

    /// A sync that was told to stop does so at once.
    fn stopped(&mut self) {
        let told = format!("{:?}", self.state).contains("Told(");
        let Some(at) = self.open.iter().position(|open| matches!(open, Open::Sync(_))).filter(|_| told) else { return };
        let Open::Sync(begun) = self.open.remove(at) else { return };
        self.close(&begun.operation, begun.attempt, &End::Stopped);
        self.tell(vec![Observation::Ended { number: begun.number, end: End::Stopped }]);
    }

    /// The process dies; another begins with what the Application's status and the journal say.
    fn kill(&mut self) {
        self.state = State::default();
        self.open.clear();
        self.wakes.clear();
        self.told = None;
        self.told_tip = None;
        self.unlooked = true;
        (self.overtaken, self.held) = (0, Timestamp::UNIX_EPOCH);
        if self.waiting.take_if(|waiting| waiting.number == 0).is_some() {
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
    fn settle(&mut self) {
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

    fn check_settled(&self) {
        assert!(self.state.is_at_rest(), "{:?}", self.state);
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

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_order_an_application_is_synced_as_its_policy_says(
        first in automation(),
        windows in any_windows(),
        events in prop::collection::vec(event(), 1..60),
        last in ending(),
    ) {
        let mut world = World::within(first, windows);
        for event in events {
            world.happen(event);
        }
        let removed = !last.is_empty();
        for event in last {
            world.happen(event);
        }
        world.settle();
        if !removed {
            world.check_settled();
        } else if world.wanted.removal == Removal::Cascades {
            prop_assert!(world.state.is_at_rest() && world.open.is_empty());
        }
    }
}

fn all(automation: Automation) -> World {
    let mut world = World::new(Some(automation));
    world.settle();
    assert_eq!(world.delivered, Some(world.tip()));
    world
}

fn heals() -> Automation {
    Automation { prune: true, self_heal: true, allow_empty: false, retry: Retry { limit: 2, ..Retry::default() } }
}

#[test]
fn a_commit_that_comes_while_a_sync_waits_for_health_takes_its_place_and_one_during_a_hook_does_not() {
    for (activity, gives_way) in [(Activity::Waits, true), (Activity::RunsHook, false), (Activity::Acts, false)] {
        let mut world = all(heals());
        world.happen(Event::Push { empty: false });
        while !matches!(world.works(), Some(Open::Sync(_))) {
            world.answer(0, true);
        }
        world.happen(Event::Does(activity));
        world.happen(Event::Push { empty: false });
        let at = world.open.iter().position(|open| matches!(open, Open::Resolve { .. })).expect("it is asked for");
        world.answer(at, true);
        assert_eq!(format!("{:?}", world.state).contains("superseded by commit 2"), gives_way, "{activity:?}");
    }
}

#[test]
fn a_sync_that_fails_at_a_revision_is_tried_again_and_then_left_until_the_next_commit() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: false });
    let mut failed = 0;
    for _ in 0..50 {
        if let Some(at) = world.open.iter().position(|open| matches!(open, Open::Sync(_))) {
            world.answer(at, false);
            failed += 1;
        } else if !world.open.is_empty() {
            world.answer(0, true);
        } else if let Some(at) = world.wakes.iter().min().copied() {
            world.now = at;
            world.tell(vec![Observation::Tick]);
        }
    }
    assert_eq!(failed, 3, "the first time and two more");
    assert_eq!(world.state.sync_error(), Some("Failed last sync attempt to commit 1: it broke"));
    world.happen(Event::Push { empty: false });
    world.settle();
    assert_eq!((world.state.sync_error(), world.delivered.clone()), (None, Some(world.tip())));
}

#[test]
fn a_comparison_that_could_not_be_made_is_made_again_ever_later_until_it_succeeds() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: false });
    let mut failed = Vec::new();
    while failed.len() < 5 {
        if let Some(at) = world.open.iter().position(|open| matches!(open, Open::Compare { .. })) {
            world.answer(at, false);
            failed.push(world.now);
        } else if !world.open.is_empty() {
            world.answer(0, true);
        } else {
            world.now = world.wakes.iter().min().copied().expect("it wants to be woken");
            world.tell(vec![Observation::Tick]);
        }
    }
    let gaps: Vec<i64> = failed.windows(2).map(|two| two[1].duration_since(two[0]).as_secs()).collect();
    assert_eq!(gaps, [3, 6, 12, 24]);
    assert_eq!(world.state.comparison_error(), Some("it does not render"));
    world.settle();
    assert_eq!((world.state.comparison_error(), world.delivered.clone()), (None, Some(world.tip())));
}

#[test]
fn what_would_prune_everything_is_not_synced_by_itself() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: true });
    world.settle();
    assert_eq!(world.state.sync_error(), Some("auto-sync will wipe out all resources"));
    assert_eq!(world.delivered, Some(vec!["commit 0".to_owned()]));
}

#[test]
fn a_sync_that_waits_for_its_next_try_is_ended_also_before_the_next_process_has_looked() {
    let mut world = all(heals());
    world.happen(Event::Ask { retries: 1, partial: false });
    let at = world.open.iter().position(|open| matches!(open, Open::Sync(_))).expect("it is begun");
    world.answer(at, false);
    world.happen(Event::Kill);
    world.happen(Event::Terminate);
    world.settle();
    assert_eq!((world.begun, world.waiting.is_none()), (1, true));
    world.check_settled();
}

#[test]
fn drift_that_a_recovered_sync_has_put_right_is_counted() {
    let mut world = all(heals());
    world.happen(Event::Drift);
    while !matches!(world.works(), Some(Open::Sync(_))) {
        world.answer(0, true);
    }
    world.happen(Event::Kill);
    world.settle();
    assert_eq!(world.heals, 1);
    // The world sees to it that the next time comes two seconds later.
    world.happen(Event::Drift);
    world.settle();
    assert_eq!((world.heals, world.drift), (2, false));
}

/// Goes on until a sync is under way; says when it began.
fn until_sync(world: &mut World) -> Timestamp {
    for _ in 0..20 {
        if matches!(world.works(), Some(Open::Sync(_))) {
            return world.now;
        } else if !world.open.is_empty() {
            world.answer(0, true);
        } else {
            world.now = world.wakes.iter().min().copied().expect("it wants to be woken");
            world.tell(vec![Observation::Tick]);
        }
    }
    panic!("no sync begins: {:?}", world.state);
}

#[test]
fn a_sync_that_is_overtaken_again_and_again_begins_ever_later_until_it_comes_through() {
    let mut world = all(heals());
    world.happen(Event::Push { empty: false });
    let mut before = until_sync(&mut world);
    let gaps: Vec<i64> = (0..10)
        .map(|_| {
            world.happen(Event::Overtake);
            let began = until_sync(&mut world);
            began.duration_since(std::mem::replace(&mut before, began)).as_secs()
        })
        .collect();
    assert_eq!(gaps, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
    world.settle();
    assert_eq!(world.delivered, Some(world.tip()));
    world.happen(Event::Push { empty: false });
    let pushed = world.now;
    assert_eq!(until_sync(&mut world), pushed, "what came through is held back no longer");
}

#[test]
fn commits_that_follow_one_another_faster_than_they_become_healthy_are_delivered_ever_more_slowly() {
    let mut world = all(heals());
    let mut began = Vec::new();
    for _ in 0..5 {
        world.happen(Event::Push { empty: false });
        let at = world.open.iter().position(|open| matches!(open, Open::Resolve { .. })).expect("it is asked for");
        world.answer(at, true);
        world.stopped();
        began.push(until_sync(&mut world).as_second());
        world.happen(Event::Does(Activity::Waits));
    }
    let gaps: Vec<i64> = began.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(gaps, [0, 1, 2, 4]);
}

#[test]
fn what_somebody_asked_for_is_carried_out_although_it_was_overtaken() {
    let mut world = all(heals());
    world.happen(Event::Ask { retries: 0, partial: false });
    until_sync(&mut world);
    world.happen(Event::Overtake);
    until_sync(&mut world);
    let Some(Open::Sync(begun)) = world.works() else { panic!("it is begun again") };
    assert!(!begun.operation.is_automated());
    world.settle();
    world.check_settled();
}

#[test]
fn a_late_answer_to_an_application_that_is_gone_is_none_to_the_next_one_of_its_name() {
    let begin = |state: State| {
        let wanted = World::new(Some(heals())).wanted;
        let seen = vec![Observation::Restored(Box::default()), Observation::Wanted(wanted)];
        step(state, seen, Timestamp::UNIX_EPOCH)
    };
    let numbers = |actions: &[Action]| -> Vec<u64> {
        let number = |action: &Action| match action {
            Action::Recover { number } | Action::Resolve { number, .. } => Some(*number),
            _ => None,
        };
        actions.iter().filter_map(number).collect()
    };
    let (former, asked) = begin(State::default());
    let late = numbers(&asked);
    let (former, _) = step(former, vec![Observation::Gone], Timestamp::UNIX_EPOCH);
    let (next, asked) = begin(State::behind(former.last_number()));
    assert_eq!((late.len(), numbers(&asked).iter().filter(|number| late.contains(number)).count()), (2, 0));
    let answers = late.iter().flat_map(|number| {
        let result = Ok(vec!["a commit of the former".to_owned()]);
        [
            Observation::Ended { number: *number, end: End::NothingOpen },
            Observation::Resolved { number: *number, result },
            Observation::Compared { number: *number, result: Ok(Comparison::Synced) },
        ]
    });
    let (after, actions) = step(next.clone(), answers.collect(), Timestamp::UNIX_EPOCH);
    assert_eq!((after, actions), (next, Vec::new()));
}

#[test]
fn a_closed_window_holds_back_what_is_due_until_it_opens_and_says_so() {
    let mut world = World::within(Some(heals()), closed_now_and_then(false));
    let begins = |world: &World| world.open.iter().any(|open| matches!(open, Open::Sync(_)));
    while !world.open.is_empty() {
        assert!(!begins(&world), "it is the first minute of the hour");
        world.answer(0, true);
    }
    let why = world.state.closed().expect("it says so").to_owned();
    assert!(why.contains("deny `*/20 * * * *` for 10m, UTC"), "{why}");
    world.happen(Event::Ask { retries: 0, partial: false });
    assert!(!begins(&world), "nor does what somebody asks for");
    world.tell(vec![Observation::Withdrawn]);
    (world.carried, world.asked) = (None, 0);
    let opens = world.wakes.iter().min().copied().expect("it is to be woken");
    assert_eq!(opens.duration_since(Timestamp::UNIX_EPOCH).as_secs(), 600);
    world.settle();
    assert_eq!((world.delivered.clone(), world.state.closed()), (Some(world.tip()), None));
    assert_eq!(world.begun, 0, "what was withdrawn is not begun");
}

#[test]
fn a_window_that_lets_hands_through_holds_back_the_policy_alone() {
    let mut world = World::within(None, closed_now_and_then(true));
    world.settle();
    world.happen(Event::Ask { retries: 0, partial: false });
    world.settle();
    assert_eq!((world.begun, world.now), (1, Timestamp::UNIX_EPOCH));
}
