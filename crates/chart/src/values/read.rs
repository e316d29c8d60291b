//! Values files become maps.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use landfall_gotemplate::{List, Map, Origin, Str, Type, Value};
use landfall_yaml::{Build, Node, Repeated, Scalar};

use super::MAX_VALUES_SIZE;
use super::origin::{LayerKind, Origins};
use crate::chart::{Chart, File};
use crate::error::ChartError;

/// Reads a chart's `values.yaml`.
pub(crate) fn read_values(file: &File, location: &str) -> Result<Map, ChartError> {
    let text = file.text();
    let path = if location.is_empty() { file.name.clone() } else { format!("{location}/{}", file.name) };
    read_map(&path, &text, "cannot load values.yaml", &mut Origins::off(), 0)
}

/// Reads the `values.yaml` of a chart again and remembers places; an unreadable file gives the values it has.
pub(crate) fn read_values_traced(chart: &Chart, origins: &mut Origins) -> Map {
    let Some(file) = chart.raw_file("values.yaml") else { return chart.values.clone() };
    let path = chart.path_of(&file.name);
    let text: Arc<str> = file.text().into();
    let layer = origins.layer(LayerKind::Default, &path, Some(&text));
    read_map(&path, &text, "cannot load values.yaml", origins, layer).unwrap_or_else(|_| chart.values.clone())
}

/// Reads a values file of the user.
pub(crate) fn read_layer(name: &str, text: &Arc<str>, origins: &mut Origins) -> Result<Map, ChartError> {
    if text.len() > MAX_VALUES_SIZE {
        return Err(ChartError::ValuesSize { name: name.to_owned(), size: text.len() });
    }
    let layer = origins.layer(LayerKind::File, name, Some(text));
    read_map(name, text, "", origins, layer)
}

/// Reads a values file for lint; the error is Helm's text without what stands in front of it.
pub(crate) fn read_text(name: &str, text: &str) -> Result<Map, String> {
    read_map(name, text, "", &mut Origins::off(), 0).map_err(|error| match error {
        ChartError::File { text, .. } => text,
        other => other.to_string(),
    })
}

/// `prefix` is what Helm says in front of an error; empty for a file of the user (`failed to parse NAME`).
fn read_map(
    name: &str,
    text: &str,
    prefix: &'static str,
    origins: &mut Origins,
    layer: u32,
) -> Result<Map, ChartError> {
    let failed = |error: &landfall_yaml::Error| {
        if prefix.is_empty() {
            ChartError::values_file(name, error, text)
        } else {
            ChartError::yaml(prefix, error, name, text)
        }
    };
    let document = landfall_yaml::parse_first(text).map_err(|error| failed(&error))?;
    let Some(document) = document else { return Ok(Map::new()) };
    let value = landfall_yaml::construct(&document, Repeated::LastWins, &mut Values { origins, layer })
        .map_err(|error| failed(&error))?;
    match value.data() {
        landfall_gotemplate::Data::Nil => Ok(Map::new()),
        landfall_gotemplate::Data::Map(map) => Ok(map.clone()),
        _ => {
            let found = match value.kind_name() {
                "slice" => "array",
                "float64" => "number",
                kind => kind,
            };
            Err(ChartError::values_shape(prefix, name, found, text))
        }
    }
}

/// Builds template values as JSON gives them: every number a `float64`.
struct Values<'o> {
    origins: &'o mut Origins,
    layer: u32,
}

impl Values<'_> {
    fn origin(&mut self, at: Node<'_>) -> Origin {
        if !self.origins.is_on() {
            return Origin::NONE;
        }
        let span = at.span();
        let (start, end) = (span.start, span.end);
        let end_column = if end.line() == start.line() { end.column() } else { 0 };
        self.origins.add(self.layer, start.line() as u32, start.column() as u32, end_column as u32)
    }
}

impl Build for Values<'_> {
    type Value = Value;
    type Map = BTreeMap<Str, Value>;

    fn scalar(&mut self, scalar: Scalar<'_>, at: Node<'_>) -> Result<Value, landfall_yaml::Error> {
        let value = match scalar {
            Scalar::Null => Value::nil(),
            Scalar::Bool(truth) => Value::from(truth),
            Scalar::Int(number) => Value::from(number as f64),
            Scalar::Uint(number) => Value::from(number as f64),
            Scalar::Float(number) if number.is_finite() => Value::from(number),
            Scalar::Float(number) => {
                let shown = if number.is_nan() {
                    "NaN"
                } else if number > 0.0 {
                    "+Inf"
                } else {
                    "-Inf"
                };
                return Err(landfall_yaml::Error::Json {
                    problem: format!("json: unsupported value: {shown}"),
                    at: Some(at.span().start),
                });
            }
            Scalar::Str(text) => Value::from(&*text),
        };
        let origin = self.origin(at);
        Ok(value.with_origin(origin))
    }

    fn sequence(&mut self, items: Vec<Value>, at: Node<'_>) -> Value {
        let origin = self.origin(at);
        Value::from(List::new(items)).with_origin(origin)
    }

    fn insert(&mut self, map: &mut Self::Map, key: Cow<'_, str>, value: Value, at: Node<'_>) {
        let origin = self.origin(at);
        map.insert(Str::from(&*key), value.with_origin(origin));
    }

    fn mapping(&mut self, map: Self::Map, at: Node<'_>) -> Value {
        let origin = self.origin(at);
        Value::from(Map::of(Type::Any, map)).with_origin(origin)
    }
}
