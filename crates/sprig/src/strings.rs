//! Sprig's `strings.go`: strings, quoted, cut, padded and counted.

mod cases;
mod words;

use std::collections::BTreeMap;

use landfall_gotemplate::{Args, Func, FuncError, FuncMap, List, Map, Str, Type, Value, format};

use crate::cast::{strslice, strval};
use crate::context::Context;
use crate::random::DRAWN;
use crate::text::{
    bounded, find, map_runes, parts, repeat, replace, slice, split, to_lower, to_upper, trim, trim_space,
};

pub(crate) fn register(funcs: &mut FuncMap) {
    text(funcs, "upper", |text| Ok(map_runes(text, to_upper)));
    text(funcs, "lower", |text| Ok(map_runes(text, to_lower)));
    text(funcs, "trim", |text| Ok(trim_space(text).to_vec()));
    text(funcs, "title", |text| Ok(cases::title(text)));
    text(funcs, "untitle", |text| Ok(cases::untitle(text)));
    text(funcs, "swapcase", |text| Ok(cases::swap(text)));
    text(funcs, "camelcase", |text| Ok(cases::pascal(text)));
    text(funcs, "snakecase", |text| Ok(cases::separated(text, '_')));
    text(funcs, "kebabcase", |text| Ok(cases::separated(text, '-')));
    text(funcs, "nospace", |text| Ok(words::without_space(text)));
    text(funcs, "initials", |text| Ok(words::initials(text)));
    for name in ["trimAll", "trimall"] {
        two(funcs, name, |cut, text| {
            let cut: Vec<char> = crate::text::runes(cut).map(|(_, c, _)| c).collect();
            Ok(trim(text, |c| cut.contains(&c)).to_vec())
        });
    }
    two(funcs, "trimPrefix", |prefix, text| Ok(text.strip_prefix(prefix).unwrap_or(text).to_vec()));
    two(funcs, "trimSuffix", |suffix, text| Ok(text.strip_suffix(suffix).unwrap_or(text).to_vec()));
    test(funcs, "contains", |part, text| find(text, part).is_some());
    test(funcs, "hasPrefix", |prefix, text| text.starts_with(prefix));
    test(funcs, "hasSuffix", |suffix, text| text.ends_with(suffix));

    let sized = &[Type::Int, Type::String];
    funcs.insert("abbrev", Func::new(sized, |_, a| Ok(abbreviate(a.bytes(1), 0, a.int(0), 4))));
    funcs.insert(
        "abbrevboth",
        Func::new(&[Type::Int, Type::Int, Type::String], |_, a| {
            let least = if a.int(0) > 0 { 7 } else { 4 };
            Ok(abbreviate(a.bytes(2), a.int(0), a.int(1), least))
        }),
    );
    funcs.insert("trunc", Func::new(sized, |_, a| Ok(out(truncate(a.bytes(1), a.int(0))))));
    funcs.insert("substr", Func::new(&[Type::Int, Type::Int, Type::String], substring));
    funcs.insert("repeat", Func::new(sized, |_, a| Ok(out(&repeat(a.bytes(1), a.int(0))?))));
    funcs.insert("indent", Func::new(sized, |_, a| Ok(Value::str(indent(a.int(0), a.bytes(1), b"")?))));
    funcs.insert("nindent", Func::new(sized, |_, a| Ok(Value::str(indent(a.int(0), a.bytes(1), b"\n")?))));
    funcs.insert("wrap", Func::new(sized, |_, a| Ok(out(&words::wrap(a.bytes(1), a.int(0), b"", words::Long::Keep)?))));
    funcs.insert(
        "wrapWith",
        Func::new(&[Type::Int, Type::String, Type::String], |_, a| {
            Ok(out(&words::wrap(a.bytes(2), a.int(0), a.bytes(1), words::Long::Break)?))
        }),
    );
    funcs.insert(
        "replace",
        Func::new(&[Type::String, Type::String, Type::String], |_, a| {
            Ok(Value::str(replace(a.bytes(2), a.bytes(0), a.bytes(1))?))
        }),
    );
    funcs.insert(
        "plural",
        Func::new(&[Type::String, Type::String, Type::Int], |_, a| Ok(a.any(usize::from(a.int(2) != 1)).clone())),
    );

    funcs.insert("quote", Func::variadic(&[], Type::Any, quote));
    funcs.insert("squote", Func::variadic(&[], Type::Any, single_quote));
    funcs.insert("cat", Func::variadic(&[], Type::Any, cat));
    funcs.insert("toString", Func::new(&[Type::Any], |_, a| Ok(Value::from(strval(a.any(0))?))));
    funcs.insert(
        "toStrings",
        Func::new(&[Type::Any], |ctx, a| {
            let room = a.any(0).elements().map_or(0, |elements| elements.len());
            let strings = strslice(ctx, a.any(0))?.into_iter().map(Value::from).collect();
            Ok(Value::from(List::roomy(Type::String, strings, room)))
        }),
    );
    funcs.insert("join", Func::new(&[Type::String, Type::Any], |ctx, a| join(a.bytes(0), &strslice(ctx, a.any(1))?)));
    funcs.insert(
        "splitList",
        Func::new(&[Type::String, Type::String], |ctx, a| {
            ctx.make(parts(a.bytes(1), a.bytes(0)), a.bytes(1).len())?;
            Ok(Value::from(List::strings(split(a.bytes(1), a.bytes(0), None).into_iter().map(Value::str))))
        }),
    );
    funcs.insert(
        "split",
        Func::new(&[Type::String, Type::String], |ctx, a| {
            ctx.make(3 * parts(a.bytes(1), a.bytes(0)), a.bytes(1).len())?;
            Ok(numbered(&split(a.bytes(1), a.bytes(0), None)))
        }),
    );
    funcs.insert(
        "splitn",
        Func::new(&[Type::String, Type::Int, Type::String], |ctx, a| {
            let most = usize::try_from(a.int(1)).ok();
            ctx.make(3 * parts(a.bytes(2), a.bytes(0)).min(most.unwrap_or(usize::MAX)), a.bytes(2).len())?;
            Ok(numbered(&split(a.bytes(2), a.bytes(0), most)))
        }),
    );
    funcs.insert("hello", Func::new(&[], |_, _| Ok(Value::from("Hello!"))));

    funcs.insert(
        "shuffle",
        Func::new(&[Type::String], |ctx, a| {
            ctx.work(a.bytes(0).len() as u64 * DRAWN)?;
            let context = Context::of(ctx)?;
            let mut characters: Vec<char> = crate::text::runes(a.bytes(0)).map(|(_, c, _)| c).collect();
            for at in (1..characters.len()).rev() {
                characters.swap(at, context.below(at as u64 + 1) as usize);
            }
            Ok(Value::from(characters.into_iter().collect::<String>()))
        }),
    );
}

