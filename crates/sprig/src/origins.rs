//! Origins through texts, for traced executions: which bytes of what `toYaml` writes are made of which value, and which
//! value of what `fromYaml` reads is made of which bytes. JSON is read as the YAML that it is.

use std::ops::Range;

use landfall_gotemplate::{Beside, CallCtx, Data, List, Map, Origin, Str, Value};
use landfall_yaml::{Document, Kind, Node, ScalarStyle};

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
                parts.push((node.span().range(), ctx.collection_origin(value)));
            }
        }
        (Kind::Sequence(_), Data::List(list)) if depth < MAX_DEPTH => {
            for (below, item) in node.items().zip(list.values()) {
                let origin = ctx.item_origin(value, item);
                write_parts(ctx, below, &item.clone().with_origin(origin), depth + 1, parts);
            }
            if list.is_empty() {
                parts.push((node.span().range(), ctx.collection_origin(value)));
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
        Some(document) => {
            let origin = ctx.written_again(bytes, text.origin());
            Reading { text: bytes, origin }.node(ctx, document.root(), 0..bytes.len(), &value, 0)
        }
        None => value,
    }
}

/// A text that values are read out of.
#[derive(Clone, Copy)]
struct Reading<'t> {
    text: &'t Str,
    origin: Origin,
}

impl Reading<'_> {
    /// A value that was read; `room` is where it and all that could stand beside it has its place: from behind its key,
    /// or from its first byte in a list, to what follows.
    fn node(&self, ctx: &mut CallCtx<'_>, node: Node<'_>, room: Range<usize>, value: &Value, depth: usize) -> Value {
        let node = node.target();
        let own = node.span().range();
        // What an alias stands for is written elsewhere.
        let room = if room.start <= own.start && own.end <= room.end { room } else { own.clone() };
        match (node.kind(), value.data()) {
            (Kind::Mapping(_), Data::Map(map)) if depth < MAX_DEPTH => self.table(ctx, node, room, map, depth),
            (Kind::Sequence(_), Data::List(list)) if depth < MAX_DEPTH => self.list(ctx, node, room, list, depth),
            (kind, _) => {
                let takes_lines = match kind {
                    Kind::Scalar(style) => {
                        own.is_empty() || matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
                    }
                    _ => true,
                };
                let beside = if takes_lines {
                    Beside::Lines(room)
                } else {
                    let rest = self.text.as_bytes().get(own.end..room.end).unwrap_or_default();
                    let line = rest.iter().position(|byte| *byte == b'\n').map_or(room.end, |at| own.end + at);
                    Beside::Line(room.start..line)
                };
                let origin = ctx.stretch_origin(self.text, self.origin, own, &beside);
                value.clone().with_origin(origin)
            }
        }
    }

    /// A table: each entry is its own, and what decided about all of them decides which there are.
    fn table(&self, ctx: &mut CallCtx<'_>, node: Node<'_>, room: Range<usize>, map: &Map, depth: usize) -> Value {
        let mut starts: Vec<usize> = node.entries().map(|(key, _)| key.span().range().start).collect();
        starts.sort_unstable();
        let next = |start: usize| {
            let after = starts.partition_point(|known| *known <= start);
            starts.get(after).copied().unwrap_or(room.end)
        };
        let entries = map.entries().into_iter().map(|(name, entry)| {
            let read = match node.get_entry(&name.to_string_lossy()) {
                Some((key, below)) => {
                    let key = key.span().range();
                    let entry = self.node(ctx, below, key.end..next(key.start), &entry, depth + 1);
                    let key = ctx.stretch_origin(self.text, self.origin, key, &Beside::Nothing);
                    ctx.decided_origin(entry, key)
                }
                // Merged in from elsewhere in the text.
                None => entry.with_origin(self.origin),
            };
            (name, read)
        });
        let map: Map = entries.collect();
        let chosen = ctx.decisions_in(self.text, self.origin, room);
        Value::from(map).with_origin(ctx.members_origin(chosen))
    }

    /// A list: what stands in front of an item decides at which place it is.
    fn list(&self, ctx: &mut CallCtx<'_>, node: Node<'_>, room: Range<usize>, list: &List, depth: usize) -> Value {
        let starts: Vec<usize> = node.items().map(|item| item.span().range().start).collect();
        let mut front = Origin::NONE;
        let mut at = room.start;
        let mut items = Vec::new();
        for (index, (below, item)) in node.items().zip(list.values()).enumerate() {
            let start = starts[index].max(at);
            let before = ctx.decisions_in(self.text, self.origin, at..start);
            front = ctx.also_decided(front, before);
            at = start;
            let end = starts.get(index + 1).map_or(room.end, |next| (*next).max(start));
            let item = self.node(ctx, below, start..end, item, depth + 1);
            items.push(ctx.decided_origin(item, front));
        }
        let chosen = ctx.decisions_in(self.text, self.origin, room);
        Value::from(list.like(items)).with_origin(ctx.members_origin(chosen))
    }
}
