//! TOML both ways: `toToml` as BurntSushi/toml writes it; `fromToml` with errors in the words of the `toml` crate, the
//! one place where this library does not speak Go.

mod write;

use landfall_gotemplate::{Func, FuncError, FuncMap, MAX_TEXT, Map, Type, Value};

use crate::json::too_long;

pub(crate) fn register(funcs: &mut FuncMap) {
    funcs.insert(
        "toToml",
        Func::new(&[Type::Any], |_, a| {
            // An error's words are the result, but nil is a panic.
            if a.any(0).is_nil() {
                return Err(FuncError::new("reflect: call of reflect.Value.Type on zero Value"));
            }
            Ok(match write::to_toml(a.any(0)) {
                Ok(text) => Value::str(text),
                Err(problem) if problem == write::TOO_LONG => return Err(too_long(MAX_TEXT)),
                Err(problem) => Value::from(problem),
            })
        }),
    );
    funcs.insert(
        "fromToml",
        Func::new(&[Type::String], |_, a| {
            Ok(match a.str(0).parse::<toml::Table>() {
                Ok(table) => Value::from(map(table)),
                Err(error) => {
                    let line = error.span().map_or(1, |span| a.str(0)[..span.start].matches('\n').count() + 1);
                    Value::from(
                        [("Error", format!("toml: line {line}: {}", error.message()))].into_iter().collect::<Map>(),
                    )
                }
            })
        }),
    );
}

pub(crate) fn register_helm4(funcs: &mut FuncMap) {
    funcs.insert(
        "mustToToml",
        Func::new(&[Type::Any], |_, a| write::to_toml(a.any(0)).map(Value::str).map_err(FuncError::new)),
    );
}

fn map(table: toml::Table) -> Map {
    table.into_iter().map(|(key, value)| (key, from_toml(value))).collect()
}

/// Depth is bounded by the parser.
fn from_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text),
        toml::Value::Integer(number) => Value::int64(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::from(truth),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => Value::from(items.into_iter().map(from_toml).collect::<Vec<_>>()),
        toml::Value::Table(table) => Value::from(map(table)),
    }
}
