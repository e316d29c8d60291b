//! Scalars without quotes.

use std::borrow::Cow;

use super::{ScalarStyle, Scanner, Token, TokenKind, width};
use crate::error::Error;
use crate::mark::Span;

/// Bytes that need a look while a plain scalar runs: blanks, possible breaks, `:` and the flow indicators.
const STOPS: [bool; 256] = {
    let mut stops = [false; 256];
    let list = b"\0 \t\r\n:,?[]{}\xC2\xE2";
    let mut i = 0;
    while i < list.len() {
        stops[list[i] as usize] = true;
        i += 1;
    }
    stops
};

impl<'a> Scanner<'a> {
    pub(super) fn scan_plain(&mut self) -> Result<Token<'a>, Error> {
        let start = self.mark();
        let mut end = start;
        let indent = self.indent + 1;
        // Set as soon as the scalar runs over a line: until then the value is a slice of the text.
        let mut folded: Option<String> = None;
        let mut leading = String::new();
        let mut trailing = String::new();
        let mut broken = false;

        loop {
            if self.at_document_indicator() || self.cur() == b'#' {
                break;
            }
            let blanks = end.offset()..self.pos;
            let run = self.pos;
            self.run_plain();
            if self.pos > run {
                if broken {
                    let value = folded.get_or_insert_with(|| self.text[start.offset()..end.offset()].to_owned());
                    join(value, &leading, &trailing);
                    leading.clear();
                    trailing.clear();
                    broken = false;
                } else if let Some(value) = &mut folded {
                    value.push_str(&self.text[blanks]);
                }
                if let Some(value) = &mut folded {
                    value.push_str(&self.text[run..self.pos]);
                }
                end = self.mark();
            }
            if !self.is_blank(self.pos) && !self.is_break(self.pos) {
                break;
            }
            loop {
                if self.is_blank(self.pos) {
                    if broken && self.col < indent && self.cur() == b'\t' {
                        return Err(self.error("found a tab character that violates indentation"));
                    }
                    self.bump_ascii(1);
                } else if self.is_break(self.pos) {
                    self.read_line(if broken { &mut trailing } else { &mut leading });
                    broken = true;
                } else {
                    break;
                }
            }
            if self.flow == 0 && self.col < indent {
                break;
            }
        }
        if broken {
            self.key_allowed = true;
        }
        let value = match folded {
            Some(value) => Cow::Owned(value),
            None => Cow::Borrowed(&self.text[start.offset()..end.offset()]),
        };
        Ok(Token { kind: TokenKind::Scalar { value, style: ScalarStyle::Plain }, span: Span { start, end } })
    }

    /// Passes what belongs to the scalar up to a blank, a break or an indicator.
    fn run_plain(&mut self) {
        loop {
            let c = self.cur();
            if !STOPS[c as usize] {
                let wide = c >= 0x80;
                self.pos += if wide { width(c) } else { 1 };
                self.index += 1;
                self.col += 1;
                continue;
            }
            let stop = match c {
                b':' => self.is_blankz(self.pos + 1),
                b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow > 0,
                _ => self.is_blankz(self.pos),
            };
            if stop {
                return;
            }
            self.bump();
        }
    }
}

/// What the line breaks between two lines of a flow scalar mean: one is a space, more are one less.
pub(super) fn join(value: &mut String, leading: &str, trailing: &str) {
    if !leading.starts_with('\n') {
        value.push_str(leading);
        value.push_str(trailing);
    } else if trailing.is_empty() {
        value.push(' ');
    } else {
        value.push_str(trailing);
    }
}
