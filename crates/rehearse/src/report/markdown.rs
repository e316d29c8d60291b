use std::fmt::Write;

use crate::examine::Examination;
use crate::finding::{Finding, Severity};
use crate::report::{VALUES_SHOWN, counted, place_text};

/// Findings as Markdown, for a comment.
pub fn findings_markdown(examination: &Examination) -> String {
    let mut text = format!("### Findings: {}\n\n", counted(examination));
    for finding in examination.findings.iter().filter(|finding| finding.waived.is_none()) {
        one(&mut text, finding);
    }
    let waived: Vec<&Finding> = examination.findings.iter().filter(|finding| finding.waived.is_some()).collect();
    if !waived.is_empty() {
        text.push_str("\n<details><summary>Waived</summary>\n\n");
        for finding in waived {
            if let Some(waiver) = &finding.waived {
                let _ = writeln!(
                    text,
                    "- `{}` {} — until {}: {}",
                    finding.rule,
                    inline(&finding.message),
                    waiver.until,
                    inline(&waiver.reason)
                );
            }
        }
        text.push_str("\n</details>\n");
    }
    text
}

fn one(text: &mut String, finding: &Finding) {
    let mark = match finding.severity {
        Severity::Error => "❌",
        Severity::Warning => "⚠️",
        Severity::Info => "ℹ️",
    };
    let _ = writeln!(text, "- {mark} **{}** {}", finding.rule, inline(&finding.message));
    if let Some(spot) = finding.spot() {
        let container = spot.container.as_deref().map(|name| format!(", container `{name}`")).unwrap_or_default();
        let field = spot.field.as_deref().map(|field| format!(" `{field}`")).unwrap_or_default();
        let _ = writeln!(text, "  - {}{container}{field}", inline(&spot.name()));
        let mut places: Vec<String> =
            spot.values.iter().take(VALUES_SHOWN).map(|origin| format!("`{}`", origin.text)).collect();
        places.extend(spot.template.iter().chain(&spot.file).map(|place| format!("`{}`", place_text(place))));
        if !places.is_empty() {
            let _ = writeln!(text, "  - {}", places.join(" → "));
        }
    }
    if finding.spots.len() > 1 {
        let _ = writeln!(text, "  - and {} more places", finding.spots.len() - 1);
    }
    if !finding.cause.is_empty() {
        let _ = writeln!(text, "  - {}", inline(&finding.cause));
    }
    let _ = writeln!(text, "  - 👉 {}", inline(&finding.help));
}

/// A text that cannot break out of its line or be read as markup; what stands in backticks stays code.
pub(crate) fn inline(text: &str) -> String {
    // Two in a row would begin another kind of code, and one alone would begin some that does not end.
    let text = text.replace("``", "''");
    let mut parts: Vec<&str> = text.split('`').collect();
    let last = if parts.len().is_multiple_of(2) { parts.pop() } else { None };
    let mut out = String::with_capacity(text.len());
    for (at, part) in parts.iter().enumerate() {
        match at.is_multiple_of(2) {
            true => out.push_str(&escaped(part)),
            _ => {
                // In code nothing is read as markup but the end of a table's cell.
                let code = part.replace(['\n', '\r'], " ").replace('|', "\\|");
                let _ = write!(out, "`{code}`");
            }
        }
    }
    if let Some(last) = last {
        out.push_str("&#96;");
        out.push_str(&escaped(last));
    }
    out
}

/// A text without markup, as HTML takes it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' => out.push_str("\\|"),
            '@' => out.push_str("&#64;"),
            '`' => out.push_str("&#96;"),
            // No picture or link of a text's own making.
            '[' => out.push_str("&#91;"),
            ']' => out.push_str("&#93;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_chart_says_cannot_become_markup() {
        assert_eq!(inline("<img src=x>\n@team a|b"), "&lt;img src=x&gt; &#64;team a\\|b");
        assert_eq!(inline("![x](http://a)"), "!&#91;x&#93;(http://a)");
    }

    #[test]
    fn code_stays_as_it_is_written_and_cannot_be_left_open() {
        assert_eq!(inline("pin `@sha256:<digest>`, @you"), "pin `@sha256:<digest>`, &#64;you");
        assert_eq!(inline("a ` b <i>"), "a &#96; b &lt;i&gt;");
        assert_eq!(inline("a `b``c` <i>"), "a `b''c` &lt;i&gt;");
    }
}
