//! One version of one object.

use std::sync::OnceLock;

use bytes::Bytes;
use landfall_object::{Object, write_json, write_json_string};
use serde_json::Value;

/// One version of one object; never changes. Serialised at most once.
#[derive(Debug)]
pub struct Stored {
    object: Object,
    version: u64,
    rest: OnceLock<Bytes>,
    controller: OnceLock<Option<Box<str>>>,
}

impl Stored {
    /// An object as it is at a resource version.
    pub fn new(value: Value, version: u64) -> Self {
        // What is no object at all cannot get here past decoding; should it, it is kept as an empty one.
        let object = Object::from_value(value).unwrap_or_else(|_| Object::from_map(serde_json::Map::new()));
        Self { object, version, rest: OnceLock::new(), controller: OnceLock::new() }
    }

    /// The object as a JSON value.
    pub fn value(&self) -> &Value {
        self.object.value()
    }

    /// The object.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The resource version as a number.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The object as JSON after its opening brace and without `kind` and `apiVersion`: what follows them in a
    /// single answer, and what an item of a built-in list consists of.
    pub(crate) fn rest(&self) -> &Bytes {
        self.rest.get_or_init(|| {
            let mut out = Vec::with_capacity(1024);
            for (key, value) in self.object.map() {
                if key == "kind" || key == "apiVersion" {
                    continue;
                }
                if !out.is_empty() {
                    out.push(b',');
                }
                write_json_string(key, &mut out);
                out.push(b':');
                write_json(value, &mut out);
            }
            out.push(b'}');
            Bytes::from(out)
        })
    }

    /// The object as JSON, `kind` and `apiVersion` first, without a newline; under another version if asked for.
    pub(crate) fn write_json(&self, api_version: &str, out: &mut Vec<u8>) {
        let kind = self.object.kind();
        let rest = self.rest();
        out.reserve(rest.len() + kind.len() + api_version.len() + 32);
        out.extend_from_slice(b"{\"kind\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"apiVersion\":\"");
        out.extend_from_slice(api_version.as_bytes());
        out.extend_from_slice(if rest.len() > 1 { b"\"," } else { b"\"" });
        out.extend_from_slice(rest);
    }

    fn meta(&self, field: &str) -> &str {
        self.value()["metadata"][field].as_str().unwrap_or_default()
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.meta("name")
    }

    /// `metadata.namespace`; empty for cluster-scoped objects.
    pub fn namespace(&self) -> &str {
        self.meta("namespace")
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        self.meta("uid")
    }

    /// `metadata.generation`; 0 where none is kept.
    pub fn generation(&self) -> i64 {
        self.value()["metadata"]["generation"].as_i64().unwrap_or_default()
    }

    /// A label's value.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.value()["metadata"]["labels"][key].as_str()
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.value()["metadata"]["annotations"][key].as_str()
    }

    /// True once deletion was asked for.
    pub fn is_deleting(&self) -> bool {
        self.value()["metadata"]["deletionTimestamp"].is_string()
    }

    /// `metadata.ownerReferences`.
    pub fn owner_references(&self) -> &[Value] {
        self.value()["metadata"]["ownerReferences"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The owner reference with `controller: true`.
    pub fn controller(&self) -> Option<&Value> {
        self.owner_references().iter().find(|owner| owner["controller"] == true)
    }

    /// The uid of the owner with `controller: true`. Found once: controllers ask it of all pods that there are.
    pub fn controller_uid(&self) -> Option<&str> {
        let find = || self.controller().map(|owner| owner["uid"].as_str().unwrap_or_default().into());
        self.controller.get_or_init(find).as_deref()
    }

    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.value()["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }
}

impl std::ops::Deref for Stored {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.object.value()
    }
}
