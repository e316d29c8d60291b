//! Time as a parameter: the machine's clock, or one that only moves when told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// Where the cluster reads the time from.
///
/// Clones share the same time, so a virtual clock advanced through one clone is advanced for all.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    Real,
    /// A clock that stands still until it is advanced.
    Virtual(VirtualClock),
}

/// A clock that stands still until it is advanced; never goes back.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    /// Microseconds since the epoch: the API never shows anything finer.
    micros: Arc<AtomicI64>,
}

impl Clock {
    /// A virtual clock that starts at a fixed, round instant, so that runs are comparable.
    pub fn virtual_clock() -> Self {
        Self::virtual_at(Timestamp::from_second(1_767_225_600).expect("2026-01-01T00:00:00Z is in range"))
    }

    /// A virtual clock that starts at the given instant.
    pub fn virtual_at(start: Timestamp) -> Self {
        Self::Virtual(VirtualClock { micros: Arc::new(AtomicI64::new(start.as_microsecond())) })
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::Real => Timestamp::now(),
            Self::Virtual(clock) => clock.now(),
        }
    }

    /// The virtual clock, if this is one.
    pub fn as_virtual(&self) -> Option<&VirtualClock> {
        match self {
            Self::Real => None,
            Self::Virtual(clock) => Some(clock),
        }
    }

    /// A clock of the same kind that shows the same time and then goes its own way; for forks.
    pub fn fork(&self) -> Self {
        match self {
            Self::Real => Self::Real,
            Self::Virtual(clock) => Self::virtual_at(clock.now()),
        }
    }
}

impl VirtualClock {
    /// The present virtual instant.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.micros.load(Ordering::Acquire)).unwrap_or(Timestamp::MAX)
    }

    /// Moves forward to `instant`; an instant in the past changes nothing.
    pub fn advance_to(&self, instant: Timestamp) {
        self.micros.fetch_max(instant.as_microsecond(), Ordering::AcqRel);
    }

    /// Moves forward by a duration; negative durations change nothing.
    pub fn advance_by(&self, duration: SignedDuration) {
        if let Ok(instant) = self.now().checked_add(duration) {
            self.advance_to(instant);
        }
    }
}

/// An instant as `metav1.Time` writes it: whole seconds, UTC.
pub fn rfc3339(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An instant as `metav1.MicroTime` writes it: six digits of a second, UTC.
pub fn rfc3339_micro(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_stands_still_until_advanced() {
        let clock = Clock::virtual_clock();
        assert_eq!(rfc3339(clock.now()), "2026-01-01T00:00:00Z");
        let other = clock.clone();
        other.as_virtual().expect("virtual").advance_by(SignedDuration::from_millis(1500));
        assert_eq!(rfc3339_micro(clock.now()), "2026-01-01T00:00:01.500000Z");
    }

    #[test]
    fn a_forked_clock_goes_its_own_way() {
        let clock = Clock::virtual_clock();
        let fork = clock.fork();
        fork.as_virtual().expect("virtual").advance_by(SignedDuration::from_secs(600));
        assert_eq!(rfc3339(clock.now()), "2026-01-01T00:00:00Z");
        assert_eq!(rfc3339(fork.now()), "2026-01-01T00:10:00Z");
    }
}
