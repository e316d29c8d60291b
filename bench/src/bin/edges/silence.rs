//! An outage as edges see it: how long nobody answered, how they came back, and when all of them had been heard again.

use std::cmp::Reverse;

use serde::Serialize;

use crate::asking::Answered;

/// A second in microseconds.
const SECOND: u64 = 1_000_000;
/// What a second keeps of the pace before that has gone back to it, and the longest that 99 of a hundred answers take then.
const AS_BEFORE: f64 = 0.9;
const LONGEST: u64 = 50_000;

/// The longest time without an answer, and what came after it. Seconds are counted from the first answer after it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Silence {
    /// How long nobody answered.
    pub(crate) silent_seconds: f64,
    /// How many were answered in a second before.
    pub(crate) answered_per_second_before: f64,
    /// The most that were answered in a second after it, and how many times the pace before that is.
    pub(crate) most_in_a_second_after: usize,
    pub(crate) times_the_pace_before: f64,
    /// After how many seconds there was one with nearly the pace before and quick answers.
    pub(crate) as_before_after_seconds: Option<usize>,
    /// After how many seconds the last edge was heard again; none if one was not.
    pub(crate) all_heard_after_seconds: Option<f64>,
}

/// What is told of so many edges' answers; none where there are not two of them.
pub(crate) fn longest(answered: &mut [Answered], edges: usize) -> Option<Silence> {
    answered.sort_unstable_by_key(|it| it.at);
    let pairs = answered.windows(2).enumerate();
    let (before, silent) =
        pairs.map(|(at, pair)| (at + 1, pair[1].at - pair[0].at)).max_by_key(|(at, silent)| (*silent, Reverse(*at)))?;
    let (before, after) = answered.split_at(before);
    let back = after.first()?.at;
    let per_second = before.len() as f64 * SECOND as f64 / before.last()?.at.max(1) as f64;
    let mut seconds: Vec<Vec<u64>> = Vec::new();
    let mut heard = vec![None; edges];
    for it in after {
        let second = ((it.at - back) / SECOND) as usize;
        if seconds.len() <= second {
            seconds.resize(second + 1, Vec::new());
        }
        seconds[second].push(it.took);
        if let Some(first) = heard.get_mut(it.edge) {
            first.get_or_insert(it.at - back);
        }
    }
    let most = seconds.iter().map(Vec::len).max().unwrap_or(0);
    let is_as_before = |took: &mut Vec<u64>| {
        took.sort_unstable();
        let slow = took.get((took.len() as f64 * 0.99) as usize).copied().unwrap_or(u64::MAX);
        took.len() as f64 >= per_second * AS_BEFORE && slow <= LONGEST
    };
    let last = heard.into_iter().collect::<Option<Vec<u64>>>().and_then(|heard| heard.into_iter().max());
    Some(Silence {
        silent_seconds: silent as f64 / SECOND as f64,
        answered_per_second_before: per_second,
        most_in_a_second_after: most,
        times_the_pace_before: most as f64 / per_second,
        as_before_after_seconds: seconds.iter_mut().position(is_as_before),
        all_heard_after_seconds: last.map(|last| last as f64 / SECOND as f64),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(at: u64, took: u64, edge: usize) -> Answered {
        Answered { at: at * 1000, took: took * 1000, edge }
    }

    #[test]
    fn the_longest_silence_is_the_outage_and_edges_that_were_not_heard_since_are_missed() {
        // Ten a second of ten edges, until five seconds; again from sixteen on, twice as many and slowly for two seconds.
        let mut all: Vec<Answered> = (1..=50).map(|it| answered(it * 100, 1, (it % 10) as usize)).collect();
        all.extend((0..40).map(|it| answered(16_000 + it * 50, 900, (it % 9) as usize)));
        all.extend((0..30).map(|it| answered(18_000 + it * 100, 2, (it % 9) as usize)));
        let told = longest(&mut all, 10).expect("answers");
        let expected = Silence {
            silent_seconds: 11.0,
            answered_per_second_before: 10.0,
            most_in_a_second_after: 20,
            times_the_pace_before: 2.0,
            as_before_after_seconds: Some(2),
            all_heard_after_seconds: None,
        };
        assert_eq!(told, expected);
        all.push(answered(20_950, 2, 9));
        let told = longest(&mut all, 10).expect("answers");
        assert_eq!(told.all_heard_after_seconds, Some(4.95));
    }

    #[test]
    fn one_answer_is_no_silence() {
        assert_eq!(longest(&mut [answered(1, 1, 0)], 1), None);
        assert_eq!(longest(&mut [], 0), None);
    }
}
