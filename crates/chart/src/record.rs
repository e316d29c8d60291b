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
        // Go writes a list that nothing was added to as null.
        let files = |files: &[File]| -> Value {
            match files {
                [] => Value::Null,
                files => files.iter().map(|file| json!({"name": file.name, "data": encode(&file.data)})).collect(),
            }
        };
        let without_values = self.values.entries().is_empty() && self.raw_file("values.yaml").is_none();
        json!({
            "metadata": self.metadata,
            "lock": self.lock,
            "templates": files(&self.templates),
            "values": if without_values { Value::Null } else { values_to_json(&self.values) },
            "schema": self.schema.as_ref().map(|schema| encode(schema)),
            "files": files(&self.files),
        })
    }
}

/// Values as JSON; what JSON cannot say becomes null.
pub fn values_to_json(values: &Map) -> Value {
    from_value(&Template::from(values.clone()))
}
