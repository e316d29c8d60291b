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
                let (source, start, end) = piece(source, place.column, place.end_column);
                out.push_str(&format!("{:width$} |\n", ""));
                out.push_str(&format!("{:>width$} | {}\n", place.line, show(&source)));
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

/// Most of a source line that is shown, in characters; who wrote a longer one did not write it to be read.
pub const LONGEST_LINE: usize = 400;

/// A source line, or of a long one what lies around the columns that are meant; and where these stand in it.
fn piece(source: &str, column: u32, end_column: u32) -> (String, usize, usize) {
    let start = column.max(1) as usize;
    let end = (end_column as usize).max(start + 1);
    let length = source.chars().count();
    if length <= LONGEST_LINE {
        return (source.to_owned(), start, end);
    }
    let from = start.saturating_sub(LONGEST_LINE / 4).min(length - LONGEST_LINE);
    let shown: String = source.chars().skip(from).take(LONGEST_LINE).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if from + LONGEST_LINE < length { "…" } else { "" };
    let moved = |column: usize| column.saturating_sub(from).clamp(1, LONGEST_LINE + 1) + before.chars().count();
    (format!("{before}{shown}{after}"), moved(start), moved(end).max(moved(start) + 1))
}

fn indent(text: &str, columns: usize) -> String {
    text.trim_end().replace('\n', &format!("\n{:columns$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    #[test]
    fn of_a_line_without_end_what_is_meant_is_shown() {
        let line = format!("{}here{}", "[".repeat(50_000), "]".repeat(50_000));
        let of = |column, end| {
            let place = Place::line("values.yaml", 1).columns(column, end).source_from(&line);
            render_plain(
                &Diagnostic::error(crate::code::BAD_VALUES_FILE, "the file is not valid").primary(place, "this"),
            )
        };
        let text = of(50_001, 50_005);
        let (shown, marks) = (text.lines().nth(3).expect("a line"), text.lines().nth(4).expect("its marks"));
        assert!(text.len() < 2_000 && shown.starts_with("1 | …[") && shown.ends_with("]…"), "{text}");
        let at = marks.chars().position(|char| char == '^').expect("marked");
        assert_eq!(shown.chars().skip(at).take(4).collect::<String>(), "here");
        assert!(marks.ends_with("^^^^ this"), "{marks}");
        for (column, end) in [(1, 2), (100_004, 100_005), (1, 100_005), (4_000_000, 0)] {
            assert!(of(column, end).len() < 3_000, "{column}");
        }
    }

    #[test]
    fn the_users_file_is_marked_with_carets_and_the_chart_with_dashes() {
        let diagnostic =
            Diagnostic::error(crate::code::VALUE_UNREADABLE, "`.Values.web.port` cannot be read: `web` is null")
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
