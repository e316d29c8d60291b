use std::sync::atomic::{AtomicU64, Ordering};

/// What one execution may use, or all of a set together (see [`Set::limit_together`](crate::Set::limit_together)); reaching a limit ends it with [`Cause::Limit`](crate::Cause::Limit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nodes walked, loop turns taken and functions called; functions count what they go through as well.
    pub steps: u64,
    /// Templates nested in each other through `template`, `include` and `tpl` together. Go itself allows 100,000.
    pub depth: u32,
    /// Bytes written, counting each `include` and `tpl` on its own as well.
    pub output_bytes: u64,
    /// Bytes of memory in values that variables hold, about.
    pub held_bytes: u64,
}

impl Default for Limits {
    /// Far above what any chart needs: 100 million steps, for which Go takes ten seconds and more, Go's depth, 64 MiB of
    /// output, 256 MiB of values.
    fn default() -> Self {
        Limits { steps: MAX_STEPS, depth: MAX_DEPTH, output_bytes: MAX_OUTPUT, held_bytes: MAX_HELD }
    }
}

/// Steps of [`Limits::default`].
pub const MAX_STEPS: u64 = 100_000_000;
/// Depth of [`Limits::default`].
pub const MAX_DEPTH: u32 = 100_000;
/// Bytes of output of [`Limits::default`].
pub const MAX_OUTPUT: u64 = 64 << 20;
/// Bytes of values of [`Limits::default`].
pub const MAX_HELD: u64 = 256 << 20;

/// Steps that an execution takes at once out of what all have together.
const STEPS_AT_ONCE: u64 = 1 << 16;
/// Bytes of output that it takes at once.
const BYTES_AT_ONCE: u64 = 1 << 20;

/// What the executions of a set have used together.
#[derive(Debug, Default)]
pub(crate) struct Purse {
    steps: AtomicU64,
    bytes: AtomicU64,
    /// Bytes that all have written in the end.
    printed: AtomicU64,
}

impl Purse {
    /// Counts what an execution has written in the end; gives what all have.
    pub(crate) fn print(&self, bytes: u64) -> u64 {
        self.printed.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Takes as many steps as are needed, or more; gives how many, or nothing where there are not so many left.
    pub(crate) fn take_steps(&self, needed: u64, most: u64) -> Option<u64> {
        take(&self.steps, needed, STEPS_AT_ONCE, most)
    }

    /// As [`Purse::take_steps`], for bytes.
    pub(crate) fn take_bytes(&self, needed: u64, most: u64) -> Option<u64> {
        take(&self.bytes, needed, BYTES_AT_ONCE, most)
    }

    /// Takes just so many bytes.
    pub(crate) fn charge(&self, bytes: u64, most: u64) -> bool {
        take(&self.bytes, bytes, bytes, most).is_some()
    }

    /// Gives back what was taken and not used.
    pub(crate) fn give_back(&self, steps: u64, bytes: u64) {
        self.steps.fetch_sub(steps, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The steps that were used.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Forgets what was used.
    pub(crate) fn refill(&self) {
        self.steps.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        self.printed.store(0, Ordering::Relaxed);
    }
}

fn take(used: &AtomicU64, needed: u64, at_once: u64, most: u64) -> Option<u64> {
    for wanted in [needed.max(at_once), needed] {
        let enough = |used: u64| used.checked_add(wanted).filter(|used| *used <= most);
        if used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enough).is_ok() {
            return Some(wanted);
        }
    }
    None
}
