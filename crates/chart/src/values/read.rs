//! Values files become maps.

use std::borrow::Cow;
use std::sync::Arc;

use landfall_gotemplate::{Data, List, Map, Origin, Str, Type, Value};
use landfall_sprig::yaml_scalar;
use landfall_yaml::{Build, Gather, Node, Repeated, Scalar};

use super::ValuesFile;
use crate::chart::{Chart, File};
use crate::dialect::Dialect;
use crate::error::{ChartError, DocumentStep, Problem, Reading};
use crate::limits::MAX_VALUES_SIZE;
use crate::origin::{LayerKind, Origins};

/// A chart's own values.
const VALUES: Reading = Reading::Chart("values.yaml");

/// Reads a chart's `values.yaml`.
pub(crate) fn read_values(file: &File, location: &str) -> Result<Map, ChartError> {
    let text = file.text();
    let path = if location.is_empty() { file.name.clone() } else { format!("{location}/{}", file.name) };
    read_map(&path, &text, &VALUES, &mut Origins::off(), 0)
}

/// Reads the `values.yaml` of a chart again and remembers places; an unreadable file gives the values it has.
pub(crate) fn read_values_traced(chart: &Chart, dialect: Dialect, origins: &mut Origins) -> Map {
    let Some(file) = chart.raw_file("values.yaml") else { return chart.values.clone() };
    let path = chart.path_of(&file.name);
    let text: Arc<str> = file.text().into();
    let layer = origins.layer(LayerKind::Default, &path, Some(&text));
    let read = read_map_in(&path, &text, &VALUES, dialect, origins, layer);
    read.unwrap_or_else(|_| chart.values.clone())
}

/// Reads the `values.yaml` of charts anew where Helm 4 sees more documents in it than the first.
pub(crate) fn read_all_documents(chart: &mut Chart) -> Result<(), ChartError> {
    if let Some(file) = chart.raw_file("values.yaml") {
        let text = file.text();
        if documents(&text).is_none_or(|documents| documents.len() > 1) {
            let path = chart.path_of(&file.name);
            chart.values = read_map_in(&path, &text, &VALUES, Dialect::V4, &mut Origins::off(), 0)?;
        }
    }
    chart.dependencies.iter_mut().try_for_each(read_all_documents)
}

/// The documents of a values file as Helm 4 cuts them (`k8s.io/apimachinery`: `YAMLReader`); `None` where something
/// stands behind a separator.
fn documents(text: &str) -> Option<Vec<&str>> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return None;
            }
            // The separator in front of the first document belongs to it, others to nothing.
            if at > start {
                documents.push(&text[start..at]);
                start = at + line.len();
            }
        }
        at += line.len();
    }
    if at > start {
        documents.push(&text[start..]);
    }
    Some(documents)
}

/// As [`read_map`], in Helm 4 all documents merged into one.
fn read_map_in(
    name: &str,
    text: &str,
    reading: &Reading,
    dialect: Dialect,
    origins: &mut Origins,
    layer: u32,
) -> Result<Map, ChartError> {
    if dialect == Dialect::V3 {
        return read_map(name, text, reading, origins, layer);
    }
    let of_document = |error: ChartError| match error {
        ChartError::File { reading, broken, problem, place } => {
            ChartError::File { reading: reading.document(DocumentStep::Read), broken, problem, place }
        }
        other => other,
    };
    let Some(documents) = documents(text) else {
        let behind = text.lines().find_map(|line| {
            let rest = line.strip_prefix("---")?.trim();
            (!rest.is_empty() && !rest.starts_with('#')).then_some(rest)
        });
        let words = format!("invalid Yaml document separator: {}", behind.unwrap_or_default());
        return Err(ChartError::File {
            reading: reading.clone().document(DocumentStep::Cut),
            broken: crate::error::Broken::Other,
            problem: Problem::Words(words.into()),
            place: Box::new(landfall_diag::Place::file(name)),
        });
    };
    let traced = origins.is_on();
    let mut all = Map::new();
    for document in documents {
        // Lines in front keep places right.
        let before = text[..document.as_ptr().addr() - text.as_ptr().addr()].matches('\n').count();
        let mut read = |text: &str| read_map(name, text, reading, origins, layer);
        let map = if before > 0 && traced { read(&("\n".repeat(before) + document)) } else { read(document) };
        // Helm's words count lines from the document's beginning.
        let map = match map {
            Err(_) if traced => read(document),
            map => map,
        };
        let map = map.map_err(of_document)?;
        all = super::merge_maps(&all, &map);
    }
    Ok(all)
}

