//! Words and their lengths: what `goutils` does, byte by byte as it does it.

use landfall_gotemplate::FuncError;

use crate::text::bounded;

/// What happens to a word that is longer than a line.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Long {
    Keep,
    Break,
}

/// Cuts a text to a width, `...` included; keeps what stands at `offset`.
pub(super) fn abbreviate(text: &[u8], offset: i64, width: i64) -> Vec<u8> {
    let len = text.len() as i64;
    if text.is_empty() || width < 4 {
        return Vec::new();
    }
    if len <= width {
        return text.to_vec();
    }
    let offset = offset.min(len);
    let offset = if len - offset < width - 3 { len - (width - 3) } else { offset };
    let (width, start) = (width as usize, offset.max(0) as usize);
    if offset <= 4 {
        return [&text[..width - 3], b"..."].concat();
    }
    if width < 7 {
        return Vec::new();
    }
    if start + width - 3 < text.len() {
        return [b"...", &abbreviate(&text[start..], 0, width as i64 - 3)[..]].concat();
    }
    [b"...", &text[text.len() - (width - 3)..]].concat()
}

/// A text without blanks. A text that had one comes out with its bytes taken for characters.
pub(super) fn without_space(text: &[u8]) -> Vec<u8> {
    if !text.iter().any(|byte| is_space(*byte)) {
        return text.to_vec();
    }
    text.iter().filter(|byte| !is_space(**byte)).map(|byte| char::from(*byte)).collect::<String>().into_bytes()
}

/// The first byte of each word, taken for a character.
pub(super) fn initials(text: &[u8]) -> Vec<u8> {
    let mut gap = true;
    let mut out = String::new();
    for byte in text {
        if is_space(*byte) {
            gap = true;
        } else if gap {
            out.push(char::from(*byte));
            gap = false;
        }
    }
    out.into_bytes()
}

fn is_space(byte: u8) -> bool {
    char::from(byte).is_whitespace()
}

/// Breaks a text at blanks into lines of at most `width` bytes.
pub(super) fn wrap(text: &[u8], width: i64, line_end: &[u8], long: Long) -> Result<Vec<u8>, FuncError> {
    let line_end = if line_end.is_empty() { b"\n" } else { line_end };
    let width = usize::try_from(width).unwrap_or(1).max(1);
    bounded(text.len().saturating_add((text.len() / width + 1).saturating_mul(line_end.len())))?;
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let (line, next) = match memchr::memrchr(b' ', &rest[..=width]) {
            Some(blank) => (blank, blank + 1),
            None if long == Long::Break => (width, width),
            None => match memchr::memchr(b' ', &rest[width..]) {
                Some(blank) => (width + blank, width + blank + 1),
                None => break,
            },
        };
        out.extend_from_slice(&rest[..line]);
        out.extend_from_slice(line_end);
        rest = &rest[next..];
    }
    out.extend_from_slice(rest);
    Ok(out)
}
