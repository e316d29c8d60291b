use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Data, Map, Str, Value};

/// Notices writes to values that several executions share, and what of them is read where that is wanted.
///
/// A template may write into a map that others read, and what they see then depends on the order. Whoever wants to
/// execute templates side by side watches what they share: a write to it is not made but noticed, and what has been
/// executed so far is worth nothing. Maps that a template makes for itself are not watched.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<State>);

#[derive(Debug, Default)]
struct State {
    noticed: AtomicBool,
    ended: AtomicBool,
    /// What is read, where somebody wants to know.
    reads: Option<Mutex<Reads>>,
}

/// What was read of the maps under a watch: single keys, and maps as a whole. Maps are told apart by where they lie in memory:
/// it says something as long as they live.
#[derive(Debug, Default)]
pub struct Reads {
    keys: FxHashMap<usize, FxHashSet<Str>>,
    whole: FxHashSet<usize>,
}

impl Reads {
    /// Whether a key of a map was asked for, by itself or with all others; whether it is there does not matter.
    pub fn has_key(&self, map: &Map, key: &[u8]) -> bool {
        let map = map.address();
        self.whole.contains(&map) || self.keys.get(&map).is_some_and(|keys| keys.contains(key))
    }
}

impl Watch {
    /// A watch over nothing yet.
    pub fn new() -> Self {
        Watch::default()
    }

    /// A watch that writes down what is read, too.
    pub fn reading() -> Self {
        Watch(Arc::new(State { reads: Some(Mutex::default()), ..State::default() }))
    }

    /// What was read since this was last asked, by any thread.
    pub fn take_reads(&self) -> Reads {
        self.0.reads.as_ref().map(|reads| std::mem::take(&mut *reads.lock())).unwrap_or_default()
    }

    /// A key of a map is asked for.
    pub(super) fn reads_key(&self, map: usize, key: &[u8]) {
        let Some(reads) = self.reads() else { return };
        let mut reads = reads.lock();
        let keys = reads.keys.entry(map).or_default();
        if !keys.contains(key) {
            keys.insert(Str::new(key));
        }
    }

    /// All of a map is looked at, or how much there is of it.
    pub(super) fn reads_all(&self, map: usize) {
        if let Some(reads) = self.reads() {
            reads.lock().whole.insert(map);
        }
    }

    fn reads(&self) -> Option<&Mutex<Reads>> {
        self.0.reads.as_ref().filter(|_| !self.0.ended.load(Ordering::Relaxed))
    }

    /// Watches a value and all that is in it.
    pub fn over(&self, value: &Value) {
        let mut work = vec![value.clone()];
        while let Some(value) = work.pop() {
            match value.data() {
                Data::Map(map) => match map.watched_by(self) {
                    Watched::Now => work.extend(map.entries().into_iter().map(|(_, value)| value)),
                    Watched::Already => {}
                    // Nobody can watch for two.
                    Watched::ByAnother => self.0.noticed.store(true, Ordering::Relaxed),
                },
                Data::List(list) => work.extend_from_slice(list.values()),
                Data::Host(host) => {
                    host.watch(self);
                    work.extend(host.fields().into_iter().map(|(_, value)| value));
                }
                _ => {}
            }
        }
    }

    /// Watches a map alone, whose values are watched already.
    pub fn over_map(&self, map: &Map) {
        if matches!(map.watched_by(self), Watched::ByAnother) {
            self.0.noticed.store(true, Ordering::Relaxed);
        }
    }

    /// Whether something has been written, or would have been.
    pub fn has_noticed(&self) -> bool {
        self.0.noticed.load(Ordering::Relaxed)
    }

    /// Ends it: from now on writes are made.
    pub fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
    }

    /// Whether a write must not be made; it is noticed then.
    pub(super) fn refuses(&self) -> bool {
        if self.0.ended.load(Ordering::Acquire) {
            return false;
        }
        self.0.noticed.store(true, Ordering::Relaxed);
        true
    }

    pub(super) fn is(&self, other: &Watch) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What has become of the wish to watch a map.
