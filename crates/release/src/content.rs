use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use landfall_chart::{Chart, File, Rendered};
use landfall_gotemplate as go;
use landfall_object::Object;
use serde_json::{Map, Value, json};

use crate::manifest::manifest_objects;
use crate::{Error, HookRecord};

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

impl Content {
    /// What a rendered chart delivers.
    ///
    /// # Errors
    /// [`Error::Manifest`] when a file under `crds/` cannot be read.
    pub fn of(rendered: &Rendered) -> Result<Content, Error> {
        let mut manifest = String::new();
        for entry in &rendered.manifests {
            manifest.push_str(&format!("---\n# Source: {}\n{}\n", entry.path, entry.text));
        }
        let hooks = rendered
            .hooks
            .iter()
            .map(|hook| HookRecord {
                name: hook.name.clone(),
                kind: hook.manifest.head.kind.clone(),
                path: hook.manifest.path.clone(),
                manifest: hook.manifest.text.clone(),
                events: hook.events.iter().map(|event| event.name().to_owned()).collect(),
                weight: hook.weight,
                delete_policies: hook.delete_policies.clone(),
                output_log_policies: hook.output_log_policies.clone(),
                ..HookRecord::default()
            })
            .collect();
        let mut crds = Vec::new();
        for crd in &rendered.crds {
            let text = String::from_utf8_lossy(&crd.data);
            let objects = manifest_objects(&text)
                .map_err(|error| match error {
                    Error::Manifest { reason, .. } => Error::Manifest { path: crd.path.clone(), reason },
                    other => other,
                })?
                .into_iter()
                .map(|entry| entry.object)
                .collect();
            crds.push(CrdFile { path: crd.path.clone(), objects });
        }
        Ok(Content {
            chart: chart_json(&rendered.processed),
            config: map_json(&rendered.user_values),
            manifest,
            hooks,
            notes: rendered.notes.clone(),
            crds,
            labels: BTreeMap::new(),
        })
    }
}

/// The chart as Helm's JSON has it (pkg/chart/chart.go): dependencies are not part of it.
fn chart_json(chart: &Chart) -> Value {
    let files = |files: &[File]| -> Value {
        files.iter().map(|file| json!({"name": file.name, "data": STANDARD.encode(&file.data)})).collect()
    };
    json!({
        "metadata": chart.metadata,
        "lock": chart.lock,
        "templates": files(&chart.templates),
        "values": map_json(&chart.values),
        "schema": chart.schema.as_ref().map(|schema| STANDARD.encode(schema)),
        "files": files(&chart.files),
    })
}

fn map_json(map: &go::Map) -> Map<String, Value> {
    map.entries().into_iter().map(|(name, value)| (name.to_string_lossy().into_owned(), value_json(&value))).collect()
}

fn value_json(value: &go::Value) -> Value {
    if value.is_nil() {
        return Value::Null;
    }
    if let Some(map) = value.as_map() {
        return Value::Object(map_json(map));
    }
    if let Some(list) = value.elements() {
        return list.iter().map(value_json).collect();
    }
    if let Some(truth) = value.as_bool() {
        return Value::Bool(truth);
    }
    if let Some(number) = value.as_i64() {
        return number.into();
    }
    if let Some(number) = value.as_f64() {
        // Go writes a whole number without a fraction, whatever its type.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        return if number.fract() == 0.0 && number.abs() <= EXACT { (number as i64).into() } else { json!(number) };
    }
    value.as_str().map_or(Value::Null, |text| text.to_string_lossy().into())
}
