//! The walks over values with a schema: check, field set, compare, merge, remove.

mod compare;
mod merge;

use serde_json::{Map, Value};

pub(super) use compare::{Comparison, compare};
pub(super) use merge::merge;

use super::{Element, FieldSet, Scalar};
use crate::go_print::go_print;
use crate::schema::{ListKind, Node, Structure};

/// What a walk does at a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Atom<'a> {
    Scalar,
    /// A list that is one value.
    AtomicList,
    /// A list whose items are told apart by these keys; no keys: by value.
    List(&'a [Box<str>]),
    Map {
        atomic: bool,
    },
}

/// The atom of the schema, decided by the value where the schema leaves it open.
pub(super) fn atom<'a>(schema: Node<'a>, value: Option<&Value>) -> Atom<'a> {
    match schema.structure() {
        Structure::Scalar => Atom::Scalar,
        Structure::Fields { atomic } | Structure::Map { atomic } => Atom::Map { atomic },
        Structure::List(ListKind::Atomic) => Atom::AtomicList,
        Structure::List(ListKind::Set) => Atom::List(&[]),
        Structure::List(ListKind::Map(keys)) => Atom::List(keys),
        Structure::Deduced => match value {
            Some(Value::Array(_)) => Atom::AtomicList,
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => Atom::Scalar,
            _ => Atom::Map { atomic: false },
        },
    }
}

/// The path element of an item of an associative list.
pub(super) fn item_element(schema: Node<'_>, keys: &[Box<str>], item: &Value) -> Result<Element, String> {
    if keys.is_empty() {
        return match item {
            Value::Object(_) => Err("associative list without keys has an element that's a map type".to_owned()),
            Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
            Value::Null => Err("associative list without keys has an element that's an explicit null".to_owned()),
            scalar => Scalar::of(scalar).map(Element::Value).ok_or_else(|| "not a scalar".to_owned()),
        };
    }
    let map = match item {
        Value::Null => return Err("associative list with keys may not have a null element".to_owned()),
        Value::Object(map) => map,
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    };
    let mut found: Vec<(String, Scalar)> = Vec::with_capacity(keys.len());
    for key in keys {
        let default = || schema.item().field(key).and_then(|field| field.default());
        if let Some(value) = map.get(&**key).or_else(default) {
            let scalar = Scalar::of(value).ok_or_else(|| format!("key {key:?} is no scalar"))?;
            found.push((key.to_string(), scalar));
        }
    }
    if found.is_empty() {
        let names: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            names.join(" ")
        ));
    }
    found.sort();
    Ok(Element::Key(found))
}

/// The schema below a map's field; what is not declared has none.
pub(super) fn below<'a>(schema: Node<'a>, key: &str) -> Node<'a> {
    schema.field(key).unwrap_or_else(Node::deduced)
}

