//! Sprig's `dict.go`: maps, which `set`, `unset` and `merge` change in place.

use std::collections::BTreeMap;

use landfall_gotemplate::{Args, CallCtx, Data, Func, FuncError, FuncMap, List, Map, Str, Type, Value};

use crate::cast::strval;
use crate::merge::{MergeError, Overwrite, merge};

/// Deepest value that is copied.
const MAX_DEPTH: usize = 500;

pub(crate) fn register(funcs: &mut FuncMap) {
    let keyed = &[Type::MAP, Type::String];
    funcs.insert("dict", Func::variadic(&[], Type::Any, dict));
    funcs.insert("get", Func::new(keyed, |_, a| Ok(a.map(0).get(a.bytes(1)).unwrap_or_else(|| Value::from("")))));
    funcs.insert("hasKey", Func::new(keyed, |_, a| Ok(Value::from(a.map(0).contains(a.bytes(1))))));
    funcs.insert(
        "unset",
        Func::new(keyed, |_, a| {
            a.map(0).remove(a.bytes(1));
            Ok(plain(a, 0))
        }),
    );
    funcs.insert(
        "set",
        Func::new(&[Type::MAP, Type::String, Type::Any], |_, a| {
            if a.map(0).is_nil() {
                return Err(FuncError::new("assignment to entry in nil map"));
            }
            a.map(0).insert(a.bytes(1), a.any(2).clone());
            Ok(plain(a, 0))
        }),
    );
    funcs.insert(
        "pluck",
        Func::variadic(&[Type::String], Type::MAP, |_, a| {
            let maps = a.rest(1).iter().filter_map(Value::as_map);
            Ok(Value::from(List::grown(Type::Any, maps.filter_map(|map| map.get(a.bytes(0))).collect())))
        }),
    );
    funcs.insert(
        "keys",
        Func::variadic(&[], Type::MAP, |ctx, a| {
            let entries = a.rest(0).iter().filter_map(Value::as_map).flat_map(Map::entries);
            let keys = entries.map(|(key, entry)| Value::from(key).with_origin(ctx.key_origin(&entry)));
            Ok(Value::from(List::grown(Type::String, keys.collect())))
        }),
    );
    funcs.insert(
        "values",
        Func::new(&[Type::MAP], |_, a| {
            let values = a.map(0).entries().into_iter().map(|(_, value)| value).collect();
            Ok(Value::from(List::grown(Type::Any, values)))
        }),
    );
    funcs.insert(
        "pick",
        Func::variadic(&[Type::MAP], Type::String, |_, a| {
            let map = a.map(0);
            let kept = a.rest(1).iter().filter_map(Value::as_str).filter_map(|key| Some((key.clone(), map.get(key)?)));
            Ok(Value::from(kept.collect::<Map>()))
        }),
    );
    funcs.insert(
        "omit",
        Func::variadic(&[Type::MAP], Type::String, |_, a| {
            let left = |key: &Str| !a.rest(1).iter().filter_map(Value::as_str).any(|omitted| omitted == key);
            Ok(Value::from(a.map(0).entries().into_iter().filter(|(key, _)| left(key)).collect::<Map>()))
        }),
    );
    for (name, must, overwrite) in
        [("merge", "mustMerge", Overwrite::Empty), ("mergeOverwrite", "mustMergeOverwrite", Overwrite::All)]
    {
        funcs.insert(
            name,
            Func::variadic(&[Type::MAP], Type::MAP, move |ctx, a| match merged(ctx, a, overwrite) {
                // Sprig drops the error, and what has been merged with it.
                Err(MergeError::Types) => Ok(Value::from("")),
                result => result.map_err(MergeError::into_words),
            }),
        );
        funcs.insert(
            must,
            Func::variadic(&[Type::MAP], Type::MAP, move |ctx, a| {
                merged(ctx, a, overwrite).map_err(MergeError::into_words)
            }),
        );
    }
    funcs.insert("deepCopy", Func::new(&[Type::Any], |ctx, a| copied(ctx, a.any(0))));
    funcs.insert("mustDeepCopy", Func::new(&[Type::Any], |ctx, a| copied(ctx, a.any(0))));
    funcs.insert("dig", Func::variadic(&[], Type::Any, dig));
}

