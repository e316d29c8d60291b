//! A Secret in clear, as people write one (`v1.Secret`, read as `sigs.k8s.io/yaml` reads it).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_sprig::decode_base64;
use serde_json::{Map, Value};

use crate::masked::Masked;

/// What of metadata outlives sealing; all else is the server's, or somebody's who owned the Secret.
const METADATA: [&str; 7] =
    ["name", "generateName", "namespace", "labels", "annotations", "finalizers", "managedFields"];
/// Annotations in which tools keep the whole object, values and all.
const COPIES: [&str; 2] =
    ["kubectl.kubernetes.io/last-applied-configuration", "kubecfg.ksonnet.io/last-applied-configuration"];

/// A text that is no Secret; the words are Go's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlainError {
    /// A value under `data` is no base64.
    #[error("illegal base64 data at input byte {0}")]
    Base64(usize),
    /// A field is of another type.
    #[error("json: cannot unmarshal {found} into Go struct field {field} of type {wanted}")]
    Type {
        /// What stands there, in Go's word.
        found: &'static str,
        /// Where.
        field: String,
        /// What should.
        wanted: &'static str,
    },
}

/// A Secret in clear.
#[derive(Debug, Clone, Default)]
pub struct PlainSecret {
    /// Its metadata, without what is the server's.
    pub metadata: Value,
    /// Its `type`; empty for none.
    pub kind: String,
    /// Whether it may be changed, where it says.
    pub immutable: Option<bool>,
    /// Its values; those of `stringData` over those of `data`.
    pub data: BTreeMap<String, Masked>,
}

impl PlainSecret {
    /// Reads a document; nothing for one that says nothing of a Secret, as kubeseal passes over such.
    ///
    /// # Errors
    /// [`PlainError`]
    pub fn read(document: &Value) -> Result<Option<Self>, PlainError> {
        let Some(map) = document.as_object() else { return Ok(None) };
        let mut data = BTreeMap::new();
        for (key, value) in section(map, "data", "Secret.data")? {
            let bytes = match value {
                Value::Null => Vec::new(),
                Value::String(text) => decode_base64(text.as_bytes()).map_err(PlainError::Base64)?,
                other => return Err(mismatch(other, "Secret.data", "[]uint8")),
            };
            data.insert(key.clone(), Masked::new(bytes));
        }
        for (key, value) in section(map, "stringData", "Secret.stringData")? {
            let text = text(value).ok_or_else(|| mismatch(value, "Secret.stringData", "string"))?;
            data.insert(key.clone(), Masked::new(text.into_bytes()));
        }
        let immutable = match map.get("immutable") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(immutable)) => Some(*immutable),
            Some(other) => return Err(mismatch(other, "Secret.immutable", "bool")),
        };
        let said = |field: &str| map.get(field).and_then(text).unwrap_or_default();
        let metadata = metadata(map.get("metadata"))?;
        let says_nothing = said("kind").is_empty()
            && said("apiVersion").is_empty()
            && said("type").is_empty()
            && immutable.is_none()
            && data.is_empty()
            && metadata.as_object().is_none_or(Map::is_empty);
        if says_nothing {
            return Ok(None);
        }
        Ok(Some(Self { metadata, kind: said("type"), immutable, data }))
    }

    /// A text of its metadata.
    pub fn said(&self, field: &str) -> &str {
        self.metadata.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// The Secret as the API takes it; its values are in clear.
    pub fn to_value(&self) -> Value {
        let mut object = Map::new();
        object.insert("apiVersion".to_owned(), "v1".into());
        object.insert("kind".to_owned(), "Secret".into());
        object.insert("metadata".to_owned(), self.metadata.clone());
        if let Some(immutable) = self.immutable {
            object.insert("immutable".to_owned(), immutable.into());
        }
        if !self.data.is_empty() {
            object.insert("data".to_owned(), encoded(&self.data));
        }
        if !self.kind.is_empty() {
            object.insert("type".to_owned(), self.kind.as_str().into());
        }
        Value::Object(object)
    }
}

