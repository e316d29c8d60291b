//! Work that does not wait but keeps a processor busy: unpacking, reading objects, fetching with gix.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when nobody waits for a piece of work any more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

/// The thread that worked at it broke, or the runtime ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the thread that worked at it broke")]
pub struct Broken;

impl Interrupt {
    /// Says that nobody waits any more.
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag, as gix looks at it.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }
}

/// Sets the interrupt of work whose future is dropped.
struct SetWhenDropped(Interrupt);

impl Drop for SetWhenDropped {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Does work on the runtime's pool for what blocks, the only way there from this room. When the future is dropped, work
/// that has not begun is not done.
///
/// # Errors
/// The work panicked, or the runtime ended before it was done.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Broken> {
    let interrupt = Interrupt::default();
    aside_until(&interrupt, work).await
}

/// The same for work that looks at an interrupt: whoever drops the future sets it, and the work ends.
pub(crate) async fn aside_until<T: Send + 'static>(
    interrupt: &Interrupt,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Broken> {
    let (wanted, _dropped) = (interrupt.clone(), SetWhenDropped(interrupt.clone()));
    let done = tokio::task::spawn_blocking(move || (!wanted.is_set()).then(work)).await;
    done.ok().flatten().ok_or(Broken)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn work_of_a_dropped_future_ends() {
        let interrupt = Interrupt::default();
        let (began, (ended, seen)) = (Arc::new(tokio::sync::Notify::new()), tokio::sync::oneshot::channel());
        let (looked_at, told) = (interrupt.clone(), Arc::clone(&began));
        let work = aside_until(&interrupt, move || {
            told.notify_one();
            while !looked_at.is_set() {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            ended.send(()).expect("it is listened to");
        });
        tokio::select! {
            _ = work => unreachable!("it goes on until it is dropped"),
            () = began.notified() => {}
        }
        seen.await.expect("it has ended");
    }

    #[tokio::test]
    async fn work_that_breaks_is_told() {
        assert_eq!(aside(|| 1 + 1).await, Ok(2));
        let stopped = Interrupt::default();
        stopped.set();
        assert_eq!(aside_until(&stopped, || 1 + 1).await, Err(Broken), "nobody wanted it");
    }
}
