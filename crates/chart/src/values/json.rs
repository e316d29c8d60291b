//! JSON and template values, both ways.

use landfall_gotemplate::{Data, List, Map, Origin, Type, Value};

/// JSON as Go decodes it into `interface {}`: every number a `float64`.
pub(crate) fn to_value(json: &serde_json::Value, origin: Origin) -> Value {
    let value = match json {
        serde_json::Value::Null => Value::nil(),
        serde_json::Value::Bool(truth) => Value::from(*truth),
        serde_json::Value::Number(number) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(items) => {
            Value::from(List::grown(Type::Any, items.iter().map(|item| to_value(item, origin)).collect()))
        }
        serde_json::Value::Object(entries) => {
            Value::from(entries.iter().map(|(key, value)| (key.as_str(), to_value(value, origin))).collect::<Map>())
        }
    };
    value.with_origin(origin)
}

/// How deep values may nest to be written, and how many of them are.
const MAX_DEPTH: usize = 500;
const MOST: usize = 300_000;

/// The JSON form of plain data; what JSON cannot say (NaN, host objects) becomes null.
///
/// Whole numbers become JSON integers, so that schemas and emitters see them as Go's encoder writes them. Templates can write into
/// values: a table that is within itself, one that nests more than 500 deep, and what comes after 300,000 values become null.
pub(crate) fn from_value(value: &Value) -> serde_json::Value {
    Writing { around: Vec::new(), depth: 0, left: MOST }.value(value)
}

/// Values on their way into JSON.
struct Writing {
    /// The tables around the value.
    around: Vec<Map>,
    depth: usize,
    left: usize,
}

impl Writing {
    fn value(&mut self, value: &Value) -> serde_json::Value {
        if self.left == 0 || self.depth >= MAX_DEPTH {
            return serde_json::Value::Null;
        }
        self.left -= 1;
        match value.data() {
            Data::Bool(truth) => (*truth).into(),
            Data::Int(number) | Data::Int64(number) => (*number).into(),
            Data::Int32(number) => (*number).into(),
            Data::Uint(number) | Data::Uint64(number) => (*number).into(),
            Data::Uint8(number) => (*number).into(),
            Data::Float(number) => {
                // 2^53: up to here every whole float64 is exactly that integer.
                if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
                    (*number as i64).into()
                } else {
                    serde_json::Number::from_f64(*number).map_or(serde_json::Value::Null, Into::into)
                }
            }
            Data::Str(text) => text.to_string_lossy().into_owned().into(),
            Data::List(list) if list.is_nil() => serde_json::Value::Null,
            Data::List(list) => {
                self.depth += 1;
                let items = list.values().iter().map(|item| self.value(item)).collect();
                self.depth -= 1;
                items
            }
            Data::Map(map) if map.is_nil() || self.around.iter().any(|it| it.same(map)) => serde_json::Value::Null,
            Data::Map(map) => {
                self.depth += 1;
                self.around.push(map.clone());
                let mut entries = serde_json::Map::new();
                map.for_each(|key, value| {
                    entries.insert(key.to_string_lossy().into_owned(), self.value(value));
                });
                self.around.pop();
                self.depth -= 1;
                entries.into()
            }
            Data::Nil | Data::Complex(_) | Data::Bytes(_) | Data::Host(_) => serde_json::Value::Null,
        }
    }
}

/// A live object as Kubernetes' client gives it to templates: whole numbers are `int64`, others `float64`.
pub(crate) fn to_live_value(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(Data::Int64(whole)),
            None => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::Array(items) => {
            Value::from(List::grown(Type::Any, items.iter().map(to_live_value).collect()))
        }
        serde_json::Value::Object(entries) => {
            Value::from(entries.iter().map(|(key, value)| (key.as_str(), to_live_value(value))).collect::<Map>())
        }
        other => to_value(other, Origin::NONE),
    }
}
