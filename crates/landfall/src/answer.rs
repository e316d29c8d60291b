//! What is typed at the terminal, and Ctrl-C in its place.

use landfall_diag::{Diagnostic, code};
use landfall_host::Failure;

use crate::context::Context;

/// Asks a question, and waits for the line that answers it; nothing at the end of input. `undone` says what is so where
/// it is interrupted: `not delivered`.
///
/// Reading waits on a thread of its own: on the command's it would keep it from hearing of the interruption.
///
/// # Errors
/// It was interrupted: [`code::INTERRUPTED_BEFORE`].
pub(crate) async fn line(context: &Context, question: String, undone: &str) -> Result<Option<String>, Failure> {
    let ui = context.ui.clone();
    let typed = tokio::task::spawn_blocking(move || ui.ask(&question));
    tokio::select! {
        typed = typed => Ok(typed.ok().flatten()),
        () = context.host.stop.cancelled() => {
            // What is said next begins a line of its own.
            context.ui.status("");
            Err(Failure::from(Diagnostic::error(code::INTERRUPTED_BEFORE, format!("interrupted; {undone}"))))
        }
    }
}
