//! Sprig's `list.go`. Functions beginning with `must` differ from their plain twins only in how Go reports an error.

use landfall_gotemplate::{Args, CallCtx, Func, FuncError, FuncMap, List, Origin, Str, Type, Value};

use crate::cast::{NIL_DEREFERENCE, elements, shown, strval, to_int64};
use crate::defaults::is_empty;

/// Elements that are compared in one step.
const COMPARED: u64 = 4;

type Call = fn(&mut CallCtx<'_>, Args<'_>) -> Result<Value, FuncError>;

pub(crate) fn register(funcs: &mut FuncMap) {
    let one: &[(&str, Call)] = &[
        ("first", |_, a| Ok(elements(a.any(0), "Cannot find first on type")?.first().cloned().unwrap_or_default())),
        ("last", |_, a| Ok(elements(a.any(0), "Cannot find last on type")?.last().cloned().unwrap_or_default())),
        ("rest", |_, a| Ok(without_one(elements(a.any(0), "Cannot find rest on type")?, 0))),
        ("initial", |_, a| {
            let list = elements(a.any(0), "Cannot find initial on type")?;
            let last = list.len().saturating_sub(1);
            Ok(without_one(list, last))
        }),
        ("reverse", |_, a| {
            let list = elements(a.any(0), "Cannot find reverse on type")?;
            Ok(Value::from(list.into_iter().rev().collect::<Vec<_>>()))
        }),
        ("uniq", |ctx, a| {
            let mut kept: Vec<Value> = Vec::new();
            for value in elements(a.any(0), "Cannot find uniq on type")? {
                ctx.work(kept.len() as u64 / COMPARED)?;
                if !contains(&kept, &value) {
                    kept.push(value);
                }
            }
            Ok(grown(kept))
        }),
        ("compact", |_, a| {
            let list = elements(a.any(0), "Cannot compact on type")?;
            Ok(grown(list.into_iter().filter(|value| !is_empty(value)).collect()))
        }),
    ];
    for (name, call) in one {
        with_must(funcs, name, Func::new(&[Type::Any], *call));
    }
    let pushed = Func::new(&[Type::Any, Type::Any], |_, a| {
        let list = elements(a.any(0), "Cannot push on type")?;
        Ok(Value::from(List::appended(Type::Any, list, a.any(1).clone())))
    });
    with_must(funcs, "append", pushed.clone());
    with_must(funcs, "push", pushed);
    with_must(
        funcs,
        "prepend",
        Func::new(&[Type::Any, Type::Any], |_, a| {
            let mut list = elements(a.any(0), "Cannot prepend on type")?;
            list.insert(0, a.any(1).clone());
            Ok(Value::from(List::prepended(Type::Any, list)))
        }),
    );
    with_must(
        funcs,
        "without",
        Func::variadic(&[Type::Any], Type::Any, |ctx, a| {
            let list = elements(a.any(0), "Cannot find without on type")?;
            ctx.work((list.len() * a.rest(1).len()) as u64 / COMPARED)?;
            Ok(grown(list.into_iter().filter(|value| !contains(a.rest(1), value)).collect()))
        }),
    );
    with_must(
        funcs,
        "has",
        Func::new(&[Type::Any, Type::Any], |_, a| {
            if a.any(1).is_nil() {
                return Ok(Value::from(false));
            }
            Ok(Value::from(contains(&elements(a.any(1), "Cannot find has on type")?, a.any(0))))
        }),
    );
    with_must(funcs, "slice", Func::variadic(&[Type::Any], Type::Any, slice));
    with_must(funcs, "chunk", Func::new(&[Type::Int, Type::Any], chunk));
    funcs.insert("list", Func::variadic(&[], Type::Any, |_, a| Ok(Value::from(a.rest(0).to_vec()))));
    funcs.insert("tuple", Func::variadic(&[], Type::Any, |_, a| Ok(Value::from(a.rest(0).to_vec()))));
    funcs.insert("concat", Func::variadic(&[], Type::Any, concat));
    funcs.insert(
        "sortAlpha",
        Func::new(&[Type::Any], |ctx, a| {
            let Some(elements) = a.any(0).elements() else {
                return Ok(Value::from(List::strings([strval(a.any(0))?])));
            };
            // Each is moved as often as the number of all has digits.
            ctx.work((elements.len() * elements.len().checked_ilog2().unwrap_or(0) as usize) as u64 / COMPARED)?;
            let room = elements.len();
            let mut sorted: Vec<(Str, Origin)> = Vec::with_capacity(elements.len());
            for element in elements.iter().filter(|element| !element.is_nil()) {
                sorted.push((shown(ctx, element)?, element.origin()));
            }
            sorted.sort();
            let sorted = sorted.into_iter().map(|(text, origin)| Value::from(text).with_origin(origin)).collect();
            Ok(Value::from(List::roomy(Type::String, sorted, room)))
        }),
    );
}

