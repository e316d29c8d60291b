//! Whoever sleeps on the cluster's clock.

use std::collections::BTreeMap;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

/// Sleepers by the instant at which they want to be woken; virtual time jumps to them as it does to controllers' timers.
#[derive(Default)]
pub struct Alarms {
    pending: Mutex<BTreeMap<(Timestamp, u64), oneshot::Sender<()>>>,
    next_id: std::sync::atomic::AtomicU64,
    /// Told when an earlier alarm than before may have been set.
    pub set: Notify,
}

impl Alarms {
    /// Sets an alarm; the receiver ends when it rings, and with an error when the cluster is gone.
    pub fn set(&self, at: Timestamp) -> oneshot::Receiver<()> {
        let (ring, woken) = oneshot::channel();
        let id = self.next_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.pending.lock().insert((at, id), ring);
        self.set.notify_one();
        woken
    }

    /// Wakes everyone whose time has come; answers the next alarm, those of sleepers who have gone left out.
    pub fn ring(&self, now: Timestamp) -> Option<Timestamp> {
        let mut pending = self.pending.lock();
        pending.retain(|_, ring| !ring.is_closed());
        while let Some(entry) = pending.first_entry() {
            if entry.key().0 > now {
                return Some(entry.key().0);
            }
            // A sleeper that has just gone needs no waking.
            let _ = entry.remove().send(());
        }
        None
    }
}
