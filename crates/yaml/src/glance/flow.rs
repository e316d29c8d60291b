//! Flow collections on one line.

use std::borrow::Cow;

use super::lines::{Lines, WORD};
use super::{Gather, KEY, Look, Pick, is_plain_key};

/// Deepest nesting that is looked at.
const DEPTH: usize = 20;

impl<G: Gather> Look<'_, '_, G> {
    /// A collection that begins here and ends on this line; the place is then behind its bracket.
    pub(super) fn flow(&mut self, wanted: Pick, depth: usize) -> Option<G::Value> {
        if depth > DEPTH {
            return None;
        }
        let is_mapping = self.lines.byte() == Some(b'{');
        let close = if is_mapping { b'}' } else { b']' };
        self.lines.pass(1);
        self.lines.skip_spaces();
        let mut entries = G::Map::default();
        let mut items = Vec::new();
        if self.lines.byte() == Some(close) {
            self.lines.pass(1);
        } else {
            loop {
                self.count(if is_mapping { 2 } else { 1 })?;
                let (key, pick) = if is_mapping {
                    let key = key(&mut self.lines)?;
                    (key, wanted.entry(key))
                } else {
                    ("", if wanted.is_nothing() { Pick::Nothing } else { Pick::Whole })
                };
                let value = self.flow_value(pick, depth)?;
                if !pick.is_nothing() {
                    if is_mapping {
                        self.gather.insert(&mut entries, key, value);
                    } else {
                        items.push(value);
                    }
                }
                self.lines.skip_spaces();
                let byte = self.lines.byte()?;
                self.lines.pass(1);
                if byte == close {
                    break;
                }
                if byte != b',' {
                    return None;
                }
                self.lines.skip_spaces();
            }
        }
        Some(if is_mapping { self.gather.mapping(entries) } else { self.gather.sequence(items) })
    }

    fn flow_value(&mut self, wanted: Pick, depth: usize) -> Option<G::Value> {
        match self.lines.byte()? {
            b'[' | b'{' => self.flow(wanted, depth + 1),
            b'"' | b'\'' => {
                let text = self.lines.quoted(!wanted.is_nothing())?;
                self.text(Cow::Borrowed(text), wanted)
            }
            _ => {
                let text = word(&mut self.lines, Place::Value)?;
                self.scalar(text, wanted)
            }
        }
    }
}

/// A key with its `:` and the spaces behind it.
fn key<'t>(lines: &mut Lines<'t>) -> Option<&'t str> {
    let quoted = matches!(lines.byte()?, b'"' | b'\'');
    let key = if quoted { lines.quoted(true)? } else { word(lines, Place::Key).filter(|key| is_plain_key(key))? };
    if key.len() > KEY || lines.byte() != Some(b':') {
        return None;
    }
    lines.pass(1);
    // A plain key's `:` would belong to it without a space behind.
    if !quoted && lines.byte() != Some(b' ') {
        return None;
    }
    lines.skip_spaces();
    Some(key)
}

/// What a plain scalar is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Key,
    Value,
}

/// A plain scalar of nothing but letters, digits, `_./-`, and in a value `=`, with something behind it that cannot be
/// part of it.
fn word<'t>(lines: &mut Lines<'t>, place: Place) -> Option<&'t str> {
    let start = lines.place();
    let is_value = place == Place::Value;
    let first = lines.byte()?;
    if !WORD[first as usize] || first == b'.' || (first == b'-' && !is_value) {
        return None;
    }
    lines.pass(1);
    if first == b'-' && !lines.byte().is_some_and(|next| WORD[next as usize]) {
        return None;
    }
    while lines.byte().is_some_and(|byte| WORD[byte as usize] || (byte == b'=' && is_value)) {
        lines.pass(1);
    }
    // `a b` and `a:b` are scalars as well; they are left to others.
    match lines.byte()? {
        b',' | b']' | b'}' | b':' => {}
        b' ' => {
            let text = lines.slice_from(start);
            let before = lines.place();
            lines.skip_spaces();
            let alone = matches!(lines.byte()?, b',' | b']' | b'}');
            return (alone && lines.place() > before).then_some(text);
        }
        _ => return None,
    }
    Some(lines.slice_from(start))
}
