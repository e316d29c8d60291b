//! The same change made to values, to compare with what the changed text says.

use crate::construct::scalar;
use crate::document::{Document, Node, Step, parse};
use crate::resolve::Scalar;
use crate::value::{Map, Value};

pub(super) fn set(root: &mut Value, path: &[Step<'_>], value: &Scalar<'_>) -> Option<()> {
    let mut here = root;
    for step in path {
        here = match (*step, here) {
            (Step::Index(index), Value::Seq(items)) => items.get_mut(index)?,
            (Step::Key(key), slot) => {
                if *slot == Value::Null {
                    *slot = Value::Map(Map::new());
                }
                let Value::Map(map) = slot else { return None };
                map.entry(key.to_owned()).or_insert(Value::Null)
            }
            _ => return None,
        };
    }
    *here = of(value);
    Some(())
}

pub(super) fn append(root: &mut Value, path: &[Step<'_>], value: &Scalar<'_>) -> Option<()> {
    let Value::Seq(items) = at(root, path)? else { return None };
    items.push(of(value));
    Some(())
}

pub(super) fn remove(root: &mut Value, path: &[Step<'_>]) -> Option<()> {
    let (last, above) = path.split_last()?;
    match (*last, at(root, above)?) {
        (Step::Index(index), Value::Seq(items)) if index < items.len() => {
            items.remove(index);
            Some(())
        }
        (Step::Key(key), Value::Map(map)) => map.shift_remove(key).map(drop),
        _ => None,
    }
}

fn at<'v>(root: &'v mut Value, path: &[Step<'_>]) -> Option<&'v mut Value> {
    path.iter().try_fold(root, |here, step| match (*step, here) {
        (Step::Index(index), Value::Seq(items)) => items.get_mut(index),
        (Step::Key(key), Value::Map(map)) => map.get_mut(key),
        _ => None,
    })
}

fn of(value: &Scalar<'_>) -> Value {
    match value {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => Value::Bool(*value),
        Scalar::Int(value) => Value::Int(*value),
        Scalar::Uint(value) => Value::Uint(*value),
        Scalar::Float(value) => Value::Float(*value),
        Scalar::Str(text) => Value::String(text.clone().into_owned()),
    }
}

/// Whether a text means this value and has the old document's comments, but for those that went with what was removed.
pub(super) fn holds(old: &Document<'_>, text: &str, wanted: &Value) -> bool {
    let Ok(documents) = parse(text) else { return false };
    let [new] = &documents[..] else { return false };
    let Ok(found) = Value::of(new) else { return false };
    if !same(&found, wanted) {
        return false;
    }
    let comments = |document: &Document<'_>| -> Vec<String> {
        let texts = document.comments().iter().map(|comment| comment.span.text(document.source()).to_owned());
        texts.collect()
    };
    let (before, after) = (comments(old), comments(new));
    let mut left = before.iter();
    // Every comment that is left was there before, in this order; only the removed lines' own may be gone.
    after.iter().all(|comment| left.any(|known| known == comment))
        && (before.len() == after.len() || text.len() < old.source().len())
}

/// Whether a text has the old document's nodes and comments, but that one scalar says this.
pub(super) fn differs_in(old: &Document<'_>, changed: Node<'_>, text: &str, value: &Scalar<'_>) -> bool {
    let Ok(documents) = parse(text) else { return false };
    let [new] = &documents[..] else { return false };
    let is_same = |(was, is): (Node<'_>, Node<'_>)| {
        let says = match was.id() == changed.id() {
            true => scalar(is).is_ok_and(|found| found == *value),
            false => was.kind() == is.kind() && was.text() == is.text(),
        };
        says && was.anchor() == is.anchor()
            && was.tag() == is.tag()
            && was.alias() == is.alias()
            && was.count() == is.count()
            && was.target().id() == is.target().id()
    };
    let comments = |document: &Document<'_>| -> Vec<String> {
        let texts = document.comments().iter().map(|comment| comment.span.text(document.source()).to_owned());
        texts.collect()
    };
    old.size() == new.size() && old.nodes().zip(new.nodes()).all(is_same) && comments(old) == comments(new)
}

/// Equality under which a number that is none is itself.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits() || a == b,
        (Value::Seq(a), Value::Seq(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
