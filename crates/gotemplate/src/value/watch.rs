use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Data, Map, Value};

/// Notices writes to values that several executions share.
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
}

impl Watch {
    /// A watch over nothing yet.
    pub fn new() -> Self {
        Watch::default()
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
}
