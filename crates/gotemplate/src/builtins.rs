//! Go's built-in template functions.

mod compare;
mod escape;
mod index;

use crate::budget::MAX_TEXT;
use crate::format;
use crate::func::{Flow, Func, FuncError, FuncKind, FuncMap, Signature};
use crate::value::{Type, Value};

const ONE: &[Type] = &[Type::Reflect];
const TWO: &[Type] = &[Type::Reflect, Type::Reflect];

/// All of them.
pub(crate) fn all() -> FuncMap {
    let mut funcs = FuncMap::new();
    for (name, kind) in [("and", FuncKind::And), ("or", FuncKind::Or), ("call", FuncKind::CallValue)] {
        funcs.insert(name, Func { signature: Signature::variadic(ONE, Type::Reflect), kind, flow: Flow::Computes });
    }
    funcs.insert("not", Func::new(ONE, |_, args| Ok(Value::from(!args.any(0).truth()))));
    funcs.insert("len", Func::new(ONE, |_, args| index::len(args.any(0))));
    funcs.insert("index", Func::variadic(ONE, Type::Reflect, |_, args| index::index(args.any(0), args.rest(1))));
    funcs.insert("slice", Func::variadic(ONE, Type::Reflect, |_, args| index::slice(args.any(0), args.rest(1))));
    funcs.insert(
        "eq",
        Func::variadic(ONE, Type::Reflect, |_, args| compare::eq(args.any(0), args.rest(1)).map(Value::from)),
    );
    funcs.insert(
        "ne",
        Func::new(TWO, |_, args| compare::eq(args.any(0), args.rest(1)).map(|equal| Value::from(!equal))),
    );
    funcs.insert("lt", Func::new(TWO, |_, args| compare::lt(args.any(0), args.any(1)).map(Value::from)));
    funcs.insert("le", Func::new(TWO, |_, args| compare::le(args.any(0), args.any(1)).map(Value::from)));
    funcs.insert("gt", Func::new(TWO, |_, args| compare::le(args.any(0), args.any(1)).map(|less| Value::from(!less))));
    funcs.insert("ge", Func::new(TWO, |_, args| compare::lt(args.any(0), args.any(1)).map(|less| Value::from(!less))));
    funcs.insert(
        "print",
        Func::variadic(&[], Type::Any, |_, args| {
            format::check_depth(args.0)?;
            Ok(Value::str(format::sprint(args.0)))
        }),
    );
    funcs.insert(
        "println",
        Func::variadic(&[], Type::Any, |_, args| {
            format::check_depth(args.0)?;
            Ok(Value::str(format::sprintln(args.0)))
        }),
    );
    funcs.insert(
        "printf",
        Func::variadic(&[Type::String], Type::Any, |_, args| {
            format::check_depth(args.rest(1))?;
            Ok(Value::str(format::sprintf(args.bytes(0), args.rest(1))))
        }),
    );
    funcs.insert("html", Func::variadic(&[], Type::Any, |_, args| Ok(Value::str(escape::html(&joined(args.0)?)))));
    funcs.insert("js", Func::variadic(&[], Type::Any, |_, args| Ok(Value::str(escape::js(&joined(args.0)?)))));
    funcs.insert(
        "urlquery",
        Func::variadic(&[], Type::Any, |_, args| Ok(Value::str(escape::url_query(&joined(args.0)?)))),
    );
    funcs.flow(Flow::Selects, &["index"]);
    funcs.flow(Flow::Collects, &["slice"]);
    funcs.flow(Flow::Negates, &["not"]);
    funcs.flow(Flow::Tests, &["len"]);
    funcs.flow(Flow::Compares, &["eq", "ne", "lt", "le", "gt", "ge"]);
    funcs
}

/// The arguments of an escaper as one text; upstream `evalArgs`.
fn joined(args: &[Value]) -> Result<Vec<u8>, FuncError> {
    format::check_depth(args)?;
    let shown: Vec<Value> =
        args.iter().map(|arg| if arg.is_nil() { Value::from("<no value>") } else { arg.clone() }).collect();
    let text = format::sprint(&shown);
    // Each byte may become six.
    if text.len() > MAX_TEXT / 6 {
        return Err(FuncError::new(format!("a text of {} bytes is too long to be escaped", text.len())));
    }
    Ok(text)
}
