//! What is remembered of simulated operators, in the cluster itself: a ConfigMap with an entry for each that does not act.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Namespace and name of the ConfigMap.
pub const OPERATOR_RECORD: (&str, &str) = ("kube-system", "landfall-operators");

/// Why a simulated operator does not act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Entry {
    /// The real one acts.
    StoodBack {
        /// When that was first seen (RFC 3339).
        since: String,
        /// What showed it.
        because: String,
    },
    /// Somebody switched it off.
    Off {
        /// When (RFC 3339).
        since: String,
        /// Who did.
        by: String,
    },
}

/// The simulated operators that do not act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorRecord {
    entries: BTreeMap<String, Entry>,
}

impl OperatorRecord {
    /// Reads it from its ConfigMap; what cannot be read says nothing.
    pub fn of_config_map(map: &Value) -> Self {
        let data = map.get("data").and_then(Value::as_object);
        let read = |(name, text): (&String, &Value)| {
            let entry = serde_json::from_str(text.as_str()?);
            if let Err(error) = &entry {
                tracing::warn!(%error, name, "what is remembered of a simulated operator cannot be read");
            }
            Some((name.clone(), entry.ok()?))
        };
        Self { entries: data.into_iter().flatten().filter_map(read).collect() }
    }

    /// The ConfigMap that holds it.
    pub fn to_config_map(&self) -> Value {
        let text = |entry: &Entry| serde_json::to_string(entry).unwrap_or_default();
        let data: Map<String, Value> =
            self.entries.iter().map(|(name, entry)| (name.clone(), text(entry).into())).collect();
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": OPERATOR_RECORD.1, "namespace": OPERATOR_RECORD.0},
            "data": data,
        })
    }

    /// Why the operator of that name does not act.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The names of all that do not act.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Remembers why one does not act.
    pub fn set(&mut self, name: &str, entry: Entry) {
        self.entries.insert(name.to_owned(), entry);
    }

    /// Lets one act again; false when it did already.
    pub fn forget(&mut self, name: &str) -> bool {
        self.entries.remove(name).is_some()
    }
}
