use std::collections::BTreeMap;

use super::{Str, Value};

/// Up to so many entries stand in a list.
const FEW: usize = 16;

/// Keys in order with their values: a list while there are few, as in nearly every map of a values file, a tree when
/// there are more.
#[derive(Debug)]
pub(super) enum Entries {
    Few(Vec<(Str, Value)>),
    Many(BTreeMap<Str, Value>),
}

impl Entries {
    pub(super) fn new() -> Self {
        Entries::Few(Vec::new())
    }

    fn place(list: &[(Str, Value)], key: &[u8]) -> Result<usize, usize> {
        list.binary_search_by(|(known, _)| known.as_bytes().cmp(key))
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Value> {
        match self {
            Entries::Few(list) => Self::place(list, key).ok().map(|at| &list[at].1),
            Entries::Many(tree) => tree.get(key),
        }
    }

    pub(super) fn insert(&mut self, key: Str, value: Value) -> Option<Value> {
        match self {
            Entries::Few(list) => match Self::place(list, &key) {
                Ok(at) => Some(std::mem::replace(&mut list[at].1, value)),
                Err(at) if list.len() < FEW => {
                    list.insert(at, (key, value));
                    None
                }
                Err(_) => {
                    let mut tree: BTreeMap<Str, Value> = std::mem::take(list).into_iter().collect();
                    tree.insert(key, value);
                    *self = Entries::Many(tree);
                    None
                }
            },
            Entries::Many(tree) => tree.insert(key, value),
        }
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Value> {
        match self {
            Entries::Few(list) => Self::place(list, key).ok().map(|at| list.remove(at).1),
            Entries::Many(tree) => tree.remove(key),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Entries::Few(list) => list.len(),
            Entries::Many(tree) => tree.len(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Str, &Value)> {
        let (few, many) = match self {
            Entries::Few(list) => (list.as_slice(), None),
            Entries::Many(tree) => (&[][..], Some(tree)),
        };
        few.iter().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }

    /// Keys and values, cloned.
    pub(super) fn to_vec(&self) -> Vec<(Str, Value)> {
        match self {
            Entries::Few(list) => list.clone(),
            Entries::Many(tree) => tree.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }

    /// Takes all values out.
    pub(super) fn take_values(&mut self, into: &mut Vec<Value>) {
        match std::mem::replace(self, Entries::new()) {
            Entries::Few(list) => into.extend(list.into_iter().map(|(_, value)| value)),
            Entries::Many(tree) => into.extend(tree.into_values()),
        }
    }
}

impl From<BTreeMap<Str, Value>> for Entries {
    fn from(tree: BTreeMap<Str, Value>) -> Self {
        if tree.len() <= FEW { Entries::Few(tree.into_iter().collect()) } else { Entries::Many(tree) }
    }
}

impl FromIterator<(Str, Value)> for Entries {
    /// Of two entries with one key the later counts.
    fn from_iter<I: IntoIterator<Item = (Str, Value)>>(entries: I) -> Self {
        let mut list: Vec<(Str, Value)> = entries.into_iter().collect();
        if list.len() > FEW {
            return Entries::from(list.into_iter().collect::<BTreeMap<_, _>>());
        }
        if !list.is_sorted_by(|a, b| a.0 < b.0) {
            list.sort_by(|a, b| a.0.cmp(&b.0));
            list.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    std::mem::swap(later, kept);
                }
                same
            });
        }
        Entries::Few(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_behave_alike() {
        let mut entries = Entries::new();
        let mut tree = BTreeMap::new();
        // Goes up over the border between the two forms, with keys met twice and taken out again.
        for step in 0..200_i64 {
            let key = Str::from(format!("k{}", step * 7 % 41));
            if step % 5 == 4 {
                assert_eq!(entries.remove(&key).is_some(), tree.remove(&key).is_some());
            } else {
                let had = entries.insert(key.clone(), Value::int(step));
                assert_eq!(had.map(|it| it.as_i64()), tree.insert(key.clone(), step).map(Some));
            }
            assert_eq!(entries.len(), tree.len());
            let shown: Vec<_> = entries.iter().map(|(key, value)| (key.clone(), value.as_i64())).collect();
            assert_eq!(shown, tree.iter().map(|(key, value)| (key.clone(), Some(*value))).collect::<Vec<_>>());
            assert_eq!(entries.get(&key).and_then(Value::as_i64), tree.get(&key).copied());
        }
    }

    #[test]
    fn the_later_of_two_entries_with_one_key_counts() {
        for count in [3, 40] {
            let doubled = (0..count).rev().chain(0..count).enumerate();
            let entries: Entries =
                doubled.map(|(at, key)| (Str::from(format!("{key:02}")), Value::int(at as i64))).collect();
            assert_eq!(entries.len(), count as usize);
            let shown: Vec<_> = entries.iter().filter_map(|(_, value)| value.as_i64()).collect();
            assert_eq!(shown, (count..2 * count).map(i64::from).collect::<Vec<_>>());
        }
    }
}
