use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

/// Time as a parameter: real for a real cluster, virtual for a simulated one.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Ends when that much time has passed on this clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Virtual time stands still while the guard lives; the machine's time cannot be held.
    fn hold(&self) -> Box<dyn Send> {
        Box::new(())
    }
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
