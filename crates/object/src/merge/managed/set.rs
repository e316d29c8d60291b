use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Number, Value};

use crate::schema::{Node, Structure};

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
    fn encode(&self) -> String {
        match self {
            Self::Field(name) => ["f:", name].concat(),
            Self::Key(keys) => {
                let keys: Map<String, Value> = keys.iter().map(|(name, value)| (name.clone(), value.json())).collect();
                format!("k:{}", Value::Object(keys))
            }
            Self::Value(value) => format!("v:{}", value.json()),
            Self::Index(at) => format!("i:{at}"),
        }
    }

    fn decode(text: &str) -> Result<Self, String> {
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

/// What becomes of the fields below an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    /// They stay as they are now.
    Stays,
    /// They are one value with the element.
    IsWhole,
}

/// A set of fields. A field may be in it with or without what is below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSet {
    members: BTreeSet<Element>,
    /// Never holds an empty set.
    children: BTreeMap<Element, FieldSet>,
}

impl FieldSet {
    /// The set of these paths of field names.
    pub fn of_names(paths: &[&[&str]]) -> Self {
        let mut set = Self::default();
        for path in paths {
            let path: Vec<Element> = path.iter().map(|name| Element::Field((*name).to_owned())).collect();
            set.insert(&path);
        }
        set
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.children.is_empty()
    }

    /// Adds a path; the empty path is not a field.
    pub fn insert(&mut self, path: &[Element]) {
        let Some((last, parents)) = path.split_last() else { return };
        let mut set = self;
        for parent in parents {
            set = set.children.entry(parent.clone()).or_default();
        }
        set.members.insert(last.clone());
    }

    /// Whether exactly this path is in it.
    pub fn has(&self, path: &[Element]) -> bool {
        match path {
            [] => false,
            [last] => self.members.contains(last),
            [first, rest @ ..] => self.children.get(first).is_some_and(|child| child.has(rest)),
        }
    }

    pub(super) fn has_member(&self, element: &Element) -> bool {
        self.members.contains(element)
    }

    pub(super) fn child(&self, element: &Element) -> Option<&Self> {
        self.children.get(element)
    }

    /// Moves on what is below an element: it stays, changed, or the element becomes a member itself.
    pub(super) fn for_each_child(&mut self, mut each: impl FnMut(&Element, &mut Self) -> Below) {
        let mut whole = Vec::new();
        self.children.retain(|element, child| match each(element, child) {
            Below::Stays => !child.is_empty(),
            Below::IsWhole => {
                whole.push(element.clone());
                false
            }
        });
        self.members.extend(whole);
    }

    pub(super) fn add_member(&mut self, element: Element) {
        self.members.insert(element);
    }

    pub(super) fn set_child(&mut self, element: Element, child: Self) {
        if child.is_empty() {
            self.children.remove(&element);
        } else {
            self.children.insert(element, child);
        }
    }

    /// All paths, members of a level before what is below.
    pub fn paths(&self) -> Vec<Vec<Element>> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, prefix: &mut Vec<Element>, paths: &mut Vec<Vec<Element>>) {
        for member in &self.members {
            paths.push(prefix.iter().chain([member]).cloned().collect());
        }
        for (element, child) in &self.children {
            prefix.push(element.clone());
            child.collect(prefix, paths);
            prefix.pop();
        }
    }

    /// What is in this and not in the other, which is most often empty.
    #[must_use]
    pub(super) fn without(self, other: &Self) -> Self {
        if self.is_empty() || other.is_empty() { self } else { self.difference(other) }
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.members.extend(other.members.iter().cloned());
        for (element, child) in &other.children {
            let merged = match union.children.get(element) {
                Some(own) => own.union(child),
                None => child.clone(),
            };
            union.children.insert(element.clone(), merged);
        }
        union
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut set =
            Self { members: self.members.intersection(&other.members).cloned().collect(), children: BTreeMap::new() };
        for (element, child) in &self.children {
            if let Some(others) = other.children.get(element) {
                set.set_child(element.clone(), child.intersection(others));
            }
        }
        set
    }

    /// What is in this and not in the other; what is below a field of the other stays.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut set =
            Self { members: self.members.difference(&other.members).cloned().collect(), children: BTreeMap::new() };
        for (element, child) in &self.children {
            let rest = match other.children.get(element) {
                Some(others) => child.difference(others),
                None => child.clone(),
            };
            set.set_child(element.clone(), rest);
        }
        set
    }

    /// What is in this, and neither in the other nor below a field of it.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        let mut set =
            Self { members: self.members.difference(&other.members).cloned().collect(), children: BTreeMap::new() };
        for (element, child) in &self.children {
            if other.members.contains(element) {
                continue;
            }
            let rest = match other.children.get(element) {
                Some(others) => child.recursive_difference(others),
                None => child.clone(),
            };
            set.set_child(element.clone(), rest);
        }
        set
    }

    /// The set with every declared field on the way to a member a member itself.
    #[must_use]
    pub(super) fn with_named_fields(&self, schema: Node<'_>) -> Self {
        let mut set = Self { members: self.members.clone(), children: BTreeMap::new() };
        let declared = matches!(schema.structure(), Structure::Fields { .. });
        for (element, child) in &self.children {
            let below = match element {
                Element::Field(name) => {
                    if declared && schema.field_names().any(|field| field == name) {
                        set.members.insert(element.clone());
                    }
                    schema.field(name).unwrap_or_else(Node::deduced)
                }
                Element::Key(_) => schema.item(),
                _ => Node::deduced(),
            };
            set.children.insert(element.clone(), child.with_named_fields(below));
        }
        set
    }

    /// The set as `fieldsV1` writes it.
    pub fn to_fields_v1(&self) -> Value {
        let mut map = Map::new();
        for member in &self.members {
            map.insert(member.encode(), Value::Object(Map::new()));
        }
        for (element, child) in &self.children {
            let key = element.encode();
            let mut below = child.to_fields_v1();
            if map.contains_key(&key) {
                below["."] = Value::Object(Map::new());
            }
            map.insert(key, below);
        }
        Value::Object(map)
    }

    /// Reads `fieldsV1`.
    pub fn from_fields_v1(value: &Value) -> Result<Self, String> {
        Self::read(value, 0)
    }

    fn read(value: &Value, depth: usize) -> Result<Self, String> {
        let mut set = Self::default();
        if depth > 200 {
            return Err("fields are nested too deeply".to_owned());
        }
        let Value::Object(map) = value else { return Err("fields must be a map".to_owned()) };
        for (key, below) in map {
            if key == "." {
                continue;
            }
            let element = Element::decode(key)?;
            let child = Self::read(below, depth + 1)?;
            if child.is_empty() || below.get(".").is_some() {
                set.members.insert(element.clone());
            }
            set.set_child(element, child);
        }
        Ok(set)
    }
}
