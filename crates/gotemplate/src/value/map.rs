use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::{RecursiveRwLock, RecursiveRwLockReadGuard};

use super::entries::Entries;
use super::watch::{Watch, Watched};
use super::{Data, Str, Type, Value};
use crate::func::Func;

/// A Go map with string keys: a shared, mutable thing.
///
/// Cloning a `Map` gives another name for the same map, as assigning one does in Go: what `set` writes through one is
/// seen through all. Iteration is in key order, byte by byte, as `range` and printing have it.
#[derive(Clone)]
pub struct Map {
    cell: Arc<Cell>,
    name: Option<&'static MapName>,
}

struct Cell {
    element: Type,
    nil: bool,
    /// Who wants to know of writes.
    watch: OnceLock<Watch>,
    entries: RecursiveRwLock<Entries>,
}

/// A defined map type: `chartutil.Values` is `map[string]interface {}` with a name and methods.
pub struct MapName {
    /// What `%T` prints.
    pub type_name: &'static str,
    /// The method of that name, bound to the map; methods win over keys, as in Go.
    pub method: fn(&Map, &str) -> Option<Func>,
}

impl Map {
    /// An empty `map[string]interface {}`.
    pub fn new() -> Self {
        Map::made(Type::Any, false, Entries::new())
    }

    /// A map of another element type; the values must be of it.
    pub fn of(element: Type, entries: BTreeMap<Str, Value>) -> Self {
        Map::made(element, false, entries.into())
    }

    /// A nil map: empty, printed `map[]`, `null` in JSON, and never written to.
    pub fn nil(element: Type) -> Self {
        Map::made(element, true, Entries::new())
    }

    fn made(element: Type, nil: bool, entries: Entries) -> Self {
        let cell = Cell { element, nil, watch: OnceLock::new(), entries: RecursiveRwLock::new(entries) };
        Map { cell: Arc::new(cell), name: None }
    }

    pub(super) fn watched_by(&self, watch: &Watch) -> Watched {
        // Looked at first: most are watched already, and a watch that is given on is counted by all threads.
        match self.cell.watch.get() {
            Some(known) if known.is(watch) => Watched::Already,
            Some(_) => Watched::ByAnother,
            None => match self.cell.watch.set(watch.clone()) {
                Ok(()) => Watched::Now,
                Err(_) if self.cell.watch.get().is_some_and(|known| known.is(watch)) => Watched::Already,
                Err(_) => Watched::ByAnother,
            },
        }
    }

    /// Whether nothing may be written.
    fn is_closed(&self) -> bool {
        self.cell.nil || self.cell.watch.get().is_some_and(Watch::refuses)
    }

