//! Values that this process has opened, in whatever object they stand, and what stood there before.

use landfall_diag::shows_known;
use serde_json::Value;

use super::{Fields, MASK};

/// What says what an object is, and holds no value.
const NAMED_BY: [&str; 4] = ["apiVersion", "kind", "name", "namespace"];

/// Hides the texts in which one of two states shows a value that this process has opened: in both, for the other one has the value
/// before or after it. An object's own names stay.
pub(super) fn hide(left: &mut Fields, right: &mut Fields) {
    for name in names(left, right) {
        let (mut no_left, mut no_right) = (Value::Null, Value::Null);
        let (left, right) =
            (left.get_mut(&name).unwrap_or(&mut no_left), right.get_mut(&name).unwrap_or(&mut no_right));
        if name == "metadata" {
            let (mut no_left, mut no_right) = (Fields::new(), Fields::new());
            let left = left.as_object_mut().unwrap_or(&mut no_left);
            let right = right.as_object_mut().unwrap_or(&mut no_right);
            for name in names(left, right) {
                let (mut no_left, mut no_right) = (Value::Null, Value::Null);
                if !NAMED_BY.contains(&name.as_str()) {
                    let right = right.get_mut(&name).unwrap_or(&mut no_right);
                    hide_in(left.get_mut(&name).unwrap_or(&mut no_left), right);
                }
            }
        } else if !NAMED_BY.contains(&name.as_str()) {
            hide_in(left, right);
        }
    }
}

fn names(left: &Fields, right: &Fields) -> Vec<String> {
    left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))).cloned().collect()
}

/// Whether a value that is known has come to the second state where the first one has nothing: it may have had another place, or have
/// been another value, which then is among what has gone from around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It has.
    HasCome,
    /// None has, or what was in its place is hidden.
    IsPaired,
}

fn hide_in(left: &mut Value, right: &mut Value) -> Known {
    let (mut no_left, mut no_right) = (Value::Null, Value::Null);
    let mut has_come = false;
    match (&mut *left, &mut *right) {
        (Value::Object(one), Value::Object(other)) => {
            for name in names(one, other) {
                let other = other.get_mut(&name).unwrap_or(&mut no_right);
                has_come |= hide_in(one.get_mut(&name).unwrap_or(&mut no_left), other) == Known::HasCome;
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            let pairs = pairs(one, other);
            for (item, at) in one.iter_mut().zip(&pairs) {
                hide_in(item, at.and_then(|at| other.get_mut(at)).unwrap_or(&mut no_right));
            }
            for (_, item) in other.iter_mut().enumerate().filter(|(at, _)| !pairs.contains(&Some(*at))) {
                has_come |= hide_in(&mut no_left, item) == Known::HasCome;
            }
        }
        (Value::Null, right) => {
            let known = shows(right);
            hide_known(right);
            return if known { Known::HasCome } else { Known::IsPaired };
        }
        (left, Value::Null) => {
            hide_known(left);
            return Known::IsPaired;
        }
        (before, after) => {
            if shows(before) || shows(after) {
                let mask = |differs: bool| Value::String(if differs { format!("{MASK}+") } else { MASK.to_owned() });
                let differs = before != after;
                hide_all(before);
                // What is no text stays: a number, a map in the text's place.
                if after.is_string() {
                    *after = mask(differs);
                } else {
                    hide_known(after);
                }
            }
            return Known::IsPaired;
        }
    }
    if has_come {
        hide_gone(left, right);
    }
    Known::IsPaired
}

/// The item of the second list that each of the first one has become: the one of its name, or of its place in a list of the same length.
fn pairs(one: &[Value], other: &[Value]) -> Vec<Option<usize>> {
    let named = |item: &Value| item["name"].as_str().map(str::to_owned);
    let find = |(at, item): (usize, &Value)| match named(item) {
        Some(name) if other.iter().any(|other| named(other).is_some()) => {
            other.iter().position(|other| named(other).as_deref() == Some(&name))
        }
        _ => (one.len() == other.len()).then_some(at),
    };
    one.iter().enumerate().map(find).collect()
}

/// Hides what the first state has that the second one has not, or has otherwise.
fn hide_gone(left: &mut Value, right: &Value) {
    match (&mut *left, right) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in one {
                match other.get(name) {
                    Some(other) => hide_gone(value, other),
                    None => hide_all(value),
                }
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            let pairs = pairs(one, other);
            for (item, at) in one.iter_mut().zip(pairs).filter(|(item, _)| !other.contains(item)) {
                match at.and_then(|at| other.get(at)) {
                    Some(other) => hide_gone(item, other),
                    None => hide_all(item),
                }
            }
        }
        (left, right) if left != right => hide_all(left),
        _ => {}
    }
}

/// Hides all texts of a value; what an item is called stays.
fn hide_all(value: &mut Value) {
    match value {
        Value::String(text) if !text.starts_with(MASK) => MASK.clone_into(text),
        Value::Object(fields) => {
            fields.iter_mut().filter(|(name, _)| !NAMED_BY.contains(&name.as_str())).for_each(|(_, it)| hide_all(it));
        }
        Value::Array(items) => items.iter_mut().for_each(hide_all),
        _ => {}
    }
}

/// Hides those texts of a value that show what is known.
fn hide_known(value: &mut Value) {
    match value {
        Value::String(text) if shows_known(text) => MASK.clone_into(text),
        Value::Object(fields) => fields.values_mut().for_each(hide_known),
        Value::Array(items) => items.iter_mut().for_each(hide_known),
        _ => {}
    }
}

fn shows(value: &Value) -> bool {
    match value {
        Value::String(text) => shows_known(text),
        Value::Object(fields) => fields.values().any(shows),
        Value::Array(items) => items.iter().any(shows),
        _ => false,
    }
}
