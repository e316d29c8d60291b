//! Directives, tags, anchors and aliases.

use std::borrow::Cow;

use super::{Scanner, Token, TokenKind};
use crate::error::Error;
use crate::mark::Span;

impl<'a> Scanner<'a> {
    pub(super) fn scan_directive(&mut self) -> Result<Token<'a>, Error> {
        let start = self.mark();
        self.bump_ascii(1);
        let name = self.word();
        if name.is_empty() {
            return Err(self.error("could not find expected directive name"));
        }
        if !self.is_blankz(self.pos) {
            return Err(self.error("found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => self.version()?,
            "TAG" => self.tag_directive()?,
            _ => return Err(self.error("found unknown directive name")),
        };
        let end = self.mark();
        self.skip_blanks();
        if self.cur() == b'#' {
            self.skip_comment();
        }
        if !self.is_breakz(self.pos) {
            return Err(self.error("did not find expected comment or line break"));
        }
        if self.is_break(self.pos) {
            self.skip_line();
        }
        Ok(Token { kind, span: Span { start, end } })
    }

    fn version(&mut self) -> Result<TokenKind<'a>, Error> {
        self.skip_blanks();
        let major = self.version_number()?;
        if self.cur() != b'.' {
            return Err(self.error("did not find expected digit or '.' character"));
        }
        self.bump_ascii(1);
        let minor = self.version_number()?;
        Ok(TokenKind::Version { major, minor })
    }

    fn version_number(&mut self) -> Result<u8, Error> {
        let digits = self.bytes[self.pos..].iter().take_while(|b| b.is_ascii_digit()).count();
        match digits {
            0 => return Err(self.error("did not find expected version number")),
            1 | 2 => {}
            _ => return Err(self.error("found extremely long version number")),
        }
        let number = self.text[self.pos..self.pos + digits].parse().unwrap_or(0);
        self.bump_ascii(digits);
        Ok(number)
    }

    fn tag_directive(&mut self) -> Result<TokenKind<'a>, Error> {
        self.skip_blanks();
        let handle = self.tag_handle()?;
        if handle != "!" && !(handle.len() > 1 && handle.ends_with('!')) {
            return Err(self.error("did not find expected '!'"));
        }
        if !self.is_blank(self.pos) {
            return Err(self.error("did not find expected whitespace"));
        }
        self.skip_blanks();
        let prefix = self.tag_uri("")?;
        if !self.is_blankz(self.pos) {
            return Err(self.error("did not find expected whitespace or line break"));
        }
        Ok(TokenKind::TagDirective { handle, prefix })
    }

    pub(super) fn scan_anchor(&mut self) -> Result<Token<'a>, Error> {
        let start = self.mark();
        let alias = self.cur() == b'*';
        self.bump_ascii(1);
        let name = self.word();
        let ends_well =
            self.is_blankz(self.pos) || matches!(self.cur(), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
        if name.is_empty() || !ends_well {
            return Err(self.error("did not find expected alphabetic or numeric character"));
        }
        let kind = if alias { TokenKind::Alias(name) } else { TokenKind::Anchor(name) };
        Ok(Token { kind, span: Span { start, end: self.mark() } })
    }

    pub(super) fn scan_tag(&mut self) -> Result<Token<'a>, Error> {
        let start = self.mark();
        let (handle, suffix) = if self.byte(self.pos + 1) == b'<' {
            self.bump_ascii(2);
            let suffix = self.tag_uri("")?;
            if self.cur() != b'>' {
                return Err(self.error("did not find the expected '>'"));
            }
            self.bump_ascii(1);
            ("", suffix)
        } else {
            let handle = self.tag_handle()?;
            if handle.len() > 1 && handle.ends_with('!') {
                (handle, self.tag_uri("")?)
            } else {
                match self.tag_uri(handle)? {
                    suffix if suffix.is_empty() => ("", Cow::Borrowed("!")),
                    suffix => ("!", suffix),
                }
            }
        };
        if !self.is_blankz(self.pos) {
            return Err(self.error("did not find expected whitespace or line break"));
        }
        Ok(Token { kind: TokenKind::Tag { handle, suffix }, span: Span { start, end: self.mark() } })
    }

    /// `!`, `!!` or `!word!`; `!word` when no second `!` follows.
    fn tag_handle(&mut self) -> Result<&'a str, Error> {
        if self.cur() != b'!' {
            return Err(self.error("did not find expected '!'"));
        }
        let from = self.pos;
        self.bump_ascii(1);
        self.word();
        if self.cur() == b'!' {
            self.bump_ascii(1);
        }
        Ok(&self.text[from..self.pos])
    }

    /// The rest of a tag; `head` is what was read of it as a handle, with its `!`.
    fn tag_uri(&mut self, head: &str) -> Result<Cow<'a, str>, Error> {
        let mut bytes = head.as_bytes().get(1..).unwrap_or_default().to_vec();
        let mut found = !head.is_empty();
        loop {
            match self.cur() {
                b'%' => self.uri_escape(&mut bytes)?,
                c if c.is_ascii_alphanumeric() || b"_-;/?:@&=+$,.!~*'()[]".contains(&c) => {
                    bytes.push(c);
                    self.bump_ascii(1);
                }
                _ => break,
            }
            found = true;
        }
        if !found {
            return Err(self.error("did not find expected tag URI"));
        }
        Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn uri_escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Error> {
        let mut left = None;
        while left != Some(0) {
            let digit = |k: usize| char::from(self.byte(self.pos + k)).to_digit(16);
            let octet = match (self.cur(), digit(1), digit(2)) {
                (b'%', Some(high), Some(low)) => (high << 4 | low) as u8,
                _ => return Err(self.error("did not find URI escaped octet")),
            };
            match &mut left {
                None => {
                    left = Some(match octet {
                        0..0x80 => 0,
                        0xC0..0xE0 => 1,
                        0xE0..0xF0 => 2,
                        0xF0..0xF8 => 3,
                        _ => return Err(self.error("found an incorrect leading UTF-8 octet")),
                    });
                }
                Some(_) if octet & 0xC0 != 0x80 => {
                    return Err(self.error("found an incorrect trailing UTF-8 octet"));
                }
                Some(more) => *more -= 1,
            }
            bytes.push(octet);
            self.bump_ascii(3);
        }
        Ok(())
    }

    /// Letters, digits, `_` and `-`.
    fn word(&mut self) -> &'a str {
        let from = self.pos;
        let is_word = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let count = self.bytes[from.min(self.bytes.len())..].iter().take_while(is_word).count();
        self.bump_ascii(count);
        &self.text[from..self.pos]
    }

    fn skip_blanks(&mut self) {
        while self.is_blank(self.pos) {
            self.bump_ascii(1);
        }
    }
}