fn out(bytes: &[u8]) -> Value {
    Value::str(bytes)
}

fn text(funcs: &mut FuncMap, name: &str, map: fn(&[u8]) -> Result<Vec<u8>, FuncError>) {
    funcs.insert(name, Func::new(&[Type::String], move |_, a| Ok(Value::str(map(a.bytes(0))?))));
}

type Two = fn(&[u8], &[u8]) -> Result<Vec<u8>, FuncError>;

fn two(funcs: &mut FuncMap, name: &str, map: Two) {
    funcs.insert(
        name,
        Func::new(&[Type::String, Type::String], move |_, a| Ok(Value::str(map(a.bytes(0), a.bytes(1))?))),
    );
}

fn test(funcs: &mut FuncMap, name: &str, test: fn(&[u8], &[u8]) -> bool) {
    funcs.insert(
        name,
        Func::new(&[Type::String, Type::String], move |_, a| Ok(Value::from(test(a.bytes(0), a.bytes(1))))),
    );
}

/// A text cut to a width; one that is too small to cut to leaves it as it is.
fn abbreviate(text: &[u8], offset: i64, width: i64, least: i64) -> Value {
    if width < least { out(text) } else { Value::str(words::abbreviate(text, offset, width)) }
}

fn truncate(text: &[u8], count: i64) -> &[u8] {
    let len = text.len() as i64;
    if count < 0 && len + count > 0 {
        return &text[(len + count) as usize..];
    }
    if count >= 0 && len > count {
        return &text[..count as usize];
    }
    text
}

