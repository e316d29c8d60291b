use std::collections::BTreeMap;

use landfall_object::Object;
use serde_json::{Map, Value};

use crate::HookRecord;

/// What a chart renders to, ready to be delivered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Content {
    /// The chart as a record keeps it: `metadata`, `lock`, `templates`, `values`, `schema`, `files`.
    pub chart: Value,
    /// The user's values.
    pub config: Map<String, Value>,
    /// The manifests in install order, each as `---\n# Source: <path>\n<text>\n`.
    pub manifest: String,
    /// The hooks, in kind order.
    pub hooks: Vec<HookRecord>,
    /// The rendered notes.
    pub notes: String,
    /// The files under `crds/`.
    pub crds: Vec<CrdFile>,
    /// Labels for the record's Secret.
    pub labels: BTreeMap<String, String>,
}

/// A file under `crds/`.
#[derive(Debug, Clone, PartialEq)]
pub struct CrdFile {
    /// Its path.
    pub path: String,
    /// Its objects.
    pub objects: Vec<Object>,
}
