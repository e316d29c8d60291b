use serde_json::{Value, json};

use crate::System;

/// The JSON Schema (draft 2020-12) of `landfall.yaml`, generated from the types that read it.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(System).to_value();
    if let Some(map) = schema.as_object_mut() {
        map.insert("title".to_owned(), json!("landfall.yaml"));
        map.insert("$id".to_owned(), json!("https://landfall.dev/schema/v1.json"));
    }
    schema
}
