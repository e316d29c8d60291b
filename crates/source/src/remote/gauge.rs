//! Whether a repository that is being fetched still comes, told from what gix says of its progress.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gix::progress::{Id, MessageLevel, Step, StepShared, Unit};
use parking_lot::Mutex;

/// What gix calls the bytes of a pack as they arrive, and what the server says while it prepares them.
const PACK: &str = "read pack";
const WORDS: &str = "remote";

/// How long a server may prepare what it sends, saying so all the time.
const PREPARING: Duration = Duration::from_secs(60);
/// Less than this within the patience is silence, in bytes.
const MIN_SENT: usize = 32 << 10;
/// The most of a pack that is taken, in bytes.
pub(super) const MAX_FETCHED: usize = 2 << 30;

/// What has happened so far, by what is counted; gix reads back what it counts, so each gauge has a counter of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    /// Bytes of the pack.
    received: Counters,
    /// What the server said of its own work.
    words: Counters,
    /// Our work: what was received is unpacked, named and written.
    work: Counters,
}

#[derive(Debug, Clone, Default)]
struct Counters(Arc<Mutex<Vec<StepShared>>>);

impl Counters {
    fn another(&self) -> StepShared {
        let counter = StepShared::default();
        self.0.lock().push(Arc::clone(&counter));
        counter
    }

    fn sum(&self) -> usize {
        self.0.lock().iter().fold(0, |sum, counter| sum.wrapping_add(counter.load(Ordering::Relaxed)))
    }
}

/// Why a fetch is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing came, or too little of it.
    Silent,
    /// More came than is taken.
    TooLarge,
}

/// Looks at a fetch from time to time.
#[derive(Debug)]
pub(super) struct Watch {
    progress: Progress,
    patience: Duration,
    began: Instant,
    /// When, and what, at the last look at which it was getting on.
    since: Instant,
    seen: [usize; 3],
    /// Whether less came at the last look than a server that means it sends.
    slow: bool,
}

impl Watch {
    /// `patience`: how long nothing may come; `greeting`: how long until anything does, which may need a person's hands.
    pub(super) fn new(progress: Progress, patience: Duration, greeting: Duration, now: Instant) -> Self {
        let head_start = greeting.saturating_sub(patience);
        Watch { progress, patience, began: now, since: now + head_start, seen: [0; 3], slow: false }
    }

    /// Says why the fetch is to be given up, if it is.
    pub(super) fn look(&mut self, now: Instant) -> Option<Ending> {
        let seen = self.progress.seen();
        let received = seen[0].saturating_sub(self.seen[0]);
        let [words, work] = [1, 2].map(|at| seen[at] != self.seen[at]);
        if seen[0] > MAX_FETCHED {
            return Some(Ending::TooLarge);
        }
        let begins = self.seen == [0; 3] && seen != [0; 3];
        let comes = received >= MIN_SENT;
        // While nothing is sent the work is ours alone: what is dripped makes work, too.
        let works = received == 0 && work;
        let prepares = seen[0] == 0 && words && now.duration_since(self.began) < PREPARING;
        if begins || comes {
            self.go_on(now, seen);
            return None;
        }
        if now < self.since + self.patience / 2 {
            return None;
        }
        if works || prepares {
            self.go_on(now, seen);
        } else if self.slow || received == 0 && now >= self.since + self.patience {
            return Some(Ending::Silent);
        } else if received > 0 {
            // The end of a pack, perhaps, with our own work after it.
            self.go_on(now, seen);
            self.slow = true;
        }
        None
    }

    fn go_on(&mut self, now: Instant, seen: [usize; 3]) {
        (self.since, self.seen, self.slow) = (now, seen, false);
    }
}

impl Progress {
    /// The gauge of a fetch as a whole; what it is called before anything comes is no sign of the server.
    pub(super) fn gauge(&self) -> Gauge {
        Gauge { progress: self.clone(), steps: StepShared::default(), names: StepShared::default(), name: None }
    }

    fn seen(&self) -> [usize; 3] {
        [&self.received, &self.words, &self.work].map(Counters::sum)
    }
}

/// One thing that gix counts.
#[derive(Debug)]
pub(super) struct Gauge {
    progress: Progress,
    steps: StepShared,
    /// How often it was named: a server that says other words is not silent.
    names: StepShared,
    name: Option<String>,
}

impl gix::Count for Gauge {
    fn set(&self, step: Step) {
        self.steps.store(step, Ordering::Relaxed);
    }

    fn step(&self) -> Step {
        self.steps.load(Ordering::Relaxed)
    }

