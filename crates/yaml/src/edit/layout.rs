//! Where things stand in a text, and how new ones are written there.

use std::ops::Range;

use crate::document::{CollectionStyle, Document, Kind, Node, Step};
use crate::emit::reads_as_text;
use crate::mark::Mark;
use crate::number::float_g;
use crate::resolve::Scalar;
use crate::scan::ScalarStyle;

/// What a new scalar stands in.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    Block,
    Flow,
}

/// A text's lines and their ends.
pub(super) struct Layout<'t> {
    text: &'t str,
    line_end: &'static str,
}

impl<'t> Layout<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let line_end = match text.find('\n') {
            Some(at) if text[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        };
        Self { text, line_end }
    }

    /// A scalar without its anchor and tag.
    pub(super) fn content(&self, node: Node<'_>) -> Range<usize> {
        let span = node.span().range();
        let mut start = span.start;
        let properties = usize::from(node.anchor().is_some()) + usize::from(node.tag().is_some());
        for _ in 0..properties {
            let rest = &self.text[start..span.end];
            let word = rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len());
            let blank = rest[word..].find(|c: char| !c.is_whitespace()).unwrap_or(rest.len() - word);
            start += word + blank;
        }
        start..span.end
    }

    /// Whether a node stands inside of brackets or braces.
    pub(super) fn is_in_flow(&self, document: &Document<'_>, node: Node<'_>) -> bool {
        let inside = |outer: Node<'_>| {
            let range = outer.span().range();
            outer.id() != node.id()
                && range.start <= node.span().start.offset()
                && node.span().end.offset() <= range.end
        };
        document.nodes().any(|outer| {
            matches!(outer.kind(), Kind::Sequence(CollectionStyle::Flow) | Kind::Mapping(CollectionStyle::Flow))
                && inside(outer)
        })
    }

    /// The text with lines at its end.
    pub(super) fn append_lines(&self, lines: &str) -> String {
        let is_begun = !self.text.trim_start_matches('\u{feff}').is_empty() && !self.text.ends_with('\n');
        let join = if is_begun { self.line_end } else { "" };
        format!("{}{join}{lines}{}", self.text, self.line_end)
    }

    /// The text with lines behind the line on which something ends.
    pub(super) fn insert_lines(&self, behind: Mark, lines: &str) -> String {
        let from = behind.offset();
        let at = self.text[from..].find('\n').map_or(self.text.len(), |end| from + end);
        let at = if self.text[..at].ends_with('\r') && at < self.text.len() { at - 1 } else { at };
        let before = &self.text[..at];
        // An empty document has no line to stand behind.
        let join = if before.trim_start_matches('\u{feff}').is_empty() { "" } else { self.line_end };
        let after = &self.text[at..];
        let end = if join.is_empty() && after.is_empty() { self.line_end } else { "" };
        format!("{before}{join}{lines}{end}{after}")
    }

    /// The text with an entry or item at the end of a flow collection.
    pub(super) fn insert_flow(&self, collection: Node<'_>, entry: &str) -> String {
        let last = match collection.kind() {
            Kind::Mapping(_) => collection.entries().last().map(|(key, value)| value.span().end.max(key.span().end)),
            _ => collection.items().last().map(|item| item.span().end),
        };
        let (at, comma) = match last {
            Some(end) => (end.offset(), ", "),
            None => (collection.span().end.offset() - 1, ""),
        };
        format!("{}{comma}{entry}{}", &self.text[..at], &self.text[at..])
    }

    /// `a:` and below it `b: value`, indented from a column on.
    pub(super) fn block_entry(&self, keys: &[&str], value: &Scalar<'_>, column: usize) -> String {
        let mut out = String::new();
        for (depth, key) in keys.iter().enumerate() {
            if depth > 0 {
                out.push_str(self.line_end);
            }
            out.push_str(&" ".repeat(column + 2 * depth));
            out.push_str(&write(&Scalar::Str((*key).into()), None, Place::Block));
            out.push(':');
        }
        out.push(' ');
        out.push_str(&write(value, None, Place::Block));
        out
    }

    /// The column at which entries below a path would stand: two further in than its last key.
    pub(super) fn child_column(&self, document: &Document<'_>, path: &[Step<'_>]) -> usize {
        let Some((last, above)) = path.split_last() else { return 0 };
        let parent = document.at(above);
        let column = match (*last, parent) {
            (Step::Key(key), Some(parent)) => parent.get_entry(key).map(|(key, _)| key.span().start.column() - 1),
            (Step::Index(index), Some(parent)) => parent.items().nth(index).and_then(|item| self.dash_column(item)),
            _ => None,
        };
        column.map_or(0, |column| column + 2)
    }

    /// The column of the `-` before an item.
    pub(super) fn dash_column(&self, item: Node<'_>) -> Option<usize> {
        let before = self.text[..item.span().start.offset()].trim_end_matches([' ', '\t', '\r', '\n']);
        let dash = before.strip_suffix('-')?;
        let line = dash.rfind('\n').map_or(0, |at| at + 1);
        let indent = dash[line..].trim_start_matches('\u{feff}');
        indent.bytes().all(|byte| byte == b' ').then_some(indent.len())
    }

    /// All lines of an entry or item; `None` if it shares a line with something else.
    pub(super) fn line_range(&self, first: Node<'_>, value: Node<'_>) -> Option<Range<usize>> {
        let from = first.span().start.offset();
        let line = self.text[..from].rfind('\n').map_or(0, |at| at + 1);
        let before = self.text[line..from].trim_start_matches('\u{feff}');
        let alone = if first.id() == value.id() { before.trim() == "-" } else { before.trim().is_empty() };
        if !alone {
            return None;
        }
        let bom = self.text[line..from].len() - before.len();
        let to = value.span().end.max(first.span().end).offset();
        let end = self.text[to..].find('\n').map_or(self.text.len(), |at| to + at + 1);
        Some(line + bom..end)
    }

    /// An entry or item of a flow collection, with one of the commas beside it.
    pub(super) fn flow_range(&self, children: &[(Node<'_>, Node<'_>)], index: usize) -> Range<usize> {
        let end = |at: usize| children[at].1.span().end.max(children[at].0.span().end).offset();
        let start = children[index].0.span().start.offset();
        match (children.get(index + 1), index.checked_sub(1)) {
            (Some(next), _) => start..next.0.span().start.offset(),
            (None, Some(before)) => end(before)..end(index),
            (None, None) => start..end(index),
        }
    }
}

