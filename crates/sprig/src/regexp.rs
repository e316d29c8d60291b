//! Sprig's `regex.go`: Go's regular expressions, translated for the `regex` crate.

mod translate;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use landfall_gotemplate::{Args, CallCtx, Func, FuncError, FuncMap, List, Str, Type, Value, format};
use regex::bytes::Regex;

use crate::text::bounded;

/// Most expressions that are kept compiled.
const KEPT: usize = 64;

/// Expressions compiled before: templates use the same few in every loop, and compiling takes longer than matching.
#[derive(Default)]
struct Compiled(Mutex<HashMap<Box<[u8]>, Compilation>>);

/// What compiling an expression has led to.
type Compilation = Result<Regex, String>;

impl Compiled {
    fn get(&self, pattern: &[u8]) -> Result<Regex, String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.get(pattern) {
            return known.clone();
        }
        if kept.len() >= KEPT {
            kept.clear();
        }
        let compiled = compile(pattern);
        kept.insert(pattern.into(), compiled.clone());
        compiled
    }
}

/// Most parts that a text is taken apart into.
const MAX_FOUND: usize = 10_000_000;

/// Largest compiled expression, in bytes.
const SIZE_LIMIT: usize = 4 << 20;

/// An expression in Go's syntax as the `regex` crate writes it.
///
/// # Errors
/// What is wrong with it, in Go's words.
pub fn go_expression(pattern: &str) -> Result<String, String> {
    translate::translate(pattern)
}

pub(crate) fn register(funcs: &mut FuncMap) {
    let compiled = Arc::new(Compiled::default());
    let two = &[Type::String, Type::String];
    let kept = Arc::clone(&compiled);
    funcs.insert(
        "regexMatch",
        Func::new(two, move |_, a| Ok(Value::from(kept.get(a.bytes(0)).is_ok_and(|regex| regex.is_match(a.bytes(1)))))),
    );
    let kept = Arc::clone(&compiled);
    funcs.insert(
        "mustRegexMatch",
        Func::new(two, move |_, a| Ok(Value::from(kept.get(a.bytes(0)).map_err(FuncError::new)?.is_match(a.bytes(1))))),
    );
    both(funcs, &compiled, "regexFind", two, |regex, a| {
        Ok(Value::str(regex.find(a.bytes(1)).map_or(&b""[..], |found| found.as_bytes())))
    });
    let counted = &[Type::String, Type::String, Type::Int];
    both(funcs, &compiled, "regexFindAll", counted, |regex, a| {
        let limit = usize::try_from(a.int(2)).unwrap_or(usize::MAX);
        let found: Vec<Value> = regex
            .find_iter(a.bytes(1))
            .take(limit.min(MAX_FOUND + 1))
            .map(|found| Value::str(found.as_bytes()))
            .collect();
        countable(found.len())?;
        Ok(strings(found))
    });
    both(funcs, &compiled, "regexSplit", counted, |regex, a| split(regex, a.bytes(0), a.bytes(1), a.int(2)));
    let three = &[Type::String, Type::String, Type::String];
    both(funcs, &compiled, "regexReplaceAll", three, |regex, a| {
        let template = a.bytes(2);
        Ok(Value::str(replaced(regex, a.bytes(1), |found| expand(template, found))?))
    });
    both(funcs, &compiled, "regexReplaceAllLiteral", three, |regex, a| {
        Ok(Value::str(replaced(regex, a.bytes(1), |_| a.bytes(2).to_vec())?))
    });
    funcs.insert(
        "regexQuoteMeta",
        Func::new(&[Type::String], |_, a| {
            let mut out = Vec::with_capacity(a.bytes(0).len());
            for byte in a.bytes(0) {
                if b"\\.+*?()|[]{}^$".contains(byte) {
                    out.push(b'\\');
                }
                out.push(*byte);
            }
            Ok(Value::str(out))
        }),
    );
}

/// A text with all that is found replaced; a short text may ask for a very long one.
fn replaced(
    regex: &Regex,
    text: &[u8],
    with: impl Fn(&regex::bytes::Captures<'_>) -> Vec<u8>,
) -> Result<Vec<u8>, FuncError> {
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    for found in regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        let new = with(&found);
        bounded(out.len() + whole.start() - done + new.len())?;
        out.extend_from_slice(&text[done..whole.start()]);
        out.extend_from_slice(&new);
        done = whole.end();
    }
    out.extend_from_slice(&text[done..]);
    Ok(out)
}

