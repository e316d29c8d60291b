//! Protobuf bodies, decoded by the field numbers of the schema tables.

mod write;

use base64::Engine as _;
use serde_json::{Map, Number, Value};

use crate::Gvk;
use crate::schema::{DecodeError, Decoded, Field, Node, Schemas, Shape, Table, Type};
use crate::time::{self, Moment};

/// What a Kubernetes protobuf body begins with.
pub const MAGIC: [u8; 4] = *b"k8s\0";

/// Messages nested deeper than this are refused.
const DEEPEST: usize = 100;

impl Schemas {
    /// Reads a protobuf body: the kind its envelope names and the value, as the typed round trip leaves it.
    ///
    /// Only built-in kinds have field numbers; anything else is [`DecodeError::UnknownKind`].
    pub fn decode_protobuf(&self, body: &[u8]) -> Result<(Gvk, Decoded), DecodeError> {
        let rest = body.strip_prefix(&MAGIC).ok_or_else(|| {
            DecodeError::Protobuf("provided data does not appear to be a protobuf message".to_owned())
        })?;
        let malformed = || DecodeError::Protobuf("the protobuf envelope is malformed".to_owned());
        let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &rest[..0]);
        for field in Fields(rest) {
            let (number, wire) = field.ok_or_else(malformed)?;
            match (number, wire) {
                (1, Wire::Bytes(meta)) => {
                    for field in Fields(meta) {
                        match field.ok_or_else(malformed)? {
                            (1, Wire::Bytes(text)) => api_version = String::from_utf8_lossy(text).into_owned(),
                            (2, Wire::Bytes(text)) => kind = String::from_utf8_lossy(text).into_owned(),
                            _ => {}
                        }
                    }
                }
                (2, Wire::Bytes(bytes)) => raw = bytes,
                _ => {}
            }
        }
        let gvk = Gvk::from_api_version(&api_version, kind.clone());
        let node = self.kind(&gvk).ok_or_else(|| DecodeError::UnknownKind(gvk.clone()))?;
        let mut decoded = decode_message(&node, raw)?;
        if let Value::Object(map) = &mut decoded.value {
            map.insert("apiVersion".into(), api_version.into());
            map.insert("kind".into(), kind.into());
        }
        Ok((gvk, decoded))
    }
}

/// Reads one message as the node's type.
pub(crate) fn decode_message(node: &Node<'_>, raw: &[u8]) -> Result<Decoded, DecodeError> {
    let Some((table, ty)) = node.ty() else {
        return Err(DecodeError::Protobuf("this kind has no protobuf message".to_owned()));
    };
    let mut map = Map::new();
    message(table, ty, 0, raw, 0, &mut map).ok_or_else(|| {
        DecodeError::Protobuf(format!("unable to decode protobuf bytes as {}: malformed message", ty.go_type()))
    })?;
    node.decode(&Value::Object(map))
}

enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

/// The fields of a message in the order they are written; a `None` item is malformed input.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Option<(u64, Wire<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = read_field(&mut self.0);
        if field.is_none() {
            self.0 = &[];
        }
        Some(field)
    }
}

fn read_field<'a>(input: &mut &'a [u8]) -> Option<(u64, Wire<'a>)> {
    let key = varint(input)?;
    let wire = match key & 7 {
        0 => Wire::Varint(varint(input)?),
        1 => Wire::Fixed64(u64::from_le_bytes(take(input, 8)?.try_into().ok()?)),
        2 => {
            let length = usize::try_from(varint(input)?).ok()?;
            Wire::Bytes(take(input, length)?)
        }
        5 => Wire::Fixed32(u32::from_le_bytes(take(input, 4)?.try_into().ok()?)),
        _ => return None,
    };
    (key >> 3 != 0).then_some((key >> 3, wire))
}

fn take<'a>(input: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(taken)
}

fn varint(input: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for (at, byte) in input.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * at as u32)?;
        if byte & 0x80 == 0 {
            *input = &input[at + 1..];
            return Some(value);
        }
    }
    None
}

/// Reads the fields of `ty` whose path begins with `prefix` (the numbers of the inlined messages around them).
fn message(
    table: &Table,
    ty: &Type,
    prefix: u64,
    raw: &[u8],
    depth: usize,
    map: &mut Map<String, Value>,
) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    for field in Fields(raw) {
        let (number, wire) = field?;
        let path = prefix << 16 | number;
        if let Some(field) = ty.fields().iter().find(|field| field.number == path) {
            insert(table, field, wire, depth, map)?;
        } else if let Wire::Bytes(inner) = wire
            && ty.fields().iter().any(|field| field.number >> 16 == path || field.number >> 32 == path)
        {
            message(table, ty, path, inner, depth + 1, map)?;
        }
    }
    Some(())
}

