//! A text as it is meant: what addresses, JSON, YAML and HTML write instead of a character is that character, and any blank is one blank.

use std::ops::Range;

/// Bytes read plainly, and where each of them was written.
#[derive(Debug)]
pub(super) struct Plainly {
    text: Vec<u8>,
    /// Where each byte began; behind the last one, where all ended.
    from: Vec<usize>,
}

impl Plainly {
    /// Reads bytes plainly; nothing where they are plain as they are.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let is_marked = text.iter().any(|byte| matches!(byte, b'%' | b'\\' | b'&' | b'\n' | b'\t' | b'\r'));
        (is_marked || text.windows(2).any(|pair| pair == b"''" || pair == b"  ")).then(|| {
            let mut read = Plainly { text: Vec::with_capacity(text.len()), from: Vec::with_capacity(text.len() + 1) };
            let mut at = 0;
            while at < text.len() {
                let (character, length) = written(&text[at..]);
                read.push(character, at);
                at += length;
            }
            read.from.push(text.len());
            read
        })
    }

    /// The same once more; nothing where that changes nothing.
    pub(super) fn again(&self) -> Option<Self> {
        let again = Plainly::read(&self.text).filter(|again| again.text != self.text)?;
        let from = again.from.iter().map(|at| self.from[*at]).collect();
        Some(Plainly { text: again.text, from })
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where a range of the plain text was written.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        self.from[range.start]..self.from[range.end]
    }

    fn push(&mut self, character: Written, at: usize) {
        let mut bytes = [0; 4];
        let bytes = match character {
            Written::Byte(byte) if byte.is_ascii_whitespace() => match self.text.last() {
                Some(b' ') => &[][..],
                _ => b" ",
            },
            Written::Byte(byte) => {
                bytes[0] = byte;
                &bytes[..1]
            }
            Written::Character(character) => character.encode_utf8(&mut bytes).as_bytes(),
            Written::Nothing => &[],
        };
        self.text.extend_from_slice(bytes);
        self.from.resize(self.text.len(), at);
    }
}

/// What stands at a place.
enum Written {
    Byte(u8),
    Character(char),
    Nothing,
}

/// What a text begins with, and how many bytes that takes.
fn written(text: &[u8]) -> (Written, usize) {
    let marked = match text {
        [b'%', high, low, ..] => {
            hex(&[*high, *low]).and_then(|byte| u8::try_from(byte).ok()).map(|it| (Written::Byte(it), 3))
        }
        [b'\\', rest @ ..] => escaped(rest),
        [b'&', rest @ ..] => entity(rest),
        [b'\'', b'\'', ..] => Some((Written::Byte(b'\''), 2)),
        _ => None,
    };
    marked.unwrap_or((Written::Byte(text[0]), 1))
}

/// What stands behind a backslash.
fn escaped(rest: &[u8]) -> Option<(Written, usize)> {
    let plain = |byte: u8| Some((Written::Byte(byte), 2));
    match rest {
        [b'n' | b't' | b'r', ..] => plain(b' '),
        [byte @ (b'"' | b'\\' | b'/' | b'\'' | b' '), ..] => plain(*byte),
        // A line that goes on, as YAML folds it.
        [b'\n', more @ ..] => {
            let blanks = more.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            Some((Written::Nothing, 2 + blanks))
        }
        [b'x', more @ ..] => Some((Written::Character(char::from_u32(hex(more.first_chunk::<2>()?)?)?), 4)),
        [b'U', more @ ..] => Some((Written::Character(char::from_u32(hex(more.first_chunk::<8>()?)?)?), 10)),
        [b'u', more @ ..] => {
            let first = hex(more.first_chunk::<4>()?)?;
            if let Some(character) = char::from_u32(first) {
                return Some((Written::Character(character), 6));
            }
            let [b'\\', b'u', more @ ..] = &more[4..] else { return None };
            let second = hex(more.first_chunk::<4>()?)?;
            let character =
                char::decode_utf16([u16::try_from(first).ok()?, u16::try_from(second).ok()?]).next()?.ok()?;
            Some((Written::Character(character), 12))
        }
        _ => None,
    }
}

/// What stands behind an ampersand.
fn entity(rest: &[u8]) -> Option<(Written, usize)> {
    let end = rest.iter().take(10).position(|byte| *byte == b';')?;
    let character = match &rest[..end] {
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(hex(digits)?)?,
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    };
    Some((Written::Character(character), end + 2))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|it| it.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}
