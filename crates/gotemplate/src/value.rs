//! Values as templates see them: Go's types, Go's sharing, and where a value came from.

mod entries;
mod equal;
mod growth;
mod host;
mod list;
mod map;
mod text;
mod types;
mod watch;

use std::borrow::Cow;
use std::sync::Arc;

pub use host::{Host, HostKind};
pub use list::List;
pub use map::{Map, MapName};
pub use text::Str;
pub use types::Type;
pub use watch::{Reads, Watch};

/// Where a value came from: a number into a table that the caller keeps; [`Origin::NONE`] where nothing is known.
///
/// Numbers from [`Origin::DERIVED`] up are the recorder's own (unions of several origins) and mean something only to
/// the [`Trace`](crate::Trace) of the same execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Origin(pub u32);

impl Origin {
    /// Not known, or made by the template itself.
    pub const NONE: Origin = Origin(0);
    /// The first number that the recorder uses for itself.
    pub const DERIVED: Origin = Origin(1 << 31);
    /// Made by the template itself, as far as is known.
    pub const MADE: Origin = Origin(u32::MAX);
}

/// What a value holds: one variant for each Go type that can be told apart in a template.
#[derive(Debug, Clone)]
pub enum Data {
    /// `nil` without a type.
    Nil,
    /// `bool`
    Bool(bool),
    /// `int`: literals, `len`, `until`.
    Int(i64),
    /// `int32`: runes.
    Int32(i32),
    /// `int64`: integers from `--set`, results of `add`.
    Int64(i64),
    /// `uint`
    Uint(u64),
    /// `uint8`: a byte of a string by `index`.
    Uint8(u8),
    /// `uint64`: parts of a version.
    Uint64(u64),
    /// `float64`: every number of a values file.
    Float(f64),
    /// `complex128`: real, imaginary.
    Complex(Box<(f64, f64)>),
    /// `string`
    Str(Str),
    /// `[]byte`
    Bytes(Str),
    /// A slice of anything else.
    List(List),
    /// A map with string keys.
    Map(Map),
    /// Anything that is not plain data.
    Host(Arc<dyn Host>),
}

/// A value with its origin; cloning is cheap and shares maps, as assignment in Go does.
#[derive(Debug, Clone)]
pub struct Value {
    pub(crate) data: Data,
    origin: Origin,
    /// Whether Go would hold it in an `interface {}` here: the difference between a nil interface and no value at
    /// all, and between `interface {}` and the concrete type in error texts. Only the executor sets it.
    pub(crate) boxed: bool,
}

impl Value {
    /// No value: Go's untyped nil.
    pub const fn nil() -> Self {
        Value { data: Data::Nil, origin: Origin::NONE, boxed: false }
    }

    /// A string of any bytes.
    pub fn str(bytes: impl Into<Str>) -> Self {
        Value::from(bytes.into())
    }

    /// A host object.
    pub fn host(object: impl Host) -> Self {
        Value::from(Data::Host(Arc::new(object)))
    }

    /// What it holds.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// What it holds, taken out.
    pub fn into_data(self) -> Data {
        self.data
    }

    /// Where it came from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The same value with another origin.
    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Whether it is nil (of no type; a nil list or map is not).
    pub fn is_nil(&self) -> bool {
        matches!(self.data, Data::Nil)
    }

    /// The bytes of a `string`.
    pub fn as_str(&self) -> Option<&Str> {
        match &self.data {
            Data::Str(text) => Some(text),
            _ => None,
        }
    }

