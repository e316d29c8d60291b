//! Characters to tokens, with the rules of YAML 1.1 as go-yaml v2's scanner applies them.
//!
//! The rules that decide what is accepted (which keys may be simple, where tabs may stand, which token ends a plain
//! scalar in a flow collection) follow `scannerc.go`; so do the words of its errors and the line that they name.

mod block;
mod directive;
mod plain;
mod quoted;
mod token;

use std::borrow::Cow;
use std::collections::VecDeque;

use crate::document::MAX_NODES;
use crate::error::Error;
use crate::mark::{Mark, Span};

pub use token::ScalarStyle;
pub(crate) use token::{Token, TokenKind};

/// A comment, from its `#` to the end of its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Where it stands.
    pub span: Span,
    /// Whether nothing but blanks stands before it on its line.
    pub own_line: bool,
}

/// A place where a key without `?` may have begun.
#[derive(Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    required: bool,
    /// Whether the token waits for its key; go-yaml forgets this for the `[` of an empty `[]`.
    awaited: bool,
    token: usize,
    index: usize,
    mark: Mark,
}

/// Longest key without `?`, in characters.
const SIMPLE_KEY_LIMIT: usize = 1024;

/// Bytes that go-yaml reads at once; what it refuses to read shows when its block is read.
const READ_BLOCK: usize = 512;