/// A function and its `must` twin: the plain one panics on a broken expression, which says so at more length.
fn both(
    funcs: &mut FuncMap,
    compiled: &Arc<Compiled>,
    name: &str,
    params: &'static [Type],
    call: fn(&Regex, Args<'_>) -> Result<Value, FuncError>,
) {
    let must = format!("must{}{}", name[..1].to_ascii_uppercase(), &name[1..]);
    let kept = Arc::clone(compiled);
    funcs.insert(
        &must,
        Func::new(params, move |_: &mut CallCtx<'_>, a| call(&kept.get(a.bytes(0)).map_err(FuncError::new)?, a)),
    );
    let kept = Arc::clone(compiled);
    funcs.insert(
        name,
        Func::new(params, move |_: &mut CallCtx<'_>, a| {
            let regex = kept
                .get(a.bytes(0))
                .map_err(|problem| FuncError::new(format!("regexp: Compile({}): {problem}", backquoted(a.bytes(0)))))?;
            call(&regex, a)
        }),
    );
}

fn backquoted(text: &[u8]) -> String {
    match std::str::from_utf8(text) {
        Ok(text) if text.chars().all(|c| c != '`' && (c == '\t' || !c.is_control()) && c != '\u{feff}') => {
            format!("`{text}`")
        }
        _ => format::quote(text),
    }
}

/// Compiles an expression; the error is Go's.
fn compile(pattern: &[u8]) -> Result<Regex, String> {
    let Ok(text) = std::str::from_utf8(pattern) else {
        return Err(format!("error parsing regexp: invalid UTF-8: `{}`", String::from_utf8_lossy(pattern)));
    };
    let translated = translate::translate(text)?;
    regex::bytes::RegexBuilder::new(&translated)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|_| format!("error parsing regexp: expression nests too deeply or is too large: `{text}`"))
}

/// Refuses lists that are too long.
fn countable(found: usize) -> Result<(), FuncError> {
    if found > MAX_FOUND { Err(FuncError::new(format!("more than {MAX_FOUND} parts"))) } else { Ok(()) }
}

/// What Go makes room for when it begins to look for all (`regexp.startSize`).
const FIRST_ROOM: usize = 10;

/// Go's nil slice when nothing was found.
fn strings(found: Vec<Value>) -> Value {
    Value::from(if found.is_empty() {
        List::nil(Type::String)
    } else {
        List::grown_from(FIRST_ROOM, Type::String, found)
    })
}

/// Go's `Regexp.Split`.
fn split(regex: &Regex, pattern: &[u8], text: &[u8], limit: i64) -> Result<Value, FuncError> {
    if limit == 0 {
        return Ok(Value::from(List::nil(Type::String)));
    }
    if !pattern.is_empty() && text.is_empty() {
        return Ok(Value::from(List::strings([Str::from("")])));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut parts: Vec<Value> = Vec::new();
    let (mut begin, mut end, mut room) = (0, 0, 0);
    for found in regex.find_iter(text).take(limit) {
        room += 1;
        if parts.len() + 1 == limit {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            parts.push(Value::str(&text[begin..end]));
            countable(parts.len())?;
        }
        begin = found.end();
    }
    if end != text.len() {
        parts.push(Value::str(&text[begin..]));
    }
    Ok(Value::from(List::grown_from(room, Type::String, parts)))
}

/// Go's `Regexp.Expand`: `$1`, `${1}`, `$name`; `$1x` is the group called `1x`.
fn expand(template: &[u8], found: &regex::bytes::Captures<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = memchr::memchr(b'$', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.first() == Some(&b'$') {
            out.push(b'$');
            rest = &rest[1..];
            continue;
        }
        let Some((name, after)) = reference(rest) else {
            out.push(b'$');
            continue;
        };
        rest = after;
        let group = match name.parse::<usize>() {
            Ok(number) => found.get(number),
            Err(_) => found.name(name),
        };
        out.extend_from_slice(group.map_or(&b""[..], |group| group.as_bytes()));
    }
    out.extend_from_slice(rest);
    out
}

/// A group's name behind `$`, and what follows it.
fn reference(text: &[u8]) -> Option<(&str, &[u8])> {
    let (braced, body) = match text.strip_prefix(b"{") {
        Some(body) => (true, body),
        None => (false, text),
    };
    let len: usize = crate::text::runes(body)
        .take_while(|(_, c, width)| (c.is_alphanumeric() || *c == '_') && (*width > 1 || c.is_ascii()))
        .map(|(_, _, width)| width)
        .sum();
    let name = std::str::from_utf8(&body[..len]).ok().filter(|name| !name.is_empty())?;
    let after = &body[len..];
    if braced { after.strip_prefix(b"}").map(|after| (name, after)) } else { Some((name, after)) }
}