fn with_must(funcs: &mut FuncMap, name: &str, func: Func) {
    let mut must = String::from("must");
    must.push_str(&name[..1].to_ascii_uppercase());
    must.push_str(&name[1..]);
    funcs.insert(&must, func.clone());
    funcs.insert(name, func);
}

/// A list that was appended to one by one.
fn grown(values: Vec<Value>) -> Value {
    Value::from(List::grown(Type::Any, values))
}

/// A list without the element at that place; without elements Go's nil list.
fn without_one(mut list: Vec<Value>, at: usize) -> Value {
    if list.is_empty() {
        return Value::from(List::nil(Type::Any));
    }
    list.remove(at);
    Value::from(list)
}

fn contains(list: &[Value], value: &Value) -> bool {
    list.iter().any(|element| element.deep_equal(value))
}

fn slice(_: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let list = elements(a.any(0), "list should be type of slice or array but")?;
    if list.is_empty() {
        return Ok(Value::nil());
    }
    let start = if a.len() > 1 { to_int64(a.any(1)) } else { 0 };
    let end = if a.len() > 2 { to_int64(a.any(2)) } else { list.len() as i64 };
    let exact;
    let list = match a.any(0).as_list() {
        Some(list) => list,
        None => {
            exact = List::new(list);
            &exact
        }
    };
    let slice = usize::try_from(start).ok().zip(usize::try_from(end).ok()).and_then(|(from, to)| list.slice(from, to));
    slice.map(Value::from).ok_or_else(|| FuncError::new("reflect.Value.Slice: slice index out of bounds"))
}

fn chunk(ctx: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let list = elements(a.any(1), "Cannot chunk type")?;
    // A list for each element at worst, beside the elements themselves.
    ctx.make(2 * list.len(), 0)?;
    // Go counts the chunks by dividing floats, which has an answer for some negative sizes too.
    let (size, last) = (a.int(0), list.len() as i64 - 1);
    let chunks = match size {
        1.. => {
            list.chunks(usize::try_from(size).unwrap_or(usize::MAX)).map(|chunk| Value::from(chunk.to_vec())).collect()
        }
        ..=-1 if last == 0 => vec![Value::from(list)],
        ..=-1 if last > 0 && last <= -size => Vec::new(),
        _ => return Err(FuncError::new("runtime error: makeslice: len out of range")),
    };
    Ok(Value::from(List::of(Type::LIST, chunks)))
}

fn concat(_: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let mut joined = Vec::new();
    for list in a.rest(0) {
        if list.is_nil() {
            return Err(FuncError::new(NIL_DEREFERENCE));
        }
        match list.elements() {
            Some(elements) => joined.extend(elements.into_owned()),
            None => {
                return Err(FuncError::new(format!("Cannot concat type {} as list", list.kind_name())));
            }
        }
    }
    Ok(if joined.is_empty() { Value::from(List::nil(Type::Any)) } else { grown(joined) })
}
