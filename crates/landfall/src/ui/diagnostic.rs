use landfall_diag::{Diagnostic, Severity, render_plain};

use super::{Style, paint};

/// Renders a diagnostic for a terminal: the plain text, with the first line's word and the places coloured.
pub(crate) fn render(diagnostic: &Diagnostic, color: bool, _width: usize) -> String {
    let plain = render_plain(diagnostic);
    if !color {
        return plain;
    }
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
                    format!("{}: {}", paint(true, style, word), paint(true, Style::Strong, message))
                }
                None => line.to_owned(),
            }
        } else if line.trim_start().starts_with("-->") || line.trim_start().starts_with(":::") {
            paint(true, Style::Literal, line)
        } else if line.trim_start().starts_with("= help:") {
            paint(true, Style::Healthy, line)
        } else if line.trim_start().starts_with("= note:") {
            paint(true, Style::Muted, line)
        } else {
            line.to_owned()
        };
        out.push_str(&painted);
        out.push('\n');
    }
    out
}
