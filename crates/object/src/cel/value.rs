//! Values: views of an object and of its schema, and what is computed from them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Debug;
use std::sync::Arc;

use serde_json::Value;

use crate::quantity::Quantity;
use crate::time;

/// What a schema says of a part of an object; whoever has schemas implements it.
pub(crate) trait Typing: Debug + Send + Sync {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean`, or empty.
    fn kind(&self) -> &str;
    /// As `date-time`, or empty.
    fn format(&self) -> &str;
    /// Whether the order of a list's items means nothing.
    fn is_unordered(&self) -> bool;
    /// The items of a list.
    fn items(&self) -> Option<&dyn Typing>;
    /// A field of an object, or the values of a map.
    fn below(&self, name: &str) -> Option<&dyn Typing>;
}

/// A value of the language.
#[derive(Debug, Clone)]
pub(crate) enum Val<'v> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Cow<'v, str>),
    Bytes(Arc<[u8]>),
    /// Nanoseconds since 1970.
    Time(i128),
    /// Nanoseconds.
    Duration(i128),
    /// A part of the object, with its schema: a list or a map.
    Part(&'v Value, Option<&'v dyn Typing>),
    List(Arc<Vec<Val<'v>>>),
    Map(Arc<Vec<(Val<'v>, Val<'v>)>>),
    Optional(Option<Arc<Val<'v>>>),
    Quantity(Arc<Quantity>),
    Url(Arc<super::network::Url>),
    Address(std::net::IpAddr),
    Network(std::net::IpAddr, u8),
    /// `type(x)`
    Type(&'static str),
}

impl<'v> Val<'v> {
    /// A part of an object, as its schema types it.
    pub(crate) fn of(value: &'v Value, schema: Option<&'v dyn Typing>) -> Self {
        let (kind, format) = schema.map_or(("", ""), |schema| (schema.kind(), schema.format()));
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(number) => match number.as_i64() {
                Some(whole) if kind != "number" => Self::Int(whole),
                _ => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::text_of(text, format),
            Value::Array(_) | Value::Object(_) => Self::Part(value, schema),
        }
    }

    fn text_of(text: &'v str, format: &str) -> Self {
        let typed = match format {
            "date-time" => time::parse(text).map(|moment| Self::Time(moment.nanoseconds())),
            "date" => time::parse(&format!("{text}T00:00:00Z")).map(|moment| Self::Time(moment.nanoseconds())),
            "duration" => super::text::duration(text).map(Self::Duration),
            "byte" => {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.decode(text).ok().map(|bytes| Self::Bytes(bytes.into()))
            }
            _ => None,
        };
        typed.unwrap_or(Self::Text(Cow::Borrowed(text)))
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(items))
    }

    pub(super) fn some(value: Self) -> Self {
        Self::Optional(Some(Arc::new(value)))
    }

    /// The name that `type()` gives.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Time(_) => "google.protobuf.Timestamp",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Part(Value::Array(_), _) | Self::List(_) => "list",
            Self::Part(..) | Self::Map(_) => "map",
            Self::Optional(_) => "optional_type",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Url(_) => "kubernetes.URL",
            Self::Address(_) => "net.IP",
            Self::Network(..) => "net.CIDR",
            Self::Type(_) => "type",
        }
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        match self {
            Self::List(items) => Some(items.to_vec()),
            Self::Part(Value::Array(items), schema) => {
                let below = schema.and_then(|schema| schema.items());
                Some(items.iter().map(|item| Self::of(item, below)).collect())
            }
            _ => None,
        }
    }

    /// The entries of a map.
    pub(super) fn entries(&self) -> Option<Vec<(Self, Self)>> {
        match self {
            Self::Map(entries) => Some(entries.to_vec()),
            Self::Part(Value::Object(map), schema) => {
                let entry = |(key, value): (&'v String, &'v Value)| {
                    // Fields of an object are named as the language can write them, keys of a map as they are.
                    let below = schema.and_then(|schema| schema.below(key));
                    (Self::Text(Cow::Borrowed(key)), Self::of(value, below))
                };
                Some(map.iter().map(entry).collect())
            }
            _ => None,
        }
    }

    /// How many items, entries or characters it has.
    pub(super) fn size(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.chars().count()),
            Self::Bytes(bytes) => Some(bytes.len()),
            Self::List(items) => Some(items.len()),
            Self::Map(entries) => Some(entries.len()),
            Self::Part(Value::Array(items), _) => Some(items.len()),
            Self::Part(Value::Object(map), _) => Some(map.len()),
            _ => None,
        }
    }

    /// A field of an object or a key of a map.
    pub(super) fn member(&self, key: &Self) -> Option<Self> {
        match self {
            Self::Map(entries) => entries.iter().find(|(known, _)| known.equals(key)).map(|(_, value)| value.clone()),
            Self::Part(Value::Object(map), schema) => {
                let Self::Text(name) = key else { return None };
                let schema = *schema;
                let direct = map.get_key_value(name.as_ref());
                let (name, value) =
                    direct.or_else(|| map.get_key_value(super::text::unescaped_field(name)?.as_str()))?;
                Some(Self::of(value, schema.and_then(|schema| schema.below(name))))
            }
            _ => None,
        }
    }

    /// Whether they are the same, numbers across their types.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::Quantity(a), Self::Quantity(b)) => a == b,
            (Self::Url(a), Self::Url(b)) => a == b,
            (Self::Address(a), Self::Address(b)) => a == b,
            (Self::Network(a, m), Self::Network(b, n)) => a == b && m == n,
            (Self::Optional(a), Self::Optional(b)) => match (a, b) {
                (Some(a), Some(b)) => a.equals(b),
                (None, None) => true,
                _ => false,
            },
            _ => {
                if let (Some(a), Some(b)) = (self.items(), other.items()) {
                    let unordered = matches!(self, Self::Part(_, Some(schema)) if schema.is_unordered());
                    return a.len() == b.len()
                        && if unordered {
                            a.iter().all(|item| b.iter().any(|other| item.equals(other)))
                        } else {
                            a.iter().zip(&b).all(|(a, b)| a.equals(b))
                        };
                }
                if let (Some(a), Some(b)) = (self.entries(), other.entries()) {
                    return a.len() == b.len()
                        && a.iter().all(|(key, value)| {
                            b.iter().any(|(other, found)| key.equals(other) && value.equals(found))
                        });
                }
                self.compare(other) == Some(Ordering::Equal)
            }
        }
    }

    /// Their order; `None` where they have none.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) | (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Uint(a), Self::Uint(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Self::Uint(a), Self::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Double(a), Self::Int(b)) => a.partial_cmp(&(*b as f64)),
            (Self::Int(a), Self::Double(b)) => (*a as f64).partial_cmp(b),
            (Self::Double(a), Self::Uint(b)) => a.partial_cmp(&(*b as f64)),
            (Self::Uint(a), Self::Double(b)) => (*a as f64).partial_cmp(b),
            _ => None,
        }
    }

    /// Whether `ofNonZeroValue` takes it for nothing.
    pub(super) fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(flag) => !flag,
            Self::Int(value) => *value == 0,
            Self::Uint(value) => *value == 0,
            Self::Double(value) => *value == 0.0,
            Self::Optional(inner) => inner.is_none(),
            other => other.size() == Some(0),
        }
    }
}
