//! Typed reading of JSON objects with the leniency and the error texts of Go's `encoding/json`.
//!
//! Helm reads YAML into structs by way of `sigs.k8s.io/yaml`, which turns numbers and booleans into text where the
//! field is a string, and lets `encoding/json` do the rest: names match in any case, null leaves a field as it is, the
//! first value of a wrong type is the error.

use std::borrow::Cow;
use std::collections::BTreeMap;

use landfall_yaml::{Build, Node, Repeated, Scalar};
use serde_json::{Map as Object, Value as Json};

/// A value of the wrong type; displays as `json.UnmarshalTypeError` does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The whole document is of the wrong type.
    #[error("json: cannot unmarshal {found} into Go value of type {wanted}")]
    Root {
        /// JSON's word for what is there.
        found: &'static str,
        /// Go's name of the type.
        wanted: Cow<'static, str>,
    },
    /// A field is.
    #[error("json: cannot unmarshal {found} into Go struct field {owner}.{path} of type {wanted}")]
    Field {
        /// JSON's word for what is there.
        found: &'static str,
        /// Go's name of the struct that holds the field.
        owner: &'static str,
        /// Path from the document's root.
        path: String,
        /// Go's name of the type.
        wanted: Cow<'static, str>,
    },
}

impl DecodeError {
    /// The same, where Go's type has another name.
    #[must_use]
    pub(crate) fn with_type(mut self, named: impl Fn(&str) -> String) -> Self {
        let (DecodeError::Root { wanted, .. } | DecodeError::Field { wanted, .. }) = &mut self;
        *wanted = named(wanted).into();
        self
    }

    /// The path from the document's root, empty for the root itself.
    pub fn path(&self) -> &str {
        match self {
            DecodeError::Root { .. } => "",
            DecodeError::Field { path, .. } => path,
        }
    }
}

/// JSON's word for a value, as Go's errors have it.
pub(crate) fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// An object being read into a struct; keeps the first error and reads on, as Go does.
pub(crate) struct Fields<'a> {
    object: &'a Object<String, Json>,
    /// Go's name of the struct.
    owner: &'static str,
    /// Path of the object with a trailing dot, or empty at the root.
    path: String,
}

impl<'a> Fields<'a> {
    /// The document itself; `None` for null, which leaves the struct as it is.
    pub(crate) fn root(json: &'a Json, wanted: &'static str, owner: &'static str) -> Result<Option<Self>, DecodeError> {
        match json {
            Json::Null => Ok(None),
            Json::Object(object) => Ok(Some(Fields { object, owner, path: String::new() })),
            other => Err(DecodeError::Root { found: kind(other), wanted: wanted.into() }),
        }
    }

    fn error(&self, name: &str, found: &Json, wanted: &'static str) -> DecodeError {
        let (found, path) = (kind(found), format!("{}{name}", self.path));
        DecodeError::Field { found, owner: self.owner, path, wanted: wanted.into() }
    }

    /// The value of a field: its exact name, else a name equal but for case.
    fn get(&self, name: &str) -> Option<&'a Json> {
        let exact = self.object.get(name);
        exact.or_else(|| self.object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }

    /// A string; numbers and booleans become text.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, DecodeError> {
        match self.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(value) => match as_text(value) {
                Some(text) => Ok(Some(text)),
                None => Err(self.error(name, value, "string")),
            },
        }
    }

    /// A string; empty when there is none.
    pub(crate) fn text_or_empty(&self, name: &'static str) -> Result<String, DecodeError> {
        Ok(self.text(name)?.unwrap_or_default())
    }

    /// A boolean; false when there is none.
    pub(crate) fn truth(&self, name: &'static str) -> Result<bool, DecodeError> {
        match self.get(name) {
            None | Some(Json::Null) => Ok(false),
            Some(Json::Bool(truth)) => Ok(*truth),
            Some(value) => Err(self.error(name, value, "bool")),
        }
    }

    /// A list of strings.
    pub(crate) fn texts(&self, name: &'static str) -> Result<Vec<String>, DecodeError> {
        match self.get(name) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Json::Null => Ok(String::new()),
                    item => as_text(item).ok_or_else(|| self.error(name, item, "string")),
                })
                .collect(),
            Some(value) => Err(self.error(name, value, "[]string")),
        }
    }

    /// A map from strings to strings.
    pub(crate) fn text_map(&self, name: &'static str) -> Result<Option<BTreeMap<String, String>>, DecodeError> {
        match self.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Object(entries)) => entries
                .iter()
                .map(|(key, value)| match value {
                    Json::Null => Ok((key.clone(), String::new())),
                    value => match as_text(value) {
                        Some(text) => Ok((key.clone(), text)),
                        None => Err(self.error(name, value, "string")),
                    },
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(value) => Err(self.error(name, value, "map[string]string")),
        }
    }

    /// A list of anything, as it stands.
    pub(crate) fn anything(&self, name: &'static str) -> Result<Vec<Json>, DecodeError> {
        match self.get(name) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Array(items)) => Ok(items.clone()),
            Some(value) => Err(self.error(name, value, "[]interface {}")),
        }
    }

    /// A struct inside.
    pub(crate) fn object(
        &self,
        name: &'static str,
        owner: &'static str,
        wanted: &'static str,
    ) -> Result<Option<Fields<'a>>, DecodeError> {
        match self.get(name) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::Object(object)) => Ok(Some(Fields { object, owner, path: format!("{}{name}.", self.path) })),
            Some(value) => Err(self.error(name, value, wanted)),
        }
    }

    /// A list of structs, in which null gives `None`.
    pub(crate) fn objects(
        &self,
        name: &'static str,
        owner: &'static str,
        wanted: [&'static str; 2],
    ) -> Result<Vec<Option<Fields<'a>>>, DecodeError> {
        match self.get(name) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Json::Null => Ok(None),
                    Json::Object(object) => Ok(Some(Fields { object, owner, path: format!("{}{name}.", self.path) })),
                    other => Err(self.error(name, other, wanted[1])),
                })
                .collect(),
            Some(value) => Err(self.error(name, value, wanted[0])),
        }
    }
}

