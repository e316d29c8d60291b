use serde_json::{Map, Value};

use super::list_kind::ListKind;
use super::table::{Field, Shape, Table, Type};

/// How strategic merge treats a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PatchStrategy<'a> {
    /// Lists are merged by key (or as a set) instead of replaced.
    pub merge: bool,
    /// Keys that the patch does not retain are dropped.
    pub retain_keys: bool,
    /// The key items are identified by.
    pub merge_key: Option<&'a str>,
}

/// A place in a schema: a type with the attributes of the field that holds it.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) field: Option<&'a Field>,
}

/// Where a node's shape is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// A whole type of a table.
    Type(&'a Table, u32),
    /// A shape inside a type.
    Shape(&'a Table, &'a Shape),
    /// No schema: maps are granular, lists and scalars are values.
    Deduced,
}

/// What a merge has to know of a value.
#[derive(Debug, Clone)]
pub enum Structure<'a> {
    /// One value: a scalar, or something always replaced whole.
    Scalar,
    /// An object of known fields; ask [`Node::field`].
    Fields {
        /// The object is one value to owners.
        atomic: bool,
    },
    /// An object of any keys.
    Map {
        /// The object is one value to owners.
        atomic: bool,
    },
    /// A list.
    List(&'a ListKind),
    /// No schema here: maps are granular, lists are values.
    Deduced,
}

impl<'a> Node<'a> {
    /// A place of which nothing is known.
    pub fn deduced() -> Self {
        Self { origin: Origin::Deduced, field: None }
    }

    pub(crate) fn of_type(table: &'a Table, id: u32) -> Self {
        Self { origin: Origin::Type(table, id), field: None }
    }

    pub(crate) fn of_shape(table: &'a Table, shape: &'a Shape) -> Self {
        Self { origin: Origin::Shape(table, shape), field: None }
    }

    pub(crate) fn shape(&self) -> Option<(&'a Table, &'a Shape)> {
        match self.origin {
            Origin::Shape(table, shape) => Some((table, shape)),
            _ => None,
        }
    }

    pub(crate) fn ty(&self) -> Option<(&'a Table, &'a Type)> {
        match self.origin {
            Origin::Type(table, id) => table.types.get(id as usize).map(|ty| (table, ty)),
            Origin::Shape(table, Shape::Ref { id, .. }) => table.types.get(*id as usize).map(|ty| (table, ty)),
            Origin::Shape(_, Shape::Meta) => {
                let table = Table::builtin();
                table.types.get(table.object_meta as usize).map(|ty| (table, ty))
            }
            _ => None,
        }
    }

