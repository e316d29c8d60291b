//! How fast and how far the scale may change (`horizontal.go`: `stabilizeRecommendation…`, `convertDesiredReplicas…`).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::direction::Direction;
use super::memory::Past;
use crate::controllers::fields::int;

/// How long a lower recommendation waits when `behavior` says nothing.
const WINDOW: i64 = 300;

/// Where the scale stands and where it may be.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    pub(super) current: i64,
    pub(super) least: i64,
    pub(super) most: i64,
}

/// A condition's reason and message.
pub(super) type Said = (&'static str, &'static str);

const WITHIN: Said = ("DesiredWithinRange", "the desired count is within the acceptable range");
const TOO_FEW: Said = ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const TOO_MANY: Said = ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const UP_LIMIT: Said = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const DOWN_LIMIT: Said =
    ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate");
const READY: Said = ("ReadyForNewScale", "recommended size matches current size");
const DOWN_HELD: Said = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);
const UP_HELD: Said = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);

/// A number of pods, what is said of how it came about, and when to ask again.
pub(super) struct Step {
    pub(super) replicas: i64,
    pub(super) said: Said,
    pub(super) again_at: Option<Timestamp>,
}

fn after(at: Timestamp, seconds: i64) -> Option<Timestamp> {
    at.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// What recent recommendations make of a new one.
pub(super) fn stabilized(past: &Past, behavior: &Value, current: i64, asked: i64, now: Timestamp) -> Step {
    let window = |direction: &str| int(behavior, &format!("/{direction}/stabilizationWindowSeconds"));
    let down_window = window("scaleDown").unwrap_or(WINDOW);
    let down = past.recent(down_window, now).map(|(replicas, _)| replicas).fold(asked, i64::max);
    if behavior.is_null() {
        let said = if down == asked { READY } else { DOWN_HELD };
        return Step { replicas: down, said, again_at: freed(past, down_window, now, |value| value > asked) };
    }
    let up_window = window("scaleUp").unwrap_or(0);
    let up = past.recent(up_window, now).map(|(replicas, _)| replicas).fold(asked, i64::min);
    let replicas = current.max(up).min(down);
    let (held, again_at) = if asked >= current {
        (UP_HELD, freed(past, up_window, now, |value| value < asked))
    } else {
        (DOWN_HELD, freed(past, down_window, now, |value| value > asked))
    };
    let said = if replicas == asked { READY } else { held };
    Step { replicas, said, again_at: again_at.filter(|_| replicas != asked) }
}

/// When the first of those that hold a recommendation back is too old to.
fn freed(past: &Past, window: i64, now: Timestamp, holds: impl Fn(i64) -> bool) -> Option<Timestamp> {
    past.recent(window, now).filter(|(value, _)| holds(*value)).filter_map(|(_, until)| after(until, window)).min()
}

/// How much of it one step may be.
pub(super) fn limited(past: &Past, behavior: &Value, bounds: Bounds, asked: i64, now: Timestamp) -> Step {
    let Bounds { current, least, most } = bounds;
    let step = |replicas, said, again_at| Step { replicas, said, again_at };
    if behavior.is_null() {
        let limit = fastest(current);
        return if asked < least {
            step(least, TOO_FEW, None)
        } else if asked > most.min(limit) {
            if limit < most { step(limit, UP_LIMIT, None) } else { step(most, TOO_MANY, None) }
        } else {
            step(asked, WITHIN, None)
        };
    }
    if asked > current {
        let (limit, again_at) = past.limit(&behavior["scaleUp"], Direction::Up, current, now);
        let limit = limit.max(current);
        if asked > most.min(limit) {
            return if most > limit { step(limit, UP_LIMIT, again_at) } else { step(most, TOO_MANY, None) };
        }
    } else if asked < current {
        let (limit, again_at) = past.limit(&behavior["scaleDown"], Direction::Down, current, now);
        let limit = limit.min(current);
        if asked < least.max(limit) {
            return if least < limit { step(limit, DOWN_LIMIT, again_at) } else { step(least, TOO_FEW, None) };
        }
    }
    step(asked, WITHIN, None)
}

/// The most pods that one step may lead to: twice as many, or four (`calculateScaleUpLimit`).
fn fastest(current: i64) -> i64 {
    (current * 2).max(4)
}
