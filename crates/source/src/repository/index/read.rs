//! An index's text, taken apart chart by chart: as a whole it would take ten times its own size and more.

use std::collections::BTreeMap;
use std::fmt;

use landfall_yaml::{MAX_NODES, Piece};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{Index, Versions};
use crate::error::SourceError;

/// Most charts that an index may have.
pub(crate) const MAX_CHARTS: usize = 200_000;

/// Most values of an index altogether; that of a chart may have [`MAX_NODES`].
pub(crate) const MAX_VALUES: usize = 8 * MAX_NODES;

/// The entry with the charts.
const ENTRIES: &str = "entries";

/// Why an index is not read.
enum Refused {
    /// It has too many charts.
    Charts,
    /// It has too many values.
    Values,
    /// It is no YAML, or too large.
    Yaml(landfall_yaml::Error),
}

impl From<landfall_yaml::Error> for Refused {
    fn from(error: landfall_yaml::Error) -> Self {
        Refused::Yaml(error)
    }
}

fn too_many() -> SourceError {
    SourceError::Index(format!("it has more than {MAX_CHARTS} charts"))
}

fn too_many_values() -> SourceError {
    SourceError::Index(format!("it has more than {MAX_VALUES} values, or a chart in it more than {MAX_NODES}"))
}

fn converting(error: &landfall_yaml::Error) -> SourceError {
    SourceError::Index(format!("error converting YAML to JSON: {error}"))
}

/// Reads an index, YAML or JSON, whatever it says.
pub(super) fn index(bytes: &[u8]) -> Result<Index, SourceError> {
    let mut json = Parts::default();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = Whole(&mut json).deserialize(&mut reader).and_then(|()| reader.end());
    if json.charts.len() > MAX_CHARTS {
        return Err(too_many());
    }
    if json.exceeded {
        return Err(too_many_values());
    }
    if read.is_ok() {
        return Ok(json.index());
    }
    let text = String::from_utf8_lossy(bytes);
    let mut parts = Parts::default();
    let in_pieces = landfall_yaml::pieces::<Refused>(&text, ENTRIES, &mut |piece| {
        let (Piece::Entry(_, document) | Piece::Inner(_, document)) = &piece;
        parts.left = parts.left.checked_sub(document.size()).ok_or(Refused::Values)?;
        match piece {
            Piece::Entry(key, document) => {
                let value = landfall_yaml::document_to_json_strict(&document)?;
                parts.rest.insert(key.into_owned(), value);
            }
            Piece::Inner(key, document) => {
                let value = landfall_yaml::document_to_json_strict(&document)?;
                parts.has_entries = true;
                parts.charts.insert(key.into_owned(), written(&value));
            }
        }
        if parts.charts.len() > MAX_CHARTS { Err(Refused::Charts) } else { Ok(()) }
    });
    match in_pieces {
        Ok(true) => return Ok(parts.index()),
        Err(Refused::Charts) => return Err(too_many()),
        Err(Refused::Values) => return Err(too_many_values()),
        Ok(false) | Err(Refused::Yaml(_)) => drop(parts),
    }
    // What cannot be taken apart, or is wrong, is looked at as Helm does.
    match landfall_yaml::to_json_strict(&text) {
        Ok(Value::Object(json)) => Ok(of_json(json)),
        Ok(other) => Err(SourceError::Index(format!(
            "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {} into Go value of type repo.IndexFile",
            match other {
                Value::Null => return Err(SourceError::Index("no API version specified".to_owned())),
                Value::String(_) => "string",
                Value::Array(_) => "array",
                Value::Bool(_) => "bool",
                Value::Number(_) | Value::Object(_) => "number",
            }
        ))),
        Err(error) => Err(converting(match &in_pieces {
            Err(Refused::Yaml(first)) => first,
            _ => &error,
        })),
    }
}

