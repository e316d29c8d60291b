//! Names of hosts.

use landfall_gotemplate::{Func, FuncMap, Type, Value};

use crate::context::Context;

pub(crate) fn register(funcs: &mut FuncMap) {
    funcs.insert(
        "getHostByName",
        Func::new(&[Type::String], |ctx, a| {
            let context = Context::of(ctx)?;
            let Some(hosts) = &context.hosts else { return Ok(Value::from("")) };
            let addresses = hosts(&a.str(0));
            let chosen = context.below(addresses.len() as u64) as usize;
            Ok(Value::from(addresses.get(chosen).map_or("", String::as_str)))
        }),
    );
}