    /// The entries, of which one key is asked for.
    fn asked(&self, key: &[u8]) -> RecursiveRwLockReadGuard<'_, Entries> {
        if let Some(watch) = self.cell.watch.get() {
            watch.reads_key(self.address(), key);
        }
        self.cell.entries.read()
    }

    /// All entries.
    fn all(&self) -> RecursiveRwLockReadGuard<'_, Entries> {
        if let Some(watch) = self.cell.watch.get() {
            watch.reads_all(self.address());
        }
        self.cell.entries.read()
    }

    /// The same map seen as a value of the defined type (`None`: the plain map type).
    #[must_use]
    pub fn named(&self, name: Option<&'static MapName>) -> Self {
        Map { cell: Arc::clone(&self.cell), name }
    }

    /// The defined type, if it is one.
    pub fn name(&self) -> Option<&'static MapName> {
        self.name
    }

    /// Whether it is Go's nil map.
    pub fn is_nil(&self) -> bool {
        self.cell.nil
    }

    /// The element type.
    pub fn element(&self) -> Type {
        self.cell.element
    }

    /// The value under a key.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.asked(key.as_ref()).get(key.as_ref()).cloned()
    }

    /// Looks at the value under a key. The map is locked for reading meanwhile: `look` must not write to it.
    pub(crate) fn look<R>(&self, key: &[u8], look: impl FnOnce(&Value) -> R) -> Option<R> {
        self.asked(key).get(key).map(look)
    }

    /// Whether there is such a key.
    pub fn contains(&self, key: impl AsRef<[u8]>) -> bool {
        self.asked(key.as_ref()).get(key.as_ref()).is_some()
    }

    /// Puts a value under a key and gives back what was there; does nothing on a nil map.
    pub fn insert(&self, key: impl Into<Str>, value: impl Into<Value>) -> Option<Value> {
        if self.is_closed() {
            return None;
        }
        self.cell.entries.write().insert(key.into(), value.into())
    }

    /// Takes a key out.
    pub fn remove(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        if self.is_closed() {
            return None;
        }
        self.cell.entries.write().remove(key.as_ref())
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.all().len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys in order.
    pub fn keys(&self) -> Vec<Str> {
        self.all().iter().map(|(key, _)| key.clone()).collect()
    }

    /// Keys and values in order, as they are now; later writes do not show.
    pub fn entries(&self) -> Vec<(Str, Value)> {
        self.all().to_vec()
    }

    /// Looks at all keys and values in order. The map is locked for reading meanwhile: `look` must not write to it.
    pub fn view<R>(&self, look: impl FnOnce(&[(&Str, &Value)]) -> R) -> R {
        let entries = self.all();
        look(&entries.iter().collect::<Vec<_>>())
    }

    /// Calls `visit` for each entry in order. The map is locked for reading meanwhile: `visit` must not write to it.
    pub fn for_each(&self, mut visit: impl FnMut(&Str, &Value)) {
        for (key, value) in self.all().iter() {
            visit(key, value);
        }
    }

    /// Where two maps have not the same: maps of this one, and keys of them whose values are other ones, gone or new. Where both have a
    /// map, the difference is in there.
    pub fn differences(&self, other: &Map) -> Vec<(Map, Str)> {
        let mut found = Vec::new();
        let mut pairs = vec![(self.clone(), other.clone())];
        while let Some((one, other)) = pairs.pop() {
            if one.same(&other) {
                continue;
            }
            let (mine, theirs) = (one.entries(), other.entries());
            let mut unseen: BTreeMap<&Str, &Value> = theirs.iter().map(|(key, value)| (key, value)).collect();
            for (key, value) in &mine {
                match unseen.remove(key).map(|it| (value, it)) {
                    Some((Value { data: Data::Map(inside), .. }, Value { data: Data::Map(there), .. }))
                        if inside.is_like(there) =>
                    {
                        pairs.push((inside.clone(), there.clone()));
                    }
                    Some((value, there)) if value.deep_equal(there) => {}
                    _ => found.push((one.clone(), key.clone())),
                }
            }
            found.extend(unseen.into_keys().map(|key| (one.clone(), key.clone())));
        }
        found
    }

    /// Whether both are maps of the same type.
    fn is_like(&self, other: &Map) -> bool {
        self.is_nil() == other.is_nil()
            && self.element() == other.element()
            && self.name().map(|name| name.type_name) == other.name().map(|name| name.type_name)
    }

    /// Whether both are the same map in memory.
    pub fn same(&self, other: &Map) -> bool {
        Arc::ptr_eq(&self.cell, &other.cell)
    }

    /// The address that `%p` prints and that cycles are found by.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.cell).addr()
    }

    pub(super) fn take_if_last(&mut self, into: &mut Vec<Value>) {
        if let Some(cell) = Arc::get_mut(&mut self.cell) {
            cell.entries.get_mut().take_values(into);
        }
    }
}

impl Default for Map {
    fn default() -> Self {
        Map::new()
    }
}

impl<K: Into<Str>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Map::made(Type::Any, false, entries)
    }
}

/// As for lists: depth of nesting must not become depth of stack.
impl Drop for Cell {
    fn drop(&mut self) {
        let entries = self.entries.get_mut();
        if entries.iter().any(|(_, value)| matches!(value.data, Data::List(_) | Data::Map(_))) {
            let mut work = Vec::with_capacity(entries.len());
            entries.take_values(&mut work);
            super::drop_flat(work);
        }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("type", &self.element()).field("len", &self.len()).finish()
    }
}

impl fmt::Debug for MapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name)
    }
}
