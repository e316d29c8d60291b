//! What an autoscaler remembers: what it recommended and how it changed the scale, as long as a rule may ask for it.
//!
//! The real controller keeps samples of every 15 seconds, in memory. Here nothing happens between two looks, so a recommendation is kept once,
//! with the last instant at which it held. After a restart the first is the scale as it stands, from when it was last changed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::direction::Direction;
use crate::controllers::fields::{int, list, text};

/// The longest window and the longest period that rules may name.
const LONGEST: SignedDuration = SignedDuration::from_secs(3600);

/// What all autoscalers remember, by their UIDs.
#[derive(Clone, Debug, Default)]
pub(in crate::controllers) struct Memory(BTreeMap<String, Past>);

impl Memory {
    /// Forgets an autoscaler that is gone.
    pub(in crate::controllers) fn forget(&mut self, uid: &str) {
        self.0.remove(uid);
    }

    /// The past of one autoscaler; a new one begins with the scale as it stands.
    pub(super) fn of(&mut self, uid: &str, current: i64, since: Timestamp) -> &mut Past {
        let first = || Past { recommendations: vec![(current, since)], ..Past::default() };
        self.0.entry(uid.to_owned()).or_insert_with(first)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// What was recommended, each until when.
    recommendations: Vec<(i64, Timestamp)>,
    /// Whether the last recommendation still holds; the first, taken from the scale, does not.
    holds: bool,
    /// By how many pods the scale changed, and when.
    changes: Vec<(i64, Timestamp)>,
}

fn within(at: Timestamp, seconds: i64, now: Timestamp) -> bool {
    at.checked_add(SignedDuration::from_secs(seconds)).is_ok_and(|end| end > now)
}

impl Past {
    /// The recommendations of the last seconds, with the end of each.
    pub(super) fn recent(&self, seconds: i64, now: Timestamp) -> impl Iterator<Item = (i64, Timestamp)> + '_ {
        self.recommendations.iter().copied().filter(move |(_, until)| within(*until, seconds, now))
    }

    /// What was recommended until now held until now.
    pub(super) fn hold_until(&mut self, now: Timestamp) {
        if let (true, Some(last)) = (self.holds, self.recommendations.last_mut()) {
            last.1 = now;
        }
        self.recommendations.retain(|(_, until)| now.duration_since(*until) <= LONGEST);
    }

    pub(super) fn recommend(&mut self, replicas: i64, now: Timestamp) {
        match self.recommendations.last_mut().filter(|(last, _)| *last == replicas) {
            Some(last) if self.holds => last.1 = now,
            _ => self.recommendations.push((replicas, now)),
        }
        self.holds = true;
    }

    pub(super) fn rescale(&mut self, from: i64, to: i64, now: Timestamp) {
        self.changes.retain(|(_, at)| now.duration_since(*at) <= LONGEST);
        self.changes.push((to - from, now));
    }

    /// The scale as it was that many seconds ago.
    fn replicas_before(&self, current: i64, seconds: i64, now: Timestamp) -> i64 {
        let changes = self.changes.iter().filter(|(_, at)| within(*at, seconds, now));
        current - changes.map(|(change, _)| change).sum::<i64>()
    }

    /// How far the policies of a direction let the scale go, and when they let it go further.
    pub(super) fn limit(
        &self,
        rules: &Value,
        direction: Direction,
        current: i64,
        now: Timestamp,
    ) -> (i64, Option<Timestamp>) {
        if text(rules, "/selectPolicy") == "Disabled" {
            return (current, None);
        }
        let policies = list(rules, "/policies");
        let proposals = policies.iter().map(|policy| {
            let (value, period) = (int(policy, "/value").unwrap_or(0), int(policy, "/periodSeconds").unwrap_or(0));
            let start = self.replicas_before(current, period, now);
            direction.proposed(start, value, text(policy, "/type"))
        });
        let least = text(rules, "/selectPolicy") == "Min";
        let limit = match direction {
            Direction::Up if least => proposals.min(),
            Direction::Up => proposals.max(),
            Direction::Down if least => proposals.max(),
            Direction::Down => proposals.min(),
        };
        let ends = policies.iter().flat_map(|policy| {
            let period = SignedDuration::from_secs(int(policy, "/periodSeconds").unwrap_or(0));
            self.changes.iter().filter_map(move |(_, at)| at.checked_add(period).ok())
        });
        (limit.unwrap_or(current), ends.filter(|end| *end > now).min())
    }
}
