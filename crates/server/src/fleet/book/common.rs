//! What many edges have in common, kept once for all of them: words, labels, what is installed.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use landfall_fleet::protocol::{Installed, Label};
use parking_lot::Mutex;

/// What many edges have in common.
#[derive(Debug, Default)]
pub(crate) struct Common {
    words: Mutex<Once<str>>,
    labels: Mutex<Once<[Label]>>,
    installed: Mutex<Once<[Installed]>>,
}

impl Common {
    /// A word: a platform, a processor, a token.
    pub(crate) fn word(&self, text: &str) -> Arc<str> {
        self.words.lock().of(text)
    }

    pub(crate) fn labels(&self, labels: &[Label]) -> Arc<[Label]> {
        self.labels.lock().of(labels)
    }

    pub(crate) fn installed(&self, installed: &[Installed]) -> Arc<[Installed]> {
        self.installed.lock().of(installed)
    }

    /// How many there are of each kind.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> [usize; 3] {
        [self.words.lock().known.len(), self.labels.lock().known.len(), self.installed.lock().known.len()]
    }
}

/// How many are kept before it is asked whether somebody still has them.
const FEW: usize = 256;

#[derive(Debug)]
struct Once<T: ?Sized> {
    known: HashSet<Arc<T>>,
    /// How many there may be before those go that nobody has: edges say what they like.
    room: usize,
}

impl<T: ?Sized> Default for Once<T> {
    fn default() -> Self {
        Once { known: HashSet::new(), room: FEW }
    }
}

impl<T: ?Sized + Hash + Eq> Once<T> {
    fn of<'a>(&mut self, one: &'a T) -> Arc<T>
    where
        Arc<T>: From<&'a T> + Borrow<T>,
    {
        if let Some(known) = self.known.get(one) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.room {
            // Under the lock nobody comes by one that only this set has.
            self.known.retain(|it| Arc::strong_count(it) > 1);
            self.known.shrink_to_fit();
            self.room = (self.known.len() * 2).max(FEW);
        }
        let one = Arc::from(one);
        self.known.insert(Arc::clone(&one));
        one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_any_more_goes_and_what_somebody_has_is_kept_once() {
        let common = Common::default();
        let kept = common.word("linux");
        for number in 0..100_000 {
            let _gone = common.word(&format!("version-{number}"));
        }
        assert!(common.counts()[0] <= FEW, "{:?}", common.counts());
        assert!(Arc::ptr_eq(&kept, &common.word("linux")));
    }
}