/// `a: {b: value}` without the braces around all of it.
pub(super) fn flow_entry(keys: &[&str], value: &Scalar<'_>) -> String {
    let key = |key: &str| write(&Scalar::Str(key.to_owned().into()), None, Place::Flow);
    let mut out = write(value, None, Place::Flow);
    for (depth, name) in keys.iter().rev().enumerate() {
        out = if depth > 0 { format!("{}: {{{out}}}", key(name)) } else { format!("{}: {out}", key(name)) };
    }
    out
}

/// A scalar's text, in the style of what it replaces if that fits.
pub(super) fn write(value: &Scalar<'_>, style: Option<ScalarStyle>, place: Place) -> String {
    let text = match value {
        Scalar::Null => return "null".to_owned(),
        Scalar::Bool(value) => return value.to_string(),
        Scalar::Int(value) => return value.to_string(),
        Scalar::Uint(value) => return value.to_string(),
        Scalar::Float(value) => {
            return match &*float_g(*value) {
                "+Inf" => ".inf".to_owned(),
                "-Inf" => "-.inf".to_owned(),
                "NaN" => ".nan".to_owned(),
                // Without a point or an exponent it would be read as a whole number.
                text if text.bytes().all(|b| b.is_ascii_digit() || b == b'-') => format!("{text}.0"),
                text => text.to_owned(),
            };
        }
        Scalar::Str(text) => text,
    };
    let printable = text.chars().all(|c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'));
    match style {
        Some(ScalarStyle::DoubleQuoted) => double_quoted(text),
        _ if !printable => double_quoted(text),
        Some(ScalarStyle::SingleQuoted) => format!("'{}'", text.replace('\'', "''")),
        _ if is_plainly_text(text, place) => text.clone().into_owned(),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// Whether no reader can take a text for anything but itself.
fn is_plainly_text(text: &str, place: Place) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-');
    let inner = |c: char| word(c) || (place == Place::Block && matches!(c, ':' | '@' | '+' | '='));
    (text.starts_with(|c: char| c.is_ascii_alphabetic()) || begins_as_version(text))
        && text.ends_with(word)
        && text.chars().all(inner)
        && reads_as_text(text)
}

/// Whether a text begins with three numbers, as versions do: no reader has a number with two points.
fn begins_as_version(text: &str) -> bool {
    let numbers = text.split('-').next().unwrap_or(text);
    let parts: Vec<&str> = numbers.split('.').collect();
    parts.len() >= 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() && (c as u32) < 0x100 => out.push_str(&format!("\\x{:02X}", c as u32)),
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04X}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A path as people write it: `a.b[0]`.
pub(super) fn show(path: &[Step<'_>]) -> String {
    let mut out = String::new();
    for step in path {
        match step {
            Step::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}
