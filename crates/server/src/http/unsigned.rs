//! Webhooks that nobody has signed, where they are let in: what they say is told on now and then, however many come.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often it is told on at most that repositories may have moved.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);
/// Addresses that wait to be told on; of more the regular look takes care.
const WAITING: usize = 256;

/// Repositories of which somebody says that they have moved.
#[derive(Default)]
pub(crate) struct Unsigned(Mutex<Told>);

#[derive(Default)]
struct Told {
    /// When something was told on last, or will be by who waits.
    last: Option<Instant>,
    waiting: BTreeSet<String>,
}

/// What follows from a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// That is told on at once.
    Now(Vec<String>),
    /// Somebody has to come for it after so long.
    After(Duration),
    /// Somebody comes for it already.
    Awaited,
}

impl Unsigned {
    /// Takes note of a request.
    pub(crate) fn note(&self, addresses: Vec<String>, now: Instant) -> Turn {
        let mut told = self.0.lock();
        let wait = told.last.map(|last| (last + PAUSE).saturating_duration_since(now)).unwrap_or_default();
        if wait.is_zero() && told.waiting.is_empty() {
            told.last = Some(now);
            return Turn::Now(addresses);
        }
        let is_first = told.waiting.is_empty();
        for address in addresses {
            if told.waiting.len() < WAITING {
                told.waiting.insert(address);
            }
        }
        if is_first { Turn::After(wait) } else { Turn::Awaited }
    }

    /// What has come together meanwhile.
    pub(crate) fn collected(&self, now: Instant) -> Vec<String> {
        let mut told = self.0.lock();
        told.last = Some(now);
        std::mem::take(&mut told.waiting).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often something was told on of a request each 10 ms for a minute, and what was told last.
    fn flooded(addresses: impl Fn(usize) -> Vec<String>) -> (usize, Vec<String>, usize) {
        let (unsigned, began) = (Unsigned::default(), Instant::now());
        let (mut times, mut last, mut largest, mut due) = (0, Vec::new(), 0, None);
        for number in 0..6_000 {
            let now = began + Duration::from_millis(10) * u32::try_from(number).expect("few");
            if due.is_some_and(|due| due <= now) {
                (due, times, last) = (None, times + 1, unsigned.collected(now));
                largest = largest.max(last.len());
            }
            match unsigned.note(addresses(number), now) {
                Turn::Now(told) => (times, last) = (times + 1, told),
                Turn::After(wait) => due = Some(now + wait),
                Turn::Awaited => assert!(due.is_some(), "nobody comes for it"),
            }
        }
        (times, last, largest)
    }

    #[test]
    fn se_047_forged_payloads_without_end_cause_a_look_now_and_then_and_the_last_one_is_not_lost() {
        let shop = || vec!["https://git.example.com/shop.git".to_owned()];
        let (times, last, _) = flooded(|_| shop());
        // A minute has twelve pauses, and a beginning.
        assert!(times <= 13, "{times}");
        assert_eq!(last, shop());
        let (times, _, largest) = flooded(|number| vec![format!("https://git.example.com/{number}.git")]);
        assert!(times <= 13 && largest <= WAITING, "{times} {largest}");
        let (unsigned, now) = (Unsigned::default(), Instant::now());
        assert_eq!(unsigned.note(shop(), now), Turn::Now(shop()));
        assert_eq!(unsigned.note(shop(), now), Turn::After(PAUSE));
        assert_eq!(unsigned.collected(now + PAUSE), shop(), "a push behind a forged one is told on, too");
        assert_eq!(unsigned.note(shop(), now + PAUSE * 2), Turn::Now(shop()));
    }
}
