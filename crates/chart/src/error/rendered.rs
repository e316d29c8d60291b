//! What a template wrote and is no manifest, told to people.

use landfall_diag::{Diagnostic, LONGEST_LINE, Place, code};

use super::secretive::with_setting;
use super::{Broken, Problem};
use crate::origin::{Setting, Source};

/// What stands around in the rendered text.
pub(super) struct Around<'e> {
    /// The template.
    pub(super) path: &'e str,
    /// The lines, with their numbers.
    pub(super) lines: &'e [(usize, String)],
    /// Which of them is meant; 0 when not known.
    pub(super) line: usize,
    /// The template's line that wrote it.
    pub(super) place: Option<&'e Place>,
}

/// Something that is not a manifest.
pub(super) fn manifest(broken: Broken, problem: &Problem, around: &Around<'_>, settings: &[Setting]) -> Diagnostic {
    let (code, what) = match broken {
        Broken::Yaml => (code::RENDERED_NOT_YAML, "rendered YAML is not valid"),
        Broken::Shape | Broken::Other => (code::RENDERED_NO_OBJECT, "what was rendered is not an object"),
    };
    let mut diagnostic = Diagnostic::error(code, format!("{what}: {}", problem.reason()));
    for setting in settings.iter().take(3) {
        diagnostic = match &setting.source {
            // What is given by a flag may be a secret's value.
            flag @ Source::Flag { .. } => diagnostic.note(format!("the value in that line: {}", flag.brief())),
            _ => with_setting(diagnostic, Some(setting), "the value in that line"),
        };
    }
    diagnostic = match around.place {
        Some(place) => {
            let words = match around.line {
                0 => "this template line began the document".to_owned(),
                line => format!("this wrote rendered line {line}"),
            };
            diagnostic.label(place.clone(), words)
        }
        None => diagnostic.label(Place::file(around.path), "rendered from this template"),
    };
    if !around.lines.is_empty() {
        diagnostic = diagnostic.note(format!("rendered:\n{}", shown(around.lines, around.line).join("\n")));
    }
    diagnostic.help("look at the indentation the action leaves: `nindent N` starts a block on its own line")
}

/// Rendered lines with their numbers, the one that is meant with a mark.
fn shown(lines: &[(usize, String)], meant: usize) -> Vec<String> {
    let width = lines.last().map_or(1, |(number, _)| number.to_string().len());
    let line = |(number, text): &(usize, String)| {
        let mark = if *number == meant { '>' } else { ' ' };
        let text = &*landfall_diag::without_known(text);
        let shown: String = text.chars().take(LONGEST_LINE).collect();
        let more = if shown.len() < text.len() { "…" } else { "" };
        format!("{mark} {number:width$} | {shown}{more}")
    };
    lines.iter().map(line).collect()
}
