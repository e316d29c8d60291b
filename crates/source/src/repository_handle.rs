use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::SourceError;

/// Repositories that a thread keeps open for trees that were handed to it; the one that was used longest ago gives way.
const MOST_OPEN: usize = 4;

/// A repository of git that any thread may read.
///
/// gix's own handles stay on the thread that opened them, or start threads of their own for everything they do (its feature
/// `parallel`), which a command that looks at one working tree would pay for. So each thread opens the repository once, when
/// it first reads from it, in the same way from the same place.
pub(crate) struct RepositoryHandle {
    number: u64,
    place: PathBuf,
    open: fn(&Path) -> Result<gix::Repository, SourceError>,
}

thread_local! {
    /// What this thread has open, by the handle's number; the last is the one that was used last.
    static OPEN: RefCell<Vec<(u64, Rc<gix::Repository>)>> = const { RefCell::new(Vec::new()) };
}

impl RepositoryHandle {
    /// A handle of a repository that `open` made of a place, and would again on another thread.
    pub(crate) fn new(
        repository: gix::Repository,
        place: &Path,
        open: fn(&Path) -> Result<gix::Repository, SourceError>,
    ) -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let handle = RepositoryHandle { number: LAST.fetch_add(1, Ordering::Relaxed), place: place.to_owned(), open };
        handle.keep(Rc::new(repository));
        handle
    }

    /// The repository as this thread has it open.
    ///
    /// # Errors
    /// It is no longer there, where it is opened first.
    pub(crate) fn here(&self) -> Result<Rc<gix::Repository>, SourceError> {
        let known = OPEN.with_borrow_mut(|open| {
            let at = open.iter().position(|(number, _)| *number == self.number)?;
            open[at..].rotate_left(1);
            open.last().map(|(_, repository)| Rc::clone(repository))
        });
        match known {
            Some(repository) => Ok(repository),
            None => Ok(self.keep(Rc::new((self.open)(&self.place)?))),
        }
    }

    fn keep(&self, repository: Rc<gix::Repository>) -> Rc<gix::Repository> {
        OPEN.with_borrow_mut(|open| {
            if open.len() >= MOST_OPEN {
                open.remove(0);
            }
            open.push((self.number, Rc::clone(&repository)));
        });
        repository
    }
}

impl Drop for RepositoryHandle {
    fn drop(&mut self) {
        // Other threads keep theirs until others push it out. A thread that ends has none any more.
        let _ended = OPEN.try_with(|open| open.borrow_mut().retain(|(number, _)| *number != self.number));
    }
}
