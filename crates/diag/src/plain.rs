use crate::Diagnostic;

/// Renders a diagnostic as plain text without colour, in rustc's manner, one trailing newline.
///
/// The command line has a coloured renderer of its own; this one serves logs, tests and files.
pub fn render_plain(diagnostic: &Diagnostic) -> String {
    render_shown(diagnostic, str::to_owned)
}

/// As [`render_plain`], with source lines as `show` writes them: carets stand under what is meant though it may be longer
/// than it is in the file.
pub fn render_shown(diagnostic: &Diagnostic, show: impl Fn(&str) -> String) -> String {
    let mut out = format!("{diagnostic}\n");
    let width = diagnostic.labels.iter().map(|label| label.place.line.to_string().len()).max().unwrap_or(1);
    for label in &diagnostic.labels {
        let place = &label.place;
        let arrow = if label.primary { "-->" } else { ":::" };
        let mut at = place.file.clone();
        if place.line > 0 {
            at.push_str(&format!(":{}", place.line));
            if place.column > 0 {
                at.push_str(&format!(":{}", place.column));
            }
        }
        out.push_str(&format!("{:width$}{arrow} {at}\n", ""));
        match &place.source {
            Some(source) if place.line > 0 => {
                out.push_str(&format!("{:width$} |\n", ""));
                out.push_str(&format!("{:>width$} | {}\n", place.line, show(source)));
                let start = place.column.max(1) as usize;
                let end = (place.end_column as usize).max(start + 1);
                let before: String = source.chars().take(start - 1).collect();
                let lead: String = show(&before).chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                let meant: String = source.chars().skip(start - 1).take(end - start).collect();
                let mark = if label.primary { "^" } else { "-" };
                // What is meant may lie behind the line's end.
                let marks = mark.repeat(show(&meant).chars().count() + (end - start) - meant.chars().count());
                out.push_str(format!("{:width$} | {lead}{marks} {}", "", label.text).trim_end());
                out.push('\n');
            }
            _ if !label.text.is_empty() => out.push_str(&format!("{:width$} = {}\n", "", label.text)),
            _ => {}
        }
    }
    for note in &diagnostic.notes {
        out.push_str(&format!("{:width$} = note: {}\n", "", indent(note, width + 9)));
    }
    for help in &diagnostic.helps {
        out.push_str(&format!("{:width$} = help: {}\n", "", indent(help, width + 9)));
    }
    out
}

fn indent(text: &str, columns: usize) -> String {
    text.trim_end().replace('\n', &format!("\n{:columns$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    #[test]
    fn the_users_file_is_marked_with_carets_and_the_chart_with_dashes() {
        let diagnostic = Diagnostic::error(203, "`.Values.web.port` cannot be read: `web` is null")
            .primary(Place::line("values.yaml", 2).columns(1, 4).source_from("a: 1\nweb:\n"), "set to null here")
            .label(Place::line("templates/web.yaml", 12), "used here")
            .note("helm: nil pointer evaluating interface {}.port")
            .help("set `web.port`");
        let text = render_plain(&diagnostic);
        assert_eq!(
            text,
            "error[LF0203]: `.Values.web.port` cannot be read: `web` is null\n  --> values.yaml:2:1\n   |\n 2 | web:\n   | ^^^ set to null here\n  ::: templates/web.yaml:12\n   = used here\n   = note: helm: nil pointer evaluating interface {}.port\n   = help: set `web.port`\n"
        );
    }
}
