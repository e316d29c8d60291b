//! How a command fails: an exit code and what to tell the person.

use landfall_diag::{Diagnose, Diagnostic};

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
    /// Failed by what the command line asked for, whatever it is that failed.
    pub(crate) fn usage(diagnostic: Diagnostic) -> Self {
        Failure { exit: Exit::Usage, diagnostics: vec![diagnostic] }
    }
}

/// The exit code of an error, as its code's place in the registry says.
pub(crate) fn exit_of(diagnostic: &Diagnostic) -> Exit {
    Exit::from(diagnostic.code.ending())
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
