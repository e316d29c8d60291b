//! A scalar's style, and its text in that style: go-yaml's `emitterc.go`.

use base64::Engine as _;

use super::{After, BEST_WIDTH, Context, Emitter, Flavor, Need};
use crate::resolve::{Resolved, resolve};
use crate::scan::ScalarStyle;

/// What a text's characters allow.
pub(super) struct Analysis {
    pub(super) multiline: bool,
    plain: bool,
    single_quoted: bool,
    block: bool,
}

impl Analysis {
    pub(super) fn of(text: &str, flavor: Flavor) -> Self {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return Self { multiline: false, plain: true, single_quoted: true, block: false };
        }
        let mut indicators = text.starts_with("---") || text.starts_with("...");
        let (mut breaks, mut special, mut tabs) = (false, false, false);
        let (mut break_space, mut space_break) = (false, false);
        let (mut previous_space, mut previous_break) = (false, false);
        let mut after_blank = true;
        let mut at = 0;
        while at < bytes.len() {
            let width = width(bytes[at]);
            let next = at + width;
            let before_blank = next >= bytes.len() || is_blank(bytes, next);
            indicators |= match bytes[at] {
                b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
                | b'`' => at == 0,
                b'?' | b'-' => at == 0 && before_blank,
                b':' => before_blank,
                b'#' => at == 0 || after_blank,
                _ => false,
            };
            if flavor == Flavor::V3 && bytes[at] == b'\t' {
                tabs = true;
            } else {
                special |= !is_printable(bytes, at);
            }
            if bytes[at] == b' ' {
                break_space |= previous_break;
                (previous_space, previous_break) = (true, false);
            } else if is_break(bytes, at) {
                breaks = true;
                space_break |= previous_space;
                (previous_space, previous_break) = (false, true);
            } else {
                (previous_space, previous_break) = (false, false);
            }
            after_blank = is_blank(bytes, at) || is_break(bytes, at);
            at = next;
        }
        let trailing_space = bytes.ends_with(b" ");
        let edge = bytes[0] == b' ' || trailing_space || breaks;
        let awkward = space_break || special;
        Self {
            multiline: breaks,
            plain: !(edge || break_space || awkward || tabs || indicators),
            single_quoted: !(break_space || awkward || tabs),
            block: !(trailing_space || awkward),
        }
    }
}

impl Emitter {
    pub(super) fn write_string(&mut self, text: &str) {
        let analysis = Analysis::of(text, self.flavor);
        self.write_analyzed(text, &analysis);
    }

    pub(super) fn write_analyzed(&mut self, text: &str, analysis: &Analysis) {
        let style = self.style(text, analysis);
        let outer = self.indent;
        // Runs over a line continue one step further in.
        self.indent = if outer < 0 { 2 } else { outer + 2 };
        match style {
            ScalarStyle::Plain => self.write_plain(text),
            ScalarStyle::SingleQuoted => self.write_single_quoted(text),
            ScalarStyle::DoubleQuoted => self.write_double_quoted(text),
            ScalarStyle::Literal | ScalarStyle::Folded => self.write_literal(text),
        }
        self.indent = outer;
    }

