//! Maps merged as `dario.cat/mergo` 1.0.1 merges them.

use landfall_gotemplate::{Data, FuncError, Map, Value};

/// Deepest merge; what is deeper is a cycle.
const MAX_DEPTH: usize = 500;

/// What gives way to the map that is merged in.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Overwrite {
    /// Keys that are missing or empty: `""`, 0, false, nil, an empty list or map.
    Empty,
    /// Every key; two maps are merged all the same.
    All,
}

/// Merges `from` into `into`, in place. Values are shared, not copied.
pub(crate) fn merge(into: &Map, from: &Map, overwrite: Overwrite, depth: usize) -> Result<(), FuncError> {
    if depth > MAX_DEPTH {
        return Err(FuncError::new("maps are nested too deeply to be merged"));
    }
    if into.same(from) {
        return Ok(());
    }
    for (key, new) in from.entries() {
        if new.is_nil() {
            if overwrite == Overwrite::All {
                into.insert(key, new);
            }
            continue;
        }
        let old = into.get(&key);
        if let (Some(Data::Map(old)), Data::Map(new)) = (old.as_ref().map(Value::data), new.data()) {
            // A nil map below cannot be written to, so it is replaced further down.
            if !old.is_nil() {
                merge(old, new, overwrite, depth + 1)?;
            }
        }
        let old_counts = old.as_ref().is_some_and(|old| !is_zero(old));
        if old_counts {
            let both_maps = matches!((old.as_ref().map(Value::data), new.data()), (Some(Data::Map(_)), Data::Map(_)));
            let is_list = matches!(new.data(), Data::List(_) | Data::Bytes(_));
            if both_maps || (is_list && overwrite == Overwrite::Empty) {
                continue;
            }
        }
        if overwrite == Overwrite::All || !old_counts {
            into.insert(key, new);
        }
    }
    Ok(())
}

/// mergo's `isEmptyValue`.
fn is_zero(value: &Value) -> bool {
    match value.data() {
        Data::Host(host) => host.underlying().is_some_and(|below| is_zero(&below)),
        _ => !value.truth(),
    }
}
