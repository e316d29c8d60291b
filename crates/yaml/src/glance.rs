//! A quick look at a plain document: a few of its values, and that all the rest is well formed.
//!
//! Nearly every manifest is made of a small part of YAML: block mappings and sequences, scalars on one line, block
//! scalars, small flow collections. For that part, reading a document without building it takes a fraction of the
//! time. Whatever is not plainly of that part (anchors, tags, escapes, scalars over several lines, tabs, errors) is
//! left to the real reader: [`glance`] gives `None`, never a guess. That both agree is checked by
//! `tests/it/glance.rs` on documents changed at random.

mod flow;
mod lines;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::document::MAX_NODES;
use crate::json::json_number;
use crate::resolve::{Resolved, Scalar, resolve};
use lines::Lines;

/// Makes values of some kind out of what a quick look reads.
///
/// As [`Build`](crate::Build) for those who need no places.
pub trait Gather {
    /// A value.
    type Value;
    /// A mapping that is being filled.
    type Map: Default;

    /// A scalar; `None` for one that is better left to the real reader.
    fn scalar(&mut self, scalar: Scalar<'_>) -> Option<Self::Value>;

    /// A sequence.
    fn sequence(&mut self, items: Vec<Self::Value>) -> Self::Value;

    /// Sets a key, replacing the value that it may have.
    fn insert(&mut self, map: &mut Self::Map, key: &str, value: Self::Value);

    /// A mapping, filled.
    fn mapping(&mut self, map: Self::Map) -> Self::Value;
}

/// As JSON.
struct Json;

impl Gather for Json {
    type Value = Value;
    type Map = Map<String, Value>;

    fn scalar(&mut self, scalar: Scalar<'_>) -> Option<Value> {
        Some(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(truth) => Value::Bool(truth),
            Scalar::Int(number) => number.into(),
            Scalar::Uint(number) => number.into(),
            Scalar::Float(number) => Value::Number(json_number(number)?),
            Scalar::Str(text) => Value::String(text.into_owned()),
        })
    }

    fn sequence(&mut self, items: Vec<Value>) -> Value {
        Value::Array(items)
    }

    fn insert(&mut self, map: &mut Self::Map, key: &str, value: Value) {
        map.insert(key.to_owned(), value);
    }

    fn mapping(&mut self, map: Self::Map) -> Value {
        Value::Object(map)
    }
}

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
    look_at(text, wanted, &mut Json)
}

/// The first document of a text, when a quick look can read it; `None` where that is better left to
/// [`construct`](crate::construct), whatever the reason.
pub fn gather<G: Gather>(text: &str, gather: &mut G) -> Option<G::Value> {
    look_at(text, Pick::Whole, gather)
}

fn look_at<G: Gather>(text: &str, wanted: Pick, gather: &mut G) -> Option<G::Value> {
    let mut look = Look { lines: Lines::new(text)?, gather, depth: 0, left: MAX_NODES - 1 };
    let Some(column) = look.lines.column() else { return look.gather.scalar(Scalar::Null) };
    let value = look.node(column, wanted)?;
    look.lines.column().is_none().then_some(value)
}

struct Look<'t, 'g, G> {
    lines: Lines<'t>,
    gather: &'g mut G,
    depth: usize,
    /// Values that may still come.
    left: usize,
}

/// What stands behind a `:` or `-`.
enum Inline<V> {
    /// A value, read to the end of its line.
    Value(V),
    /// Nothing: it may follow on the next lines.
    Nothing,
}

impl<G: Gather> Look<'_, '_, G> {
    /// A collection that begins here, at this column.
    fn node(&mut self, column: usize, wanted: Pick) -> Option<G::Value> {
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let value = if self.lines.at_dash() { self.sequence(column, wanted)? } else { self.mapping(column, wanted)? };
        self.depth -= 1;
        Some(value)
    }

