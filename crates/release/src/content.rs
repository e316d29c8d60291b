use std::collections::BTreeMap;

use landfall_chart::{Rendered, values_to_json};
use landfall_object::Object;
use serde_json::{Map, Value};

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
        let config = match values_to_json(&rendered.user_values) {
            Value::Object(map) => map,
            _ => Map::new(),
        };
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
            chart: rendered.processed.record(),
            config,
            manifest: rendered.manifest_text(false),
            hooks,
            notes: rendered.notes.clone(),
            crds,
            labels: BTreeMap::new(),
        })
    }
}
