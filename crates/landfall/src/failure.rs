//! How a command fails: an exit code and what to tell the person.

use landfall_diag::{Diagnose, Diagnostic, Severity};

use crate::exit::Exit;

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What the shell sees.
    pub(crate) exit: Exit,
    /// What the person sees.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What commands return: how they ended well, or how they failed.
pub(crate) type Outcome = Result<Exit, Failure>;

impl Failure {
    /// Failed, with one thing to say.
    pub(crate) fn new(exit: Exit, diagnostic: Diagnostic) -> Self {
        Failure { exit, diagnostics: vec![diagnostic] }
    }

    /// Usage or configuration.
    pub(crate) fn usage(diagnostic: Diagnostic) -> Self {
        Failure::new(Exit::Usage, diagnostic)
    }
}

/// The exit code of an error by its number: codes are grouped by what went wrong.
///
/// 100–199 are configuration and usage, as are `--set` lines and names of releases that the chart room refuses; 401 and
/// 508 are targets that cannot be reached, 451–453 are deliveries that are not healthy, 444 and 606 are what was
/// interrupted; what was refused is so by its severity.
pub(crate) fn exit_of(diagnostic: &Diagnostic) -> Exit {
    if diagnostic.severity == Severity::Refused {
        return Exit::Refused;
    }
    match diagnostic.code.0 {
        100..=199 | 207 | 212 => Exit::Usage,
        401 | 508 => Exit::Unreachable,
        451..=453 => Exit::Unhealthy,
        landfall_engine::INTERRUPTED | 606 => Exit::Interrupted,
        _ => Exit::Failed,
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Failure { exit: exit_of(&diagnostic), diagnostics: vec![diagnostic] }
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        let exit = diagnostics.first().map_or(Exit::Failed, exit_of);
        Failure { exit, diagnostics }
    }
}

/// An error of a room as a failure.
pub(crate) fn failed(error: &impl Diagnose) -> Failure {
    error.diagnose().into()
}
