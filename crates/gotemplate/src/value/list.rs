use std::fmt;
use std::sync::Arc;

use super::{Data, Type, Value, growth};

/// A Go slice: immutable and shared, typed by its element.
///
/// No function that templates can reach writes into a slice in place, so sharing without mutation is Go's behaviour.
#[derive(Clone)]
pub struct List(Arc<Items>);

struct Items {
    element: Type,
    nil: bool,
    values: Vec<Value>,
    /// What lies behind them in the array below: a slice of a slice can reach it.
    behind: Vec<Value>,
    /// Elements that the array below has room for, from the first of `values` on; never less than `values` and `behind`.
    capacity: usize,
}

impl List {
    /// A `[]interface {}`.
    pub fn new(values: Vec<Value>) -> Self {
        List::of(Type::Any, values)
    }

    /// A slice of another element type; the values must be of it.
    pub fn of(element: Type, values: Vec<Value>) -> Self {
        let capacity = values.len();
        List(Arc::new(Items { element, nil: false, values, behind: Vec::new(), capacity }))
    }

    /// A slice to which the values were appended one by one, so that Go has left room behind them.
    pub fn grown(element: Type, values: Vec<Value>) -> Self {
        List::grown_from(0, element, values)
    }

    /// The same of a slice that had room for so many elements at first.
    pub fn grown_from(room: usize, element: Type, values: Vec<Value>) -> Self {
        let capacity = growth::one_by_one(room, values.len(), element);
        List::roomy(element, values, capacity)
    }

    /// A slice with room for so many elements; for at least those that there are.
    pub fn roomy(element: Type, values: Vec<Value>, capacity: usize) -> Self {
        let capacity = capacity.max(values.len());
        List(Arc::new(Items { element, nil: false, values, behind: Vec::new(), capacity }))
    }

    /// A slice with one element more than this one, appended to a copy that had no room (Go: `append`).
    pub fn appended(element: Type, mut values: Vec<Value>, value: Value) -> Self {
        let capacity = growth::appended(values.len(), values.len() + 1, element);
        values.push(value);
        List::roomy(element, values, capacity)
    }

    /// A slice that was one element long before the others were appended all at once (Go: `append([]T{first}, rest...)`).
    pub fn prepended(element: Type, values: Vec<Value>) -> Self {
        let capacity = growth::appended(1, values.len(), element);
        List::roomy(element, values, capacity)
    }

    /// Other values in a slice of the same type with the same room, as a copy of it is.
    #[must_use]
    pub fn like(&self, values: Vec<Value>) -> Self {
        List::roomy(self.0.element, values, self.0.capacity)
    }

    /// Elements that the array below has room for (Go: `cap`).
    pub fn capacity(&self) -> usize {
        self.0.capacity
    }

    /// From one place to another, which may lie behind the last element but not behind the room; what was never there is zero
    /// (Go: `reflect.Value.Slice`).
    pub fn slice(&self, from: usize, to: usize) -> Option<Self> {
        if from > to || to > self.0.capacity {
            return None;
        }
        let Items { element, values, behind, capacity, .. } = &*self.0;
        let mut whole = values.iter().chain(behind).skip(from).cloned();
        let mut shown: Vec<Value> = whole.by_ref().take(to - from).collect();
        shown.resize_with(to - from, || element.zero());
        let items =
            Items { element: *element, nil: false, values: shown, behind: whole.collect(), capacity: capacity - from };
        Some(List(Arc::new(items)))
    }

    /// A `[]string`.
    pub fn strings<S: Into<Value>>(values: impl IntoIterator<Item = S>) -> Self {
        List::of(Type::String, values.into_iter().map(Into::into).collect())
    }

    /// A nil slice: empty, printed `[]`, `null` in JSON.
    pub fn nil(element: Type) -> Self {
        List(Arc::new(Items { element, nil: true, values: Vec::new(), behind: Vec::new(), capacity: 0 }))
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
            into.append(&mut items.behind);
        }
    }
}

/// Templates can nest lists a million deep; dropping them must not need a million stack frames.
impl Drop for Items {
    fn drop(&mut self) {
        for values in [&mut self.values, &mut self.behind] {
            if values.iter().any(|value| matches!(value.data, Data::List(_) | Data::Map(_))) {
                super::drop_flat(std::mem::take(values));
            }
        }
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values()).finish()
    }
}
