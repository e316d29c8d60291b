//! The Swagger document as protobuf: gnostic's `openapi.v2.Document`, which Go clients insist on.
//!
//! Field numbers: `github.com/google/gnostic-models/openapiv2/OpenAPIv2.proto`. Paths are left out: what reads this
//! form reads definitions.

use serde_json::Value;

/// Encodes a Swagger 2.0 document.
pub(super) fn document(swagger: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, 1, swagger["swagger"].as_str());
    let mut info = Vec::new();
    text(&mut info, 1, swagger["info"]["title"].as_str());
    text(&mut info, 2, swagger["info"]["version"].as_str());
    message(&mut out, 2, &info);
    message(&mut out, 8, &[]);
    message(&mut out, 9, &named_schemas(&swagger["definitions"]));
    out
}

fn named_schemas(map: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in map.as_object().into_iter().flatten() {
        let mut named = Vec::new();
        text(&mut named, 1, Some(name));
        message(&mut named, 2, &schema(value));
        message(&mut out, 1, &named);
    }
    out
}

fn schema(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let Some(map) = value.as_object() else { return out };
    for (key, value) in map {
        match key.as_str() {
            "$ref" => text(&mut out, 1, value.as_str()),
            "format" => text(&mut out, 2, value.as_str()),
            "title" => text(&mut out, 3, value.as_str()),
            "description" => text(&mut out, 4, value.as_str()),
            "default" => message(&mut out, 5, &any(value)),
            "multipleOf" => double(&mut out, 6, value),
            "maximum" => double(&mut out, 7, value),
            "exclusiveMaximum" => flag(&mut out, 8, value),
            "minimum" => double(&mut out, 9, value),
            "exclusiveMinimum" => flag(&mut out, 10, value),
            "maxLength" => number(&mut out, 11, value),
            "minLength" => number(&mut out, 12, value),
            "pattern" => text(&mut out, 13, value.as_str()),
            "maxItems" => number(&mut out, 14, value),
            "minItems" => number(&mut out, 15, value),
            "uniqueItems" => flag(&mut out, 16, value),
            "maxProperties" => number(&mut out, 17, value),
            "minProperties" => number(&mut out, 18, value),
            "required" => value.as_array().into_iter().flatten().for_each(|name| text(&mut out, 19, name.as_str())),
            "enum" => value.as_array().into_iter().flatten().for_each(|item| message(&mut out, 20, &any(item))),
            "additionalProperties" => {
                let mut item = Vec::new();
                match value {
                    Value::Bool(allowed) => flag(&mut item, 2, &Value::Bool(*allowed)),
                    below => message(&mut item, 1, &schema(below)),
                }
                message(&mut out, 21, &item);
            }
            "type" => {
                let mut item = Vec::new();
                text(&mut item, 1, value.as_str());
                message(&mut out, 22, &item);
            }
            "items" => {
                let mut item = Vec::new();
                message(&mut item, 1, &schema(value));
                message(&mut out, 23, &item);
            }
            "allOf" => value.as_array().into_iter().flatten().for_each(|part| message(&mut out, 24, &schema(part))),
            "properties" => message(&mut out, 25, &named_schemas(value)),
            "readOnly" => flag(&mut out, 27, value),
            key if key.starts_with("x-") => {
                let mut named = Vec::new();
                text(&mut named, 1, Some(key));
                message(&mut named, 2, &any(value));
                message(&mut out, 31, &named);
            }
            // `nullable`, `oneOf`, `anyOf`, `not` have no place in v2.
            _ => {}
        }
    }
    out
}

/// Any value travels as YAML; JSON is YAML.
fn any(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, 2, Some(&format!("{value}\n")));
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn message(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn text(out: &mut Vec<u8>, field: u64, text: Option<&str>) {
    if let Some(text) = text {
        message(out, field, text.as_bytes());
    }
}

fn number(out: &mut Vec<u8>, field: u64, value: &Value) {
    if let Some(value) = value.as_i64() {
        varint(out, field << 3);
        varint(out, value as u64);
    }
}

fn flag(out: &mut Vec<u8>, field: u64, value: &Value) {
    if value == true {
        varint(out, field << 3);
        varint(out, 1);
    }
}

fn double(out: &mut Vec<u8>, field: u64, value: &Value) {
    if let Some(value) = value.as_f64() {
        varint(out, field << 3 | 1);
        out.extend_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_encoded_by_gnostics_numbers() {
        let swagger = json!({
            "swagger": "2.0", "info": {"title": "K", "version": "v1"},
            "definitions": {"A": {"type": "object", "required": ["b"]}},
        });
        assert_eq!(
            document(&swagger),
            [
                b"\x0a\x032.0".as_slice(),
                b"\x12\x07\x0a\x01K\x12\x02v1",
                b"\x42\x00",
                b"\x4a\x16\x0a\x14\x0a\x01A\x12\x0f\x9a\x01\x01b\xb2\x01\x08\x0a\x06object",
            ]
            .concat()
        );
    }
}
