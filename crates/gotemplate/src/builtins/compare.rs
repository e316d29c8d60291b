//! `eq` and its family; `text/template/funcs.go`.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::format;
use crate::func::FuncError;
use crate::value::{Data, HostKind, Value};

/// A value of one of the kinds that compare.
#[derive(Debug, Clone, PartialEq)]
enum Basic<'v> {
    Bool(bool),
    Complex(f64, f64),
    Int(i64),
    Float(f64),
    Str(&'v [u8]),
    Uint(u64),
    /// Everything else.
    Other,
}

fn basic(value: &Value) -> Basic<'_> {
    match value.data() {
        Data::Bool(truth) => Basic::Bool(*truth),
        Data::Int(number) | Data::Int64(number) => Basic::Int(*number),
        Data::Int32(number) => Basic::Int((*number).into()),
        Data::Uint(number) | Data::Uint64(number) => Basic::Uint(*number),
        Data::Uint8(number) => Basic::Uint((*number).into()),
        Data::Float(number) => Basic::Float(*number),
        Data::Complex(parts) => Basic::Complex(parts.0, parts.1),
        Data::Str(text) => Basic::Str(text),
        _ => Basic::Other,
    }
}

/// The value below a defined type over a basic one.
fn plain(value: &Value) -> Value {
    match value.data() {
        Data::Host(host) if host.kind() == HostKind::Defined => match host.underlying() {
            Some(below) if basic(&below) != Basic::Other => below,
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

fn incompatible(a: &Value, b: &Value) -> FuncError {
    FuncError::new(format!("incompatible types for comparison: {} and {}", a.type_name(), b.type_name()))
}

/// Whether the first equals any of the others.
pub(super) fn eq(first: &Value, others: &[Value]) -> Result<bool, FuncError> {
    if others.is_empty() {
        return Err(FuncError::new("missing argument for comparison"));
    }
    let a = plain(first);
    for other in others {
        let b = plain(other);
        let equal = match (basic(&a), basic(&b)) {
            (Basic::Int(int), Basic::Uint(uint)) | (Basic::Uint(uint), Basic::Int(int)) => {
                u64::try_from(int) == Ok(uint)
            }
            (Basic::Other, Basic::Other) => eq_other(&a, &b)?,
            (x, y) if std::mem::discriminant(&x) == std::mem::discriminant(&y) => x == y,
            _ if a.is_nil() || b.is_nil() => false,
            _ => return Err(incompatible(first, other)),
        };
        if equal {
            return Ok(true);
        }
    }
    Ok(false)
}

fn shown(value: &Value) -> String {
    String::from_utf8_lossy(&format::sprintf(b"%s", std::slice::from_ref(value))).into_owned()
}

fn eq_other(a: &Value, b: &Value) -> Result<bool, FuncError> {
    if a.kind_name() != b.kind_name() && !a.is_nil() && !b.is_nil() {
        return Err(FuncError::new(format!(
            "non-comparable types {}: {}, {}: {}",
            shown(a),
            a.type_name(),
            b.type_name(),
            String::from_utf8_lossy(&format::display(b))
        )));
    }
    if is_nil(a) || is_nil(b) {
        return Ok(is_nil(a) && is_nil(b));
    }
    match (a.data(), b.data()) {
        (_, Data::List(_) | Data::Bytes(_) | Data::Map(_)) => {
            Err(FuncError::new(format!("non-comparable type {}: {}", shown(b), b.type_name())))
        }
        (Data::Host(x), Data::Host(y)) => match y.kind() {
            HostKind::Pointer => Ok(Arc::ptr_eq(x, y)),
            HostKind::Struct => Ok(a.deep_equal(b)),
            HostKind::Defined => Err(FuncError::new(format!("non-comparable type {}: {}", shown(b), b.type_name()))),
        },
        _ => Ok(false),
    }
}

fn is_nil(value: &Value) -> bool {
    match value.data() {
        Data::Nil => true,
        Data::List(list) => list.is_nil(),
        Data::Map(map) => map.is_nil(),
        _ => false,
    }
}

fn compare(first: &Value, second: &Value) -> Result<Option<Ordering>, FuncError> {
    let (a, b) = (plain(first), plain(second));
    let bad = || FuncError::new("invalid type for comparison");
    match (basic(&a), basic(&b)) {
        (Basic::Other, _) | (_, Basic::Other) => Err(bad()),
        (Basic::Int(int), Basic::Uint(uint)) => {
            Ok(Some(u64::try_from(int).map_or(Ordering::Less, |int| int.cmp(&uint))))
        }
        (Basic::Uint(uint), Basic::Int(int)) => {
            Ok(Some(u64::try_from(int).map_or(Ordering::Greater, |int| uint.cmp(&int))))
        }
        (Basic::Float(a), Basic::Float(b)) => Ok(a.partial_cmp(&b)),
        (Basic::Int(a), Basic::Int(b)) => Ok(Some(a.cmp(&b))),
        (Basic::Uint(a), Basic::Uint(b)) => Ok(Some(a.cmp(&b))),
        (Basic::Str(a), Basic::Str(b)) => Ok(Some(a.cmp(b))),
        (Basic::Bool(_), Basic::Bool(_)) | (Basic::Complex(..), Basic::Complex(..)) => Err(bad()),
        _ => Err(incompatible(first, second)),
    }
}

/// Whether the first is smaller.
pub(super) fn lt(first: &Value, second: &Value) -> Result<bool, FuncError> {
    Ok(compare(first, second)? == Some(Ordering::Less))
}

/// Whether the first is not larger.
pub(super) fn le(first: &Value, second: &Value) -> Result<bool, FuncError> {
    Ok(matches!(compare(first, second)?, Some(Ordering::Less | Ordering::Equal)))
}
