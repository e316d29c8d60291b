//! Whether two values are the same, as `reflect.DeepEqual` has it.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::{Data, Value};

/// Deeper than any real value; what is deeper is a cycle, which Go would compare by address.
const MAX_COMPARED_DEPTH: usize = 500;
/// Pairs of collections that are compared before anybody looks whether they come again: few values share parts.
const UNCOUNTED: usize = 10_000;

/// `reflect.DeepEqual`, which remembers what it has met: values can hold each other, and one part many times.
#[derive(Default)]
struct Comparison {
    count: usize,
    met: FxHashSet<(usize, usize)>,
}

pub(super) fn deep_equal(a: &Value, b: &Value) -> bool {
    Comparison::default().deep_equal(a, b, 0)
}

impl Comparison {
    /// Whether a pair of collections has been met before: what it is, is known where it was met.
    fn is_met(&mut self, a: usize, b: usize) -> bool {
        self.count += 1;
        self.count > UNCOUNTED && !self.met.insert((a, b))
    }

    fn deep_equal(&mut self, a: &Value, b: &Value, depth: usize) -> bool {
        if depth > MAX_COMPARED_DEPTH {
            return true;
        }
        match (&a.data, &b.data) {
            (Data::Nil, Data::Nil) => true,
            (Data::Bool(a), Data::Bool(b)) => a == b,
            (Data::Int(a), Data::Int(b)) | (Data::Int64(a), Data::Int64(b)) => a == b,
            (Data::Int32(a), Data::Int32(b)) => a == b,
            (Data::Uint(a), Data::Uint(b)) | (Data::Uint64(a), Data::Uint64(b)) => a == b,
            (Data::Uint8(a), Data::Uint8(b)) => a == b,
            (Data::Float(a), Data::Float(b)) => a == b,
            (Data::Complex(a), Data::Complex(b)) => a == b,
            (Data::Str(a), Data::Str(b)) | (Data::Bytes(a), Data::Bytes(b)) => a == b,
            (Data::List(a), Data::List(b)) => {
                a.element() == b.element()
                    && a.is_nil() == b.is_nil()
                    && a.len() == b.len()
                    && (a.same(b)
                        || self.is_met(a.address(), b.address())
                        || a.values().iter().zip(b.values()).all(|(a, b)| self.deep_equal(a, b, depth + 1)))
            }
            (Data::Map(a), Data::Map(b)) => {
                if a.element() != b.element()
                    || a.name().map(|name| name.type_name) != b.name().map(|name| name.type_name)
                    || a.is_nil() != b.is_nil()
                    || a.len() != b.len()
                {
                    return false;
                }
                a.same(b)
                    || self.is_met(a.address(), b.address())
                    || a.entries()
                        .iter()
                        .zip(b.entries())
                        .all(|((a_key, a), (b_key, b))| *a_key == b_key && self.deep_equal(a, &b, depth + 1))
            }
            (Data::Host(a), Data::Host(b)) => {
                if Arc::ptr_eq(a, b) {
                    return true;
                }
                if a.type_name() != b.type_name() {
                    return false;
                }
                match (a.underlying(), b.underlying()) {
                    (Some(a), Some(b)) => self.deep_equal(&a, &b, depth + 1),
                    _ => {
                        a.text() == b.text()
                            && a.fields().iter().zip(b.fields()).all(|((a_name, a), (b_name, b))| {
                                *a_name == b_name && self.deep_equal(a, &b, depth + 1)
                            })
                    }
                }
            }
            _ => false,
        }
    }
}