fn insert(table: &Table, field: &Field, wire: Wire<'_>, depth: usize, map: &mut Map<String, Value>) -> Option<()> {
    match &field.shape {
        Shape::List { item, wrapped, .. } => {
            let list = map.entry(&*field.json).or_insert_with(|| Value::Array(Vec::new())).as_array_mut()?;
            list_items(table, item, *wrapped, wire, depth, list)?;
        }
        Shape::Map { item, .. } => {
            let Wire::Bytes(entry) = wire else { return None };
            let (mut key, mut value) = (String::new(), None);
            for part in Fields(entry) {
                match part? {
                    (1, Wire::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
                    (2, wire) => value = Some(map_value(table, item, wire, depth)?),
                    _ => {}
                }
            }
            let values = map.entry(&*field.json).or_insert_with(|| Value::Object(Map::new())).as_object_mut()?;
            values.insert(key, value.unwrap_or(Value::Null));
        }
        shape => {
            let value = single(table, shape, wire, depth)?;
            // A message split over several occurrences is not written by Go; the last one wins.
            map.insert(field.json.to_string(), value);
        }
    }
    Some(())
}

fn list_items(
    table: &Table,
    item: &Shape,
    wrapped: bool,
    wire: Wire<'_>,
    depth: usize,
    list: &mut Vec<Value>,
) -> Option<()> {
    match wire {
        Wire::Bytes(inner) if wrapped => {
            for part in Fields(inner) {
                if let (1, wire) = part? {
                    list.push(single(table, item, wire, depth)?);
                }
            }
        }
        // Packed numbers.
        Wire::Bytes(mut packed) if matches!(item, Shape::Int32 | Shape::Int64 | Shape::Bool) => {
            while !packed.is_empty() {
                let value = varint(&mut packed)?;
                list.push(single(table, item, Wire::Varint(value), depth)?);
            }
        }
        wire => list.push(single(table, item, wire, depth)?),
    }
    Some(())
}

fn map_value(table: &Table, item: &Shape, wire: Wire<'_>, depth: usize) -> Option<Value> {
    if let Shape::List { item, wrapped, .. } = item {
        let mut list = Vec::new();
        list_items(table, item, *wrapped, wire, depth, &mut list)?;
        return Some(Value::Array(list));
    }
    single(table, item, wire, depth)
}

fn single(table: &Table, shape: &Shape, wire: Wire<'_>, depth: usize) -> Option<Value> {
    Some(match (shape, wire) {
        (Shape::Bool, Wire::Varint(value)) => Value::Bool(value != 0),
        (Shape::Int32, Wire::Varint(value)) => Value::from(value as i32),
        (Shape::Int64, Wire::Varint(value)) => Value::from(value as i64),
        (Shape::Float, Wire::Fixed64(bits)) => {
            Number::from_f64(f64::from_bits(bits)).map_or(Value::Null, Value::Number)
        }
        (Shape::Float, Wire::Fixed32(bits)) => {
            Number::from_f64(f64::from(f32::from_bits(bits))).map_or(Value::Null, Value::Number)
        }
        (Shape::Str(_), Wire::Bytes(text)) => text_value(text),
        (Shape::Bytes, Wire::Bytes(bytes)) => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
        (Shape::Quantity, Wire::Bytes(inner)) => first_bytes(inner)?.map_or_else(|| "0".into(), text_value),
        (Shape::IntOrString, Wire::Bytes(inner)) => int_or_string(inner)?,
        (Shape::Time, Wire::Bytes(inner)) => moment(inner, time::seconds_text)?,
        (Shape::MicroTime, Wire::Bytes(inner)) => moment(inner, time::micros_text)?,
        (Shape::Raw | Shape::Any | Shape::FieldsV1, Wire::Bytes(inner)) => match first_bytes(inner)? {
            Some(json) if !json.is_empty() => serde_json::from_slice(json).ok()?,
            _ => Value::Null,
        },
        (Shape::PropsOrArray, Wire::Bytes(inner)) => {
            let mut schemas = Vec::new();
            let mut single = None;
            for part in Fields(inner) {
                match part? {
                    (1, Wire::Bytes(raw)) => single = Some(props(table, raw, depth)?),
                    (2, Wire::Bytes(raw)) => schemas.push(props(table, raw, depth)?),
                    _ => {}
                }
            }
            if schemas.is_empty() { single.unwrap_or(Value::Null) } else { Value::Array(schemas) }
        }
        (Shape::PropsOrBool, Wire::Bytes(inner)) => {
            let (mut allows, mut schema) = (false, None);
            for part in Fields(inner) {
                match part? {
                    (1, Wire::Varint(value)) => allows = value != 0,
                    (2, Wire::Bytes(raw)) => schema = Some(props(table, raw, depth)?),
                    _ => {}
                }
            }
            schema.unwrap_or(Value::Bool(allows))
        }
        (Shape::PropsOrStrings, Wire::Bytes(inner)) => {
            let (mut names, mut schema) = (Vec::new(), None);
            for part in Fields(inner) {
                match part? {
                    (1, Wire::Bytes(raw)) => schema = Some(props(table, raw, depth)?),
                    (2, Wire::Bytes(text)) => names.push(text_value(text)),
                    _ => {}
                }
            }
            schema.unwrap_or(Value::Array(names))
        }
        (Shape::Ref { id, .. }, Wire::Bytes(inner)) => {
            let mut map = Map::new();
            message(table, table.types.get(*id as usize)?, 0, inner, depth + 1, &mut map)?;
            Value::Object(map)
        }
        _ => return None,
    })
}

fn props(table: &Table, raw: &[u8], depth: usize) -> Option<Value> {
    let ty = table.types.iter().find(|ty| ty.name.ends_with(".v1.JSONSchemaProps"))?;
    let mut map = Map::new();
    message(table, ty, 0, raw, depth + 1, &mut map)?;
    // Nested schemas stand in an untyped place, so they are completed here.
    let node = Node::of_type(table, table.types.iter().position(|known| known.name == ty.name)?.try_into().ok()?);
    node.decode(&Value::Object(map)).ok().map(|decoded| decoded.value)
}

fn text_value(text: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(text).into_owned())
}

