//! Programs that get a time and no more.

use std::process::Child;
use std::time::{Duration, Instant};

/// How a program ended: its code, or nothing when a signal or we ended it because its time was over.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> anyhow::Result<Option<i32>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
