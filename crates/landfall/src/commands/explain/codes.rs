//! What a diagnostic's code means: `error[LF0203]`, four digits, where a rule has three.

use landfall_diag::{Code, Diagnostic, Ending, code};
use landfall_host::Failure;
use serde_json::{Value, json};

use crate::commands::rules;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::report::Report;
use crate::ui::{Style, Ui};

/// Says what a code means, how a command ends with it, and where to look.
pub(super) fn explain(context: &Context, code: Code) -> Outcome {
    context.answer(&Explained(code), Exit::Done);
    Ok(Exit::Done)
}

/// One code.
struct Explained(Code);

impl Explained {
    /// How a command ends with it; nothing where it goes on.
    fn exit(&self) -> Option<u8> {
        match self.0.registered().1.ending {
            Ending::GoesOn => None,
            ending => Some(Exit::from(ending) as u8),
        }
    }

    fn texts(&self) -> impl Iterator<Item = &'static str> {
        let (group, registered) = self.0.registered();
        [registered.meaning, registered.more, group.advice].into_iter().filter(|text| !text.is_empty())
    }
}

impl Report for Explained {
    const KIND: &'static str = "Code";

    fn data(&self) -> Value {
        let (group, registered) = self.0.registered();
        json!({
            "code": self.0,
            "about": group.about,
            "meaning": registered.meaning,
            "more": registered.more,
            "advice": group.advice,
            "exit": self.exit(),
        })
    }

    fn text(&self, ui: &Ui) {
        let name = ui.out_style(Style::Strong, &self.0.to_string());
        let ending = self.exit().map_or("told, and the command goes on".to_owned(), |exit| format!("exit {exit}"));
        ui.folded(&format!("{name}  {}  ({ending})", self.0.registered().0.about));
        ui.line("");
        self.texts().for_each(|text| ui.folded(text));
    }

    fn names(&self, ui: &Ui) {
        ui.name(&self.0.to_string());
    }
}

/// Says that a text has the form of a code and is none.
pub(super) fn unknown(text: &str) -> Outcome {
    let text = text.to_uppercase();
    let diagnostic = Diagnostic::error(code::NO_SUCH_ID, format!("no diagnostic has the code `{text}`"));
    let rule = text.replacen("LF0", "LF", 1);
    let known = rules::is_known(&rule);
    Err(Failure::usage(if known { diagnostic.help(format!("did you mean the rule `{rule}`?")) } else { diagnostic }))
}
