//! Work for many items, on all cores.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does work for each item, given with its number, and gives the results in the items' order.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    several(count(None), items, work)
}

/// How many work at a time: as many as were asked for, else as there are processors.
pub(crate) fn count(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from))
}

/// As [`each`], by so many workers.
pub(crate) fn several<T: Sync, R: Send>(workers: usize, items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Mutex<BTreeMap<usize, R>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    let result = work(at, item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn every_item_is_worked_on_once_and_results_keep_its_place() {
        let items: Vec<usize> = (0..500).collect();
        assert_eq!(each(&items, |at, item| (at, item * 2)), items.iter().map(|it| (*it, it * 2)).collect::<Vec<_>>());
    }
}