    /// Bytes that are no text, as go-yaml v3 writes them.
    pub(super) fn write_binary(&mut self, bytes: &[u8]) {
        self.write_indicator("!!binary", Need::Space, After::Text);
        let mut encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        if encoded.len() > 70 {
            let lines: Vec<&str> =
                encoded.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap_or("")).collect();
            encoded = lines.join("\n") + "\n";
        }
        let analysis = Analysis::of(&encoded, self.flavor);
        let style = if encoded.contains('\n') { ScalarStyle::Literal } else { ScalarStyle::Plain };
        let outer = self.indent;
        self.indent = if outer < 0 { 2 } else { outer + 2 };
        match style {
            ScalarStyle::Plain if analysis.plain => self.write_plain(&encoded),
            ScalarStyle::Plain => self.write_single_quoted(&encoded),
            _ => self.write_literal(&encoded),
        }
        self.indent = outer;
    }

    fn style(&self, text: &str, analysis: &Analysis) -> ScalarStyle {
        let simple_key = self.context == Context::SimpleKey;
        if text.contains('\n') {
            let literal = analysis.block && !simple_key;
            return if literal { ScalarStyle::Literal } else { ScalarStyle::DoubleQuoted };
        }
        if !reads_as_text(text) || (simple_key && analysis.multiline) {
            return ScalarStyle::DoubleQuoted;
        }
        if analysis.plain {
            ScalarStyle::Plain
        } else if analysis.single_quoted {
            ScalarStyle::SingleQuoted
        } else {
            ScalarStyle::DoubleQuoted
        }
    }

    fn may_fold(&self) -> bool {
        self.context != Context::SimpleKey && self.flavor == Flavor::Sigs && self.column > BEST_WIDTH
    }

    fn write_plain(&mut self, text: &str) {
        if !self.whitespace {
            self.put(' ');
        }
        if self.column + text.len() <= BEST_WIDTH {
            self.out.push_str(text);
            self.column += text.chars().count();
        } else {
            let mut spaces = false;
            let mut rest = text.chars();
            while let Some(c) = rest.next() {
                let space = c == ' ';
                if space && !spaces && self.may_fold() && !rest.as_str().starts_with(' ') {
                    self.write_indent();
                } else {
                    self.put(c);
                }
                spaces = space;
                if !space {
                    self.indention = false;
                }
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn write_single_quoted(&mut self, text: &str) {
        self.write_indicator("'", Need::Space, After::Text);
        let (mut spaces, mut breaks) = (false, false);
        let mut rest = text.chars();
        let mut first = true;
        while let Some(c) = rest.next() {
            let left = rest.as_str();
            if c == ' ' {
                let inside = !first && !left.is_empty() && !left.starts_with(' ');
                if !spaces && inside && self.may_fold() {
                    self.write_indent();
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break_char(c) {
                // Line separators only: a text with line feeds is never single-quoted.
                self.out.push(c);
                self.column = 0;
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if c == '\'' {
                    self.put(c);
                }
                self.put(c);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
            first = false;
        }
        self.write_indicator("'", Need::Nothing, After::Text);
        self.whitespace = false;
        self.indention = false;
    }

    fn write_double_quoted(&mut self, text: &str) {
        self.write_indicator("\"", Need::Space, After::Text);
        // go-yaml looks for a byte order mark at the start of the text, whichever character it is at.
        let marked = text.starts_with('\u{feff}');
        let mut spaces = false;
        for (at, c) in text.char_indices() {
            if marked || !is_printable(text.as_bytes(), at) || is_break_char(c) || c == '"' || c == '\\' {
                self.write_escape(c);
                spaces = false;
            } else if c == ' ' {
                let left = &text[at + 1..];
                if !spaces && at > 0 && !left.is_empty() && self.may_fold() {
                    self.write_indent();
                    if left.starts_with(' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
        }
        self.write_indicator("\"", Need::Nothing, After::Text);
        self.whitespace = false;
        self.indention = false;
    }

    fn write_escape(&mut self, c: char) {
        self.put('\\');
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = c as u32;
                let long = match code {
                    0..=0xFF => format!("x{code:02X}"),
                    0x100..=0xFFFF => format!("u{code:04X}"),
                    _ => format!("U{code:08X}"),
                };
                self.out.push_str(&long);
                self.column += long.len();
                return;
            }
        };
        self.put(short);
    }

    fn write_literal(&mut self, text: &str) {
        self.write_indicator("|", Need::Space, After::Text);
        let first = text.chars().next().unwrap_or(' ');
        if first == ' ' || is_break_char(first) {
            self.write_indicator("2", Need::Nothing, After::Text);
        }
        let mut ending = text.chars().rev().map(is_break_char);
        match (ending.next(), ending.next()) {
            (Some(true), Some(false)) => {}
            (Some(true), _) => self.write_indicator("+", Need::Nothing, After::Text),
            _ => self.write_indicator("-", Need::Nothing, After::Text),
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for c in text.chars() {
            if c == '\n' {
                self.put_break();
                self.indention = true;
                breaks = true;
            } else if is_break_char(c) {
                self.out.push(c);
                self.column = 0;
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                self.put(c);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

/// Whether a plain scalar with this text is read as a text again. go-yaml v3 reads `yes` as one, but quotes it all the
/// same, so v2's words serve both.
pub(crate) fn reads_as_text(text: &str) -> bool {
    resolve(text) == Resolved::Str && !is_base_60(text)
}

/// `[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?`
fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return false;
    }
    let mut parts = whole.split(':');
    let head = parts.next().unwrap_or("");
    let head_ok = head.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let mut count = 0;
    head_ok
        && parts.all(|part| {
            count += 1;
            match part.as_bytes() {
                [digit] => digit.is_ascii_digit(),
                [ten, digit] => (b'0'..=b'5').contains(ten) && digit.is_ascii_digit(),
                _ => false,
            }
        })
        && count > 0
}

fn is_blank(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at), Some(b' ' | b'\t'))
}

fn is_break(bytes: &[u8], at: usize) -> bool {
    match bytes[at] {
        b'\n' | b'\r' => true,
        0xC2 => bytes.get(at + 1) == Some(&0x85),
        0xE2 => matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xA8 | 0xA9])),
        _ => false,
    }
}

fn is_break_char(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// go-yaml's idea of a printable character, to which those beyond U+FFFF do not belong.
fn is_printable(bytes: &[u8], at: usize) -> bool {
    let next = |k: usize| bytes.get(at + k).copied().unwrap_or(0);
    match bytes[at] {
        b'\n' | 0x20..=0x7E => true,
        0xC2 => next(1) >= 0xA0,
        0xC3..=0xEC => true,
        0xED => next(1) < 0xA0,
        0xEE => true,
        0xEF => !matches!((next(1), next(2)), (0xBB, 0xBF) | (0xBF, 0xBE | 0xBF)),
        _ => false,
    }
}

fn width(byte: u8) -> usize {
    match byte {
        0..0x80 => 1,
        0x80..0xE0 => 2,
        0xE0..0xF0 => 3,
        _ => 4,
    }
}