fn first_bytes(inner: &[u8]) -> Option<Option<&[u8]>> {
    let mut found = None;
    for part in Fields(inner) {
        if let (1, Wire::Bytes(bytes)) = part? {
            found = Some(bytes);
        }
    }
    Some(found)
}

fn int_or_string(inner: &[u8]) -> Option<Value> {
    let (mut is_text, mut number, mut text) = (false, 0, Value::String(String::new()));
    for part in Fields(inner) {
        match part? {
            (1, Wire::Varint(value)) => is_text = value == 1,
            (2, Wire::Varint(value)) => number = value as i32,
            (3, Wire::Bytes(bytes)) => text = text_value(bytes),
            _ => {}
        }
    }
    Some(if is_text { text } else { number.into() })
}

/// A time message; an empty one is Go's zero time, which prints as null.
fn moment(inner: &[u8], write: fn(Moment) -> String) -> Option<Value> {
    if inner.is_empty() {
        return Some(Value::Null);
    }
    let (mut seconds, mut nanos) = (0, 0);
    for part in Fields(inner) {
        match part? {
            (1, Wire::Varint(value)) => seconds = value as i64,
            (2, Wire::Varint(value)) => nanos = value as u32,
            _ => {}
        }
    }
    // Years 1 to 9999; beyond, the text would not be RFC 3339.
    if !(-62_135_596_800..=253_402_300_799).contains(&seconds) {
        return None;
    }
    Some(write(Moment { seconds, nanos: nanos % 1_000_000_000 }).into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_as_kubectl_creates_it_is_read() {
        let hex = "6b3873000a0c0a02763112065365637265 74121e0a120a027331 12001a0022002a003200380042001206 0a01611201 621a001a002200";
        let hex: String = hex.split_whitespace().collect();
        let body: Vec<u8> =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
        let (gvk, decoded) = Schemas::builtin().decode_protobuf(&body).expect("decodes");
        assert_eq!(gvk.to_string(), "v1, Kind=Secret");
        assert_eq!(
            decoded.value,
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s1"}, "data": {"a": "Yg=="}})
        );
    }

    #[test]
    fn malformed_bytes_are_an_error() {
        let schemas = Schemas::builtin();
        for body in [&b"k8s\0"[..], b"k8s\0\x0a\xff", b"nothing", b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x7f\x0a"]
        {
            assert!(schemas.decode_protobuf(body).is_err(), "{body:?}");
        }
    }
}
