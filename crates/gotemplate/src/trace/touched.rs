use rustc_hash::FxHashMap;

use super::Recording;
use crate::value::{Map, Origin, Str};

/// Maps that branches wrote to, or would have written to, by address.
pub(super) type Touched = FxHashMap<usize, Touch>;

/// What decided about the keys of a map.
#[derive(Debug)]
pub(super) struct Touch {
    /// Kept, so that its address stays its own.
    _map: Map,
    /// About any key.
    any: Origin,
    /// About one.
    keys: FxHashMap<Str, Origin>,
    /// All together.
    all: Origin,
}

impl Recording {
    /// What decided about a key of a map; about all of them, when none is said.
    pub(crate) fn touched(&mut self, map: &Map, key: Option<&[u8]>) -> Origin {
        if self.touched.is_empty() {
            return Origin::NONE;
        }
        let Some(touch) = self.touched.get(&map.address()) else { return Origin::NONE };
        let (any, key) = match key {
            None => (touch.all, Origin::NONE),
            Some(key) => (touch.any, touch.keys.get(key).copied().unwrap_or(Origin::NONE)),
        };
        self.both(any, key)
    }

    /// A key of a map was written, or would have been; any key, when none is said.
    pub(crate) fn touch(&mut self, map: &Map, key: Option<&Str>, control: Origin) {
        let control = self.decided_by(control);
        if control == Origin::NONE {
            return;
        }
        let new = || Touch { _map: map.clone(), any: Origin::NONE, keys: FxHashMap::default(), all: Origin::NONE };
        let touch = self.touched.entry(map.address()).or_insert_with(new);
        let before = match key {
            None => touch.any,
            Some(key) => touch.keys.get(key).copied().unwrap_or(Origin::NONE),
        };
        let all = touch.all;
        let (now, all) = (self.both(before, control), self.both(all, control));
        if let Some(touch) = self.touched.get_mut(&map.address()) {
            match key {
                None => touch.any = now,
                Some(key) => {
                    touch.keys.insert(key.clone(), now);
                }
            }
            touch.all = all;
        }
    }
}
