//! The chart as a release's record keeps it (helm: the JSON form of `chart.Chart`).

use base64::Engine as _;
use landfall_gotemplate::{Map, Value as Template};
use serde_json::{Value, json};

use crate::chart::{Chart, File};
use crate::values::json::from_value;

impl Chart {
    /// Metadata, lock, templates, default values, schema and files; charts below it are left out, as Helm leaves
    /// them out.
    pub fn record(&self) -> Value {
        let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let files = |files: &[File]| -> Vec<Value> {
            files.iter().map(|file| json!({"name": file.name, "data": encode(&file.data)})).collect()
        };
        json!({
            "metadata": self.metadata,
            "lock": self.lock,
            "templates": files(&self.templates),
            "values": values_to_json(&self.values),
            "schema": self.schema.as_ref().map(|schema| encode(schema)),
            "files": files(&self.files),
        })
    }
}

/// Values as JSON; what JSON cannot say becomes null.
pub fn values_to_json(values: &Map) -> Value {
    from_value(&Template::from(values.clone()))
}
