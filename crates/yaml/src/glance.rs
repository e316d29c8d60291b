//! A quick look at a plain document: a few of its values, and that all the rest is well formed.
//!
//! Nearly every manifest is made of a small part of YAML: block mappings and sequences, scalars on one line, block
//! scalars, small flow collections. For that part, reading a document without building it takes a fraction of the
//! time. Whatever is not plainly of that part (anchors, tags, escapes, scalars over several lines, tabs, errors) is
//! left to the real reader: [`glance`] gives `None`, never a guess. That both agree is checked by
//! `tests/it/glance.rs` on documents changed at random.

mod flow;
mod lines;

use serde_json::{Map, Value};

use crate::json::json_number;
use crate::resolve::{Resolved, resolve};
use lines::Lines;

/// What of a document is wanted.
#[derive(Debug, Clone, Copy)]
pub enum Pick {
    /// All of it.
    Whole,
    /// Of a mapping, the entries of these names in whatever case; anything else whole.
    Entries(&'static [(&'static str, Pick)]),
    /// That it is well formed.
    Nothing,
}

impl Pick {
    fn entry(self, key: &str) -> Pick {
        match self {
            Pick::Entries(names) => {
                names.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map_or(Pick::Nothing, |(_, pick)| *pick)
            }
            other => other,
        }
    }

    fn is_nothing(self) -> bool {
        matches!(self, Pick::Nothing)
    }
}

/// Deepest nesting that is looked at.
const DEPTH: usize = 100;

/// Longest key; far from where the scanner gives a key up.
const KEY: usize = 512;

/// What [`to_json`](crate::to_json) would give of the first document of a text, with only the wanted entries in it;
/// `None` where that is better found out by `to_json` itself, whatever the reason.
pub fn glance(text: &str, wanted: Pick) -> Option<Value> {
    let mut look = Look { lines: Lines::new(text)?, depth: 0 };
    let Some(column) = look.lines.column() else { return Some(Value::Null) };
    let value = look.node(column, wanted)?;
    look.lines.column().is_none().then_some(value)
}

struct Look<'t> {
    lines: Lines<'t>,
    depth: usize,
}

/// What stands behind a `:` or `-`.
enum Inline {
    /// A value, read to the end of its line.
    Value(Value),
    /// Nothing: it may follow on the next lines.
    Nothing,
}

impl Look<'_> {
    /// A collection that begins here, at this column.
    fn node(&mut self, column: usize, wanted: Pick) -> Option<Value> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let value = if self.lines.at_dash() { self.sequence(column, wanted)? } else { self.mapping(column, wanted)? };
        self.depth -= 1;
        Some(value)
    }

    /// A mapping whose first key stands here.
    fn mapping(&mut self, column: usize, wanted: Pick) -> Option<Value> {
        let mut entries = Map::new();
        loop {
            let key = self.lines.key()?;
            let pick = wanted.entry(key);
            let value = match self.inline(column, pick)? {
                Inline::Value(value) => value,
                Inline::Nothing => match self.lines.column() {
                    Some(next) if next > column => self.node(next, pick)?,
                    Some(next) if next == column && self.lines.at_dash() => self.node(next, pick)?,
                    _ => Value::Null,
                },
            };
            if !pick.is_nothing() {
                entries.insert(key.to_owned(), value);
            }
            match self.lines.column() {
                Some(next) if next == column && !self.lines.at_dash() => {}
                Some(next) if next >= column => return None,
                _ => return Some(Value::Object(entries)),
            }
        }
    }

    /// A sequence whose first `-` stands here.
    fn sequence(&mut self, column: usize, wanted: Pick) -> Option<Value> {
        let pick = if wanted.is_nothing() { Pick::Nothing } else { Pick::Whole };
        let mut items = Vec::new();
        loop {
            let inner = column + self.lines.dash();
            let value = if self.lines.at_dash() || self.lines.at_key() {
                self.node(inner, pick)?
            } else {
                match self.inline(column, pick)? {
                    Inline::Value(value) => value,
                    Inline::Nothing => match self.lines.column() {
                        Some(next) if next > column => self.node(next, pick)?,
                        _ => Value::Null,
                    },
                }
            };
            if !pick.is_nothing() {
                items.push(value);
            }
            match self.lines.column() {
                Some(next) if next == column && self.lines.at_dash() => {}
                Some(next) if next > column => return None,
                _ => return Some(Value::Array(items)),
            }
        }
    }

    /// What stands on the rest of the line, of a collection at this column.
    fn inline(&mut self, column: usize, wanted: Pick) -> Option<Inline> {
        let value = match self.lines.byte() {
            None | Some(b'\n') => {
                self.lines.next_line();
                return Some(Inline::Nothing);
            }
            // The blank in front of it is passed.
            Some(b'#') => {
                self.lines.next_line();
                return Some(Inline::Nothing);
            }
            Some(b'|' | b'>') => {
                self.lines.block_scalar(column)?;
                // A text over several lines is seldom wanted.
                return wanted.is_nothing().then_some(Inline::Value(Value::Null));
            }
            Some(b'"' | b'\'') => {
                let text = self.lines.quoted(!wanted.is_nothing())?;
                if wanted.is_nothing() { Value::Null } else { Value::String(text.to_owned()) }
            }
            Some(b'[' | b'{') => flow::collection(&mut self.lines, wanted, 0)?,
            Some(_) => {
                let value = scalar(self.lines.plain()?, wanted)?;
                // A deeper line would belong to the scalar.
                if self.lines.column().is_some_and(|next| next > column) {
                    return None;
                }
                return Some(Inline::Value(value));
            }
        };
        self.lines.end_of_value()?;
        Some(Inline::Value(value))
    }
}

/// A plain scalar's value; what has no JSON form is not for a quick look.
fn scalar(text: &str, wanted: Pick) -> Option<Value> {
    if wanted.is_nothing() {
        // Only `.inf` and `.nan` have none, and both have a dot in front.
        let odd = text.trim_start_matches(['+', '-']).starts_with('.');
        return (!odd || matches!(resolve(text), Resolved::Str)).then_some(Value::Null);
    }
    Some(match resolve(text) {
        Resolved::Null => Value::Null,
        Resolved::Bool(truth) => Value::Bool(truth),
        Resolved::Int(number) => number.into(),
        Resolved::Uint(number) => number.into(),
        Resolved::Float(number) => Value::Number(json_number(number)?),
        Resolved::Timestamp | Resolved::Str => Value::String(text.to_owned()),
    })
}

/// Whether a plain key is the string that it looks like.
fn is_plain_key(text: &str) -> bool {
    if text.len() < 19 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text == "0" || !text.starts_with('0');
    }
    matches!(resolve(text), Resolved::Str)
}
