//! The lexer; `text/template/parse/lex.go`.

use crate::format::classes::is_alphanumeric;
use crate::format::utf8;
use crate::format::{is_printable, quote};

/// What kind of thing an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    fn is_keyword(self) -> bool {
        matches!(
            self,
            Kind::Block
                | Kind::Break
                | Kind::Continue
                | Kind::Dot
                | Kind::Define
                | Kind::Else
                | Kind::End
                | Kind::If
                | Kind::Nil
                | Kind::Range
                | Kind::Template
                | Kind::With
        )
    }
}

/// A token: its kind, its bytes, the line on which it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) kind: Kind,
    pub(super) line: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Item {
    pub(super) fn text<'t>(&self, source: &'t [u8]) -> &'t [u8] {
        source.get(self.start..self.end).unwrap_or(&[])
    }

    /// The item as error texts show it; `error` is what the lexer found wrong.
    pub(super) fn describe(&self, source: &[u8], error: &str) -> String {
        let text = self.text(source);
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => error.to_owned(),
            kind if kind.is_keyword() => format!("<{}>", String::from_utf8_lossy(text)),
            _ if text.len() > 10 => format!("{}...", quote(utf8::prefix(text, 10))),
            _ => quote(text),
        }
    }
}

/// Whether a function of the name hides the keyword.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keywords {
    pub(super) break_allowed: bool,
    pub(super) continue_allowed: bool,
}

pub(super) struct Lexer<'t> {
    source: &'t [u8],
    pos: usize,
    start: usize,
    line: u32,
    start_line: u32,
    paren_depth: u32,
    inside_action: bool,
    /// What is wrong; nothing is read behind it.
    failed: Option<String>,
    keywords: Keywords,
}

const LEFT: &[u8] = b"{{";
const RIGHT: &[u8] = b"}}";
const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn newlines(bytes: &[u8]) -> u32 {
    memchr::memchr_iter(b'\n', bytes).count() as u32
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The place of the next `{{`.
fn find_left(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'{', &bytes[from..]) {
        let at = from + at;
        match bytes.get(at + 1) {
            Some(b'{') => return Some(at),
            Some(_) => from = at + 1,
            None => return None,
        }
    }
    None
}

fn has_left_trim(bytes: &[u8]) -> bool {
    matches!(bytes, [b'-', space, ..] if is_space(*space))
}

fn has_right_trim(bytes: &[u8]) -> bool {
    matches!(bytes, [space, b'-', ..] if is_space(*space))
}

impl<'t> Lexer<'t> {
    pub(super) fn new(source: &'t [u8], keywords: Keywords) -> Self {
        Lexer {
            source,
            pos: 0,
            start: 0,
            line: 1,
            start_line: 1,
            paren_depth: 0,
            inside_action: false,
            failed: None,
            keywords,
        }
    }

    /// The next item; behind an error or the end there is only the end.
    pub(super) fn next_item(&mut self) -> Item {
        if self.failed.is_some() {
            return self.item(Kind::Eof);
        }
        if self.inside_action { self.inside() } else { self.text() }
    }

    /// What is wrong with the text, once an error has been given.
    pub(super) fn problem(&self) -> &str {
        self.failed.as_deref().unwrap_or_default()
    }