fn substring(_: &mut landfall_gotemplate::CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let (start, end, text) = (a.int(0), a.int(1), a.bytes(2));
    let len = text.len() as i64;
    let part = if start < 0 {
        slice(text, 0, end)?
    } else if end < 0 || end > len {
        slice(text, start, len)?
    } else {
        slice(text, start, end)?
    };
    Ok(out(part))
}

/// Every line padded, empty ones too.
fn indent(spaces: i64, text: &[u8], before: &[u8]) -> Result<Vec<u8>, FuncError> {
    let pad = repeat(b" ", spaces)?;
    let lines = memchr::memchr_iter(b'\n', text).count() + 1;
    bounded(text.len().saturating_add(lines.saturating_mul(pad.len())))?;
    let mut out = Vec::with_capacity(before.len() + text.len() + lines * pad.len());
    out.extend_from_slice(before);
    out.extend_from_slice(&pad);
    let mut from = 0;
    for at in memchr::memchr_iter(b'\n', text) {
        out.extend_from_slice(&text[from..=at]);
        out.extend_from_slice(&pad);
        from = at + 1;
    }
    out.extend_from_slice(&text[from..]);
    Ok(out)
}

fn quote(_: &mut landfall_gotemplate::CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let mut text = String::new();
    for value in a.rest(0).iter().filter(|value| !value.is_nil()) {
        if !text.is_empty() {
            text.push(' ');
        }
        let shown = strval(value)?;
        bounded(text.len().saturating_add(shown.len()))?;
        text.push_str(&format::quote(&shown));
    }
    Ok(Value::from(text))
}

fn single_quote(_: &mut landfall_gotemplate::CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let mut text = Vec::new();
    for value in a.rest(0).iter().filter(|value| !value.is_nil()) {
        text.extend_from_slice(if text.is_empty() { b"'" } else { b" '" });
        format::check_depth(std::slice::from_ref(value))?;
        let shown = format::display(value);
        bounded(text.len().saturating_add(shown.len()))?;
        text.extend_from_slice(&shown);
        text.push(b'\'');
    }
    Ok(Value::str(text))
}

fn cat(ctx: &mut landfall_gotemplate::CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    let mut texts = Vec::with_capacity(a.len());
    for value in a.rest(0).iter().filter(|value| !value.is_nil()) {
        format::check_depth(std::slice::from_ref(value))?;
        let text = format::display(value);
        ctx.charge(text.len() as u64)?;
        texts.push(Str::from(text));
    }
    join(b" ", &texts)
}

pub(crate) fn join(separator: &[u8], parts: &[Str]) -> Result<Value, FuncError> {
    let long = parts.iter().fold(0, |sum: usize, part| sum.saturating_add(part.len()).saturating_add(separator.len()));
    bounded(long)?;
    Ok(Value::str(parts.iter().map(Str::as_bytes).collect::<Vec<_>>().join(separator)))
}

/// Parts as `_0`, `_1` and so on.
fn numbered(parts: &[&[u8]]) -> Value {
    let entries: BTreeMap<Str, Value> =
        parts.iter().enumerate().map(|(number, part)| (Str::from(format!("_{number}")), Value::str(*part))).collect();
    Value::from(Map::of(Type::String, entries))
}
