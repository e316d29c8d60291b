use std::cmp::Ordering;
use std::fmt;

use serde_json::{Map, Number, Value};

/// A scalar that identifies a list item.
#[derive(Debug, Clone)]
pub enum Scalar {
    /// A number; compared by value.
    Number(Number),
    /// A string.
    Text(String),
    /// A boolean.
    Bool(bool),
    /// Null.
    Null,
}

impl Scalar {
    /// The scalar of a JSON value; `None` for lists and maps.
    pub fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Number(number) => Self::Number(number.clone()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Bool(value) => Self::Bool(*value),
            Value::Null => Self::Null,
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    fn json(&self) -> Value {
        match self {
            Self::Number(number) => Value::Number(number.clone()),
            Self::Text(text) => Value::String(text.clone()),
            Self::Bool(value) => Value::Bool(*value),
            Self::Null => Value::Null,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Text(_) => 1,
            Self::Bool(_) => 2,
            Self::Null => 3,
        }
    }
}

impl Ord for Scalar {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => match (a.as_i64(), b.as_i64()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)),
            },
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scalar {}

/// One step of a path; the order is the one paths are listed in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// A field of a map.
    Field(String),
    /// The list item with these key fields, sorted by name.
    Key(Vec<(String, Scalar)>),
    /// The item of a set.
    Value(Scalar),
    /// The item at a place.
    Index(i64),
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(keys) => {
                let keys: Vec<String> = keys.iter().map(|(name, value)| format!("{name}={}", value.json())).collect();
                write!(f, "[{}]", keys.join(","))
            }
            Self::Value(value) => write!(f, "[={}]", value.json()),
            Self::Index(at) => write!(f, "[{at}]"),
        }
    }
}

impl Element {
    /// As `fieldsV1` names it.
    pub(super) fn encode(&self) -> String {
        match self {
            Self::Field(name) => ["f:", name].concat(),
            Self::Key(keys) => {
                let keys: Vec<String> =
                    keys.iter().map(|(name, value)| format!("{}:{}", Value::from(&**name), value.json())).collect();
                ["k:{", &keys.join(","), "}"].concat()
            }
            Self::Value(value) => format!("v:{}", value.json()),
            Self::Index(at) => format!("i:{at}"),
        }
    }

    /// Reads what [`Element::encode`] writes.
    pub(super) fn decode(text: &str) -> Result<Self, String> {
        let (letter, rest) = text.split_once(':').ok_or_else(|| format!("missing colon: {text}"))?;
        let scalar = |text: &str| {
            let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
            Scalar::of(&value).ok_or_else(|| format!("not a scalar: {text}"))
        };
        Ok(match letter {
            "f" => Self::Field(rest.to_owned()),
            "v" => Self::Value(scalar(rest)?),
            "i" => Self::Index(rest.parse().map_err(|_| format!("not an index: {rest}"))?),
            "k" => {
                let keys: Map<String, Value> = serde_json::from_str(rest).map_err(|error| error.to_string())?;
                let keys = keys.into_iter().map(|(name, value)| {
                    Scalar::of(&value).map(|value| (name, value)).ok_or_else(|| format!("not a scalar key: {rest}"))
                });
                Self::Key(keys.collect::<Result<_, _>>()?)
            }
            _ => return Err(format!("unknown path element: {text}")),
        })
    }
}
