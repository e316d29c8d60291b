//! `index`, `slice` and `len`; `text/template/funcs.go`.

use std::borrow::Cow;

use crate::func::FuncError;
use crate::value::{Data, List, Type, Value};

/// The value below a defined type.
fn plain(value: &Value) -> Cow<'_, Value> {
    match value.data() {
        Data::Host(host) => match host.underlying() {
            Some(below) => Cow::Owned(below.with_origin(value.origin())),
            None => Cow::Borrowed(value),
        },
        _ => Cow::Borrowed(value),
    }
}

fn position(index: &Value, limit: usize) -> Result<usize, FuncError> {
    let index = plain(index);
    let number = match index.data() {
        Data::Nil => return Err(FuncError::new("cannot index slice/array with nil")),
        Data::Int(number) | Data::Int64(number) => *number,
        Data::Int32(number) => (*number).into(),
        Data::Uint(number) | Data::Uint64(number) => *number as i64,
        Data::Uint8(number) => (*number).into(),
        _ => {
            return Err(FuncError::new(format!("cannot index slice/array with type {}", index.type_name())));
        }
    };
    usize::try_from(number)
        .ok()
        .filter(|number| *number <= limit)
        .ok_or_else(|| FuncError::new(format!("index out of range: {number}")))
}

/// `index x 1 "a"`
pub(super) fn index(item: &Value, indexes: &[Value]) -> Result<Value, FuncError> {
    if item.is_nil() {
        return Err(FuncError::new("index of untyped nil"));
    }
    let mut item = item.clone();
    for index in indexes {
        let below = plain(&item).into_owned();
        // An index equal to the length passes Go's own check and panics in `reflect`.
        let out_of_range = |what: &str| FuncError::new(format!("reflect: {what} index out of range"));
        item = match below.data() {
            Data::Nil => return Err(FuncError::new("index of nil pointer")),
            Data::List(list) => {
                let at = position(index, list.len())?;
                let element = list.values().get(at).cloned().ok_or_else(|| out_of_range("slice"))?;
                element.into_boxed(list.element())
            }
            Data::Str(text) => {
                let at = position(index, text.len())?;
                Value::from(Data::Uint8(*text.get(at).ok_or_else(|| out_of_range("string"))?))
            }
            Data::Bytes(bytes) => {
                let at = position(index, bytes.len())?;
                Value::from(Data::Uint8(*bytes.get(at).ok_or_else(|| out_of_range("slice"))?))
            }
            Data::Map(map) => {
                let key = match index.data() {
                    Data::Str(key) => key,
                    Data::Nil => return Err(FuncError::new("value is nil; should be of type string")),
                    _ => {
                        let found = index.type_name();
                        return Err(FuncError::new(format!("value has type {found}; should be string")));
                    }
                };
                map.get(key).unwrap_or_else(|| map.element().zero()).into_boxed(map.element())
            }
            _ => return Err(FuncError::new(format!("can't index item of type {}", item.type_name()))),
        };
    }
    Ok(item)
}

/// `slice x 1 2`
pub(super) fn slice(item: &Value, indexes: &[Value]) -> Result<Value, FuncError> {
    if item.is_nil() {
        return Err(FuncError::new("slice of untyped nil"));
    }
    if indexes.len() > 3 {
        return Err(FuncError::new(format!("too many slice indexes: {}", indexes.len())));
    }
    let below = plain(item);
    let (length, room) = match below.data() {
        Data::Str(_) if indexes.len() == 3 => return Err(FuncError::new("cannot 3-index slice a string")),
        Data::Str(text) | Data::Bytes(text) => (text.len(), text.len()),
        Data::List(list) => (list.len(), list.capacity()),
        _ => return Err(FuncError::new(format!("can't slice item of type {}", item.type_name()))),
    };
    let mut at = [0, length, room];
    for (index, place) in indexes.iter().zip(&mut at) {
        *place = position(index, room)?;
    }
    let [from, to, capacity] = at;
    if from > to {
        return Err(FuncError::new(format!("invalid slice index: {from} > {to}")));
    }
    if to > capacity {
        return Err(FuncError::new(format!("invalid slice index: {to} > {capacity}")));
    }
    let origin = item.origin();
    Ok(match below.data() {
        Data::Str(text) => Value::str(&text[from..to]),
        Data::Bytes(bytes) => Value::bytes(&bytes[from..to]),
        Data::List(list) => match list.slice(from, to) {
            Some(slice) => Value::from(slice),
            None => return Err(FuncError::new("reflect.Value.Slice: slice index out of bounds")),
        },
        _ => Value::from(List::nil(Type::Any)),
    }
    .with_origin(origin))
}

/// `len x`
pub(super) fn len(item: &Value) -> Result<Value, FuncError> {
    if item.is_nil() {
        // Without an interface around it, Go's own function panics.
        let words = "reflect: call of reflect.Value.Type on zero Value";
        return Err(FuncError::new(if item.boxed { "len of nil pointer" } else { words }));
    }
    let length = match plain(item).data() {
        Data::Str(text) | Data::Bytes(text) => text.len(),
        Data::List(list) => list.len(),
        Data::Map(map) => map.len(),
        _ => return Err(FuncError::new(format!("len of type {}", item.type_name()))),
    };
    Ok(Value::int(length as i64))
}
