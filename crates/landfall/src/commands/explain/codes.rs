//! What a diagnostic's code means: `error[LF0203]`, four digits, where a rule has three.

use landfall_diag::{Code, Diagnostic, Ending, code};
use landfall_host::Failure;

use crate::commands::rules;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::ui::Style;

/// Says what a code means, how a command ends with it, and where to look.
pub(super) fn explain(context: &Context, code: Code) -> Outcome {
    let (group, registered) = code.registered();
    let ui = &context.ui;
    let name = ui.out_style(Style::Strong, &code.to_string());
    let ending = match registered.ending {
        Ending::GoesOn => "told, and the command goes on".to_owned(),
        ending => format!("exit {}", Exit::from(ending) as u8),
    };
    ui.line(&format!("{name}  {}  ({ending})", group.about));
    ui.line("");
    for text in [registered.meaning, registered.more, group.advice].into_iter().filter(|text| !text.is_empty()) {
        ui.line(text);
    }
    Ok(Exit::Done)
}

/// Says that a text has the form of a code and is none.
pub(super) fn unknown(text: &str) -> Outcome {
    let text = text.to_uppercase();
    let diagnostic = Diagnostic::error(code::NO_SUCH_ID, format!("no diagnostic has the code `{text}`"));
    let rule = text.replacen("LF0", "LF", 1);
    let known = rules::is_known(&rule);
    Err(Failure::usage(if known { diagnostic.help(format!("did you mean the rule `{rule}`?")) } else { diagnostic }))
}
