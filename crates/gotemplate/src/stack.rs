//! Deep nesting without a deep caller's stack: where a recursion has used its share, it goes on in a thread of its own
//! with a larger stack, while this one waits.

use std::thread;

/// What the first stretch may use of the caller's stack; the least a thread has is well above.
const FIRST: usize = 192 << 10;
/// Reserve of a new stack that is never used, so that leaf functions need no check.
const RESERVE: usize = 1 << 20;
const SMALLEST: usize = 8 << 20;
const LARGEST: usize = 512 << 20;

/// How far down the stack may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack {
    limit: usize,
    next: usize,
}

fn here() -> usize {
    let marker = 0u8;
    std::ptr::from_ref(std::hint::black_box(&marker)).addr()
}

impl Stack {
    /// The caller's stack from here on.
    pub(crate) fn from_here() -> Self {
        Stack { limit: here().saturating_sub(FIRST), next: SMALLEST }
    }

    /// Whether the share is used up.
    #[inline]
    pub(crate) fn is_used_up(self) -> bool {
        here() < self.limit
    }

    /// Runs `work` on a fresh, larger stack; `None` when the system has no more threads.
    pub(crate) fn grow<R: Send>(self, work: impl FnOnce(Stack) -> R + Send) -> Option<R> {
        let size = self.next;
        thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(size).spawn_scoped(scope, move || {
                work(Stack { limit: here().saturating_sub(size - RESERVE), next: (size * 4).min(LARGEST) })
            });
            match thread.ok()?.join() {
                Ok(result) => Some(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