/// A map argument as a plain map: `.Values` loses its own type's name, as in Go by assignment to the parameter.
fn plain(a: Args<'_>, at: usize) -> Value {
    Value::from(a.map(at).named(None)).with_origin(a.any(at).origin())
}

fn dict(ctx: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let mut entries = BTreeMap::new();
    for pair in a.rest(0).chunks(2) {
        let value = pair.get(1).cloned().unwrap_or_else(|| Value::from(""));
        let key = strval(&pair[0])?;
        // A chart that leaves a name out prints all of its context, files and all, as one.
        if pair[0].as_str().is_none() {
            ctx.write_out(key.len())?;
        }
        entries.insert(key, value);
    }
    Ok(Value::from(Map::of(Type::Any, entries)))
}

fn merged(ctx: &mut CallCtx<'_>, a: Args<'_>, overwrite: Overwrite) -> Result<Value, MergeError> {
    let mut into = a.map(0).named(None);
    for from in a.rest(1).iter().filter_map(Value::as_map) {
        if into.is_nil() && !from.is_nil() {
            into = Map::new();
        }
        merge(ctx, &into, from, overwrite, 0)?;
    }
    Ok(Value::from(into).with_origin(a.any(0).origin()))
}

/// Sprig's `deepCopy`, which panics on nil.
fn copied(ctx: &mut CallCtx<'_>, value: &Value) -> Result<Value, FuncError> {
    if value.is_nil() {
        return Err(FuncError::new("reflect: call of reflect.Value.Type on zero Value"));
    }
    deep_copy(ctx, value, 0)
}

fn deep_copy(ctx: &mut CallCtx<'_>, value: &Value, depth: usize) -> Result<Value, FuncError> {
    if depth > MAX_DEPTH {
        return Err(FuncError::new("value is nested too deeply"));
    }
    let copy = match value.data() {
        Data::List(list) if list.is_nil() => value.clone(),
        Data::List(list) => {
            ctx.make(list.len() + 3, 0)?;
            ctx.work(1)?;
            let copies = list.values().iter().map(|element| deep_copy(ctx, element, depth + 1));
            Value::from(list.like(copies.collect::<Result<_, _>>()?))
        }
        Data::Map(map) if map.is_nil() => value.clone(),
        Data::Map(map) => {
            ctx.make(2 * map.len() + 3, 0)?;
            ctx.work(1)?;
            let entries =
                map.entries().into_iter().map(|(key, element)| Ok((key, deep_copy(ctx, &element, depth + 1)?)));
            Value::from(Map::of(map.element(), entries.collect::<Result<_, FuncError>>()?).named(map.name()))
        }
        Data::Host(host) => host.deep_copied().unwrap_or_else(|| value.clone()),
        _ => value.clone(),
    };
    Ok(copy.with_origin(value.origin()))
}

fn dig(_: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    if a.len() < 3 {
        return Err(FuncError::new("dig needs at least three arguments"));
    }
    let mut here = plain_map(a.any(a.len() - 1))?;
    let keys = &a.rest(0)[..a.len() - 2];
    for key in keys {
        if key.as_str().is_none() {
            return Err(conversion(key, "string"));
        }
    }
    for (at, key) in keys.iter().enumerate() {
        let Some(step) = key.as_str().and_then(|key| here.get(key)) else {
            return Ok(a.any(a.len() - 2).clone());
        };
        if at + 1 == keys.len() {
            return Ok(step);
        }
        here = plain_map(&step)?;
    }
    Ok(Value::nil())
}

/// Go's type assertion, which `.Values` does not pass: its type has a name of its own.
fn plain_map(value: &Value) -> Result<Map, FuncError> {
    match value.as_map() {
        Some(map) if map.name().is_none() && map.element() == Type::Any => Ok(map.clone()),
        _ => Err(conversion(value, "map[string]interface {}")),
    }
}

fn conversion(value: &Value, wanted: &str) -> FuncError {
    let found = if value.is_nil() { "nil".into() } else { value.type_name() };
    FuncError::new(format!("interface conversion: interface {{}} is {found}, not {wanted}"))
}
