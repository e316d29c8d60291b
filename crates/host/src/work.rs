//! What is under way and wants an end before the process goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Whether something is at work on something that wants an end.
#[derive(Debug, Clone, Default)]
pub struct Work(Arc<AtomicUsize>);

/// Such a work, until it is dropped.
#[derive(Debug)]
pub struct AtWork(Arc<AtomicUsize>);

impl Work {
    /// Says that it is, until the answer is dropped.
    pub fn begin(&self) -> AtWork {
        self.0.fetch_add(1, Ordering::SeqCst);
        AtWork(Arc::clone(&self.0))
    }

    /// Whether it is.
    pub fn is_under_way(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