/// YAML as JSON in which a number written as a float stays one, so that a string field gets Go's text for it
/// (`72445e2` is `7.2445e+06`).
pub(crate) fn yaml(text: &str) -> Result<Json, landfall_yaml::Error> {
    match landfall_yaml::parse_first(text)? {
        None => Ok(Json::Null),
        Some(document) => landfall_yaml::construct(&document, Repeated::LastWins, &mut Typed),
    }
}

struct Typed;

impl Build for Typed {
    type Value = Json;
    type Map = Object<String, Json>;

    fn scalar(&mut self, scalar: Scalar<'_>, at: Node<'_>) -> Result<Json, landfall_yaml::Error> {
        Ok(match scalar {
            Scalar::Null => Json::Null,
            Scalar::Bool(truth) => truth.into(),
            Scalar::Int(number) => number.into(),
            Scalar::Uint(number) => number.into(),
            Scalar::Float(number) => {
                let json = serde_json::Number::from_f64(number).map(Json::Number);
                json.ok_or_else(|| landfall_yaml::Error::Json {
                    problem: format!("json: unsupported value: {number}"),
                    at: Some(at.span().start),
                })?
            }
            Scalar::Str(text) => text.into_owned().into(),
        })
    }

    fn sequence(&mut self, items: Vec<Json>, _: Node<'_>) -> Json {
        items.into()
    }

    fn insert(&mut self, map: &mut Self::Map, key: Cow<'_, str>, value: Json, _: Node<'_>) {
        map.insert(key.into_owned(), value);
    }

    fn mapping(&mut self, map: Self::Map, _: Node<'_>) -> Json {
        map.into()
    }
}

/// What `sigs.k8s.io/yaml` puts into a string field.
pub(crate) fn as_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Number(number) if number.is_f64() => number.as_f64().map(short_float),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// `strconv.FormatFloat(number, 'g', -1, 64)`.
pub(crate) fn short_float(number: f64) -> String {
    let digits = format!("{number:e}");
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Go's `strconv` takes the exponent form from six digits before the point on when it prints the shortest text.
    if (-4..6).contains(&exponent) {
        return format!("{number}");
    }
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_truths_become_text_in_string_fields() {
        for (json, text) in [
            (serde_json::json!(1), "1"),
            (serde_json::json!(1.1), "1.1"),
            (serde_json::json!(true), "true"),
            (serde_json::json!("x"), "x"),
        ] {
            assert_eq!(as_text(&json).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_float_becomes_gos_text_for_it() {
        let json = yaml("a: 72445e2\nb: 1.10\nc: 1.0\nd: 7244500\n").expect("well formed");
        let text = |key: &str| json.get(key).and_then(as_text);
        assert_eq!(text("a").as_deref(), Some("7.2445e+06"));
        assert_eq!(text("b").as_deref(), Some("1.1"));
        assert_eq!(text("c").as_deref(), Some("1"));
        assert_eq!(text("d").as_deref(), Some("7244500"));
    }

    #[test]
    fn the_error_names_the_field_in_gos_words() {
        let json = serde_json::json!({"name": ["a"]});
        let fields = Fields::root(&json, "chart.Metadata", "Metadata").expect("an object").expect("not null");
        assert_eq!(
            fields.text("name").expect_err("an array").to_string(),
            "json: cannot unmarshal array into Go struct field Metadata.name of type string"
        );
    }
}
