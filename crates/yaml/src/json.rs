//! YAML to JSON, as `YAMLToJSON` of `sigs.k8s.io/yaml` does it.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use crate::construct::{Build, Repeated, construct};
use crate::document::{Document, Node, parse, parse_first};
use crate::error::Error;
use crate::glance::{Pick, glance};
use crate::number::{Whole, float_g, whole};
use crate::resolve::Scalar;

/// Reads the first document of a text as JSON; nothing in it is `null`.
///
/// Numbers are what a JSON reader makes of Go's text for them: `1.0` is `1`, `1e3` is `1000`.
///
/// # Errors
/// What is no YAML, and `.nan` and `.inf`, which have no JSON form.
pub fn to_json(text: &str) -> Result<Value, Error> {
    if let Some(value) = glance(text, Pick::Whole) {
        return Ok(value);
    }
    match parse_first(text)? {
        Some(document) => document_to_json(&document),
        None => Ok(Value::Null),
    }
}

/// As [`to_json`], but a key that occurs twice is an error: `YAMLToJSONStrict`.
///
/// # Errors
/// As [`to_json`], and [`Error::Duplicates`].
pub fn to_json_strict(text: &str) -> Result<Value, Error> {
    match parse_first(text)? {
        Some(document) => document_to_json_strict(&document),
        None => Ok(Value::Null),
    }
}

/// A document as JSON; a key that occurs twice is an error.
///
/// # Errors
/// As [`to_json_strict`].
pub fn document_to_json_strict(document: &Document<'_>) -> Result<Value, Error> {
    construct(document, Repeated::Refused, &mut Json)
}

/// Reads every document of a text as JSON.
///
/// # Errors
/// As [`to_json`].
pub fn to_json_all(text: &str) -> Result<Vec<Value>, Error> {
    parse(text)?.iter().map(document_to_json).collect()
}

/// A document as JSON.
///
/// # Errors
/// As [`construct`], and numbers without JSON form.
pub fn document_to_json(document: &Document<'_>) -> Result<Value, Error> {
    construct(document, Repeated::LastWins, &mut Json).or_else(|error| match error {
        // A later value of the same key may have taken the place of the number that has no JSON form.
        Error::Json { .. } => from_value(crate::Value::of(document)?).ok_or(error),
        _ => Err(error),
    })
}

/// A value as JSON; `None` if a number in it has no JSON form.
fn from_value(value: crate::Value) -> Option<Value> {
    Some(match value {
        crate::Value::Null => Value::Null,
        crate::Value::Bool(value) => Value::Bool(value),
        crate::Value::Int(value) => Value::Number(value.into()),
        crate::Value::Uint(value) => Value::Number(value.into()),
        crate::Value::Float(value) => Value::Number(json_number(value)?),
        crate::Value::String(text) => Value::String(text),
        crate::Value::Seq(items) => Value::Array(items.into_iter().map(from_value).collect::<Option<_>>()?),
        crate::Value::Map(map) => {
            Value::Object(map.into_iter().map(|(key, value)| Some((key, from_value(value)?))).collect::<Option<_>>()?)
        }
    })
}

impl TryFrom<crate::Value> for Value {
    type Error = crate::Error;

    /// A value as JSON; `.nan` and `.inf` have no JSON form.
    fn try_from(value: crate::Value) -> Result<Self, Error> {
        from_value(value).ok_or_else(|| Error::Json { problem: "json: unsupported value".to_owned(), at: None })
    }
}

struct Json;

impl Build for Json {
    type Value = Value;
    type Map = Map<String, Value>;

    fn scalar(&mut self, scalar: Scalar<'_>, at: Node<'_>) -> Result<Value, Error> {
        Ok(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(value) => Value::Number(value.into()),
            Scalar::Uint(value) => Value::Number(value.into()),
            Scalar::Float(value) => json_number(value).map(Value::Number).ok_or_else(|| not_json(value, Some(at)))?,
            Scalar::Str(text) => Value::String(text.into_owned()),
        })
    }

    fn sequence(&mut self, items: Vec<Value>, _: Node<'_>) -> Value {
        Value::Array(items)
    }

    fn insert(&mut self, map: &mut Self::Map, key: Cow<'_, str>, value: Value, _: Node<'_>) {
        map.insert(key.into_owned(), value);
    }

    fn mapping(&mut self, map: Self::Map, _: Node<'_>) -> Value {
        Value::Object(map)
    }
}

/// A float as the number that its JSON text is read as; `None` for what JSON has no number for.
pub(crate) fn json_number(value: f64) -> Option<Number> {
    match whole(value) {
        Whole::Int(int) => Some(int.into()),
        Whole::Uint(uint) => Some(uint.into()),
        Whole::No => Number::from_f64(value),
    }
}

pub(crate) fn not_json(value: f64, at: Option<Node<'_>>) -> Error {
    Error::Json {
        problem: format!("json: unsupported value: {}", float_g(value)),
        at: at.map(|node| node.span().start),
    }
}
