//! How long the agent waits before it speaks again: spread, so that a thousand of them that lost the same server do not come back at once.

use std::time::Duration;

/// The first pause after a failure.
const FIRST: Duration = Duration::from_secs(5);
/// The longest pause that is of our own choice.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest pause that a server may ask for.
const ASKED: Duration = Duration::from_secs(3600);

/// The pause after `failures` failed tries in a row. `random` is from 0 up to 1.
///
/// Without a failure it is the server's pace, a fifth more or less. After failures it is anything up to 10, 20, 40 … 300 seconds, and at
/// least a second: full jitter, because a common pause would only move the herd. What a server asked for (`retry-after`) is the least,
/// with up to as much again.
#[must_use]
pub fn pause(pace: Duration, failures: u32, asked: Option<Duration>, random: f64) -> Duration {
    let random = random.clamp(0.0, 1.0);
    if failures == 0 && asked.is_none() {
        return pace.mul_f64(0.8 + 0.4 * random);
    }
    let most = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
    let own = Duration::from_secs(1).max(most.mul_f64(random));
    match asked.map(|asked| asked.min(ASKED)) {
        Some(asked) => own.max(asked.mul_f64(1.0 + random)),
        None => own,
    }
}

/// The pause before the first word after a start: power comes back to all at once, too.
#[must_use]
pub fn first(pace: Duration, random: f64) -> Duration {
    (pace / 2).min(Duration::from_secs(10)).mul_f64(random.clamp(0.0, 1.0))
}

/// A number from 0 up to 1 of the system's own randomness.
#[must_use]
pub fn random() -> f64 {
    let mut bytes = [0; 4];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        return 0.5;
    }
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_secs(15);

    #[test]
    fn the_servers_pace_is_spread_by_a_fifth() {
        assert_eq!(pause(PACE, 0, None, 0.0), Duration::from_secs(12));
        assert_eq!(pause(PACE, 0, None, 1.0), Duration::from_secs(18));
    }

    #[test]
    fn the_first_word_after_a_start_is_spread_over_half_the_pace_and_ten_seconds_at_most() {
        assert_eq!(first(PACE, 0.0), Duration::ZERO);
        assert_eq!(first(PACE, 1.0), Duration::from_millis(7500));
        assert_eq!(first(Duration::from_secs(3600), 1.0), Duration::from_secs(10));
    }

    #[test]
    fn a_thousand_agents_do_not_come_back_at_once() {
        // The third try after an outage: no second of the forty sees more than twice its share.
        let mut seconds = [0_u32; 41];
        for agent in 0..1000 {
            let pause = pause(PACE, 3, None, f64::from(agent) / 1000.0);
            seconds[usize::try_from(pause.as_secs()).expect("small")] += 1;
        }
        assert!(seconds.iter().all(|count| *count <= 50), "{seconds:?}");
        assert!(pause(PACE, 40, None, 1.0) <= LONGEST);
    }

    #[test]
    fn what_a_busy_server_asks_for_is_the_least() {
        let asked = Some(Duration::from_secs(30));
        assert_eq!(pause(PACE, 1, asked, 0.0), Duration::from_secs(30));
        assert_eq!(pause(PACE, 1, asked, 1.0), Duration::from_secs(60));
        assert!(pause(PACE, 1, Some(Duration::from_secs(1 << 40)), 1.0) <= ASKED * 2);
    }
}
