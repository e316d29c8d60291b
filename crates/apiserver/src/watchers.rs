//! Which open watches have taken in all there is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Open watches by number, with the version up to which each has been read to its end; 0 while it is being read.
///
/// Virtual time stands still while a client has something to take in: it could not react in time otherwise.
#[derive(Default)]
pub struct Watchers {
    open: Mutex<BTreeMap<u64, u64>>,
    next: AtomicU64,
    /// Told whenever a watch comes to rest or ends.
    pub rested: tokio::sync::Notify,
}

/// One open watch; gone from the list when dropped.
pub(crate) struct Watcher {
    watchers: Arc<Watchers>,
    id: u64,
}

impl Watchers {
    /// A new watch, not yet read.
    pub(crate) fn open(self: &Arc<Self>) -> Watcher {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.open.lock().insert(id, 0);
        Watcher { watchers: Arc::clone(self), id }
    }

    /// Whether all clients have come back for more after everything up to this version.
    pub fn at_rest(&self, version: u64) -> bool {
        self.open.lock().values().all(|read| *read >= version)
    }
}

impl Watcher {
    /// The client waits for more, and has seen everything up to this version.
    pub(crate) fn rests_at(&self, version: u64) {
        self.watchers.open.lock().insert(self.id, version);
        if version > 0 {
            self.watchers.rested.notify_one();
        }
    }

    /// The client has been given something.
    pub(crate) fn works(&self) {
        self.rests_at(0);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.watchers.open.lock().remove(&self.id);
        self.watchers.rested.notify_one();
    }
}
