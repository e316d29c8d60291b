//! Maps merged as `dario.cat/mergo` 1.0.1 merges them.

use landfall_gotemplate::{CallCtx, Data, FuncError, HostKind, Map, Value};

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

/// Merges `from` into `into`, in place. Values are shared, not copied, and read when their turn comes: one map may be
/// part of the other.
pub(crate) fn merge(
    ctx: &mut CallCtx<'_>,
    into: &Map,
    from: &Map,
    overwrite: Overwrite,
    depth: usize,
) -> Result<(), MergeError> {
    if depth > MAX_DEPTH {
        return Err(MergeError::Depth);
    }
    if into.same(from) {
        return Ok(());
    }
    for key in from.keys() {
        let Some(new) = from.get(&key) else { continue };
        // Maps that hold each other are met again and again.
        ctx.work(10).map_err(MergeError::Limit)?;
        if new.is_nil() {
            if overwrite == Overwrite::All {
                into.insert(key, new);
            }
            continue;
        }
        let old = into.get(&key);
        if let Some(old) = &old {
            merge_within(ctx, old, &new, overwrite, depth)?;
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
            if old.is_none() {
                ctx.make(2, 0).map_err(MergeError::Limit)?;
            }
            into.insert(key, new);
        }
    }
    Ok(())
}

/// Go's `deepMerge` of what stands under one key on both sides, where the new value is a map, a struct or a pointer.
fn merge_within(
    ctx: &mut CallCtx<'_>,
    old: &Value,
    new: &Value,
    overwrite: Overwrite,
    depth: usize,
) -> Result<(), MergeError> {
    match (old.data(), new.data()) {
        // A nil map below cannot be written to, so it is replaced further down.
        (Data::Map(old), Data::Map(new)) if !old.is_nil() => merge(ctx, old, new, overwrite, depth + 1),
        (Data::Host(old), _) => {
            let (found, is_struct) = match new.data() {
                Data::Map(_) => ("map", false),
                Data::Host(new) => match new.kind() {
                    HostKind::Struct => ("struct", true),
                    HostKind::Pointer => ("ptr", false),
                    HostKind::Defined if matches!(new.underlying().map(|v| v.as_map().is_some()), Some(true)) => {
                        ("map", false)
                    }
                    HostKind::Defined => return Ok(()),
                },
                _ => return Ok(()),
            };
            match old.kind() {
                HostKind::Struct if !is_struct && !old.fields().is_empty() => {
                    Err(MergeError::Panic(format!("reflect: call of reflect.Value.Field on {found} Value")))
                }
                HostKind::Pointer if found != "ptr" && overwrite == Overwrite::Empty => Err(MergeError::Types),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Why two maps cannot be merged.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum MergeError {
    /// A pointer stands where the other map has something else; Sprig's `merge` then gives an empty text.
    #[error("src and dst must be of same type")]
    Types,
    /// What Go's reflection panics with.
    #[error("{0}")]
    Panic(String),
    /// Deeper than is followed: in Go the stack overflows.
    #[error("maps are nested too deeply to be merged")]
    Depth,
    /// More than the execution may take.
    #[error("{0}")]
    Limit(FuncError),
}

impl MergeError {
    /// As a function reports it.
    pub(crate) fn into_words(self) -> FuncError {
        match self {
            MergeError::Limit(error) => error,
            error => FuncError::new(error.to_string()),
        }
    }
}

/// mergo's `isEmptyValue`.
fn is_zero(value: &Value) -> bool {
    match value.data() {
        Data::Host(host) => host.underlying().is_some_and(|below| is_zero(&below)),
        _ => !value.truth(),
    }
}