    /// A `bool`.
    pub fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// An integer of any signed kind, or of an unsigned one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.data {
            Data::Int(number) | Data::Int64(number) => Some(number),
            Data::Int32(number) => Some(number.into()),
            Data::Uint8(number) => Some(number.into()),
            Data::Uint(number) | Data::Uint64(number) => i64::try_from(number).ok(),
            _ => None,
        }
    }

    /// A `float64`.
    pub fn as_f64(&self) -> Option<f64> {
        match self.data {
            Data::Float(number) => Some(number),
            _ => None,
        }
    }

    /// A slice other than `[]byte`.
    pub fn as_list(&self) -> Option<&List> {
        match &self.data {
            Data::List(list) => Some(list),
            _ => None,
        }
    }

    /// A map.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.data {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    /// A host object of that type.
    pub fn as_host<T: Host>(&self) -> Option<&T> {
        match &self.data {
            Data::Host(host) => host.downcast_ref(),
            _ => None,
        }
    }

    /// The elements of any slice, `[]byte` and defined slice types included; `None` for what is not a slice.
    pub fn elements(&self) -> Option<Cow<'_, [Value]>> {
        match &self.data {
            Data::List(list) => Some(Cow::Borrowed(list.values())),
            Data::Bytes(bytes) => Some(Cow::Owned(bytes.iter().map(|byte| Value::from(Data::Uint8(*byte))).collect())),
            Data::Host(host) => {
                let below = host.underlying()?;
                let elements = below.elements()?.into_owned();
                Some(Cow::Owned(elements))
            }
            _ => None,
        }
    }

    /// Go's truth (`text/template.IsTrue`): not the zero value, not empty.
    pub fn truth(&self) -> bool {
        match &self.data {
            Data::Nil => false,
            Data::Bool(truth) => *truth,
            Data::Int(number) | Data::Int64(number) => *number != 0,
            Data::Int32(number) => *number != 0,
            Data::Uint(number) | Data::Uint64(number) => *number != 0,
            Data::Uint8(number) => *number != 0,
            Data::Float(number) => *number != 0.0,
            Data::Complex(parts) => parts.0 != 0.0 || parts.1 != 0.0,
            Data::Str(bytes) | Data::Bytes(bytes) => !bytes.is_empty(),
            Data::List(list) => !list.is_empty(),
            Data::Map(map) => !map.is_empty(),
            Data::Host(host) => host.underlying().is_none_or(|value| value.truth()),
        }
    }

    /// The name of the concrete type, as `%T` and `typeOf` print it; `<nil>` for nil.
    pub fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match &self.data {
            Data::Nil => "<nil>",
            Data::Bool(_) => "bool",
            Data::Int(_) => "int",
            Data::Int32(_) => "int32",
            Data::Int64(_) => "int64",
            Data::Uint(_) => "uint",
            Data::Uint8(_) => "uint8",
            Data::Uint64(_) => "uint64",
            Data::Float(_) => "float64",
            Data::Complex(_) => "complex128",
            Data::Str(_) => "string",
            Data::Bytes(_) => "[]uint8",
            Data::List(list) => match list.element() {
                Type::Any => "[]interface {}",
                Type::String => "[]string",
                element => return Cow::Owned(format!("[]{element}")),
            },
            Data::Map(map) => match (map.name(), map.element()) {
                (Some(name), _) => name.type_name,
                (None, Type::Any) => "map[string]interface {}",
                (None, element) => return Cow::Owned(format!("map[string]{element}")),
            },
            Data::Host(host) => return host.type_name(),
        })
    }

    /// The name of the kind, as `kindOf` prints it; `invalid` for nil.
    pub fn kind_name(&self) -> &'static str {
        match &self.data {
            Data::Nil => "invalid",
            Data::Bool(_) => "bool",
            Data::Int(_) => "int",
            Data::Int32(_) => "int32",
            Data::Int64(_) => "int64",
            Data::Uint(_) => "uint",
            Data::Uint8(_) => "uint8",
            Data::Uint64(_) => "uint64",
            Data::Float(_) => "float64",
            Data::Complex(_) => "complex128",
            Data::Str(_) => "string",
            Data::Bytes(_) | Data::List(_) => "slice",
            Data::Map(_) => "map",
            Data::Host(host) => match host.kind() {
                HostKind::Struct => "struct",
                HostKind::Pointer => "ptr",
                HostKind::Defined => host.underlying().map_or("struct", |value| value.kind_name()),
            },
        }
    }

    /// The type's name in an error text, where what sits in an interface is called `interface {}`.
    pub(crate) fn static_type_name(&self) -> Cow<'static, str> {
        if self.boxed { Cow::Borrowed("interface {}") } else { self.type_name() }
    }

    /// The value as Go holds it in an element of an `interface {}` collection.
    pub(crate) fn into_boxed(mut self, element: Type) -> Self {
        self.boxed = matches!(element, Type::Any);
        self
    }

    /// The value out of its interface.
    pub(crate) fn unboxed(mut self) -> Self {
        self.boxed = false;
        self
    }

    /// Go's `reflect.DeepEqual`: same type, same content; `1` and `1.0` differ.
    pub fn deep_equal(&self, other: &Value) -> bool {
        equal::deep_equal(self, other)
    }
}

/// Drops nested collections with a list of work in place of recursion.
fn drop_flat(mut work: Vec<Value>) {
    while let Some(mut value) = work.pop() {
        match &mut value.data {
            Data::List(list) => list.take_if_last(&mut work),
            Data::Map(map) => map.take_if_last(&mut work),
            _ => {}
        }
    }
}

impl Default for Value {
    fn default() -> Self {
        Value::nil()
    }
}

impl From<Data> for Value {
    fn from(data: Data) -> Self {
        Value { data, origin: Origin::NONE, boxed: false }
    }
}

macro_rules! value_from {
    ($($type:ty => $make:expr),* $(,)?) => {
        $(impl From<$type> for Value {
            fn from(it: $type) -> Self {
                let make: fn($type) -> Data = $make;
                Value::from(make(it))
            }
        })*
    };
}

value_from! {
    bool => Data::Bool,
    f64 => Data::Float,
    &str => |text| Data::Str(Str::from(text)),
    String => |text| Data::Str(Str::from(text)),
    Str => Data::Str,
    List => Data::List,
    Map => Data::Map,
    Vec<Value> => |values| Data::List(List::new(values)),
    Arc<dyn Host> => Data::Host,
}

impl Value {
    /// A Go `int`.
    pub fn int(number: i64) -> Self {
        Value::from(Data::Int(number))
    }

    /// A Go `int64`.
    pub fn int64(number: i64) -> Self {
        Value::from(Data::Int64(number))
    }

    /// A Go `[]byte`.
    pub fn bytes(bytes: impl Into<Str>) -> Self {
        Value::from(Data::Bytes(bytes.into()))
    }
}
