//! The values and functions of `go/main.go`, built with our own types.

use std::collections::BTreeMap;

use landfall_gotemplate::{Data, Func, FuncError, FuncMap, List, Map, Str, Type, Value};

fn list(values: Vec<Value>) -> Value {
    Value::from(List::new(values))
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::from(entries.iter().map(|(key, value)| (*key, value.clone())).collect::<Map>())
}

fn float(number: f64) -> Value {
    Value::from(number)
}

pub(super) fn data() -> Value {
    let labels = BTreeMap::from([(Str::from("k"), Value::from("v"))]);
    let leaf = map(&[("c", "leaf".into())]);
    let values = map(&[
        ("int", float(5.0)),
        ("float", float(1.5)),
        ("big", float(1e6)),
        ("bigger", float(123_456_789.0)),
        ("small", float(0.000_001)),
        ("neg", float(-3.0)),
        ("str", "hello".into()),
        ("empty", "".into()),
        ("quoted", "a\"b\\c".into()),
        ("uni", "héllo \u{a0}\u{7}".into()),
        ("yes", true.into()),
        ("no", false.into()),
        ("nul", Value::nil()),
        ("list", list(vec![float(1.0), "a".into(), true.into(), Value::nil(), float(1.5)])),
        ("elist", list(vec![])),
        ("emap", map(&[])),
        ("names", list(vec!["x".into(), "y".into(), "z".into()])),
        (
            "m",
            map(&[
                ("b", float(1.0)),
                ("a", float(2.0)),
                ("10", "x".into()),
                ("9", "y".into()),
                ("C", float(3.0)),
                ("_x", float(4.0)),
                ("a-b", float(1.0)),
            ]),
        ),
        ("deep", map(&[("a", map(&[("b", leaf)]))])),
        ("strings", List::strings(["p", "q"]).into()),
        ("labels", Map::of(Type::String, labels).into()),
        ("bytes", Value::bytes("hi")),
        ("i64", Value::int64(7)),
        ("ints", List::of(Type::Int, (0..3).map(Value::int).collect()).into()),
        ("nilmap", Map::nil(Type::Any).into()),
        ("nillist", List::nil(Type::Any).into()),
    ]);
    map(&[("Values", values)])
}

pub(super) fn funcs() -> FuncMap {
    let mut funcs = FuncMap::new();
    funcs.insert("upper", Func::new(&[Type::String], |_, args| Ok(args.str(0).to_uppercase().into())));
    funcs.insert(
        "rep",
        Func::new(&[Type::Int, Type::String], |ctx, args| {
            let count = usize::try_from(args.int(0)).map_err(|_| FuncError::new("strings: negative Repeat count"))?;
            ctx.charge((count as u64).saturating_mul(args.bytes(1).len() as u64))?;
            Ok(Value::str(args.bytes(1).repeat(count)))
        }),
    );
    funcs.insert(
        "add",
        Func::new(&[Type::Int64, Type::Int64], |_, args| Ok(Value::int64(args.int(0).wrapping_add(args.int(1))))),
    );
    funcs.insert("half", Func::new(&[Type::Float64], |_, args| Ok((args.float(0) / 2.0).into())));
    funcs.insert("flag", Func::new(&[Type::Bool], |_, args| Ok((!args.bool(0)).into())));
    funcs.insert(
        "join",
        Func::variadic(&[Type::String], Type::String, |_, args| {
            let parts: Vec<&[u8]> = (1..args.len()).map(|at| args.bytes(at)).collect();
            Ok(Value::str(parts.join(args.bytes(0))))
        }),
    );
    funcs.insert("list", Func::variadic(&[], Type::Any, |_, args| Ok(List::new(args.0.to_vec()).into())));
    funcs.insert("keys", Func::new(&[Type::MAP], |_, args| Ok(Value::int(args.map(0).len() as i64))));
    funcs.insert(
        "first",
        Func::new(&[Type::LIST], |_, args| {
            let first = args.any(0).as_list().and_then(|list| list.values().first()).cloned();
            first.ok_or_else(|| FuncError::new("runtime error: index out of range [0] with length 0"))
        }),
    );
    funcs.insert("id", Func::new(&[Type::Any], |_, args| Ok(args.any(0).clone())));
    funcs.insert("boom", Func::new(&[], |_, _| Err(FuncError::new("it broke"))));
    funcs.insert("niladic", Func::new(&[], |_, _| Ok(map(&[("a", Value::from(Data::Int(1)))]))));
    funcs.insert(
        "set",
        Func::new(&[Type::MAP, Type::String, Type::Any], |_, args| {
            args.map(0).insert(args.bytes(1), args.any(2).clone());
            Ok(args.any(0).clone())
        }),
    );
    funcs.insert(
        "include",
        Func::new(&[Type::String, Type::Any], |ctx, args| {
            let name = Str::from(args.bytes(0));
            Ok(ctx.execute(&name, args.any(1))?)
        }),
    );
    funcs.insert(
        "tpl",
        Func::new(&[Type::String, Type::Any], |ctx, args| {
            ctx.execute_text("gotpl", &Str::from(args.bytes(0)), args.any(0).origin(), args.any(1))
        }),
    );
    funcs.insert(
        "indent",
        Func::new(&[Type::Int, Type::String], |_, args| {
            let pad = " ".repeat(args.int(0).clamp(0, 100) as usize);
            Ok(format!("{pad}{}", args.str(1).replace('\n', &format!("\n{pad}"))).into())
        }),
    );
    funcs
}
