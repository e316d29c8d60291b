//! Origins through texts, for traced executions: which bytes of what `toYaml` writes are made of which value, and which
//! value of what `fromYaml` reads is made of which bytes. JSON is read as the YAML that it is.

use std::ops::Range;

use landfall_gotemplate::{CallCtx, Data, List, Map, Origin, Str, Value};
use landfall_yaml::{Document, Kind, Node};

/// Deeper, nobody looks.
const MAX_DEPTH: usize = 200;

/// A text written out of a value.
pub(crate) fn written(ctx: &mut CallCtx<'_>, value: &Value, text: impl Into<Str>) -> Value {
    let text = text.into();
    if !ctx.is_traced() {
        return Value::from(text);
    }
    let mut parts = Vec::new();
    if let Some(document) = read_again(&text) {
        write_parts(ctx, document.root(), value, 0, &mut parts);
    }
    if parts.is_empty() {
        return Value::from(text);
    }
    parts.sort_by_key(|(bytes, _)| bytes.start);
    let origin = ctx.written_origin(&text, &parts, value);
    Value::from(text).with_origin(origin)
}

fn read_again(text: &[u8]) -> Option<Document<'_>> {
    landfall_yaml::parse_first(std::str::from_utf8(text).ok()?).ok()?
}

type Parts = Vec<(Range<usize>, Origin)>;

fn write_parts(ctx: &mut CallCtx<'_>, node: Node<'_>, value: &Value, depth: usize, parts: &mut Parts) {
    match (node.kind(), value.data()) {
        (Kind::Mapping(_), Data::Map(map)) if depth < MAX_DEPTH => {
            for (key, below) in node.entries() {
                let name = Str::from(key.text().unwrap_or_default());
                let Some(entry) = map.get(&name) else { continue };
                let origin = ctx.entry_origin(map, &name, value.origin(), &entry);
                let entry = entry.with_origin(origin);
                parts.push((key.span().range(), ctx.key_origin(&entry)));
                write_parts(ctx, below, &entry, depth + 1, parts);
            }
            if map.is_empty() {
                parts.push((node.span().range(), value.origin()));
            }
        }
        (Kind::Sequence(_), Data::List(list)) if depth < MAX_DEPTH => {
            for (below, item) in node.items().zip(list.values()) {
                let origin = ctx.item_origin(value, item);
                write_parts(ctx, below, &item.clone().with_origin(origin), depth + 1, parts);
            }
            if list.is_empty() {
                parts.push((node.span().range(), value.origin()));
            }
        }
        _ => parts.push((node.span().range(), value.origin())),
    }
}

/// A value read out of a text.
pub(crate) fn read(ctx: &mut CallCtx<'_>, text: &Value, value: Value) -> Value {
    if !ctx.is_traced() || text.origin() == Origin::NONE {
        return value;
    }
    let Some(bytes) = text.as_str() else { return value };
    match read_again(bytes) {
        Some(document) => read_node(ctx, document.root(), (bytes, text.origin()), &value, 0),
        None => value,
    }
}

fn read_node(ctx: &mut CallCtx<'_>, node: Node<'_>, text: (&Str, Origin), value: &Value, depth: usize) -> Value {
    let node = node.target();
    let range = node.span().range();
    match (node.kind(), value.data()) {
        (Kind::Mapping(_), Data::Map(map)) if depth < MAX_DEPTH => {
            let entries = map.entries().into_iter().map(|(name, entry)| {
                let read = match node.get_entry(&name.to_string_lossy()) {
                    Some((key, below)) => {
                        let entry = read_node(ctx, below, text, &entry, depth + 1);
                        let key = ctx.stretch_origin(text.0, text.1, key.span().range());
                        ctx.decided_origin(entry, key)
                    }
                    // Merged in from elsewhere in the text.
                    None => entry.with_origin(text.1),
                };
                (name, read)
            });
            let map: Map = entries.collect();
            let decided = ctx.decisions_in(text.0, text.1, range);
            Value::from(map).with_origin(known(decided))
        }
        (Kind::Sequence(_), Data::List(list)) if depth < MAX_DEPTH => {
            let items = node.items().zip(list.values());
            let items = items.map(|(below, item)| read_node(ctx, below, text, item, depth + 1)).collect();
            let decided = ctx.decisions_in(text.0, text.1, range);
            Value::from(List::of(list.element(), items)).with_origin(known(decided))
        }
        _ => {
            let origin = ctx.stretch_origin(text.0, text.1, range);
            value.clone().with_origin(origin)
        }
    }
}

/// A collection that nothing decided about is the reader's own, not made of the whole text.
fn known(decided: Origin) -> Origin {
    if decided == Origin::NONE { Origin::MADE } else { decided }
}