pub(super) enum Watched {
    Now,
    Already,
    ByAnother,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_to_what_is_shared_is_noticed_and_not_made() {
        let inner = Map::new();
        let outer: Map = [("list", Value::from(vec![Value::from(inner.clone())]))].into_iter().collect();
        let watch = Watch::new();
        watch.over(&Value::from(outer.clone()));
        let own: Map = [("shared", Value::from(inner.clone()))].into_iter().collect();
        own.insert("a", true);
        assert!(own.contains("a") && !watch.has_noticed());
        inner.insert("a", true);
        assert!(watch.has_noticed() && inner.is_empty());
        outer.remove("list");
        assert!(outer.contains("list"));
        watch.end();
        inner.insert("a", true);
        assert!(inner.contains("a"));
    }

    #[test]
    fn what_is_read_is_known_by_map_and_key() {
        let inner: Map = [("a", Value::from(true)), ("b", Value::from(false))].into_iter().collect();
        let outer: Map = [("inner", Value::from(inner.clone())), ("c", Value::from(1.0))].into_iter().collect();
        let watch = Watch::reading();
        watch.over(&Value::from(outer.clone()));
        let _watched = watch.take_reads();
        let found = outer.get("inner").and_then(|it| it.as_map().cloned()).expect("a map");
        assert!(found.get("missing").is_none() && found.contains("a"));
        let reads = watch.take_reads();
        assert!(reads.has_key(&outer, b"inner") && !reads.has_key(&outer, b"c"));
        assert!(reads.has_key(&inner, b"missing") && reads.has_key(&inner, b"a") && !reads.has_key(&inner, b"b"));
        for whole in
            [|map: &Map| map.is_empty(), |map: &Map| map.keys().is_empty(), |map: &Map| map.entries().is_empty()]
        {
            assert!(!whole(&inner));
            let reads = watch.take_reads();
            assert!(reads.has_key(&inner, b"b") && reads.has_key(&inner, b"whatever") && !reads.has_key(&outer, b"c"));
        }
        watch.end();
        assert!(inner.contains("b") && !watch.take_reads().has_key(&inner, b"b"));
    }

    #[test]
    fn maps_differ_at_the_innermost_keys() {
        let table = |entries: &[(&str, Value)]| -> Map { entries.iter().cloned().collect() };
        let list = |last: f64| Value::from(vec![Value::from(1.0), Value::from(last)]);
        let make = |on: bool, last: f64, more: &[(&str, Value)]| {
            let inner = table(&[&[("on", Value::from(on)), ("same", Value::from("x"))], more].concat());
            table(&[("inner", Value::from(inner)), ("list", list(last))])
        };
        let one = make(false, 2.0, &[]);
        let named = |other: &Map| -> Vec<String> {
            let found = one.differences(other);
            found.iter().map(|(map, key)| format!("{}/{key:?}", if map.same(&one) { "" } else { "inner" })).collect()
        };
        assert_eq!(named(&make(false, 2.0, &[])), [""; 0]);
        assert_eq!(named(&make(true, 2.0, &[])).len(), 1);
        assert!(named(&make(true, 2.0, &[]))[0].starts_with("inner/"));
        assert_eq!(named(&make(false, 3.0, &[])).len(), 1);
        assert!(named(&make(false, 3.0, &[]))[0].starts_with('/'));
        assert_eq!(named(&make(true, 3.0, &[("new", Value::nil())])).len(), 3);
        assert_eq!(named(&table(&[("inner", Value::from(true)), ("list", list(2.0))])).len(), 1);
        assert_eq!(named(&table(&[])).len(), 2);
        // What looks alike and is of another type prints otherwise.
        let number = |value: Value| table(&[("n", value)]);
        assert_eq!(number(Value::from(1.0)).differences(&number(Value::int(1))).len(), 1);
    }
}