/// Checks that a configuration fits the schema, in structured-merge-diff's words.
pub(super) fn validate(schema: Node<'_>, value: &Value) -> Result<(), String> {
    let mut errors = Vec::new();
    check(schema, value, "", &mut errors);
    match errors.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        many => {
            Err(format!("errors:\n{}", many.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n")))
        }
    }
}

fn check(schema: Node<'_>, value: &Value, path: &str, errors: &mut Vec<String>) {
    let mut fail = |path: &str, message: String| {
        errors.push(if path.is_empty() { message } else { format!("{path}: {message}") });
    };
    match atom(schema, Some(value)) {
        Atom::Scalar => {
            if let Some(wanted) = schema.scalar_mismatch(value) {
                fail(path, wanted);
            }
        }
        Atom::Map { .. } => match value {
            Value::Null => {}
            Value::Object(map) => {
                for (key, inner) in map {
                    let path = format!("{path}.{key}");
                    match schema.field(key) {
                        Some(node) => check(node, inner, &path, errors),
                        None => {
                            errors.push(format!("{path}: field not declared in schema"));
                            break;
                        }
                    }
                }
            }
            other => fail(path, format!("expected map, got &{{{}}}", go_print(other))),
        },
        list @ (Atom::AtomicList | Atom::List(_)) => match value {
            Value::Null => {}
            Value::Array(items) => {
                let mut seen: Vec<Element> = Vec::new();
                for (at, item) in items.iter().enumerate() {
                    let element = match list {
                        Atom::List(keys) => match item_element(schema, keys, item) {
                            Ok(element) => element,
                            Err(error) => {
                                let message = format!("element {at}: {error}");
                                errors.push(if path.is_empty() { message } else { format!("{path}: {message}") });
                                return;
                            }
                        },
                        _ => Element::Index(i64::try_from(at).unwrap_or(i64::MAX)),
                    };
                    if seen.contains(&element) {
                        errors.push(format!("{path}: duplicate entries for key {element}"));
                    }
                    check(schema.item(), item, &format!("{path}{element}"), errors);
                    seen.push(element);
                }
            }
            other => fail(path, format!("expected list, got &{{{}}}", go_print(other))),
        },
    }
}

/// All fields a value sets.
pub(super) fn field_set(schema: Node<'_>, value: &Value) -> FieldSet {
    // The root itself is no field.
    collect(schema, value).1
}

/// Whether the value is a leaf, and the fields below it.
fn collect(schema: Node<'_>, value: &Value) -> (bool, FieldSet) {
    let mut set = FieldSet::default();
    match (atom(schema, Some(value)), value) {
        (Atom::Scalar | Atom::AtomicList | Atom::Map { atomic: true }, _) => return (true, set),
        (Atom::Map { .. }, Value::Object(map)) => {
            let declared = matches!(schema.structure(), Structure::Fields { .. });
            for (key, inner) in map {
                let known = schema.field(key);
                let (leaf, children) = collect(known.unwrap_or_else(Node::deduced), inner);
                let element = Element::Field(key.clone());
                let empty = inner.is_null() || inner.as_object().is_some_and(Map::is_empty);
                if leaf || empty || !declared || known.is_none_or(|node| node.field.is_none()) {
                    set.add_member(element.clone());
                }
                set.add_child(element, children);
            }
        }
        (Atom::List(keys), Value::Array(items)) => {
            let elements: Vec<Option<Element>> =
                items.iter().map(|item| item_element(schema, keys, item).ok()).collect();
            for (at, (item, element)) in items.iter().zip(&elements).enumerate() {
                let Some(element) = element else { continue };
                set.add_member(element.clone());
                let twin =
                    elements.iter().enumerate().any(|(other, known)| other != at && known.as_ref() == Some(element));
                if !twin {
                    set.add_child(element.clone(), collect(schema.item(), item).1);
                }
            }
        }
        _ => {}
    }
    (false, set)
}

/// The value without the fields of the set; `None` when nothing is left of it.
pub(super) fn remove_items(schema: Node<'_>, value: &Value, set: &FieldSet) -> Option<Value> {
    match (atom(schema, Some(value)), value) {
        (Atom::Scalar, value) => Some(value.clone()),
        (Atom::Map { atomic: false }, Value::Object(map)) => {
            let mut kept = Map::new();
            for (key, inner) in map {
                let element = Element::Field(key.clone());
                if set.has_member(&element) {
                    continue;
                }
                let inner = match set.child(&element) {
                    Some(subset) => remove_items(below(schema, key), inner, subset).unwrap_or(Value::Null),
                    None => inner.clone(),
                };
                kept.insert(key.clone(), inner);
            }
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        (Atom::List(keys), Value::Array(items)) => {
            let mut kept = Vec::new();
            for item in items {
                match item_element(schema, keys, item) {
                    Ok(element) if set.has_member(&element) => {}
                    Ok(element) => kept.push(match set.child(&element) {
                        Some(subset) => remove_items(schema.item(), item, subset).unwrap_or(Value::Null),
                        None => item.clone(),
                    }),
                    Err(_) => kept.push(item.clone()),
                }
            }
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        _ => None,
    }
}
