//! Block scalars: `|` and `>`.

use std::borrow::Cow;

use super::{ScalarStyle, Scanner, Token, TokenKind};
use crate::error::Error;
use crate::mark::{Mark, Span};

#[derive(Clone, Copy, PartialEq)]
enum Chomp {
    Strip,
    Clip,
    Keep,
}

impl<'a> Scanner<'a> {
    pub(super) fn scan_block_scalar(&mut self) -> Result<Token<'a>, Error> {
        let start = self.mark();
        let style = if self.cur() == b'|' { ScalarStyle::Literal } else { ScalarStyle::Folded };
        self.bump_ascii(1);
        let (chomp, increment) = self.block_header()?;
        let mut end = self.header_end(start);

        let mut indent = match increment {
            0 => 0,
            more => self.indent.max(0) + more,
        };
        let mut value = String::new();
        let mut leading = String::new();
        let mut trailing = String::new();
        self.block_breaks(&mut indent, &mut trailing)?;
        let mut leading_blank = false;
        while self.col == indent && self.cur() != 0 {
            let blank = self.is_blank(self.pos);
            if style == ScalarStyle::Folded && !leading_blank && !blank && leading.starts_with('\n') {
                if trailing.is_empty() {
                    value.push(' ');
                }
            } else {
                value.push_str(&leading);
            }
            leading.clear();
            value.push_str(&trailing);
            trailing.clear();
            leading_blank = blank;

            let from = self.pos;
            while !self.is_breakz(self.pos) {
                self.bump();
            }
            value.push_str(&self.text[from..self.pos]);
            end = self.mark();
            if self.is_break(self.pos) {
                self.read_line(&mut leading);
            }
            self.block_breaks(&mut indent, &mut trailing)?;
        }
        if chomp != Chomp::Strip {
            value.push_str(&leading);
        }
        if chomp == Chomp::Keep {
            value.push_str(&trailing);
        }
        let kind = TokenKind::Scalar { value: Cow::Owned(value), style };
        Ok(Token { kind, span: Span { start, end } })
    }

    /// The rest of the header line, with its line break: chomping and indentation indicators, a comment.
    fn block_header(&mut self) -> Result<(Chomp, i32), Error> {
        let mut chomp = Chomp::Clip;
        let mut increment = 0;
        if matches!(self.cur(), b'+' | b'-') {
            chomp = self.chomp();
            if self.cur().is_ascii_digit() {
                increment = self.increment()?;
            }
        } else if self.cur().is_ascii_digit() {
            increment = self.increment()?;
            if matches!(self.cur(), b'+' | b'-') {
                chomp = self.chomp();
            }
        }
        while self.is_blank(self.pos) {
            self.bump_ascii(1);
        }
        if self.cur() == b'#' {
            self.skip_comment();
        }
        if !self.is_breakz(self.pos) {
            return Err(self.error("did not find expected comment or line break"));
        }
        if self.is_break(self.pos) {
            self.skip_line();
        }
        Ok((chomp, increment))
    }

    fn chomp(&mut self) -> Chomp {
        let chomp = if self.cur() == b'+' { Chomp::Keep } else { Chomp::Strip };
        self.bump_ascii(1);
        chomp
    }

    fn increment(&mut self) -> Result<i32, Error> {
        if self.cur() == b'0' {
            return Err(self.error("found an indentation indicator equal to 0"));
        }
        let increment = i32::from(self.cur() - b'0');
        self.bump_ascii(1);
        Ok(increment)
    }

    /// Where the header ends, without a comment behind it: the end of a scalar without content.
    fn header_end(&self, start: Mark) -> Mark {
        let rest = &self.bytes[start.offset() + 1..];
        let more = rest.iter().take_while(|b| matches!(b, b'+' | b'-' | b'0'..=b'9')).count() as u32 + 1;
        Mark { offset: start.offset + more, col: start.col + more, ..start }
    }

    /// Passes blank lines and indentation; finds out the indentation if it is not known (0).
    fn block_breaks(&mut self, indent: &mut i32, breaks: &mut String) -> Result<(), Error> {
        let mut deepest = 0;
        loop {
            while (*indent == 0 || self.col < *indent) && self.cur() == b' ' {
                self.bump_ascii(1);
            }
            deepest = deepest.max(self.col);
            if (*indent == 0 || self.col < *indent) && self.cur() == b'\t' {
                return Err(self.error("found a tab character where an indentation space is expected"));
            }
            if !self.is_break(self.pos) {
                break;
            }
            self.read_line(breaks);
        }
        if *indent == 0 {
            *indent = deepest.max(self.indent + 1).max(1);
        }
        Ok(())
    }
}
