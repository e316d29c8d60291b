//! Go's string literals, written and read (`strconv`).

use std::borrow::Cow;

use super::classes::is_printable;
use super::utf8;

/// Which characters stay as they are in a quoted text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    /// All that print.
    Unicode,
    /// ASCII that prints.
    Ascii,
}

/// Appends the text in quotes of that kind (`"` or `'`) with Go's escapes.
pub(crate) fn append_quoted(out: &mut Vec<u8>, text: &[u8], mark: u8, charset: Charset) {
    out.push(mark);
    let mut rest = text;
    while !rest.is_empty() {
        let (character, length) = utf8::decode(rest);
        match character {
            None => push_hex(out, b"\\x", rest[0].into(), 2),
            Some(character) => append_escaped(out, character, mark, charset),
        }
        rest = &rest[length..];
    }
    out.push(mark);
}

fn append_escaped(out: &mut Vec<u8>, character: char, mark: u8, charset: Charset) {
    if character == char::from(mark) || character == '\\' {
        out.push(b'\\');
        out.push(character as u8);
        return;
    }
    if is_printable(character) && (character.is_ascii() || charset == Charset::Unicode) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        return;
    }
    let code = u32::from(character);
    match character {
        '\x07' => out.extend_from_slice(b"\\a"),
        '\x08' => out.extend_from_slice(b"\\b"),
        '\x0c' => out.extend_from_slice(b"\\f"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\x0b' => out.extend_from_slice(b"\\v"),
        _ if code < 0x20 || code == 0x7f => push_hex(out, b"\\x", code, 2),
        _ if code < 0x10000 => push_hex(out, b"\\u", code, 4),
        _ => push_hex(out, b"\\U", code, 8),
    }
}

fn push_hex(out: &mut Vec<u8>, lead: &[u8], code: u32, digits: usize) {
    out.extend_from_slice(lead);
    out.extend_from_slice(format!("{code:0digits$x}").as_bytes());
}

/// `strconv.CanBackquote`: one line, no backquote, no control character but tab.
pub(crate) fn can_backquote(text: &[u8]) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let (character, length) = utf8::decode(rest);
        match character {
            None | Some('\u{feff}' | '`' | '\x7f') => return false,
            Some(character) if character < ' ' && character != '\t' => return false,
            Some(_) => {}
        }
        rest = &rest[length..];
    }
    true
}

/// `strconv.Unquote` for what the lexer hands on: a text in double quotes or backquotes. `None`: invalid syntax.
pub(crate) fn unquote(literal: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (&mark, rest) = literal.split_first()?;
    let (&last, body) = rest.split_last()?;
    if mark != last {
        return None;
    }
    match mark {
        b'`' if !body.contains(&b'\r') => Some(Cow::Borrowed(body)),
        b'`' => Some(Cow::Owned(body.iter().copied().filter(|byte| *byte != b'\r').collect())),
        b'"' if !body.iter().any(|byte| matches!(byte, b'\\' | b'"' | b'\n')) => Some(Cow::Borrowed(body)),
        b'"' => {
            let mut out = Vec::with_capacity(body.len());
            let mut rest = body;
            while let Some(&byte) = rest.first() {
                if byte == b'"' || byte == b'\n' {
                    return None;
                }
                rest = &rest[unescape(rest, b'"')?.append(&mut out)..];
            }
            Some(Cow::Owned(out))
        }
        _ => None,
    }
}

/// A character read from a literal: its code, how many bytes it took, and how it was written.
pub(crate) struct Unescaped<'a> {
    pub(crate) code: u32,
    length: usize,
    raw: Option<&'a [u8]>,
    byte: bool,
}

impl Unescaped<'_> {
    /// Bytes taken from the literal.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    fn append(self, out: &mut Vec<u8>) -> usize {
        if let Some(raw) = self.raw {
            out.extend_from_slice(raw);
        } else if self.byte {
            out.push(self.code as u8);
        } else {
            let character = char::from_u32(self.code).unwrap_or(char::REPLACEMENT_CHARACTER);
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.length
    }
}

/// `strconv.UnquoteChar`: the first character or escape of a literal in quotes of that kind.
pub(crate) fn unescape(literal: &[u8], mark: u8) -> Option<Unescaped<'_>> {
    let plain = |code, length| Some(Unescaped { code, length, raw: None, byte: false });
    let &first = literal.first()?;
    if first == mark {
        return None;
    }
    if first != b'\\' {
        let (character, length) = utf8::decode(literal);
        let code = character.map_or(0xfffd, u32::from);
        return Some(Unescaped { code, length, raw: Some(&literal[..length]), byte: false });
    }
    let &kind = literal.get(1)?;
    let digits = |count: usize, radix: u32, from: usize| {
        let digits = literal.get(from..from + count)?;
        digits.iter().try_fold(0u32, |code, digit| Some(code.checked_mul(radix)? | char::from(*digit).to_digit(radix)?))
    };
    match kind {
        b'a' => plain(0x07, 2),
        b'b' => plain(0x08, 2),
        b'f' => plain(0x0c, 2),
        b'n' => plain(0x0a, 2),
        b'r' => plain(0x0d, 2),
        b't' => plain(0x09, 2),
        b'v' => plain(0x0b, 2),
        b'\\' => plain(0x5c, 2),
        b'\'' | b'"' if kind == mark => plain(kind.into(), 2),
        b'x' => {
            let code = digits(2, 16, 2)?;
            Some(Unescaped { code, length: 4, raw: None, byte: true })
        }
        b'u' | b'U' => {
            let count = if kind == b'u' { 4 } else { 8 };
            let code = digits(count, 16, 2)?;
            char::from_u32(code)?;
            plain(code, 2 + count)
        }
        b'0'..=b'7' => {
            let code = digits(3, 8, 1)?;
            (code <= 255).then_some(Unescaped { code, length: 4, raw: None, byte: true })
        }
        _ => None,
    }
}