/// Reads a values file of the user.
pub(super) fn read_layer(file: &ValuesFile, dialect: Dialect, origins: &mut Origins) -> Result<Map, ChartError> {
    let ValuesFile { name, text, .. } = file;
    if text.len() > MAX_VALUES_SIZE {
        return Err(ChartError::ValuesSize { name: name.clone(), size: text.len() });
    }
    let layer = origins.layer(LayerKind::File, name, Some(file.shown()));
    read_map_in(name, text, &Reading::Given(name.to_owned()), dialect, origins, layer)
}

/// Reads a values file for lint; the error is Helm's text without what stands in front of it.
pub(crate) fn read_text(name: &str, text: &str) -> Result<Map, String> {
    read_map(name, text, &Reading::Given(name.to_owned()), &mut Origins::off(), 0).map_err(|error| match error {
        ChartError::File { broken, problem, .. } => format!("{broken}{problem}"),
        other => other.to_string(),
    })
}

/// Reads the first document of a file.
fn read_map(name: &str, text: &str, reading: &Reading, origins: &mut Origins, layer: u32) -> Result<Map, ChartError> {
    let failed = |error: &landfall_yaml::Error| ChartError::yaml(reading.clone(), error, name, text);
    let quick = if origins.is_on() { None } else { landfall_yaml::gather(text, &mut Placeless) };
    let value = match quick {
        Some(value) => value,
        None => {
            let document = landfall_yaml::parse_first(text).map_err(|error| failed(&error))?;
            let Some(document) = document else { return Ok(Map::new()) };
            landfall_yaml::construct(&document, Repeated::LastWins, &mut Values { origins, layer })
                .map_err(|error| failed(&error))?
        }
    };
    match value.data() {
        landfall_gotemplate::Data::Nil => Ok(Map::new()),
        landfall_gotemplate::Data::Map(map) => Ok(map.clone()),
        _ => {
            let found = match value.kind_name() {
                "slice" => "array",
                "float64" => "number",
                kind => kind,
            };
            Err(ChartError::values_shape(reading.clone(), name, found, text))
        }
    }
}

/// How many values there are in a map, what is shared counted as often as it is met.
pub(crate) fn count_of(map: &Map) -> u64 {
    let mut open: Vec<Value> = vec![map.clone().into()];
    let mut count = 0;
    while let Some(value) = open.pop() {
        count += 1;
        match value.data() {
            Data::List(list) => open.extend(list.values().iter().cloned()),
            Data::Map(map) => map.for_each(|_, value| open.push(value.clone())),
            _ => {}
        }
    }
    count
}

/// From so many entries on a mapping is looked through for keys that it has twice.
const MANY_ENTRIES: usize = 1024;

/// Puts an entry behind those of a mapping; of two with one key the later will count.
fn put(map: &mut Vec<(Str, Value)>, key: &str, value: Value) {
    // Mappings merged into each other again and again take no more room than the keys that there are.
    if map.len() == map.capacity() && map.len() >= MANY_ENTRIES {
        let unique: Map = std::mem::take(map).into_iter().collect();
        *map = unique.entries();
    }
    map.push((Str::from(key), value));
}

/// Builds the same values as [`Values`], where nobody asks where they stand.
struct Placeless;

impl Gather for Placeless {
    type Value = Value;
    type Map = Vec<(Str, Value)>;

    fn scalar(&mut self, scalar: Scalar<'_>) -> Option<Value> {
        yaml_scalar(scalar).ok()
    }

    fn sequence(&mut self, items: Vec<Value>) -> Value {
        Value::from(List::grown(Type::Any, items))
    }

    fn insert(&mut self, map: &mut Self::Map, key: &str, value: Value) {
        put(map, key, value);
    }

    fn mapping(&mut self, map: Self::Map) -> Value {
        Value::from(map.into_iter().collect::<Map>())
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
    type Map = Vec<(Str, Value)>;

    fn scalar(&mut self, scalar: Scalar<'_>, at: Node<'_>) -> Result<Value, landfall_yaml::Error> {
        let value = match yaml_scalar(scalar) {
            Ok(value) => value,
            Err(number) => {
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
        };
        let origin = self.origin(at);
        Ok(value.with_origin(origin))
    }

    fn sequence(&mut self, items: Vec<Value>, at: Node<'_>) -> Value {
        let origin = self.origin(at);
        Value::from(List::grown(Type::Any, items)).with_origin(origin)
    }

    fn insert(&mut self, map: &mut Self::Map, key: Cow<'_, str>, value: Value, at: Node<'_>) {
        let origin = self.origin(at);
        put(map, &key, value.with_origin(origin));
    }

    fn mapping(&mut self, map: Self::Map, at: Node<'_>) -> Value {
        let origin = self.origin(at);
        Value::from(map.into_iter().collect::<Map>()).with_origin(origin)
    }
}
