use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_sprig::{Clock, Context, Keys, Random};

/// What a chart may know of the machine that it is rendered on: its clock and its randomness, UTC and no name lookups.
pub fn surroundings() -> Context {
    LazyLock::force(&BEGAN);
    Context::new(Machine, Machine)
}

/// What a chart may know of the machine; called for each rendering.
pub type Surroundings = fn() -> Context;

/// The same for what is delivered to nobody: a rehearsal's keys are drawn as often and are shorter.
pub fn surroundings_for_show() -> Context {
    let machine = surroundings();
    Context { random: Arc::new(ForShow(machine.random)), ..machine }
}

/// Surroundings with a note of whether anything was drawn.
pub fn noticed(context: Context, drawn: &Arc<AtomicBool>) -> Context {
    let random = Noticed { random: Arc::clone(&context.random), drawn: Arc::clone(drawn) };
    Context { random: Arc::new(random), ..context }
}

/// Randomness of which nobody uses what is made.
struct ForShow(Arc<dyn Random>);

impl Random for ForShow {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.fill(buffer);
    }

    fn is_sequence(&self) -> bool {
        self.0.is_sequence()
    }

    fn is_for_show(&self) -> bool {
        true
    }
}

/// Randomness that says when it is asked.
struct Noticed {
    random: Arc<dyn Random>,
    drawn: Arc<AtomicBool>,
}

impl Random for Noticed {
    fn fill(&self, buffer: &mut [u8]) {
        self.drawn.store(true, Ordering::Relaxed);
        self.random.fill(buffer);
    }

    fn is_sequence(&self) -> bool {
        self.random.is_sequence()
    }

    fn keys(&self) -> Option<&Keys> {
        self.random.keys()
    }

    fn is_for_show(&self) -> bool {
        self.random.is_for_show()
    }

    fn passed_over(&self) {
        self.drawn.store(true, Ordering::Relaxed);
        self.random.passed_over();
    }

    fn key_draw(&self) -> [u8; 32] {
        self.drawn.store(true, Ordering::Relaxed);
        self.random.key_draw()
    }
}

/// Since when this process runs, as far as charts are concerned.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The machine's clock and randomness.
struct Machine;

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn running(&self) -> Option<Duration> {
        Some(BEGAN.elapsed())
    }
}

impl Random for Machine {
    fn fill(&self, buffer: &mut [u8]) {
        aws_lc_rs::rand::fill(buffer).expect("the system gives random numbers");
    }

    fn is_sequence(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_been_running_and_its_clock_says_how_long() {
        let clock = surroundings().clock;
        let before = clock.running().expect("a clock that goes");
        assert!(clock.running().expect("a clock that goes") >= before);
        assert_eq!(Clock::running(&Timestamp::UNIX_EPOCH), None, "time that stands still has not");
    }

    #[test]
    fn what_is_drawn_is_another_each_time() {
        let context = surroundings();
        let drawn = || {
            let mut bytes = [0; 16];
            context.random.fill(&mut bytes);
            bytes
        };
        assert_ne!(drawn(), drawn());
        assert!(!context.random.is_sequence(), "so that templates are rendered side by side");
        assert!(!context.random.is_for_show(), "somebody may use them");
    }

    #[test]
    fn a_note_of_what_is_drawn_hides_nothing_of_the_randomness() {
        let note = Arc::new(AtomicBool::new(false));
        let context = noticed(surroundings_for_show(), &note);
        assert!(context.random.is_for_show() && !context.random.is_sequence());
        context.random.fill(&mut [0; 4]);
        assert!(note.load(Ordering::Relaxed));
    }
}
