use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_chart::Dialect;
use landfall_object::or_default;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::Error;

/// A revision of a release, as Helm keeps it (pkg/release/release.go).
///
/// Fields that this program does not know are kept, so that a newer Helm's record survives being written back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The release's name.
    #[serde(default)]
    pub name: String,
    /// Its state.
    #[serde(default)]
    pub info: Info,
    /// The chart: metadata, lock, templates, values, schema, files; without subcharts.
    #[serde(default)]
    pub chart: Value,
    /// The user's values.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// The rendered manifests, hooks and CRDs left out.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manifest: String,
    /// The hooks.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookRecord>,
    /// The revision, from 1.
    #[serde(default)]
    pub version: i64,
    /// The namespace.
    #[serde(default)]
    pub namespace: String,
    /// Fields of a newer Helm (`apply_method`).
    #[serde(flatten)]
    pub further: BTreeMap<String, Value>,
    /// The user's labels; they live on the Secret, not in the record.
    #[serde(skip)]
    pub labels: BTreeMap<String, String>,
}

/// The state of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Info {
    /// When the first revision was deployed.
    #[serde(default, with = "time")]
    pub first_deployed: Option<Timestamp>,
    /// When this one was.
    #[serde(default, with = "time")]
    pub last_deployed: Option<Timestamp>,
    /// When it was deleted.
    #[serde(default, with = "time")]
    pub deleted: Option<Timestamp>,
    /// `Install complete`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its status.
    #[serde(default)]
    pub status: Status,
    /// The rendered notes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Fields of a newer Helm.
    #[serde(flatten)]
    pub further: BTreeMap<String, Value>,
}

/// The status of a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It runs.
    Deployed,
    /// It was uninstalled and its history kept.
    Uninstalled,
    /// A later one runs.
    Superseded,
    /// It failed.
    Failed,
    /// It is being uninstalled.
    Uninstalling,
    /// It is being installed.
    PendingInstall,
    /// It is being upgraded to.
    PendingUpgrade,
    /// It is being rolled back to.
    PendingRollback,
    /// Nothing is known.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Helm's word.
    pub fn word(self) -> &'static str {
        match self {
            Status::Unknown => "unknown",
            Status::Deployed => "deployed",
            Status::Uninstalled => "uninstalled",
            Status::Superseded => "superseded",
            Status::Failed => "failed",
            Status::Uninstalling => "uninstalling",
            Status::PendingInstall => "pending-install",
            Status::PendingUpgrade => "pending-upgrade",
            Status::PendingRollback => "pending-rollback",
        }
    }

    /// Whether an operation is under way.
    pub fn is_pending(self) -> bool {
        matches!(self, Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// A hook of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HookRecord {
    /// Its object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its object's kind.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The template's path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Its text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub manifest: String,
    /// When it runs: `pre-upgrade`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// Its last run.
    #[serde(default)]
    pub last_run: LastRun,
    /// Lower runs first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weight: i64,
    /// When its object is deleted.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub delete_policies: Vec<String>,
    /// When its log is shown.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub output_log_policies: Vec<String>,
}

/// A hook's last run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LastRun {
    /// When it began.
    #[serde(default, with = "time")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, with = "time")]
    pub completed_at: Option<Timestamp>,
    /// Empty, `Unknown`, `Running`, `Succeeded` or `Failed`.
    #[serde(default)]
    pub phase: String,
}

impl Record {
    /// The chart's name.
    pub fn chart_name(&self) -> &str {
        self.chart.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default()
    }

    /// The chart's version.
    pub fn chart_version(&self) -> &str {
        self.chart.pointer("/metadata/version").and_then(Value::as_str).unwrap_or_default()
    }

    /// The chart's application version.
    pub fn app_version(&self) -> &str {
        self.chart.pointer("/metadata/appVersion").and_then(Value::as_str).unwrap_or_default()
    }

    /// The record as JSON, as Helm 3 or Helm 4 writes it: Helm 4 leaves times out that never were.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it cannot be written as JSON.
    pub fn to_value(&self, dialect: Dialect) -> Result<Value, Error> {
        let damaged = |error: serde_json::Error| Error::Damaged {
            what: crate::codec::object_name(&self.name, self.version),
            reason: error.to_string(),
        };
        let mut value = serde_json::to_value(self).map_err(damaged)?;
        if dialect == Dialect::V4 {
            without_empty(&mut value["info"], &["first_deployed", "last_deployed", "deleted"]);
            for hook in value.get_mut("hooks").and_then(Value::as_array_mut).into_iter().flatten() {
                without_empty(&mut hook["last_run"], &["started_at", "completed_at"]);
            }
        }
        Ok(value)
    }

    /// The labels that Helm itself puts on the object that holds the record.
    pub fn system_labels(&self) -> BTreeMap<String, String> {
        [
            ("name", self.name.clone()),
            ("owner", "helm".to_owned()),
            ("status", self.info.status.word().to_owned()),
            ("version", self.version.to_string()),
        ]
        .map(|(label, value)| (label.to_owned(), value))
        .into()
    }

    /// What the engine knows the release by.
    pub fn target(&self) -> String {
        target(&self.namespace, &self.name)
    }

    /// Whether two revisions would deliver the same: chart, values, manifest and hooks, their runs left out.
    pub fn delivers_the_same(&self, other: &Record) -> bool {
        let hooks = |record: &Record| -> Vec<HookRecord> {
            let comparable = |hook: &HookRecord| {
                let mut hook = HookRecord { last_run: LastRun::default(), ..hook.clone() };
                // A hook that ran without a policy is recorded with the default one (pkg/action/hooks.go).
                if hook.delete_policies.is_empty() {
                    hook.delete_policies.push("before-hook-creation".into());
                }
                hook
            };
            record.hooks.iter().map(comparable).collect()
        };
        self.manifest == other.manifest
            && self.config == other.config
            && hooks(self) == hooks(other)
            && self.chart == other.chart
            && self.info.notes == other.info.notes
            && self.labels == other.labels
    }
}

/// Takes fields away that hold an empty text.
fn without_empty(value: &mut Value, fields: &[&str]) {
    if let Some(map) = value.as_object_mut() {
        map.retain(|name, value| !(fields.contains(&name.as_str()) && *value == ""));
    }
}

/// What the engine knows a release by.
pub(crate) fn target(namespace: &str, name: &str) -> String {
    format!("release {namespace}/{name}")
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Helm's times: RFC 3339 with nanoseconds, and an empty text for none.
mod time {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    pub(super) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
        // Go's zero time stands for none, too.
        if text.is_empty() || text.starts_with("0001-01-01T00:00:00") {
            return Ok(None);
        }
        text.parse().map(Some).map_err(serde::de::Error::custom)
    }
}
