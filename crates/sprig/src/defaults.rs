//! Sprig's `defaults.go`: empty values and what stands in for them. Its JSON functions are in `json`.

use landfall_gotemplate::{Data, Func, FuncMap, HostKind, Type, Value};

pub(crate) fn register(funcs: &mut FuncMap) {
    funcs.insert(
        "default",
        Func::variadic(&[Type::Any], Type::Any, |_, a| {
            let given = a.any(1);
            Ok(if a.len() < 2 || is_empty(given) { a.any(0).clone() } else { given.clone() })
        }),
    );
    funcs.insert("empty", Func::new(&[Type::Any], |_, a| Ok(Value::from(is_empty(a.any(0))))));
    funcs.insert(
        "coalesce",
        Func::variadic(&[], Type::Any, |_, a| {
            Ok(a.rest(0).iter().find(|value| !is_empty(value)).cloned().unwrap_or_default())
        }),
    );
    funcs.insert("all", Func::variadic(&[], Type::Any, |_, a| Ok(Value::from(!a.rest(0).iter().any(is_empty)))));
    funcs.insert(
        "any",
        Func::variadic(&[], Type::Any, |_, a| Ok(Value::from(a.rest(0).iter().any(|value| !is_empty(value))))),
    );
    funcs.insert(
        "ternary",
        Func::new(&[Type::Any, Type::Any, Type::Bool], |_, a| Ok(a.any(usize::from(!a.bool(2))).clone())),
    );
}

/// Sprig's `empty`: as Go's truth, but no struct is empty.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value.data() {
        Data::Host(host) => match host.kind() {
            HostKind::Struct | HostKind::Pointer => false,
            HostKind::Defined => host.underlying().is_some_and(|below| is_empty(&below)),
        },
        _ => !value.truth(),
    }
}
