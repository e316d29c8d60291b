//! Changes of Applications, numbered, as many as are kept: who listens can go on where it stopped.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::api::Changed;

/// Changes that are kept: who comes back after more has to ask anew how all stand.
const KEPT: usize = 4096;

/// Changes of Applications.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Which run of the server numbers them: numbers of another one mean nothing.
    run: u64,
    kept: Mutex<Kept>,
    newest: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Kept {
    last: u64,
    changes: VecDeque<(u64, Changed)>,
}

/// What has happened since a number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Since {
    /// That, oldest first; perhaps nothing.
    Changes(Vec<(u64, Changed)>),
    /// More than is kept, or in another run.
    Lost,
}

impl Feed {
    pub(crate) fn new(run: u64) -> Self {
        Feed { run, kept: Mutex::default(), newest: watch::Sender::new(0) }
    }

    /// Tells a change.
    pub(crate) fn tell(&self, change: Changed) {
        let mut kept = self.kept.lock();
        kept.last += 1;
        let number = kept.last;
        kept.changes.push_back((number, change));
        if kept.changes.len() > KEPT {
            kept.changes.pop_front();
        }
        drop(kept);
        self.newest.send_replace(number);
    }

    /// The newest number, told as it grows.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// The newest number.
    pub(crate) fn last(&self) -> u64 {
        self.kept.lock().last
    }

    /// A number as clients keep it.
    pub(crate) fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.run)
    }

    /// The number of an id; nothing for one of another run, or none of ours.
    pub(crate) fn number(&self, id: &str) -> Option<u64> {
        let (run, number) = id.trim().split_once('-')?;
        let number = number.parse().ok()?;
        (run.parse() == Ok(self.run) && number <= self.last()).then_some(number)
    }

    /// What has happened since a number.
    pub(crate) fn since(&self, number: u64) -> Since {
        let kept = self.kept.lock();
        let oldest = kept.changes.front().map_or(kept.last + 1, |(number, _)| *number);
        if number + 1 < oldest {
            return Since::Lost;
        }
        Since::Changes(kept.changes.iter().filter(|(known, _)| *known > number).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Line;

    fn change(name: &str) -> Changed {
        let application = Line { name: name.to_owned(), ..Line::default() };
        Changed { at: "now".to_owned(), gone: false, application }
    }

    #[test]
    fn who_comes_back_goes_on_where_it_stopped_or_is_told_that_it_cannot() {
        let feed = Feed::new(7);
        assert_eq!(feed.since(0), Since::Changes(Vec::new()));
        for name in ["a", "b", "c"] {
            feed.tell(change(name));
        }
        assert_eq!(feed.since(1), Since::Changes(vec![(2, change("b")), (3, change("c"))]));
        assert_eq!(feed.number(&feed.id(2)), Some(2));
        for id in ["6-2", "7-9", "7", "", "7-x"] {
            assert_eq!(feed.number(id), None, "{id}");
        }
        for _ in 0..KEPT {
            feed.tell(change("d"));
        }
        assert_eq!(feed.since(2), Since::Lost);
        assert!(matches!(feed.since(3), Since::Changes(changes) if changes.len() == KEPT));
    }
}
