use std::fmt;
use std::sync::Arc;

use super::{Data, Type, Value};

/// A Go slice: immutable and shared, typed by its element.
///
/// No function that templates can reach writes into a slice in place, so sharing without mutation is Go's behaviour.
#[derive(Clone)]
pub struct List(Arc<Items>);

struct Items {
    element: Type,
    nil: bool,
    values: Vec<Value>,
}

impl List {
    /// A `[]interface {}`.
    pub fn new(values: Vec<Value>) -> Self {
        List::of(Type::Any, values)
    }

    /// A slice of another element type; the values must be of it.
    pub fn of(element: Type, values: Vec<Value>) -> Self {
        List(Arc::new(Items { element, nil: false, values }))
    }

    /// A `[]string`.
    pub fn strings<S: Into<Value>>(values: impl IntoIterator<Item = S>) -> Self {
        List::of(Type::String, values.into_iter().map(Into::into).collect())
    }

    /// A nil slice: empty, printed `[]`, `null` in JSON.
    pub fn nil(element: Type) -> Self {
        List(Arc::new(Items { element, nil: true, values: Vec::new() }))
    }

    /// Whether it is Go's nil slice.
    pub fn is_nil(&self) -> bool {
        self.0.nil
    }

    /// The element type.
    pub fn element(&self) -> Type {
        self.0.element
    }

    /// The elements.
    pub fn values(&self) -> &[Value] {
        &self.0.values
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.values.is_empty()
    }

    /// Whether both are the same slice in memory.
    pub fn same(&self, other: &List) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The address that `%p` prints and that cycles are found by.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(super) fn take_if_last(&mut self, into: &mut Vec<Value>) {
        if let Some(items) = Arc::get_mut(&mut self.0) {
            into.append(&mut items.values);
        }
    }
}

/// Templates can nest lists a million deep; dropping them must not need a million stack frames.
impl Drop for Items {
    fn drop(&mut self) {
        if self.values.iter().any(|value| matches!(value.data, Data::List(_) | Data::Map(_))) {
            super::drop_flat(std::mem::take(&mut self.values));
        }
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values()).finish()
    }
}