    fn rest(&self) -> &'t [u8] {
        &self.source[self.pos..]
    }

    /// What the next character is, without taking it.
    fn peek(&self) -> (Option<char>, usize) {
        utf8::decode(self.rest())
    }

    /// Takes a character; `None` at the end. Wrong bytes count as the replacement character.
    fn next(&mut self) -> Option<char> {
        if let Some(byte @ 0..0x80) = self.source.get(self.pos) {
            self.pos += 1;
            self.line += u32::from(*byte == b'\n');
            return Some(char::from(*byte));
        }
        let (character, length) = self.peek();
        if length == 0 {
            return None;
        }
        self.pos += length;
        if character == Some('\n') {
            self.line += 1;
        }
        Some(character.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn item(&mut self, kind: Kind) -> Item {
        let item = Item { kind, start: self.start, end: self.pos, line: self.start_line };
        self.start = self.pos;
        self.start_line = self.line;
        item
    }

    fn ignore(&mut self) {
        self.line += newlines(&self.source[self.start..self.pos]);
        self.start = self.pos;
        self.start_line = self.line;
    }

    fn error(&mut self, message: impl Into<String>) -> Item {
        self.failed = Some(message.into());
        Item { kind: Kind::Error, start: self.start, end: self.pos, line: self.start_line }
    }

    /// Text up to an action, or a comment, or the end.
    fn text(&mut self) -> Item {
        loop {
            let Some(found) = find_left(self.rest()) else {
                self.pos = self.source.len();
                if self.pos > self.start {
                    self.line += newlines(&self.source[self.start..self.pos]);
                    return self.item(Kind::Text);
                }
                return self.item(Kind::Eof);
            };
            if found > 0 {
                let delim = self.pos + found;
                let mut end = delim;
                if has_left_trim(&self.source[delim + LEFT.len()..]) {
                    while end > self.start && is_space(self.source[end - 1]) {
                        end -= 1;
                    }
                }
                self.pos = end;
                self.line += newlines(&self.source[self.start..end]);
                let item = self.item(Kind::Text);
                self.pos = delim;
                self.ignore();
                if item.end > item.start {
                    return item;
                }
            }
            // At a left delimiter, perhaps with a trim marker.
            self.pos += LEFT.len();
            let marker = if has_left_trim(self.rest()) { 2 } else { 0 };
            if self.source[self.pos + marker..].starts_with(LEFT_COMMENT) {
                self.pos += marker;
                self.ignore();
                if let Some(error) = self.comment() {
                    return error;
                }
                continue;
            }
            let item = self.item(Kind::LeftDelim);
            self.inside_action = true;
            self.pos += marker;
            self.ignore();
            self.paren_depth = 0;
            return item;
        }
    }

    /// Skips a comment; gives the error if it is not one.
    fn comment(&mut self) -> Option<Item> {
        self.pos += LEFT_COMMENT.len();
        let Some(length) = find(self.rest(), RIGHT_COMMENT) else {
            return Some(self.error("unclosed comment"));
        };
        self.pos += length + RIGHT_COMMENT.len();
        let Some(trim) = self.right_delim() else {
            return Some(self.error("comment ends before closing delimiter"));
        };
        self.line += newlines(&self.source[self.start..self.pos]);
        self.start = self.pos;
        self.pos += if trim { 2 } else { 0 } + RIGHT.len();
        if trim {
            self.skip_space();
        }
        self.ignore();
        None
    }

    fn skip_space(&mut self) {
        while self.pos < self.source.len() && is_space(self.source[self.pos]) {
            self.pos += 1;
        }
    }

    /// Whether a right delimiter is here, and whether it trims.
    fn right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if has_right_trim(rest) && rest[2..].starts_with(RIGHT) {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn close(&mut self, trim: bool) -> Item {
        if trim {
            self.pos += 2;
            self.ignore();
        }
        self.pos += RIGHT.len();
        let item = self.item(Kind::RightDelim);
        if trim {
            self.skip_space();
            self.ignore();
        }
        self.inside_action = false;
        item
    }

    fn inside(&mut self) -> Item {
        if let Some(trim) = self.right_delim() {
            if self.paren_depth == 0 {
                return self.close(trim);
            }
            return self.error("unclosed left paren");
        }
        let before = self.pos;
        let Some(character) = self.next() else { return self.error("unclosed action") };
        match character {
            ' ' | '\t' | '\r' | '\n' => {
                self.pos = before;
                self.line = self.start_line;
                self.space()
            }
            '=' => self.item(Kind::Assign),
            ':' => {
                if self.next() == Some('=') {
                    self.item(Kind::Declare)
                } else {
                    self.error("expected :=")
                }
            }
            '|' => self.item(Kind::Pipe),
            '"' => self.quoted('"', Kind::String, "unterminated quoted string"),
            '`' => loop {
                match self.next() {
                    None => return self.error("unterminated raw quoted string"),
                    Some('`') => return self.item(Kind::RawString),
                    Some(_) => {}
                }
            },
            '$' => {
                if self.at_terminator() {
                    self.item(Kind::Variable)
                } else {
                    self.name(Kind::Variable)
                }
            }
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '.' if self.source.get(self.pos).is_some_and(|byte| !byte.is_ascii_digit()) => {
                if self.at_terminator() {
                    self.item(Kind::Dot)
                } else {
                    self.name(Kind::Field)
                }
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = before;
                self.number()
            }
            '(' => {
                self.paren_depth += 1;
                self.item(Kind::LeftParen)
            }
            ')' => match self.paren_depth.checked_sub(1) {
                Some(depth) => {
                    self.paren_depth = depth;
                    self.item(Kind::RightParen)
                }
                None => self.error("unexpected right paren"),
            },
            _ if is_alphanumeric(character) => self.identifier(),
            _ if character.is_ascii() && is_printable(character) => self.item(Kind::Char),
            _ => self.error(format!("unrecognized character in action: {}", describe(character))),
        }
    }

    fn space(&mut self) -> Item {
        let mut count = 0;
        while self.source.get(self.pos).is_some_and(|byte| is_space(*byte)) {
            self.next();
            count += 1;
        }
        // The space in front of a trimming delimiter belongs to the delimiter.
        let last = self.pos - 1;
        if has_right_trim(&self.source[last..]) && self.source[last + 2..].starts_with(RIGHT) {
            if self.source[last] == b'\n' {
                self.line -= 1;
            }
            self.pos = last;
            if count == 1 {
                return self.close(true);
            }
        }
        self.item(Kind::Space)
    }

    fn take_alphanumeric(&mut self) {
        while self.source.get(self.pos).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            self.pos += 1;
        }
        while let (Some(character), length) = self.peek()
            && is_alphanumeric(character)
        {
            self.pos += length;
        }
    }

    fn identifier(&mut self) -> Item {
        self.take_alphanumeric();
        if !self.at_terminator() {
            return self.bad_character();
        }
        let kind = match &self.source[self.start..self.pos] {
            b"block" => Kind::Block,
            b"break" if self.keywords.break_allowed => Kind::Break,
            b"continue" if self.keywords.continue_allowed => Kind::Continue,
            b"define" => Kind::Define,
            b"else" => Kind::Else,
            b"end" => Kind::End,
            b"if" => Kind::If,
            b"range" => Kind::Range,
            b"nil" => Kind::Nil,
            b"template" => Kind::Template,
            b"with" => Kind::With,
            b"true" | b"false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.item(kind)
    }

    /// A field or variable whose first character (`.` or `$`) has been taken.
    fn name(&mut self, kind: Kind) -> Item {
        self.take_alphanumeric();
        if self.at_terminator() { self.item(kind) } else { self.bad_character() }
    }

    fn bad_character(&mut self) -> Item {
        let character = self.peek().0.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.error(format!("bad character {}", describe(character)))
    }

    fn at_terminator(&self) -> bool {
        match self.rest() {
            [] => true,
            [b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(', ..] => true,
            rest => rest.starts_with(RIGHT),
        }
    }

    fn quoted(&mut self, mark: char, kind: Kind, unterminated: &str) -> Item {
        loop {
            match self.next() {
                Some('\\') => {
                    if matches!(self.next(), None | Some('\n')) {
                        return self.error(unterminated);
                    }
                }
                None | Some('\n') => return self.error(unterminated),
                Some(character) if character == mark => return self.item(kind),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Item {
        if !self.scan_number() {
            return self.bad_number();
        }
        if matches!(self.source.get(self.pos), Some(b'+' | b'-')) {
            if !self.scan_number() || self.source[self.pos - 1] != b'i' {
                return self.bad_number();
            }
            return self.item(Kind::Complex);
        }
        self.item(Kind::Number)
    }

    fn bad_number(&mut self) -> Item {
        let text = quote(&self.source[self.start..self.pos]);
        self.error(format!("bad number syntax: {text}"))
    }

    fn accept(&mut self, valid: &[u8]) -> bool {
        let found = self.source.get(self.pos).is_some_and(|byte| valid.contains(byte));
        self.pos += usize::from(found);
        found
    }

    fn accept_run(&mut self, valid: &[u8]) {
        while self.accept(valid) {}
    }

    fn scan_number(&mut self) -> bool {
        const DECIMAL: &[u8] = b"0123456789_";
        self.accept(b"+-");
        let mut digits = DECIMAL;
        if self.accept(b"0") {
            if self.accept(b"xX") {
                digits = b"0123456789abcdefABCDEF_";
            } else if self.accept(b"oO") {
                digits = b"01234567_";
            } else if self.accept(b"bB") {
                digits = b"01_";
            }
        }
        self.accept_run(digits);
        if self.accept(b".") {
            self.accept_run(digits);
        }
        let exponent: &[u8] = match digits.len() {
            11 => b"eE",
            23 => b"pP",
            _ => b"",
        };
        if self.accept(exponent) {
            self.accept(b"+-");
            self.accept_run(DECIMAL);
        }
        self.accept(b"i");
        match self.peek() {
            (Some(character), length) if is_alphanumeric(character) => {
                self.pos += length;
                false
            }
            _ => true,
        }
    }
}

/// `%#U`
fn describe(character: char) -> String {
    let code = u32::from(character);
    if is_printable(character) { format!("U+{code:04X} '{character}'") } else { format!("U+{code:04X}") }
}
