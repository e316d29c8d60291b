//! Values, as `sigs.k8s.io/yaml` reads them: mappings have string keys, in the order of the text.

use std::borrow::Cow;

use indexmap::IndexMap;

use crate::construct::{Build, Repeated, construct};
use crate::document::{Document, Node, parse, parse_first};
use crate::emit::{Emit, Emitter};
use crate::error::Error;
use crate::resolve::Scalar;

/// A mapping, in the order of the text.
pub type Map = IndexMap<String, Value>;

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above [`i64::MAX`].
    Uint(u64),
    /// A number.
    Float(f64),
    /// A text.
    String(String),
    /// A sequence.
    Seq(Vec<Value>),
    /// A mapping.
    Map(Map),
}

impl Value {
    /// Reads the first document of a text; nothing in it is [`Value::Null`].
    ///
    /// # Errors
    /// As [`parse_first`] and [`construct`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        match parse_first(text)? {
            Some(document) => Self::of(&document),
            None => Ok(Self::Null),
        }
    }

    /// Reads every document of a text.
    ///
    /// # Errors
    /// As [`parse`] and [`construct`].
    pub fn parse_all(text: &str) -> Result<Vec<Self>, Error> {
        parse(text)?.iter().map(Self::of).collect()
    }

    /// A document's value.
    ///
    /// # Errors
    /// As [`construct`].
    pub fn of(document: &Document<'_>) -> Result<Self, Error> {
        construct(document, Repeated::LastWins, &mut Values)
    }

    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The sequence, if it is one.
    pub fn as_seq(&self) -> Option<&[Value]> {
        match self {
            Self::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }
}

struct Values;

impl Build for Values {
    type Value = Value;
    type Map = Map;

    fn scalar(&mut self, scalar: Scalar<'_>, _: Node<'_>) -> Result<Value, Error> {
        Ok(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Int(value) => Value::Int(value),
            Scalar::Uint(value) => Value::Uint(value),
            Scalar::Float(value) => Value::Float(value),
            Scalar::Str(text) => Value::String(text.into_owned()),
        })
    }

    fn sequence(&mut self, items: Vec<Value>, _: Node<'_>) -> Value {
        Value::Seq(items)
    }

    fn insert(&mut self, map: &mut Map, key: Cow<'_, str>, value: Value, _: Node<'_>) {
        map.insert(key.into_owned(), value);
    }

    fn mapping(&mut self, map: Map, _: Node<'_>) -> Value {
        Value::Map(map)
    }
}

impl Emit for Value {
    fn emit(&self, emitter: &mut Emitter) {
        match self {
            Self::Null => emitter.null(),
            Self::Bool(value) => emitter.bool(*value),
            Self::Int(value) => emitter.int(*value),
            Self::Uint(value) => emitter.uint(*value),
            Self::Float(value) => emitter.float(*value),
            Self::String(text) => emitter.string(text),
            Self::Seq(items) => emitter.sequence(items),
            Self::Map(map) => emitter.mapping(map.iter().map(|(key, value)| (key.as_str(), value)).collect()),
        }
    }
}
