use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::{Atom, atom, below, item_element};
use crate::merge::managed::Element;
use crate::schema::Node;

/// Merges the right value into the left one: the right wins, what only the left has stays.
pub(in crate::merge::managed) fn merge(
    schema: Node<'_>,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Result<Option<Value>, String> {
    let (left_atom, right_atom) = (atom(schema, left), atom(schema, right));
    if right.is_none() {
        merge_atom(schema, left_atom, left, right)
    } else if left.is_none() || left_atom == right_atom {
        merge_atom(schema, right_atom, left, right)
    } else {
        // The types differ; the right one's walk decides.
        merge_atom(schema, right_atom, left, right)
    }
}

fn keep_right(left: Option<&Value>, right: Option<&Value>) -> Option<Value> {
    right.or(left).cloned()
}

fn merge_atom(
    schema: Node<'_>,
    atom: Atom<'_>,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Result<Option<Value>, String> {
    match atom {
        Atom::Scalar | Atom::AtomicList | Atom::Map { atomic: true } => Ok(keep_right(left, right)),
        Atom::Map { atomic: false } => {
            let (before, after) = (left.and_then(Value::as_object), right.and_then(Value::as_object));
            if before.is_none_or(Map::is_empty) && after.is_none_or(Map::is_empty) {
                return Ok(keep_right(left, right));
            }
            let mut out = Map::new();
            for (key, left) in before.into_iter().flatten() {
                let right = after.and_then(|map| map.get(key));
                if let Some(value) = merge(below(schema, key), Some(left), right)? {
                    out.insert(key.clone(), value);
                }
            }
            for (key, right) in after.into_iter().flatten() {
                if before.is_none_or(|map| !map.contains_key(key))
                    && let Some(value) = merge(below(schema, key), None, Some(right))?
                {
                    out.insert(key.clone(), value);
                }
            }
            Ok((!out.is_empty()).then_some(Value::Object(out)))
        }
        Atom::List(keys) => {
            let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
            let (before, after) = (list(left), list(right));
            if before.is_empty() && after.is_empty() {
                return Ok(keep_right(left, right));
            }
            let out = merge_items(schema, keys, &before, &after)?;
            Ok((!out.is_empty()).then_some(Value::Array(out)))
        }
    }
}

/// The items of one side by element; an element that occurs twice has no single item.
struct Index<'v> {
    elements: Vec<Element>,
    observed: Vec<(Element, Option<&'v Value>)>,
}

impl<'v> Index<'v> {
    fn new(schema: Node<'_>, keys: &[Box<str>], items: &'v [Value], duplicates: bool) -> Result<Self, String> {
        let mut index = Self { elements: Vec::with_capacity(items.len()), observed: Vec::with_capacity(items.len()) };
        for (at, item) in items.iter().enumerate() {
            let element = item_element(schema, keys, item).map_err(|error| format!("element {at}: {error}"))?;
            match index.observed.iter_mut().find(|(known, _)| *known == element) {
                Some(_) if !duplicates => return Err(format!("duplicate entries for key {element}")),
                Some((_, item)) => *item = None,
                None => index.observed.push((element.clone(), Some(item))),
            }
            index.elements.push(element);
        }
        Ok(index)
    }

    fn has(&self, element: &Element) -> bool {
        self.observed.iter().any(|(known, _)| known == element)
    }

    fn get(&self, element: &Element) -> Option<&'v Value> {
        self.observed.iter().find(|(known, _)| known == element).and_then(|(_, item)| *item)
    }
}

/// Interleaves both lists: the right one's order wins, left items stay next to their neighbours.
fn merge_items(schema: Node<'_>, keys: &[Box<str>], before: &[Value], after: &[Value]) -> Result<Vec<Value>, String> {
    let right = Index::new(schema, keys, after, false)?;
    let left = Index::new(schema, keys, before, true)?;
    let item = schema.item();
    let mut shared: VecDeque<&Element> = right.elements.iter().filter(|element| left.has(element)).collect();
    let mut next_shared = shared.pop_front();
    let mut merged: Vec<&Element> = Vec::new();
    let mut out = Vec::with_capacity(before.len().max(after.len()));
    let (mut l, mut r) = (0, 0);
    while l < left.elements.len() || r < right.elements.len() {
        if let (Some(left_element), Some(right_element)) = (left.elements.get(l), right.elements.get(r)) {
            if left_element == right_element {
                merged.push(right_element);
                out.extend(merge(item, left.get(left_element), right.get(left_element))?);
                (l, r) = (l + 1, r + 1);
                next_shared = shared.pop_front();
                continue;
            }
            if right.has(left_element) && next_shared.is_some_and(|next| next != left_element) {
                // Out of order; it comes where the right list has it.
                l += 1;
                continue;
            }
        }
        if let Some(left_element) = left.elements.get(l) {
            if !right.has(left_element) {
                out.extend(merge(item, Some(&before[l]), None)?);
                l += 1;
                continue;
            }
            if merged.contains(&left_element) {
                l += 1;
            }
        }
        if let Some(right_element) = right.elements.get(r) {
            merged.push(right_element);
            out.extend(merge(item, left.get(right_element), right.get(right_element))?);
            r += 1;
            if next_shared == Some(right_element) {
                next_shared = shared.pop_front();
            }
        }
    }
    Ok(out)
}
