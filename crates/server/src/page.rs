//! A plain page: how every Application stands. It has no script, and asks for none.

use crate::alarms::Alarm;
use crate::api::Line;

/// The page of these Applications, and of what has to be heard.
pub(crate) fn of(lines: &[Line], alarms: &[Alarm], version: &str) -> String {
    let rows: String = lines.iter().map(row).collect();
    let heard: String =
        alarms.iter().map(|alarm| format!("<li>{} {}</li>\n", alarm.at, escaped(&alarm.text))).collect();
    let heard = if heard.is_empty() { heard } else { format!("<ul role=\"alert\">\n{heard}</ul>\n") };
    let none = if lines.is_empty() { "<p>No Application is known.</p>" } else { "" };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Landfall</title></head>\n<body>\n{heard}<h1>Applications</h1>\n{none}<table>\n<thead><tr><th scope=\"col\">Application</th><th scope=\"col\">Project</th><th scope=\"col\">Sync</th><th scope=\"col\">Health</th><th scope=\"col\">Operation</th><th scope=\"col\">Revision</th><th scope=\"col\">From</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n<p>landfall {}</p>\n</body>\n</html>\n",
        escaped(version)
    )
}

fn row(line: &Line) -> String {
    let pinned = if line.pinned.is_empty() { "" } else { " (pinned)" };
    let revision = format!("{}{pinned}", line.revisions.join(", "));
    let from = format!("{} {} {}", line.repository, line.path, line.target_revision);
    let name = format!("{}/{}", line.namespace, line.name);
    let operation = line.operation.as_deref().unwrap_or_default();
    let cells = [name.as_str(), &line.project, &line.sync, &line.health, operation, &revision, &from];
    let cells: String = cells.iter().map(|text| format!("<td>{}</td>", escaped(text))).collect();
    format!("<tr>{cells}</tr>\n")
}

pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_is_markup() {
        let hostile = "<script>alert(1)</script>'\"&";
        let line = Line {
            name: hostile.to_owned(),
            project: hostile.to_owned(),
            target_revision: hostile.to_owned(),
            revisions: vec![hostile.to_owned()],
            ..Line::default()
        };
        let page = of(&[line], &[Alarm { at: jiff::Timestamp::UNIX_EPOCH, text: hostile.to_owned() }], "0");
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&#39;&quot;&amp;").count(), 5);
    }
}