    /// What a merge has to know of the value here.
    pub fn structure(&self) -> Structure<'a> {
        match self.origin {
            Origin::Type(table, id) => Structure::Fields { atomic: table.types[id as usize].atomic },
            Origin::Deduced => Structure::Deduced,
            Origin::Shape(table, shape) => match shape {
                Shape::Ref { id, atomic } => Structure::Fields { atomic: *atomic || table.types[*id as usize].atomic },
                Shape::Meta => Structure::Fields { atomic: false },
                Shape::List { kind, .. } => Structure::List(kind),
                Shape::Map { atomic, .. } => Structure::Map { atomic: *atomic },
                Shape::Raw | Shape::FieldsV1 => Structure::Deduced,
                _ => Structure::Scalar,
            },
        }
    }

    /// The schema of a field, or of a map's values; `None` when the field is not declared.
    pub fn field(&self, name: &str) -> Option<Node<'a>> {
        if let Some((table, ty)) = self.ty() {
            return match ty.field(name) {
                Some(field) => Some(Node { origin: Origin::Shape(table, &field.shape), field: Some(field) }),
                None => ty.open.then(Node::deduced),
            };
        }
        match self.origin {
            Origin::Shape(table, Shape::Map { item, .. }) => Some(Node::of_shape(table, item)),
            Origin::Deduced | Origin::Shape(_, Shape::Raw | Shape::FieldsV1 | Shape::Any) => Some(Node::deduced()),
            _ => None,
        }
    }

    /// The schema of a list's items.
    pub fn item(&self) -> Node<'a> {
        match self.origin {
            Origin::Shape(table, Shape::List { item, .. }) => Node::of_shape(table, item),
            _ => Node::deduced(),
        }
    }

    /// How strategic merge treats this field.
    pub fn patch_strategy(&self) -> PatchStrategy<'a> {
        match self.field {
            Some(field) => PatchStrategy {
                merge: field.patch_merge,
                retain_keys: field.patch_retain_keys,
                merge_key: field.merge_key.as_deref(),
            },
            None => PatchStrategy { merge: false, retain_keys: false, merge_key: None },
        }
    }

    /// Whether strategic merge replaces this map whole.
    pub(crate) fn patch_replaces(&self) -> bool {
        self.field.is_some_and(|field| field.patch_replace)
    }

    /// The default the schema declares (not the rules of [`crate::defaults`]).
    pub fn default(&self) -> Option<&'a Value> {
        self.field.and_then(|field| field.default.as_ref())
    }

    /// The names of the declared fields, in the order of the Go struct; empty for anything but an object type.
    pub fn field_names(&self) -> impl Iterator<Item = &'a str> {
        self.ty().into_iter().flat_map(|(_, ty)| ty.fields().iter().map(|field| &*field.json))
    }

    /// Whether the field must be given, by the published schema.
    pub fn required(&self) -> bool {
        self.field.is_some_and(|field| field.required)
    }

    /// The closed list of values, when there is one.
    pub fn enum_values(&self) -> Option<impl Iterator<Item = &'a str>> {
        let (table, Shape::Str(Some(named))) = self.shape()? else { return None };
        let values = &table.named.get(usize::from(*named))?.values;
        (!values.is_empty()).then(|| values.iter().map(|value| &**value))
    }

    /// Whether the value is a resource quantity.
    pub fn is_quantity(&self) -> bool {
        matches!(self.shape(), Some((_, Shape::Quantity)))
    }

    /// Whether the value is an integer or a string (a port or its name, a number or a percentage).
    pub fn is_int_or_string(&self) -> bool {
        matches!(self.shape(), Some((_, Shape::IntOrString)))
    }

    /// The fields an object of this type has before anything is set: the structs Go always prints.
    pub fn empty_object(&self) -> Map<String, Value> {
        super::decode::empty_object(*self)
    }

    /// Why a value is not the scalar this is, in structured-merge-diff's words; null is always fine.
    pub(crate) fn scalar_mismatch(&self, value: &Value) -> Option<String> {
        let (_, shape) = self.shape()?;
        let kind = match value {
            Value::Null => return None,
            Value::Bool(_) => "bool",
            Value::Number(number) if number.is_f64() => "float64",
            Value::Number(_) => "int64",
            Value::String(_) => "string",
            Value::Array(_) => "[]interface {}",
            Value::Object(_) => "map[string]interface {}",
        };
        let printed = || crate::go_print::go_print(value);
        match shape {
            Shape::Str(_) | Shape::Bytes if !value.is_string() => {
                Some(format!("expected string, got &value.valueUnstructured{{Value:{}}}", printed()))
            }
            Shape::Bool if !value.is_boolean() => Some(format!("expected boolean, got &{{{}}}", printed())),
            Shape::Int32 | Shape::Int64 | Shape::Float if !value.is_number() => {
                Some(format!("expected numeric (int or float), got {kind}"))
            }
            Shape::Quantity | Shape::IntOrString | Shape::Time | Shape::MicroTime
                if value.is_array() || value.is_object() =>
            {
                Some(format!("expected any scalar, got &{{{}}}", printed()))
            }
            _ => None,
        }
    }

    /// The OpenAPI definition's name, for an object type.
    pub fn definition(&self) -> Option<&'a str> {
        self.ty().map(|(_, ty)| &*ty.name)
    }
}
