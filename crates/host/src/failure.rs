//! Why something could not be done: how a command ends by it, and what to tell the person.

use landfall_diag::{Diagnose, Diagnostic, Ending};

/// What was asked for was not done.
#[derive(Debug, Clone)]
pub struct Failure {
    /// How a command ends by it.
    pub ending: Ending,
    /// What the person sees.
    pub diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// Failed by what was asked for, whatever it is that failed.
    pub fn usage(diagnostic: Diagnostic) -> Self {
        Failure { ending: Ending::Usage, diagnostics: vec![diagnostic] }
    }

    /// What it is that failed, before what follows from it.
    pub fn into_first(self) -> Option<Diagnostic> {
        self.diagnostics.into_iter().next()
    }
}

/// How a command ends by an error, as its code's place in the registry says.
pub fn ending_of(diagnostic: &Diagnostic) -> Ending {
    match diagnostic.code.ending() {
        // What is only told fails nothing; a command that fails all the same has failed.
        Ending::GoesOn => Ending::Failed,
        ending => ending,
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Failure { ending: ending_of(&diagnostic), diagnostics: vec![diagnostic] }
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        let ending = diagnostics.first().map_or(Ending::Failed, ending_of);
        Failure { ending, diagnostics }
    }
}

/// An error of a room as a failure.
pub fn failed(error: &impl Diagnose) -> Failure {
    error.diagnose().into()
}
