//! Bytes to text, as go-yaml's reader decodes them.

use std::borrow::Cow;

use crate::error::Error;
use crate::mark::Mark;

/// The text of a file: UTF-8, or UTF-16 with a byte order mark.
///
/// # Errors
/// Bytes that are neither, in go-yaml's words.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf_16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xFE, 0xFF, rest @ ..] => utf_16(rest, u16::from_be_bytes).map(Cow::Owned),
        _ => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| {
            let at = error.valid_up_to();
            let lead = bytes[at];
            let width = match lead {
                0xC0..0xE0 => 2,
                0xE0..0xF0 => 3,
                0xF0..0xF8 => 4,
                _ => 1,
            };
            let tail = &bytes[at + 1..bytes.len().min(at + width)];
            let problem = if width == 1 {
                "invalid leading UTF-8 octet"
            } else if bytes.len() < at + width {
                "incomplete UTF-8 octet sequence"
            } else if tail.iter().any(|byte| byte & 0xC0 != 0x80) {
                "invalid trailing UTF-8 octet"
            } else if matches!((lead, tail[0]), (0xC0 | 0xC1, _) | (0xE0, ..0xA0) | (0xF0, ..0x90)) {
                "invalid length of a UTF-8 sequence"
            } else {
                "invalid Unicode character"
            };
            refused(problem, &bytes[..at])
        }),
    }
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Error> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(refused("incomplete UTF-16 character", &[]));
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<String, _>>().map_err(|error| match error
        .unpaired_surrogate()
    {
        0xDC00.. => refused("unexpected low surrogate area", &[]),
        _ => refused("expected low surrogate area", &[]),
    })
}

fn refused(problem: &'static str, before: &[u8]) -> Error {
    let row = before.iter().filter(|byte| **byte == b'\n').count() as u32;
    let line = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let col = String::from_utf8_lossy(line).chars().count() as u32;
    Error::Syntax { problem: problem.into(), line: None, at: Mark { offset: before.len() as u32, row, col } }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn broken_bytes_are_named_in_go_yamls_words() {
        for (bytes, words) in [
            (&b"a: \xFF"[..], "yaml: invalid leading UTF-8 octet"),
            (b"a: \xC3", "yaml: incomplete UTF-8 octet sequence"),
            (b"a: \xC3x", "yaml: invalid trailing UTF-8 octet"),
            (b"a: \xC0\x80", "yaml: invalid length of a UTF-8 sequence"),
            (b"a: \xED\xA0\x80", "yaml: invalid Unicode character"),
        ] {
            assert_eq!(decode(bytes).expect_err("broken").to_string(), words);
        }
        assert_eq!(decode(b"\xFF\xFEa\0:\0").expect("UTF-16"), "a:");
    }
}
