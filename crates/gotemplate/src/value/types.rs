use std::fmt;

use super::{Data, Value};

/// A Go type, as far as templates can meet one: parameters, list elements, map elements.
///
/// `Display` writes Go's name for it (`[]interface {}`), which error texts and `%T` show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `interface {}`: takes anything, nil included.
    Any,
    /// `reflect.Value`: as [`Type::Any`], used by Go's builtins; the value keeps whether it was boxed.
    Reflect,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `int32`
    Int32,
    /// `int64`
    Int64,
    /// `uint`
    Uint,
    /// `uint8`
    Uint8,
    /// `uint64`
    Uint64,
    /// `float64`
    Float64,
    /// `complex128`
    Complex128,
    /// `string`
    String,
    /// `[]uint8`
    Bytes,
    /// A slice of the element type: `&Type::Any` makes `[]interface {}`.
    List(&'static Type),
    /// A map from `string` to the element type.
    Map(&'static Type),
    /// A type of the host by its Go name, such as `time.Time` or `*semver.Version`.
    Host(&'static str),
}

impl Type {
    /// `[]interface {}`
    pub const LIST: Type = Type::List(&Type::Any);
    /// `[]string`
    pub const STRINGS: Type = Type::List(&Type::String);
    /// `[]int`
    pub const INTS: Type = Type::List(&Type::Int);
    /// `map[string]interface {}`
    pub const MAP: Type = Type::Map(&Type::Any);
    /// `map[string]string`
    pub const STRING_MAP: Type = Type::Map(&Type::String);

    /// Whether Go's untyped `nil` fits (upstream `canBeNil`).
    pub(crate) fn can_be_nil(self) -> bool {
        match self {
            Type::Any | Type::Reflect | Type::Bytes | Type::List(_) | Type::Map(_) => true,
            Type::Host(name) => name.starts_with('*') || name == "error",
            _ => false,
        }
    }

    /// Whether a value of concrete type fits this type as it is, by Go's rule of assignability.
    pub(crate) fn accepts(self, value: &Value) -> bool {
        match (self, value.data()) {
            (Type::Any | Type::Reflect, _) => true,
            (Type::Bool, Data::Bool(_))
            | (Type::Int, Data::Int(_))
            | (Type::Int32, Data::Int32(_))
            | (Type::Int64, Data::Int64(_))
            | (Type::Uint, Data::Uint(_))
            | (Type::Uint8, Data::Uint8(_))
            | (Type::Uint64, Data::Uint64(_))
            | (Type::Float64, Data::Float(_))
            | (Type::Complex128, Data::Complex(_))
            | (Type::String, Data::Str(_))
            | (Type::Bytes, Data::Bytes(_)) => true,
            (Type::List(element), Data::List(list)) => *element == list.element(),
            (Type::Map(element), Data::Map(map)) => *element == map.element(),
            (Type::Host(name), Data::Host(host)) => host.type_name() == name || host.implements(name),
            // A named type such as `engine.files` is assignable to the unnamed composite below it.
            (Type::List(_) | Type::Map(_) | Type::Bytes, Data::Host(host)) => {
                host.underlying().is_some_and(|value| self.accepts(&value))
            }
            _ => false,
        }
    }

    /// The zero value of the type (upstream `reflect.Zero`).
    pub fn zero(self) -> Value {
        match self {
            Type::Any | Type::Reflect | Type::Host(_) => Value::nil(),
            Type::Bool => Value::from(false),
            Type::Int => Value::from(Data::Int(0)),
            Type::Int32 => Value::from(Data::Int32(0)),
            Type::Int64 => Value::from(Data::Int64(0)),
            Type::Uint => Value::from(Data::Uint(0)),
            Type::Uint8 => Value::from(Data::Uint8(0)),
            Type::Uint64 => Value::from(Data::Uint64(0)),
            Type::Float64 => Value::from(Data::Float(0.0)),
            Type::Complex128 => Value::from(Data::Complex(Box::new((0.0, 0.0)))),
            Type::String => Value::from(""),
            Type::Bytes => Value::from(Data::Bytes(super::Str::new(b""))),
            Type::List(element) => Value::from(super::List::nil(*element)),
            Type::Map(element) => Value::from(super::Map::nil(*element)),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("interface {}"),
            Type::Reflect => f.write_str("reflect.Value"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Int32 => f.write_str("int32"),
            Type::Int64 => f.write_str("int64"),
            Type::Uint => f.write_str("uint"),
            Type::Uint8 => f.write_str("uint8"),
            Type::Uint64 => f.write_str("uint64"),
            Type::Float64 => f.write_str("float64"),
            Type::Complex128 => f.write_str("complex128"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("[]uint8"),
            Type::List(element) => write!(f, "[]{element}"),
            Type::Map(element) => write!(f, "map[string]{element}"),
            Type::Host(name) => f.write_str(name),
        }
    }
}
