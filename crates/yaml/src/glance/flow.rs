//! Flow collections on one line.

use serde_json::{Map, Value};

use super::lines::{Lines, WORD};
use super::{KEY, Pick, is_plain_key, scalar};

/// Deepest nesting that is looked at.
const DEPTH: usize = 20;

/// A collection that begins here and ends on this line; the place is then behind its bracket.
pub(super) fn collection(lines: &mut Lines<'_>, wanted: Pick, depth: usize) -> Option<Value> {
    if depth > DEPTH {
        return None;
    }
    let is_mapping = lines.byte() == Some(b'{');
    let close = if is_mapping { b'}' } else { b']' };
    lines.pass(1);
    lines.skip_spaces();
    let mut entries = Map::new();
    let mut items = Vec::new();
    if lines.byte() == Some(close) {
        lines.pass(1);
    } else {
        loop {
            let (key, pick) = if is_mapping {
                let key = key(lines)?;
                (key, wanted.entry(key))
            } else {
                ("", if wanted.is_nothing() { Pick::Nothing } else { Pick::Whole })
            };
            let value = value(lines, pick, depth)?;
            if !pick.is_nothing() {
                if is_mapping {
                    entries.insert(key.to_owned(), value);
                } else {
                    items.push(value);
                }
            }
            lines.skip_spaces();
            let byte = lines.byte()?;
            lines.pass(1);
            if byte == close {
                break;
            }
            if byte != b',' {
                return None;
            }
            lines.skip_spaces();
        }
    }
    Some(if is_mapping { Value::Object(entries) } else { Value::Array(items) })
}

/// A key with its `:` and the spaces behind it.
fn key<'t>(lines: &mut Lines<'t>) -> Option<&'t str> {
    let quoted = matches!(lines.byte()?, b'"' | b'\'');
    let key = if quoted { lines.quoted(true)? } else { word(lines).filter(|key| is_plain_key(key))? };
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

fn value(lines: &mut Lines<'_>, wanted: Pick, depth: usize) -> Option<Value> {
    match lines.byte()? {
        b'[' | b'{' => collection(lines, wanted, depth + 1),
        b'"' | b'\'' => {
            let text = lines.quoted(!wanted.is_nothing())?;
            Some(if wanted.is_nothing() { Value::Null } else { Value::String(text.to_owned()) })
        }
        _ => {
            let text = word(lines)?;
            scalar(text, wanted)
        }
    }
}

/// A plain scalar of nothing but letters, digits and `_./-`, with something behind it that cannot be part of it.
fn word<'t>(lines: &mut Lines<'t>) -> Option<&'t str> {
    let start = lines.place();
    let first = lines.byte()?;
    if !WORD[first as usize] || matches!(first, b'-' | b'.') {
        return None;
    }
    while lines.byte().is_some_and(|byte| WORD[byte as usize]) {
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
