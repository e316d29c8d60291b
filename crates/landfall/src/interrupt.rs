//! Ctrl-C and SIGTERM: the first ends a command cleanly with its journal written, the second at once.
//!
//! A command hears of the first by `stop`. One that changes something says so (`work`) and gets the time
//! to end it; one that does not is not waited for.

use std::time::Duration;

use landfall_diag::{Diagnostic, code};

use crate::context::Context;
use crate::exit::Exit;

/// How long a command may take to end what it changes: a request under way, its journal, a server of its own.
const CLEANLY: Duration = Duration::from_secs(10);

/// How long one that changes nothing may take.
const SOON: Duration = Duration::from_secs(1);

/// Ends the command as the signals ask.
pub(crate) async fn heed(context: Context) {
    // Where nothing can be heard the system ends the process by itself.
    let Ok(mut signals) = Signals::listen() else { return };
    signals.next().await;
    context.host.stop.cancel();
    let patience = if context.host.work.is_under_way() { CLEANLY } else { SOON };
    tokio::select! {
        () = signals.next() => {}
        () = tokio::time::sleep(patience) => {
            let text = format!("interrupted; what was under way did not end within {} s", patience.as_secs());
            // What changes nothing has begun nothing.
            let note = if context.host.work.is_under_way() {
                "what was begun is in the journal, and the same command goes on from there"
            } else {
                "nothing was begun"
            };
            context.ui.diagnostic(&Diagnostic::error(code::INTERRUPTED_BEFORE, text).note(note));
        }
    }
    leave();
}

/// Ctrl-C and being told to end.
#[cfg(unix)]
struct Signals {
    interrupted: tokio::signal::unix::Signal,
    terminated: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals { interrupted: signal(SignalKind::interrupt())?, terminated: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Signals)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// Ends the process at once; the journal is what makes that safe.
#[allow(clippy::exit, reason = "this is what was asked for")]
fn leave() {
    std::process::exit(Exit::Interrupted as i32);
}
