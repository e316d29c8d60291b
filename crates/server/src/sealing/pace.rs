//! How many requests are answered in how much time.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// So many at once, and one more each so often.
pub(super) struct Pace {
    most: u32,
    every: Duration,
    /// When all of them may be asked again.
    full: Mutex<Instant>,
}

impl Pace {
    /// With all of them to be asked, `now`.
    pub(super) fn new(most: u32, every: Duration, now: Instant) -> Self {
        Pace { most, every, full: Mutex::new(now) }
    }

    /// Whether one more may be answered now.
    pub(super) fn admits(&self, now: Instant) -> bool {
        let mut full = self.full.lock();
        let next = (*full).max(now) + self.every;
        if next > now + self.every * self.most {
            return false;
        }
        *full = next;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_admitted_at_once_and_then_one_each_so_often() {
        let start = Instant::now();
        let after = |millis: u64| start + Duration::from_millis(millis);
        let pace = Pace::new(2, Duration::from_millis(500), start);
        let asked = |now: Instant| [pace.admits(now), pace.admits(now), pace.admits(now)];
        assert_eq!(asked(start), [true, true, false]);
        assert!(!pace.admits(after(499)));
        assert_eq!(asked(after(500)), [true, false, false]);
        assert_eq!(asked(after(60_500)), [true, true, false]);
    }
}
