//! Samples of suites that grow, drawn by the commit's hash: each submission sees another one, and sees it again when it
//! is run again.

use crate::dice::Dice;
use crate::evidence::commit;
use crate::suite::root;

/// What is drawn with: the commit that is checked out, as a number.
pub(crate) fn seed() -> u64 {
    of_commit(&commit(root()))
}

fn of_commit(commit: &str) -> u64 {
    u64::from_str_radix(commit.get(..8).unwrap_or_default(), 16).unwrap_or(1)
}

/// So many of the items, in their order, and all where no size is asked for; its size is said.
pub(crate) fn draw<T>(suite: &str, items: Vec<T>, size: Option<usize>) -> Vec<T> {
    let all = items.len();
    let drawn = of(items, size.unwrap_or(all), seed());
    if size.is_some() {
        println!("{suite}: a sample of {} of {all}, drawn by the commit's hash", drawn.len());
    }
    drawn
}

fn of<T>(mut items: Vec<T>, size: usize, seed: u64) -> Vec<T> {
    let mut dice = Dice::new(seed);
    while items.len() > size {
        items.remove(dice.below(items.len()));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_draws_the_same_sample_each_time_and_another_commit_another_one() {
        let sample = |commit: &str| of((0..1000).collect::<Vec<u32>>(), 20, of_commit(commit));
        let first = sample("ae7023e9265ac199fc644187eb36a2dc0d57b278");
        assert_eq!(first, sample("ae7023e9265ac199fc644187eb36a2dc0d57b278+"));
        assert_ne!(first, sample("23ed8e1927c37090e441699c4a1304ccc4712729"));
        assert_eq!(first.len(), 20);
        assert!(first.is_sorted());
    }

    #[test]
    fn a_sample_of_more_than_there_is_is_all() {
        assert_eq!(of(vec![1, 2, 3], 5, 1), [1, 2, 3]);
    }
}
