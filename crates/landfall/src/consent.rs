//! A yes that is wanted: said beforehand with `--yes`, asked for at a terminal, and refused where nobody is there to give
//! it. All that needs one asks here.

use landfall_diag::{Diagnostic, code};
use landfall_host::{Answer, Consent, Failure, Permit};

use crate::answer;
use crate::context::Context;

/// What a yes is wanted for.
pub(crate) struct Question {
    /// Whether `--yes` said it beforehand: it answers every question, also one for a name.
    pub(crate) yes: bool,
    /// What is to be done, as it is asked: `Deliver to k3d-shop`.
    pub(crate) ask: String,
    /// The same as what needs a yes: "delivering to `k3d-shop`".
    pub(crate) deed: String,
    /// What is so after a no: `not delivered`.
    pub(crate) undone: &'static str,
    /// What else can be typed where nobody is there to be asked.
    pub(crate) instead: Option<&'static str>,
}

/// Gets the yes that a permit asks for.
///
/// # Errors
/// No yes was given: [`code::NEEDS_YES`] where nobody could be asked, [`code::NO_YES`] where somebody was,
/// [`code::INTERRUPTED_BEFORE`] where the question was interrupted.
pub(crate) async fn given(
    context: &Context,
    permit: &Permit,
    question: impl FnOnce() -> Question,
) -> Result<(), Failure> {
    let Permit::Asks(consent) = permit else { return Ok(()) };
    let question = question();
    if question.yes {
        return Ok(());
    }
    if !context.ui.can_prompt() {
        return Err(Failure::usage(nobody(consent, &question)));
    }
    match answer::line(context, text(consent, &question.ask), question.undone).await? {
        Some(answer) if consent.is_given_by(&answer) => Ok(()),
        _ => Err(Failure::from(Diagnostic::error(code::NO_YES, format!("{}: no yes was given", question.undone)))),
    }
}

/// What is asked, with how it is answered.
fn text(consent: &Consent, ask: &str) -> String {
    match &consent.answer {
        Answer::Yes => format!("{ask}? [y/N] "),
        Answer::Cluster => format!("{ask}? Type the cluster's name, {}: ", consent.cluster),
        Answer::Environment(name) => format!("{ask}? Environment {name} is protected. Type its name: "),
    }
}

/// What is said where nobody is there to be asked.
fn nobody(consent: &Consent, question: &Question) -> Diagnostic {
    let text = format!("{} needs a yes, and nobody is there to give it", question.deed);
    let mut diagnostic = Diagnostic::error(code::NEEDS_YES, text);
    if let Answer::Environment(name) = &consent.answer {
        diagnostic = diagnostic.note(format!("environment `{name}` is protected"));
    }
    diagnostic.help(match question.instead {
        Some(instead) => format!("say it with --yes, or {instead}"),
        None => "say it with --yes".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_how_it_is_answered() {
        let asked = |answer| text(&Consent { cluster: "k3d-shop".to_owned(), answer }, "Deliver to k3d-shop");
        assert_eq!(asked(Answer::Yes), "Deliver to k3d-shop? [y/N] ");
        assert_eq!(asked(Answer::Cluster), "Deliver to k3d-shop? Type the cluster's name, k3d-shop: ");
        assert_eq!(
            asked(Answer::Environment("prod".to_owned())),
            "Deliver to k3d-shop? Environment prod is protected. Type its name: "
        );
    }
}