    fn inc_by(&self, step: Step) {
        self.steps.fetch_add(step, Ordering::Relaxed);
    }

    fn counter(&self) -> StepShared {
        Arc::clone(&self.steps)
    }
}

impl gix::Progress for Gauge {
    fn init(&mut self, _max: Option<Step>, _unit: Option<Unit>) {}

    fn set_name(&mut self, name: String) {
        self.names.fetch_add(1, Ordering::Relaxed);
        self.name = Some(name);
    }

    fn name(&self) -> Option<String> {
        self.name.clone()
    }

    fn id(&self) -> Id {
        gix::progress::UNKNOWN
    }

    fn message(&self, _level: MessageLevel, _message: String) {}
}

impl gix::NestedProgress for Gauge {
    type SubProgress = Gauge;

    fn add_child(&mut self, name: impl Into<String>) -> Gauge {
        let name = name.into();
        let counters = match name.as_str() {
            PACK => &self.progress.received,
            WORDS => &self.progress.words,
            _ => &self.progress.work,
        };
        let steps = counters.another();
        let names = if name == WORDS { counters.another() } else { StepShared::default() };
        Gauge { progress: self.progress.clone(), steps, names, name: Some(name) }
    }

    fn add_child_with_id(&mut self, name: impl Into<String>, _id: Id) -> Gauge {
        self.add_child(name)
    }
}

#[cfg(test)]
mod tests {
    use gix::{Count as _, NestedProgress as _};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(8);

    /// Plays a server second by second; says in which second the fetch is given up, if it is within five minutes.
    fn given_up(play: impl Fn(u64, &Gauge, &Gauge, &Gauge)) -> Option<(u64, Ending)> {
        let progress = Progress::default();
        let began = Instant::now();
        let mut watch = Watch::new(progress.clone(), PATIENCE, PATIENCE, began);
        let mut root = progress.gauge();
        let (pack, words, work) = (root.add_child(PACK), root.add_child(WORDS), root.add_child("indexing"));
        (0..300).find_map(|second| {
            play(second, &pack, &words, &work);
            watch.look(began + Duration::from_secs(second)).map(|ending| (second, ending))
        })
    }

    #[test]
    fn a_server_that_says_nothing_is_given_up_after_the_patience() {
        assert_eq!(given_up(|_, _, _, _| {}), Some((8, Ending::Silent)));
        let once = |second, pack: &Gauge, _: &Gauge, _: &Gauge| {
            if second == 3 {
                pack.inc_by(1 << 20);
            }
        };
        assert_eq!(given_up(once), Some((11, Ending::Silent)));
    }

    #[test]
    fn a_server_that_drips_is_given_up_though_each_byte_makes_work() {
        let drip = |_, pack: &Gauge, _: &Gauge, work: &Gauge| {
            pack.inc_by(1);
            work.inc_by(1);
        };
        let (second, ending) = given_up(drip).expect("given up");
        assert_eq!(ending, Ending::Silent);
        assert!(second <= 10, "{second}");
    }

    #[test]
    fn a_server_that_only_talks_is_given_up_after_a_minute() {
        let (second, ending) = given_up(|_, _, words, _| words.inc_by(1)).expect("given up");
        assert_eq!(ending, Ending::Silent);
        assert!((60..75).contains(&second), "{second}");
    }

    #[test]
    fn one_that_prepares_sends_and_leaves_us_to_work_is_waited_for() {
        let large = |second, pack: &Gauge, words: &Gauge, work: &Gauge| match second {
            0..50 => words.inc_by(1),
            50..90 => pack.inc_by(1 << 20),
            90 => pack.inc_by(100),
            _ => work.inc_by(1),
        };
        assert_eq!(given_up(large), None);
        // As slow as a line of 64 kbit/s.
        assert_eq!(given_up(|_, pack, _, _| pack.inc_by(8 << 10)), None);
    }

    #[test]
    fn more_than_is_taken_is_refused() {
        let (_, ending) = given_up(|_, pack, _, _| pack.inc_by(100 << 20)).expect("given up");
        assert_eq!(ending, Ending::TooLarge);
    }

    #[test]
    fn a_person_may_take_longer_to_give_a_password_than_a_server_to_answer() {
        let progress = Progress::default();
        let began = Instant::now();
        let mut watch = Watch::new(progress.clone(), PATIENCE, Duration::from_secs(60), began);
        assert_eq!(watch.look(began + Duration::from_secs(59)), None);
        assert_eq!(watch.look(began + Duration::from_secs(60)), Some(Ending::Silent));
    }
}
