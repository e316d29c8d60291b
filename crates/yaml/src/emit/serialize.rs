//! Whatever serde can hand out, as a tree that can be written.

use serde::ser::{self, Serialize};

use super::{Emit, Emitter};
use crate::error::Error;

/// A value on its way from serde to the emitter.
pub(super) enum Tree {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
    Sequence(Vec<Tree>),
    Mapping(Vec<(String, Tree)>),
}

pub(super) fn to_tree<T: Serialize + ?Sized>(value: &T) -> Result<Tree, Error> {
    value.serialize(Trees).map_err(|Failure(problem)| Error::Json { problem, at: None })
}

impl Emit for Tree {
    fn emit(&self, emitter: &mut Emitter) {
        match self {
            Self::Null => emitter.null(),
            Self::Bool(value) => emitter.bool(*value),
            Self::Int(value) => emitter.int(*value),
            Self::Uint(value) => emitter.uint(*value),
            Self::Float(value) => emitter.float(*value),
            Self::Text(text) => emitter.string(text),
            Self::Sequence(items) => emitter.sequence(items),
            Self::Mapping(entries) => {
                emitter.mapping(entries.iter().map(|(key, value)| (key.as_str(), value)).collect());
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

impl ser::Error for Failure {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Trees;

type Done = Result<Tree, Failure>;

impl ser::Serializer for Trees {
    type Ok = Tree;
    type Error = Failure;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    fn serialize_bool(self, value: bool) -> Done {
        Ok(Tree::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Done {
        Ok(Tree::Int(value.into()))
    }

    fn serialize_i16(self, value: i16) -> Done {
        Ok(Tree::Int(value.into()))
    }

    fn serialize_i32(self, value: i32) -> Done {
        Ok(Tree::Int(value.into()))
    }

    fn serialize_i64(self, value: i64) -> Done {
        Ok(Tree::Int(value))
    }

    fn serialize_u8(self, value: u8) -> Done {
        Ok(Tree::Uint(value.into()))
    }

    fn serialize_u16(self, value: u16) -> Done {
        Ok(Tree::Uint(value.into()))
    }

    fn serialize_u32(self, value: u32) -> Done {
        Ok(Tree::Uint(value.into()))
    }

    fn serialize_u64(self, value: u64) -> Done {
        Ok(Tree::Uint(value))
    }

    fn serialize_f32(self, value: f32) -> Done {
        Ok(Tree::Float(value.into()))
    }

    fn serialize_f64(self, value: f64) -> Done {
        Ok(Tree::Float(value))
    }

    fn serialize_char(self, value: char) -> Done {
        Ok(Tree::Text(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Done {
        Ok(Tree::Text(value.to_owned()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        use base64::Engine as _;
        Ok(Tree::Text(base64::engine::general_purpose::STANDARD.encode(value)))
    }

    fn serialize_none(self) -> Done {
        Ok(Tree::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        Ok(Tree::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Ok(Tree::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        Ok(Tree::Text(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        Ok(Tree::Mapping(vec![(variant.to_owned(), value.serialize(Self)?)]))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items, Failure> {
        Ok(Items::default())
    }

    fn serialize_tuple(self, _: usize) -> Result<Items, Failure> {
        Ok(Items::default())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, Failure> {
        Ok(Items::default())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items, Failure> {
        Ok(Items { variant: Some(variant), items: Vec::new() })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, Failure> {
        Ok(Entries::default())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries, Failure> {
        Ok(Entries::default())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Entries, Failure> {
        Ok(Entries { variant: Some(variant), ..Entries::default() })
    }
}

/// A sequence that is being filled; an enum's variant is a mapping of one entry.
#[derive(Default)]
struct Items {
    variant: Option<&'static str>,
    items: Vec<Tree>,
}

impl Items {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.items.push(value.serialize(Trees)?);
        Ok(())
    }

    fn done(self) -> Done {
        Ok(wrap(self.variant, Tree::Sequence(self.items)))
    }
}

fn wrap(variant: Option<&'static str>, tree: Tree) -> Tree {
    match variant {
        Some(variant) => Tree::Mapping(vec![(variant.to_owned(), tree)]),
        None => tree,
    }
}

impl ser::SerializeSeq for Items {
    type Ok = Tree;
    type Error = Failure;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.push(value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeTuple for Items {
    type Ok = Tree;
    type Error = Failure;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.push(value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeTupleStruct for Items {
    type Ok = Tree;
    type Error = Failure;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.push(value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeTupleVariant for Items {
    type Ok = Tree;
    type Error = Failure;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.push(value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

/// A mapping that is being filled.
#[derive(Default)]
struct Entries {
    variant: Option<&'static str>,
    key: Option<String>,
    entries: Vec<(String, Tree)>,
}

impl Entries {
    fn push<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), Failure> {
        self.entries.push((key, value.serialize(Trees)?));
        Ok(())
    }

    fn done(self) -> Done {
        Ok(wrap(self.variant, Tree::Mapping(self.entries)))
    }
}

impl ser::SerializeMap for Entries {
    type Ok = Tree;
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        self.key = Some(match key.serialize(Trees)? {
            Tree::Text(text) => text,
            Tree::Int(value) => value.to_string(),
            Tree::Uint(value) => value.to_string(),
            Tree::Bool(value) => value.to_string(),
            _ => return Err(Failure("key must be a string".to_owned())),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        let key = self.key.take().unwrap_or_default();
        self.push(key, value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeStruct for Entries {
    type Ok = Tree;
    type Error = Failure;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
        self.push(key.to_owned(), value)
    }

    fn end(self) -> Done {
        self.done()
    }
}

impl ser::SerializeStructVariant for Entries {
    type Ok = Tree;
    type Error = Failure;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Failure> {
        self.push(key.to_owned(), value)
    }

    fn end(self) -> Done {
        self.done()
    }
}
