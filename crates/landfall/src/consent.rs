//! A yes that is wanted: asked for at a terminal, and refused where nobody is there to give it.

use landfall_diag::{Diagnostic, code};
use landfall_host::{Failure, Permit};

use crate::context::Context;

/// A question, and what becomes of it without an answer.
pub(crate) struct Question {
    /// What is asked.
    text: String,
    /// What is said where nobody is there to be asked.
    nobody: Diagnostic,
    /// What was not done, when the answer is no.
    no: Diagnostic,
}

impl Question {
    /// A question about what needs a yes, with the way to say it beforehand.
    pub(crate) fn new(text: String, needs: impl Into<String>, help: &'static str, not_done: &'static str) -> Self {
        Question {
            text,
            nobody: Diagnostic::error(code::NEEDS_YES, needs.into()).help(help),
            no: Diagnostic::error(code::NO_YES, format!("{not_done}: no yes was given")),
        }
    }

    /// A question whose no is told as where nobody is there to be asked.
    pub(crate) fn or_else(text: String, without: Diagnostic) -> Self {
        Question { text, nobody: without.clone(), no: without }
    }

    /// Asks it.
    ///
    /// # Errors
    /// Nobody is there, or the answer is none that `says_yes`.
    pub(crate) fn ask(self, context: &Context, says_yes: impl FnOnce(&str) -> bool) -> Result<(), Failure> {
        if !context.ui.can_prompt() {
            return Err(Failure::usage(self.nobody));
        }
        match context.ui.ask(&self.text) {
            Some(answer) if says_yes(&answer) => Ok(()),
            _ => Err(Failure::from(self.no)),
        }
    }
}

/// Asks for what a permit asks, in the words of `question`.
///
/// # Errors
/// No yes was given.
pub(crate) fn given(
    context: &Context,
    permit: &Permit,
    question: impl FnOnce(&landfall_host::Consent) -> Question,
) -> Result<(), Failure> {
    match permit {
        Permit::Given => Ok(()),
        Permit::Asks(consent) => question(consent).ask(context, |answer| consent.is_given_by(answer)),
    }
}
