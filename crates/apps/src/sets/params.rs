use std::collections::BTreeMap;

use landfall_gotemplate::{List, Map, Str, Type, Value as Data};
use serde_json::Value;

/// Parameters of one Application, by name.
pub(crate) type Params = BTreeMap<String, Param>;

/// A parameter, with Go's types as far as a template can tell them apart: under `missingkey=zero` what is missing in a map of
/// texts is an empty text, in any other map it is no value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Param {
    Null,
    Truth(bool),
    Number(f64),
    Text(String),
    List(Vec<Param>),
    Map(Params),
    Texts(BTreeMap<String, String>),
}

impl Param {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Param::Text(text.into())
    }

    /// As a Go template sees it.
    pub(crate) fn data(&self) -> Data {
        match self {
            Param::Null => Data::nil(),
            Param::Truth(truth) => Data::from(*truth),
            Param::Number(number) => Data::from(*number),
            Param::Text(text) => Data::from(text.as_str()),
            Param::List(items) => Data::from(List::new(items.iter().map(Param::data).collect())),
            Param::Map(map) => data_of(map),
            Param::Texts(texts) => {
                let entries = texts.iter().map(|(key, text)| (Str::from(key.as_str()), Data::from(text.as_str())));
                Data::from(Map::of(Type::String, entries.collect()))
            }
        }
    }

    pub(crate) fn json(&self) -> Value {
        match self {
            Param::Null => Value::Null,
            Param::Truth(truth) => Value::Bool(*truth),
            Param::Number(number) => whole(*number),
            Param::Text(text) => Value::String(text.clone()),
            Param::List(items) => items.iter().map(Param::json).collect(),
            Param::Map(map) => map.iter().map(|(key, value)| (key.clone(), value.json())).collect(),
            Param::Texts(texts) => texts.iter().map(|(key, text)| (key.clone(), Value::from(text.as_str()))).collect(),
        }
    }

    /// What Go's `%v` prints.
    pub(crate) fn printed(&self) -> String {
        match self {
            Param::Text(text) => text.clone(),
            other => String::from_utf8_lossy(&landfall_gotemplate::format::sprint(&[other.data()])).into_owned(),
        }
    }

    /// Whether Go would call it the zero value of its type, which a merge does not take over.
    fn is_zero(&self) -> bool {
        match self {
            Param::Null => true,
            Param::Truth(truth) => !truth,
            Param::Number(number) => *number == 0.0,
            Param::Text(text) => text.is_empty(),
            Param::List(items) => items.is_empty(),
            Param::Map(map) => map.is_empty(),
            Param::Texts(texts) => texts.is_empty(),
        }
    }
}

fn whole(number: f64) -> Value {
    // 2^53: up to here every whole float64 is exactly that integer.
    if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
        Value::from(number as i64)
    } else {
        serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
    }
}

impl From<&Value> for Param {
    /// JSON as Go decodes it into `interface {}`.
    fn from(json: &Value) -> Self {
        match json {
            Value::Null => Param::Null,
            Value::Bool(truth) => Param::Truth(*truth),
            Value::Number(number) => Param::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => Param::Text(text.clone()),
            Value::Array(items) => Param::List(items.iter().map(Param::from).collect()),
            Value::Object(map) => Param::Map(params_of(map)),
        }
    }
}

pub(crate) fn params_of(map: &serde_json::Map<String, Value>) -> Params {
    map.iter().map(|(key, value)| (key.clone(), Param::from(value))).collect()
}

/// Parameters as a Go template sees them.
pub(crate) fn data_of(params: &Params) -> Data {
    Data::from(params.iter().map(|(key, value)| (key.as_str(), value.data())).collect::<Map>())
}

/// All parameters by the way to them, `a.b.0`, as texts; empty lists and maps are not among them.
pub(crate) fn flattened(params: &Params) -> BTreeMap<String, String> {
    fn walk(prefix: &str, value: &Param, out: &mut BTreeMap<String, String>) {
        let below = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        match value {
            Param::Map(map) => map.iter().for_each(|(key, value)| walk(&below(key), value, out)),
            Param::Texts(texts) => texts.iter().for_each(|(key, text)| drop(out.insert(below(key), text.clone()))),
            Param::List(items) => {
                items.iter().enumerate().for_each(|(index, item)| walk(&below(&index.to_string()), item, out));
            }
            other => drop(out.insert(prefix.to_owned(), other.printed())),
        }
    }
    let mut out = BTreeMap::new();
    params.iter().for_each(|(key, value)| walk(key, value, &mut out));
    out
}

/// Puts parameters over others: maps are merged, of the rest what is not empty wins.
pub(crate) fn put_over(under: &mut Params, over: &Params) {
    for (key, value) in over {
        match (under.get_mut(key), value) {
            (Some(Param::Map(under)), Param::Map(over)) => put_over(under, over),
            (Some(Param::Texts(under)), Param::Texts(over)) => {
                under.extend(over.iter().filter(|(_, text)| !text.is_empty()).map(|(k, v)| (k.clone(), v.clone())));
            }
            (Some(_), value) if value.is_zero() => {}
            _ => drop(under.insert(key.clone(), value.clone())),
        }
    }
}

/// Puts parameters together that all are texts; a name that stands for two different ones is refused.
pub(crate) fn combined(a: &Params, b: &Params) -> Result<Params, String> {
    let texts = |params: &Params| -> BTreeMap<String, String> {
        params.iter().map(|(key, value)| (key.clone(), value.printed())).collect()
    };
    let mut all = texts(a);
    for (key, text) in texts(b) {
        if let Some(there) = all.get(&key).filter(|there| **there != text) {
            return Err(format!("found duplicate key {key} with different value, a: {there} ,b: {text}"));
        }
        all.insert(key, text);
    }
    Ok(all.into_iter().map(|(key, text)| (key, Param::Text(text))).collect())
}
