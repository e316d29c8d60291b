use crate::{Inks, shown, shown_on_a_line};
use landfall_diag::{Diagnostic, Label, Place, Severity, render_shown};

use super::Style;

/// Renders a diagnostic for people: the plain text, with the first line's word and the places painted.
pub(super) fn render(diagnostic: &Diagnostic, inks: &Inks) -> String {
    let plain = render_shown(&seen(diagnostic), |source| shown(source).into_owned());
    let style = match diagnostic.severity {
        Severity::Error | Severity::Refused => Style::Degraded,
        Severity::Warning => Style::Warning,
        Severity::Info => Style::Literal,
    };
    let mut out = String::new();
    for (index, line) in plain.lines().enumerate() {
        let painted = if index == 0 {
            match line.split_once(": ") {
                Some((word, message)) => {
                    format!("{}: {}", style.paint(inks, word), Style::Strong.paint(inks, message))
                }
                None => line.to_owned(),
            }
        } else if line.trim_start().starts_with("-->") || line.trim_start().starts_with(":::") {
            Style::Literal.paint(inks, line)
        } else if line.trim_start().starts_with("= help:") {
            Style::Healthy.paint(inks, line)
        } else if line.trim_start().starts_with("= note:") {
            Style::Muted.paint(inks, line)
        } else {
            line.to_owned()
        };
        out.push_str(&painted);
        out.push('\n');
    }
    out
}

/// The diagnostic as it is seen, but for its source lines: what a terminal obeys written out; what stands on one line
/// stays there.
fn seen(diagnostic: &Diagnostic) -> Diagnostic {
    Diagnostic {
        code: diagnostic.code,
        severity: diagnostic.severity,
        // What a message repeats of others begins no line as if it were ours.
        message: shown(&diagnostic.message).trim_end().replace('\n', "\n  "),
        labels: diagnostic
            .labels
            .iter()
            .map(|label| Label {
                place: Place { file: shown_on_a_line(&label.place.file).into_owned(), ..label.place.clone() },
                text: shown_on_a_line(&label.text).into_owned(),
                primary: label.primary,
            })
            .collect(),
        notes: diagnostic.notes.iter().map(|note| shown(note).into_owned()).collect(),
        helps: diagnostic.helps.iter().map(|help| shown(help).into_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Colour;

    #[test]
    fn carets_stand_under_what_is_meant_though_escapes_are_longer() {
        let source = "name: \u{1b}[31mweb\u{202e} # x";
        let diagnostic = Diagnostic::error(landfall_diag::code::WRONG_TYPE, "`name` is \u{7}wrong")
            .primary(Place::line("Chart\u{1b}.yaml\n::error::", 1).columns(12, 15).source_from(source), "this");
        let inks = Inks::new();
        let text = inks.show(&render(&diagnostic, &inks), Colour::Off);
        assert_eq!(
            text,
            "error[LF0803]: `name` is \\x07wrong\n --> Chart\\x1b.yaml\\n::error:::1:12\n  |\n1 | name: \\x1b[31mweb\\u{202e} # x\n  |               ^^^ this\n"
        );
    }
}
