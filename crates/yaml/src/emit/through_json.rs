//! What a text becomes on its way through JSON: `sigs.k8s.io/yaml` writes JSON first and reads it back as YAML.
//!
//! JSON leaves most characters as they are, and YAML refuses some of those or takes them for line breaks.

use std::borrow::Cow;

use crate::error::Error;

/// Longest key that go-yaml reads without `?`, in characters of its JSON text.
const KEY_LIMIT: usize = 1024;

/// What is read back of a text; `None` if reading it is refused.
pub(super) fn survive(text: &str) -> Option<Cow<'_, str>> {
    // Everything below is about DEL and characters of more than one byte with one of these first bytes.
    if !text.bytes().any(|b| matches!(b, 0x7F | 0xC2 | 0xEF)) {
        return Some(Cow::Borrowed(text));
    }
    let refused = |c: char| matches!(c, '\u{7f}' | '\u{80}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    if text.contains(refused) {
        return None;
    }
    if text.contains('\u{85}') { fold(text).map(Cow::Owned) } else { Some(Cow::Borrowed(text)) }
}

/// Reads next-line characters as the line breaks of a quoted scalar: one is a space, more are one line feed less.
fn fold(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find([' ', '\u{85}']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let run = rest.find(|c| c != ' ' && c != '\u{85}').unwrap_or(rest.len());
        let breaks = rest[..run].matches('\u{85}').count();
        match breaks {
            0 => out.push_str(&rest[..run]),
            1 => out.push(' '),
            _ => out.extend(std::iter::repeat_n('\n', breaks - 1)),
        }
        let at_line_start = rest[..run].ends_with('\u{85}');
        rest = &rest[run..];
        // A document marker at the start of a line ends the scalar.
        if at_line_start && is_marker(rest) {
            return None;
        }
    }
    out.push_str(rest);
    Some(out)
}

fn is_marker(rest: &str) -> bool {
    let after = rest.strip_prefix("---").or_else(|| rest.strip_prefix("..."));
    after.is_some_and(|after| after.starts_with([' ', '\u{85}']))
}

/// Whether go-yaml does not take a key's JSON text for a key: it is too long or stands on two lines.
pub(super) fn is_no_key(key: &str) -> bool {
    if key.contains('\u{85}') {
        return true;
    }
    if key.len() <= KEY_LIMIT / 6 {
        return false;
    }
    let chars: usize = key
        .chars()
        .map(|c| match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..'\u{20}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => 6,
            _ => 1,
        })
        .sum();
    chars + 2 > KEY_LIMIT
}

pub(super) fn refused() -> Error {
    Error::Json { problem: "yaml: control characters are not allowed".to_owned(), at: None }
}

pub(super) fn no_key() -> Error {
    Error::Json { problem: "yaml: did not find expected ',' or '}'".to_owned(), at: None }
}
