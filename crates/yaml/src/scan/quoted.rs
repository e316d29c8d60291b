//! Scalars in single or double quotes.

use std::borrow::Cow;

use super::plain::join;
use super::{ScalarStyle, Scanner, Token, TokenKind};
use crate::error::Error;
use crate::mark::Span;

impl<'a> Scanner<'a> {
    pub(super) fn scan_quoted(&mut self) -> Result<Token<'a>, Error> {
        let start = self.mark();
        let quote = self.cur();
        let style = if quote == b'\'' { ScalarStyle::SingleQuoted } else { ScalarStyle::DoubleQuoted };
        self.bump_ascii(1);
        let value = match self.quoted_slice(quote) {
            Some(slice) => Cow::Borrowed(slice),
            None => Cow::Owned(self.quoted_text(quote)?),
        };
        self.bump_ascii(1);
        Ok(Token { kind: TokenKind::Scalar { value, style }, span: Span { start, end: self.mark() } })
    }

    /// The content, if it stands in the text as it is: on one line, without escapes.
    fn quoted_slice(&mut self, quote: u8) -> Option<&'a str> {
        let mut at = self.pos;
        let mut chars = 0;
        loop {
            let c = *self.bytes.get(at)?;
            match c {
                b'\\' if quote == b'"' => return None,
                b'\n' | b'\r' => return None,
                0xC2 | 0xE2 if self.is_break(at) => return None,
                _ if c == quote => break,
                _ => {}
            }
            chars += usize::from(c & 0xC0 != 0x80);
            at += 1;
        }
        if quote == b'\'' && self.byte(at + 1) == b'\'' {
            return None;
        }
        let slice = &self.text[self.pos..at];
        self.pos = at;
        self.index += chars;
        self.col += chars as i32;
        Some(slice)
    }

    /// The content, up to the closing quote, which is left in place.
    fn quoted_text(&mut self, quote: u8) -> Result<String, Error> {
        let mut value = String::new();
        let mut blanks = String::new();
        let mut leading = String::new();
        let mut trailing = String::new();
        loop {
            if self.at_document_indicator() {
                return Err(self.error("found unexpected document indicator"));
            }
            if self.cur() == 0 {
                return Err(self.error("found unexpected end of stream"));
            }
            let mut broken = false;
            while !self.is_blankz(self.pos) {
                let c = self.cur();
                if c == b'\'' && quote == b'\'' {
                    if self.byte(self.pos + 1) != b'\'' {
                        break;
                    }
                    value.push('\'');
                    self.bump_ascii(2);
                } else if c == quote {
                    break;
                } else if c == b'\\' && quote == b'"' {
                    if self.is_break(self.pos + 1) {
                        self.bump_ascii(1);
                        self.skip_line();
                        broken = true;
                        break;
                    }
                    self.escape(&mut value)?;
                } else {
                    let from = self.pos;
                    self.bump();
                    value.push_str(&self.text[from..self.pos]);
                }
            }
            if self.cur() == quote {
                return Ok(value);
            }
            while self.is_blank(self.pos) || self.is_break(self.pos) {
                if self.is_blank(self.pos) {
                    if !broken {
                        blanks.push(char::from(self.cur()));
                    }
                    self.bump_ascii(1);
                } else if broken {
                    self.read_line(&mut trailing);
                } else {
                    blanks.clear();
                    self.read_line(&mut leading);
                    broken = true;
                }
            }
            if broken {
                join(&mut value, &leading, &trailing);
                leading.clear();
                trailing.clear();
            } else {
                value.push_str(&blanks);
                blanks.clear();
            }
        }
    }

    fn escape(&mut self, value: &mut String) -> Result<(), Error> {
        let digits = match self.byte(self.pos + 1) {
            b'x' => 2,
            b'u' => 4,
            b'U' => 8,
            other => {
                let Some(meaning) = escaped(other) else {
                    return Err(self.error("found unknown escape character"));
                };
                value.push(meaning);
                self.bump_ascii(2);
                return Ok(());
            }
        };
        self.bump_ascii(2);
        let mut code = 0u32;
        for k in 0..digits {
            let Some(digit) = char::from(self.byte(self.pos + k)).to_digit(16) else {
                return Err(self.error("did not find expected hexdecimal number"));
            };
            code = code.wrapping_shl(4) | digit;
        }
        let Some(c) = char::from_u32(code) else {
            return Err(self.error("found invalid Unicode character escape code"));
        };
        value.push(c);
        self.bump_ascii(digits);
        Ok(())
    }
}

fn escaped(c: u8) -> Option<char> {
    Some(match c {
        b'0' => '\0',
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\u{b}',
        b'f' => '\u{c}',
        b'r' => '\r',
        b'e' => '\u{1b}',
        b' ' => ' ',
        b'"' => '"',
        b'\'' => '\'',
        b'\\' => '\\',
        b'N' => '\u{85}',
        b'_' => '\u{a0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        _ => return None,
    })
}
