//! How many requests are answered in how much time.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// So many at once, and one more each so often.
pub(super) struct Pace {
    most: u32,
    every: Duration,
    /// When all of them may be asked again.
    full: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(most: u32, every: Duration) -> Self {
        Pace { most, every, full: Mutex::new(Instant::now()) }
    }

    /// Whether one more may be answered now.
    pub(super) fn admits(&self) -> bool {
        let now = Instant::now();
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

    #[tokio::test(start_paused = true)]
    async fn so_many_are_admitted_at_once_and_then_one_each_so_often() {
        let pace = Pace::new(2, Duration::from_millis(500));
        assert_eq!([pace.admits(), pace.admits(), pace.admits()], [true, true, false]);
        tokio::time::advance(Duration::from_millis(499)).await;
        assert!(!pace.admits());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!([pace.admits(), pace.admits()], [true, false]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!([pace.admits(), pace.admits(), pace.admits()], [true, true, false]);
    }
}
