//! JSON both ways, as Go's `encoding/json` writes and reads it.

mod read;
mod write;

use landfall_gotemplate::{Args, CallCtx, Cause, ExecError, Func, FuncError, FuncMap, Limit, List, Map, Type, Value};

use crate::origins::{read, written};

pub use read::parse;
pub use write::{Escape, encode};

/// So many bytes of a text are taken for one value in it, before it is read.
pub(crate) const BYTES_A_VALUE: usize = 8;

pub(crate) fn register(funcs: &mut FuncMap) {
    let any = &[Type::Any];
    let writers = [("toJson", "mustToJson", Escape::Html), ("toPrettyJson", "mustToPrettyJson", Escape::Pretty)];
    for (name, must, escape) in writers {
        // Helm and Sprig drop the error and keep what there is: nothing.
        let quiet = move |ctx: &mut CallCtx<'_>, a: Args<'_>| match encode(a.any(0), escape) {
            Err(error @ FuncError::Exec { .. }) => Err(error),
            text => Ok(written(ctx, a.any(0), text.unwrap_or_default())),
        };
        funcs.insert(name, Func::new(any, quiet));
        funcs.insert(must, Func::new(any, move |ctx, a| Ok(written(ctx, a.any(0), encode(a.any(0), escape)?))));
    }
    for name in ["toRawJson", "mustToRawJson"] {
        funcs.insert(name, Func::new(any, |ctx, a| Ok(written(ctx, a.any(0), encode(a.any(0), Escape::Raw)?))));
    }
    funcs.insert("fromJson", Func::new(&[Type::String], from_json));
    funcs.insert("fromJsonArray", Func::new(&[Type::String], from_json_array));
    funcs.insert(
        "mustFromJson",
        Func::new(&[Type::String], |ctx, a| {
            ctx.make(a.bytes(0).len() / BYTES_A_VALUE, 0)?;
            let value = parse(a.bytes(0)).map_err(FuncError::new)?;
            Ok(read(ctx, a.any(0), value))
        }),
    );
}

/// A limit that no dialect hides: the text of a value is longer than any that is made.
pub(crate) fn too_long(most: usize) -> FuncError {
    ExecError { frame: None, cause: Cause::Limit(Limit::OutputBytes(most as u64)) }.into()
}

/// Helm's `fromJson`: always a map; a map with the key `Error` if there is none to read.
fn from_json(ctx: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    ctx.make(a.bytes(0).len() / BYTES_A_VALUE, 0)?;
    let value = match read::parse_keeping(a.bytes(0)) {
        // Go goes on behind a number that is too large and keeps what it can.
        Ok((value, Some(problem))) if value.as_map().is_some() => {
            if let Some(map) = value.as_map() {
                map.insert("Error", problem);
            }
            value
        }
        read => as_map(read.and_then(whole)),
    };
    Ok(read(ctx, a.any(0), value))
}

/// Helm's `fromJsonArray`: always a list; a list with the error's text if there is none to read.
fn from_json_array(ctx: &mut CallCtx<'_>, a: Args<'_>) -> Result<Value, FuncError> {
    ctx.make(a.bytes(0).len() / BYTES_A_VALUE, 0)?;
    Ok(read(ctx, a.any(0), as_list(read::parse_keeping(a.bytes(0)).and_then(whole))))
}

/// A value that was read without a problem.
fn whole((value, problem): (Value, Option<String>)) -> Result<Value, String> {
    match problem {
        Some(problem) if value.as_map().is_some() || value.as_list().is_some() => Err(problem),
        Some(_) => Ok(Value::from(0.0)),
        None => Ok(value),
    }
}

/// What Go decodes into a `map[string]interface {}`.
pub(crate) fn as_map(parsed: Result<Value, String>) -> Value {
    let problem = match parsed {
        Ok(value) if value.as_map().is_some() => return value,
        Ok(value) if value.is_nil() => return Value::from(Map::nil(Type::Any)),
        Ok(value) => mismatch(&value, "map[string]interface {}"),
        Err(problem) => problem,
    };
    Value::from([("Error", problem)].into_iter().collect::<Map>())
}

/// What Go decodes into a `[]interface {}`.
pub(crate) fn as_list(parsed: Result<Value, String>) -> Value {
    let problem = match parsed {
        Ok(value) if value.as_list().is_some() => return value,
        Ok(value) if value.is_nil() => return Value::from(List::nil(Type::Any)),
        Ok(value) => mismatch(&value, "[]interface {}"),
        Err(problem) => problem,
    };
    Value::from(vec![Value::from(problem)])
}

fn mismatch(value: &Value, wanted: &str) -> String {
    let found = match value.kind_name() {
        "map" => "object",
        "slice" => "array",
        "float64" => "number",
        other => other,
    };
    format!("json: cannot unmarshal {found} into Go value of type {wanted}")
}
