//! Sprig's `reflect.go`: types and kinds by their Go names.

use landfall_gotemplate::{Func, FuncMap, Type, Value};

pub(crate) fn register(funcs: &mut FuncMap) {
    funcs.insert("typeOf", Func::new(&[Type::Any], |_, a| Ok(Value::from(&*a.any(0).type_name()))));
    funcs.insert("kindOf", Func::new(&[Type::Any], |_, a| Ok(Value::from(a.any(0).kind_name()))));
    funcs.insert(
        "typeIs",
        Func::new(&[Type::String, Type::Any], |_, a| Ok(Value::from(a.bytes(0) == a.any(1).type_name().as_bytes()))),
    );
    funcs.insert(
        "typeIsLike",
        Func::new(&[Type::String, Type::Any], |_, a| {
            let found = a.any(1).type_name();
            let pointed = found.strip_prefix('*').unwrap_or(&found);
            Ok(Value::from(a.bytes(0) == found.as_bytes() || a.bytes(0) == pointed.as_bytes()))
        }),
    );
    funcs.insert(
        "kindIs",
        Func::new(&[Type::String, Type::Any], |_, a| Ok(Value::from(a.bytes(0) == a.any(1).kind_name().as_bytes()))),
    );
    funcs
        .insert("deepEqual", Func::new(&[Type::Any, Type::Any], |_, a| Ok(Value::from(a.any(0).deep_equal(a.any(1))))));
}