    /// A mapping whose first key stands here.
    fn mapping(&mut self, column: usize, wanted: Pick) -> Option<G::Value> {
        let mut entries = G::Map::default();
        loop {
            let key = self.lines.key()?;
            self.count(2)?;
            let pick = wanted.entry(key);
            let value = match self.inline(column, pick)? {
                Inline::Value(value) => value,
                Inline::Nothing => match self.lines.column() {
                    Some(next) if next > column => self.node(next, pick)?,
                    Some(next) if next == column && self.lines.at_dash() => self.node(next, pick)?,
                    _ => self.gather.scalar(Scalar::Null)?,
                },
            };
            if !pick.is_nothing() {
                self.gather.insert(&mut entries, key, value);
            }
            match self.lines.column() {
                Some(next) if next == column && !self.lines.at_dash() => {}
                Some(next) if next >= column => return None,
                _ => return Some(self.gather.mapping(entries)),
            }
        }
    }

    /// A sequence whose first `-` stands here.
    fn sequence(&mut self, column: usize, wanted: Pick) -> Option<G::Value> {
        let pick = if wanted.is_nothing() { Pick::Nothing } else { Pick::Whole };
        let mut items = Vec::new();
        loop {
            self.count(1)?;
            let inner = column + self.lines.dash();
            let value = if self.lines.at_dash() || self.lines.at_key() {
                self.node(inner, pick)?
            } else {
                match self.inline(column, pick)? {
                    Inline::Value(value) => value,
                    Inline::Nothing => match self.lines.column() {
                        Some(next) if next > column => self.node(next, pick)?,
                        _ => self.gather.scalar(Scalar::Null)?,
                    },
                }
            };
            if !pick.is_nothing() {
                items.push(value);
            }
            match self.lines.column() {
                Some(next) if next == column && self.lines.at_dash() => {}
                Some(next) if next > column => return None,
                _ => return Some(self.gather.sequence(items)),
            }
        }
    }

    /// What stands on the rest of the line, of a collection at this column.
    fn inline(&mut self, column: usize, wanted: Pick) -> Option<Inline<G::Value>> {
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
                let text = self.lines.block_scalar(column, !wanted.is_nothing())?;
                return self.text(Cow::Owned(text), wanted).map(Inline::Value);
            }
            Some(b'"' | b'\'') => {
                let text = self.lines.quoted(!wanted.is_nothing())?;
                self.text(Cow::Borrowed(text), wanted)?
            }
            Some(b'[' | b'{') => self.flow(wanted, 0)?,
            Some(_) => {
                let text = self.lines.plain()?;
                let value = self.scalar(text, wanted)?;
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

    /// Counts nodes as the real reader does; what has too many is refused there.
    fn count(&mut self, nodes: usize) -> Option<()> {
        self.left = self.left.checked_sub(nodes)?;
        Some(())
    }

    /// A text that can be nothing else.
    fn text(&mut self, text: Cow<'_, str>, wanted: Pick) -> Option<G::Value> {
        self.gather.scalar(if wanted.is_nothing() { Scalar::Null } else { Scalar::Str(text) })
    }

    /// A plain scalar's value; what has no JSON form is not for a quick look.
    fn scalar(&mut self, text: &str, wanted: Pick) -> Option<G::Value> {
        if wanted.is_nothing() {
            // Only `.inf` and `.nan` have none, and both have a dot in front.
            let odd = text.trim_start_matches(['+', '-']).starts_with('.');
            if odd && !matches!(resolve(text), Resolved::Str) {
                return None;
            }
            return self.gather.scalar(Scalar::Null);
        }
        self.gather.scalar(match resolve(text) {
            Resolved::Null => Scalar::Null,
            Resolved::Bool(truth) => Scalar::Bool(truth),
            Resolved::Int(number) => Scalar::Int(number),
            Resolved::Uint(number) => Scalar::Uint(number),
            Resolved::Float(number) => Scalar::Float(number),
            Resolved::Timestamp | Resolved::Str => Scalar::Str(Cow::Borrowed(text)),
        })
    }
}

/// Whether a plain key is the string that it looks like.
fn is_plain_key(text: &str) -> bool {
    if text.len() < 19 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text == "0" || !text.starts_with('0');
    }
    matches!(resolve(text), Resolved::Str)
}