fn of_json(mut json: Map<String, Value>) -> Index {
    let mut charts = BTreeMap::new();
    if let Some(Value::Object(entries)) = json.get_mut(ENTRIES) {
        charts = std::mem::take(entries).into_iter().map(|(name, value)| (name, written(&value))).collect();
    }
    Index { rest: json, charts }
}

fn written(value: &Value) -> Versions {
    Versions::Text(serde_json::to_vec(value).unwrap_or_default().into())
}

/// An index that is being read.
struct Parts {
    rest: Map<String, Value>,
    has_entries: bool,
    charts: BTreeMap<String, Versions>,
    /// Values that may still come.
    left: usize,
    /// Whether it has, or a chart has, more values than are read.
    exceeded: bool,
}

impl Default for Parts {
    fn default() -> Self {
        Parts { rest: Map::new(), has_entries: false, charts: BTreeMap::new(), left: MAX_VALUES, exceeded: false }
    }
}

impl Parts {
    fn index(mut self) -> Index {
        if self.has_entries {
            self.rest.insert(ENTRIES.to_owned(), Value::Object(Map::new()));
        }
        Index { rest: self.rest, charts: self.charts }
    }
}

/// An index in JSON.
struct Whole<'p>(&'p mut Parts);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an index")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == ENTRIES {
                self.0.charts.clear();
                self.0.rest.remove(ENTRIES);
                map.next_value_seed(Charts(self.0))?;
                continue;
            }
            let text = text_of(&mut map, self.0)?;
            self.0.rest.insert(key, serde_json::from_slice(&text).map_err(A::Error::custom)?);
        }
        Ok(())
    }
}

/// The charts of an index in JSON; what is no object is left as it is.
struct Charts<'p>(&'p mut Parts);

impl<'de> DeserializeSeed<'de> for Charts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Charts<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("charts")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.has_entries = false;
        self.0.rest.insert(ENTRIES.to_owned(), Value::Null);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.has_entries = true;
        while let Some(name) = map.next_key::<String>()? {
            let text = text_of(&mut map, self.0)?;
            self.0.charts.insert(name, Versions::Text(text.into()));
            if self.0.charts.len() > MAX_CHARTS {
                return Err(A::Error::custom("too many charts"));
            }
        }
        Ok(())
    }
}

/// A value's text, without blanks.
fn text_of<'de, A: MapAccess<'de>>(map: &mut A, parts: &mut Parts) -> Result<Vec<u8>, A::Error> {
    let most = MAX_NODES.min(parts.left);
    let mut copy = Copy { text: Vec::new(), left: most };
    let copied = map.next_value_seed(&mut copy);
    parts.exceeded |= copy.left == 0;
    parts.left -= most - copy.left;
    copied.map(|()| copy.text)
}

/// JSON that is written as it is read.
struct Copy {
    text: Vec<u8>,
    /// Values that may still come.
    left: usize,
}

impl Copy {
    fn write<E: serde::de::Error>(&mut self, value: &impl serde::Serialize) -> Result<(), E> {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(E::custom("too many values"));
        }
        serde_json::to_writer(&mut self.text, value).map_err(E::custom)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Copy {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Copy {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.write(&())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.write(&value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.left = self.left.saturating_sub(1);
        self.text.push(b'[');
        let start = self.text.len();
        loop {
            let before = self.text.len();
            if before > start {
                self.text.push(b',');
            }
            if items.next_element_seed(&mut *self)?.is_none() {
                self.text.truncate(before);
                break;
            }
        }
        self.text.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.left = self.left.saturating_sub(1);
        self.text.push(b'{');
        let start = self.text.len();
        while let Some(key) = entries.next_key::<std::borrow::Cow<'_, str>>()? {
            if self.text.len() > start {
                self.text.push(b',');
            }
            self.write(&key)?;
            self.text.push(b':');
            entries.next_value_seed(&mut *self)?;
        }
        self.text.push(b'}');
        Ok(())
    }
}