pub(crate) struct Scanner<'a> {
    text: &'a str,
    /// The readable bytes of `text`: up to the first character that go-yaml's reader refuses.
    bytes: &'a [u8],
    /// From which position on the reader's refusal shows, if it refuses anything.
    refused_from: usize,
    pos: usize,
    /// Characters before `pos`; differs from `pos` by multi-byte characters.
    index: usize,
    row: u32,
    col: i32,
    tokens: VecDeque<Token<'a>>,
    taken: usize,
    started: bool,
    ended: bool,
    indent: i32,
    indents: Vec<i32>,
    flow: usize,
    keys: Vec<SimpleKey>,
    key_allowed: bool,
    comments: Vec<Comment>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Self, Error> {
        if text.len() > i32::MAX as usize / 2 {
            return Err(Error::content("document is larger than 1 GiB", Mark::default()));
        }
        let refused = first_refused(text);
        let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Ok(Self {
            text,
            bytes: &text.as_bytes()[..refused.unwrap_or(text.len())],
            refused_from: refused.map_or(usize::MAX, |at| at / READ_BLOCK * READ_BLOCK),
            pos: start,
            index: 0,
            row: 0,
            col: 0,
            tokens: VecDeque::new(),
            taken: 0,
            started: false,
            ended: false,
            indent: -1,
            indents: Vec::new(),
            flow: 0,
            keys: vec![SimpleKey::default()],
            key_allowed: true,
            comments: Vec::new(),
        })
    }

    pub(crate) fn comments(&self) -> usize {
        self.comments.len()
    }

    pub(crate) fn take_comments(&mut self) -> Vec<Comment> {
        std::mem::take(&mut self.comments)
    }

    /// The next token; after the stream's end, the end again.
    pub(crate) fn peek(&mut self) -> Result<&Token<'a>, Error> {
        self.fill()?;
        Ok(self.tokens.front().expect("fill leaves a token in the queue"))
    }

    pub(crate) fn next(&mut self) -> Result<Token<'a>, Error> {
        self.fill()?;
        let token = self.tokens.pop_front().expect("fill leaves a token in the queue");
        self.taken += 1;
        Ok(token)
    }

    /// Reads on until the first token in the queue is certain: no key can begin before it any more.
    fn fill(&mut self) -> Result<(), Error> {
        loop {
            if !self.tokens.is_empty() {
                let head = self.keys.partition_point(|key| key.token < self.taken);
                let Some(key) = self.keys.get(head).filter(|key| key.token == self.taken && key.awaited) else {
                    return Ok(());
                };
                if !self.still_simple(*key)? {
                    self.keys[head].possible = false;
                    return Ok(());
                }
            }
            if self.ended {
                let end = Token { kind: TokenKind::StreamEnd, span: Span::at(self.mark()) };
                self.tokens.push_back(end);
                return Ok(());
            }
            self.fetch()?;
        }
    }

    fn fetch(&mut self) -> Result<(), Error> {
        if !self.started {
            self.started = true;
            self.check_reader(1)?;
            self.push(TokenKind::StreamStart, self.mark());
            return Ok(());
        }
        self.skip_to_token();
        self.unroll_indent(self.col);
        self.check_reader(4)?;

        let c = self.cur();
        if self.pos >= self.bytes.len() {
            return self.fetch_stream_end();
        }
        if self.col == 0 && c == b'%' {
            return self.fetch_directive();
        }
        if self.at_document_indicator() {
            let kind = if c == b'-' { TokenKind::DocumentStart } else { TokenKind::DocumentEnd };
            self.unroll_indent(-1);
            self.remove_key()?;
            self.key_allowed = false;
            self.push_ascii(kind, 3);
            return Ok(());
        }
        match c {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => {
                self.remove_key()?;
                self.key_allowed = true;
                self.push_ascii(TokenKind::FlowEntry, 1);
                Ok(())
            }
            b'-' if self.is_blankz(self.pos + 1) => self.fetch_block_entry(),
            b'?' if self.flow > 0 || self.is_blankz(self.pos + 1) => self.fetch_key(),
            b':' if self.flow > 0 || self.is_blankz(self.pos + 1) => self.fetch_value(),
            b'*' | b'&' => {
                self.save_key()?;
                self.key_allowed = false;
                let token = self.scan_anchor()?;
                self.tokens.push_back(token);
                Ok(())
            }
            b'!' => {
                self.save_key()?;
                self.key_allowed = false;
                let token = self.scan_tag()?;
                self.tokens.push_back(token);
                Ok(())
            }
            b'|' | b'>' if self.flow == 0 => {
                self.remove_key()?;
                self.key_allowed = true;
                let token = self.scan_block_scalar()?;
                self.tokens.push_back(token);
                Ok(())
            }
            b'\'' | b'"' => {
                self.save_key()?;
                self.key_allowed = false;
                let token = self.scan_quoted()?;
                self.tokens.push_back(token);
                Ok(())
            }
            _ if self.starts_plain() => {
                self.save_key()?;
                self.key_allowed = false;
                let token = self.scan_plain()?;
                self.tokens.push_back(token);
                Ok(())
            }
            _ => Err(self.error("found character that cannot start any token")),
        }
    }

    fn starts_plain(&self) -> bool {
        let blank_next = matches!(self.byte(self.pos + 1), b' ' | b'\t');
        match self.cur() {
            b'-' => !blank_next,
            b'?' | b':' => self.flow == 0 && !self.is_blankz(self.pos + 1),
            b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
            | b'`' => false,
            _ => !self.is_blankz(self.pos),
        }
    }

    // Simple keys

    /// Whether `key` may still turn out to be a key; an error if it had to and cannot.
    fn still_simple(&self, key: SimpleKey) -> Result<bool, Error> {
        if !key.possible {
            return Ok(false);
        }
        if key.mark.row < self.row || key.index + SIMPLE_KEY_LIMIT < self.index {
            if key.required {
                return Err(self.error("could not find expected ':'"));
            }
            return Ok(false);
        }
        Ok(true)
    }

    fn save_key(&mut self) -> Result<(), Error> {
        if self.key_allowed {
            let key = SimpleKey {
                possible: true,
                awaited: true,
                required: self.flow == 0 && self.indent == self.col,
                token: self.taken + self.tokens.len(),
                index: self.index,
                mark: self.mark(),
            };
            self.remove_key()?;
            *self.last_key() = key;
        }
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Error> {
        let key = *self.last_key();
        if key.possible && key.required {
            return Err(self.error("could not find expected ':'"));
        }
        if key.possible {
            self.drop_key();
        }
        Ok(())
    }

    fn drop_key(&mut self) {
        let key = self.last_key();
        key.possible = false;
        key.awaited = false;
    }

    fn last_key(&mut self) -> &mut SimpleKey {
        self.keys.last_mut().expect("the block context's key is never popped")
    }

    // Indentation

    fn roll_indent(&mut self, col: i32, at: Option<usize>, kind: TokenKind<'a>, mark: Mark) {
        if self.flow > 0 || self.indent >= col {
            return;
        }
        self.indents.push(self.indent);
        self.indent = col;
        let token = Token { kind, span: Span::at(mark) };
        self.insert(at, token);
    }

    /// Puts a token before the one with this number; at the end if that one is taken already, as go-yaml does.
    fn insert(&mut self, before: Option<usize>, token: Token<'a>) {
        match before.and_then(|number| number.checked_sub(self.taken)) {
            Some(at) if at <= self.tokens.len() => self.tokens.insert(at, token),
            _ => self.tokens.push_back(token),
        }
    }

    fn unroll_indent(&mut self, col: i32) {
        if self.flow > 0 {
            return;
        }
        while self.indent > col {
            self.push(TokenKind::BlockEnd, self.mark());
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    // Tokens of one or a few characters

    fn fetch_stream_end(&mut self) -> Result<(), Error> {
        if self.bytes.len() < self.text.len() {
            return Err(self.reader_error());
        }
        if self.col != 0 {
            self.col = 0;
            self.row += 1;
        }
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.ended = true;
        self.push(TokenKind::StreamEnd, self.mark());
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<(), Error> {
        self.unroll_indent(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let token = self.scan_directive()?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind<'a>) -> Result<(), Error> {
        self.save_key()?;
        let token = self.taken + self.tokens.len();
        self.keys.push(SimpleKey { token, mark: self.mark(), ..SimpleKey::default() });
        self.flow += 1;
        self.key_allowed = true;
        self.push_ascii(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind<'a>) -> Result<(), Error> {
        self.remove_key()?;
        if self.flow > 0 {
            self.flow -= 1;
            let inner = self.keys.pop().unwrap_or_default();
            let outer = self.last_key();
            outer.awaited &= outer.token != inner.token;
        }
        self.key_allowed = false;
        self.push_ascii(kind, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<(), Error> {
        if self.flow == 0 {
            if !self.key_allowed {
                return Err(self.error("block sequence entries are not allowed in this context"));
            }
            self.roll_indent(self.col, None, TokenKind::BlockSequenceStart, self.mark());
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.push_ascii(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<(), Error> {
        if self.flow == 0 {
            if !self.key_allowed {
                return Err(self.error("mapping keys are not allowed in this context"));
            }
            self.roll_indent(self.col, None, TokenKind::BlockMappingStart, self.mark());
        }
        self.remove_key()?;
        self.key_allowed = self.flow == 0;
        self.push_ascii(TokenKind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<(), Error> {
        let key = *self.last_key();
        if self.still_simple(key)? {
            let token = Token { kind: TokenKind::Key, span: Span::at(key.mark) };
            self.insert(Some(key.token), token);
            self.roll_indent(key.mark.col as i32, Some(key.token), TokenKind::BlockMappingStart, key.mark);
            self.drop_key();
            self.key_allowed = false;
        } else {
            self.last_key().possible = false;
            if self.flow == 0 {
                if !self.key_allowed {
                    return Err(self.error("mapping values are not allowed in this context"));
                }
                self.roll_indent(self.col, None, TokenKind::BlockMappingStart, self.mark());
            }
            self.key_allowed = self.flow == 0;
        }
        self.push_ascii(TokenKind::Value, 1);
        Ok(())
    }

    // Blanks and comments

    fn skip_to_token(&mut self) {
        if self.index == 0 && self.bytes[self.pos.min(self.bytes.len())..].starts_with("\u{feff}".as_bytes()) {
            // A second byte order mark is passed as well, but takes up a column.
            self.bump();
        }
        loop {
            while self.cur() == b' ' || (self.cur() == b'\t' && (self.flow > 0 || !self.key_allowed)) {
                self.bump_ascii(1);
            }
            if self.cur() == b'#' {
                self.skip_comment();
            }
            if !self.is_break(self.pos) {
                return;
            }
            self.skip_line();
            if self.flow == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn skip_comment(&mut self) {
        let start = self.mark();
        let before = self.bytes[..self.pos].iter().rev().find(|b| !matches!(b, b' ' | b'\t'));
        let own_line = before.is_none_or(|b| is_line_end(*b));
        while !self.is_breakz(self.pos) {
            self.bump();
        }
        // One more than anybody is given, so that it is noticed.
        if self.comments.len() <= MAX_NODES {
            self.comments.push(Comment { span: Span { start, end: self.mark() }, own_line });
        }
    }

    /// `---` or `...` at the start of a line, alone.
    fn at_document_indicator(&self) -> bool {
        self.col == 0
            && matches!(self.bytes.get(self.pos..self.pos + 3), Some(b"---" | b"..."))
            && self.is_blankz(self.pos + 3)
    }

    // Characters

    /// The byte at `at`; 0 after the end, which is no byte of a readable text.
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn cur(&self) -> u8 {
        self.byte(self.pos)
    }

    fn is_break(&self, at: usize) -> bool {
        match self.byte(at) {
            b'\n' | b'\r' => true,
            0xC2 => self.byte(at + 1) == 0x85,
            0xE2 => self.byte(at + 1) == 0x80 && matches!(self.byte(at + 2), 0xA8 | 0xA9),
            _ => false,
        }
    }

    fn is_breakz(&self, at: usize) -> bool {
        self.byte(at) == 0 || self.is_break(at)
    }

    fn is_blank(&self, at: usize) -> bool {
        matches!(self.byte(at), b' ' | b'\t')
    }

    fn is_blankz(&self, at: usize) -> bool {
        self.is_blank(at) || self.is_breakz(at)
    }

    /// Passes `count` characters of one byte each.
    fn bump_ascii(&mut self, count: usize) {
        self.pos += count;
        self.index += count;
        self.col += count as i32;
    }

    /// Passes one character that is no line break.
    fn bump(&mut self) {
        self.pos += width(self.cur());
        self.index += 1;
        self.col += 1;
    }

    /// Passes one character or line break, if any is left.
    fn skip_line(&mut self) {
        let c = self.cur();
        let (bytes, chars) = if c == b'\r' && self.byte(self.pos + 1) == b'\n' { (2, 2) } else { (width(c), 1) };
        self.pos += bytes;
        self.index += chars;
        self.col = 0;
        self.row += 1;
    }

    /// Passes a line break and appends what it means: a line feed, or the separator itself.
    fn read_line(&mut self, to: &mut String) {
        match self.cur() {
            0xE2 => to.push_str(&self.text[self.pos..self.pos + 3]),
            _ => to.push('\n'),
        }
        self.skip_line();
    }

    fn mark(&self) -> Mark {
        Mark { offset: self.pos as u32, row: self.row, col: self.col as u32 }
    }

    fn push(&mut self, kind: TokenKind<'a>, at: Mark) {
        self.tokens.push_back(Token { kind, span: Span::at(at) });
    }

    fn push_ascii(&mut self, kind: TokenKind<'a>, count: usize) {
        let start = self.mark();
        self.bump_ascii(count);
        self.tokens.push_back(Token { kind, span: Span { start, end: self.mark() } });
    }

    // Errors

    fn error(&self, problem: impl Into<Cow<'static, str>>) -> Error {
        if self.refused_from <= self.pos + 4 {
            return self.reader_error();
        }
        let line = (self.row > 0).then_some(self.row as usize + 1);
        Error::Syntax { problem: problem.into(), line, at: self.mark() }
    }

    fn reader_error(&self) -> Error {
        let before = &self.text[..self.bytes.len()];
        let row = before.bytes().filter(|b| *b == b'\n').count() as u32;
        let col = before.rsplit('\n').next().unwrap_or("").chars().count() as u32;
        let at = Mark { offset: self.bytes.len() as u32, row, col };
        Error::Syntax { problem: "control characters are not allowed".into(), line: None, at }
    }

    /// Fails when go-yaml's reader would have met a character that it refuses.
    fn check_reader(&self, ahead: usize) -> Result<(), Error> {
        if self.refused_from < self.pos + ahead { Err(self.reader_error()) } else { Ok(()) }
    }
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn width(byte: u8) -> usize {
    match byte {
        0..0x80 => 1,
        0x80..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    }
}

/// Where the first character stands that go-yaml's reader refuses.
fn first_refused(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let refused = match bytes[at] {
            b'\t' | b'\n' | b'\r' => false,
            0..0x20 | 0x7F => true,
            0xC2 => bytes[at + 1] < 0xA0 && bytes[at + 1] != 0x85,
            0xEF => bytes[at + 1] == 0xBF && bytes[at + 2] >= 0xBE,
            _ => false,
        };
        if refused {
            return Some(at);
        }
        at += 1;
    }
    None
}
