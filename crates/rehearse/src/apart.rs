//! Two halves of a rehearsal at once: they share what stands still and go their own ways on forks of it, so that each comes to
//! what it would come to alone.

use std::thread;

use landfall_diag::{Diagnostic, code};
use tokio::runtime::{Builder, Runtime};

/// As much as the first thread of a process has: templates call each other.
const STACK: usize = 8 * 1024 * 1024;

/// Does `here` while `aside` is done on a thread of its own; where the system gives none, this one does both.
pub(crate) fn apart<H, A: Send>(here: impl FnOnce() -> H, aside: impl Fn() -> A + Copy + Send) -> (H, A) {
    thread::scope(|scope| {
        let beside = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, aside);
        let done = here();
        let other = match beside {
            Ok(beside) => beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => aside(),
        };
        (done, other)
    })
}

/// A runtime of the thread that calls, on which virtual time overtakes nobody.
///
/// # Errors
/// That the system gives none.
pub(crate) fn runtime() -> Result<Runtime, Vec<Diagnostic>> {
    Builder::new_current_thread().enable_all().build().map_err(|error| {
        vec![
            Diagnostic::error(code::REHEARSAL_CLUSTER, "the simulated cluster cannot be opened")
                .note(error.to_string()),
        ]
    })
}