/// Values in base64, as `data` holds them.
pub(crate) fn encoded(data: &BTreeMap<String, Masked>) -> Value {
    Value::Object(data.iter().map(|(key, value)| (key.clone(), STANDARD.encode(value.reveal()).into())).collect())
}

/// Metadata as it outlives sealing.
pub(crate) fn metadata(found: Option<&Value>) -> Result<Value, PlainError> {
    let mut kept = Map::new();
    let Some(found) = found.and_then(Value::as_object) else { return Ok(Value::Object(kept)) };
    for field in METADATA {
        let Some(value) = found.get(field).filter(|value| !value.is_null()) else { continue };
        match field {
            "labels" | "annotations" => {
                let Value::Object(entries) = value else {
                    return Err(mismatch(value, &format!("ObjectMeta.metadata.{field}"), "map[string]string"));
                };
                let mut texts = Map::new();
                for (key, value) in entries {
                    let wrong = || mismatch(value, &format!("ObjectMeta.metadata.{field}"), "string");
                    texts.insert(key.clone(), text(value).ok_or_else(wrong)?.into());
                }
                texts.retain(|key, _| field != "annotations" || !COPIES.contains(&key.as_str()));
                if !texts.is_empty() {
                    kept.insert(field.to_owned(), Value::Object(texts));
                }
            }
            "finalizers" | "managedFields" => {
                if value.as_array().is_some_and(|list| !list.is_empty()) {
                    kept.insert(field.to_owned(), value.clone());
                }
            }
            _ => {
                let text =
                    text(value).ok_or_else(|| mismatch(value, &format!("ObjectMeta.metadata.{field}"), "string"))?;
                if !text.is_empty() {
                    kept.insert(field.to_owned(), text.into());
                }
            }
        }
    }
    Ok(Value::Object(kept))
}

/// The entries of a map, none where there is none.
fn section<'a>(
    map: &'a Map<String, Value>,
    field: &str,
    called: &str,
) -> Result<Vec<(&'a String, &'a Value)>, PlainError> {
    match map.get(field) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(entries)) => Ok(entries.iter().collect()),
        Some(other) => Err(mismatch(other, called, "map[string]string")),
    }
}

/// What a text field becomes of: YAML's booleans and numbers are its texts, as `sigs.k8s.io/yaml` has it.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

pub(crate) fn mismatch(found: &Value, field: &str, wanted: &'static str) -> PlainError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    PlainError::Type { found, field: field.to_owned(), wanted }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn string_data_lies_over_data_and_what_is_the_servers_goes() {
        let secret = PlainSecret::read(&json!({
            "kind": "Secret",
            "metadata": {"name": "a", "uid": "1", "labels": {"x": true}, "annotations": {COPIES[0]: "{}"},
                "ownerReferences": [{"name": "b"}], "creationTimestamp": null},
            "data": {"A": "YQ==", "B": null}, "stringData": {"A": "over"},
        }));
        let secret = secret.expect("fine").expect("a Secret");
        assert_eq!(secret.metadata, json!({"name": "a", "labels": {"x": "true"}}));
        let values: Vec<(&str, &[u8])> =
            secret.data.iter().map(|(key, value)| (key.as_str(), value.reveal())).collect();
        assert_eq!(values, [("A", &b"over"[..]), ("B", b"")]);
        assert!(!format!("{secret:?}").contains("over"));
    }

    #[test]
    fn what_is_wrong_is_said_in_gos_words() {
        let said = |document: Value| PlainSecret::read(&document).expect_err("refused").to_string();
        assert_eq!(said(json!({"data": {"a": "!!"}})), "illegal base64 data at input byte 0");
        assert!(said(json!({"data": {"a": 1}})).starts_with("json: cannot unmarshal number into"));
        assert!(PlainSecret::read(&json!({})).expect("fine").is_none());
        assert!(PlainSecret::read(&json!("hello")).expect("fine").is_none());
    }
}
