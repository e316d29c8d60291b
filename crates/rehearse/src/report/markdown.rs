use std::fmt::Write;

use landfall_diag::{Finding, Severity};
use landfall_rules::{Examination, VALUES_SHOWN, counted, place_text};

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
        Severity::Error | Severity::Refused => "❌",
        Severity::Warning => "⚠️",
        Severity::Info => "ℹ️",
    };
    let _ = writeln!(text, "- {mark} **{}** {}", finding.rule, inline(&finding.message));
    if let Some(spot) = finding.spot() {
        let container = spot.container.as_deref().map(|name| format!(", container {}", code(name))).unwrap_or_default();
        let field = spot.field.as_deref().map(|field| format!(" {}", code(field))).unwrap_or_default();
        let _ = writeln!(text, "  - {}{container}{field}", inline(&spot.name()));
        let mut places: Vec<String> = spot.values.iter().take(VALUES_SHOWN).map(|origin| code(&origin.text)).collect();
        places.extend(spot.template.iter().chain(&spot.file).map(|place| code(&place_text(place))));
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
            _ => out.push_str(&code(part)),
        }
    }
    if let Some(last) = last {
        out.push_str("&#96;");
        out.push_str(&escaped(last));
    }
    out
}

/// A text as code within a line, whatever it holds: in code nothing is read as markup but its end, and the end of a
/// table's cell.
pub(crate) fn code(text: &str) -> String {
    let text: String = visible(text).map(|c| if c == '`' { '\'' } else { c }).collect();
    // Without anything between them two backticks would begin another kind of code.
    let text = if text.is_empty() { " ".to_owned() } else { text.replace('|', "\\|") };
    format!("`{text}`")
}

/// A line within a fence of backticks, which it cannot end.
pub(crate) fn fenced(text: &str) -> String {
    visible(text).collect::<String>().replace("```", "'''")
}

/// A text without markup, as HTML takes it.
///
/// Code hosts look for people, emojis and addresses in what has become of the markup, so these are taken apart by a
/// space of no width instead of written another way.
pub(crate) fn escaped(text: &str) -> String {
    const NOTHING: char = '\u{200b}';
    let mut out = String::with_capacity(text.len());
    let chars: Vec<char> = visible(text).collect();
    for (at, c) in chars.iter().enumerate() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' => out.push_str("\\|"),
            '@' => out.extend(["&#64;", "\u{200b}"]),
            // Else it would take the meaning from what follows: from the backtick of code of ours.
            '\\' => out.push_str("&#92;"),
            '`' => out.push_str("&#96;"),
            '*' => out.push_str("&#42;"),
            '_' => out.push_str("&#95;"),
            '~' => out.push_str("&#126;"),
            // No picture or link of a text's own making.
            '[' => out.push_str("&#91;"),
            ']' => out.push_str("&#93;"),
            ':' if begins_emoji(&chars[at + 1..]) || chars[at + 1..].starts_with(&['/', '/']) => {
                out.extend([':', NOTHING]);
            }
            '.' if at >= 3 && chars[at - 3..at].iter().all(|c| c.eq_ignore_ascii_case(&'w')) => {
                out.extend([NOTHING, '.']);
            }
            c => out.push(*c),
        }
    }
    out
}

/// `white_check_mark:` behind a colon.
fn begins_emoji(rest: &[char]) -> bool {
    let name = rest.iter().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-')).count();
    name > 0 && rest.get(name) == Some(&':')
}

/// The characters of a text on one line, those that nobody sees or that turn others around replaced.
fn visible(text: &str) -> impl Iterator<Item = char> {
    text.chars().map(|c| match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            '\u{fffd}'
        }
        c if c.is_control() => '\u{fffd}',
        c => c,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_chart_says_cannot_become_markup() {
        assert_eq!(inline("<img src=x>\n@team a|b"), "&lt;img src=x&gt; &#64;\u{200b}team a\\|b");
        assert_eq!(inline("![x](http://a)"), "!&#91;x&#93;(http:\u{200b}//a)");
    }

    #[test]
    fn code_stays_as_it_is_written_and_cannot_be_left_open() {
        assert_eq!(inline("pin `@sha256:<digest>`, @you"), "pin `@sha256:<digest>`, &#64;\u{200b}you");
        assert_eq!(inline("a ` b <i>"), "a &#96; b &lt;i&gt;");
        assert_eq!(inline("a `b``c` <i>"), "a `b''c` &lt;i&gt;");
    }

    #[test]
    fn neither_a_backslash_nor_a_newline_nor_what_hosts_look_for_makes_markup() {
        assert_eq!(inline("a \\`<img src=x>`"), "a &#92;`<img src=x>`", "the code is code still");
        assert_eq!(
            inline("**ok** __ok__ ~~no~~"),
            "&#42;&#42;ok&#42;&#42; &#95;&#95;ok&#95;&#95; &#126;&#126;no&#126;&#126;"
        );
        assert_eq!(inline(":white_check_mark: nginx:1.2"), ":\u{200b}white&#95;check&#95;mark: nginx:1.2");
        assert_eq!(inline("https://h www.h"), "https:\u{200b}//h www\u{200b}.h");
        assert_eq!(inline("a\u{202e}b\u{1b}"), "a\u{fffd}b\u{fffd}");
        assert_eq!(code("a` <b> `\n\n✅|"), "`a' <b> '  ✅\\|`");
        assert_eq!(code(""), "` `");
        assert_eq!(fenced("a\n```\n✅ ````"), "a ''' ✅ '''`");
    }
}
