//! What was delivered where, what was given with it, and which edits of others each delivery set back.

mod given;

use async_recursion::async_recursion as boxed;
use landfall_diag::{Diagnose, Diagnostic, code};
use landfall_engine::{Action, Author};
use landfall_object::ObjectKey;
use landfall_store::HistoryEntry;
use serde::{Deserialize, Serialize};

pub use self::given::{Given, GivenValue};
use crate::session::{INTERRUPTED, Progress, Session};
use crate::summary::{Change, Deed, Outcome, Summary, UnitSummary};

/// One delivery in a listing.
#[derive(Debug, Clone, Serialize)]
pub struct HistoryLine {
    /// The release.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The revision.
    pub revision: i64,
    /// RFC 3339.
    pub updated: String,
    /// Helm's word; `interrupted` where the delivery was broken off and nobody goes on with it.
    pub status: String,
    /// `web-0.1.0`
    pub chart: String,
    /// The version of what it installs.
    pub app_version: String,
    /// Helm's description.
    pub description: String,
    /// What was delivered: a commit, when this machine delivered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The values that were given otherwise than with the revision before; of the oldest one that is kept nothing is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<GivenValue>,
    /// What others had changed on the cluster and this delivery set back, as far as this machine delivered it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reverted: Vec<Reverted>,
}

/// A field that somebody else had written past all deliveries, and that a delivery set back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reverted {
    /// The object.
    pub object: ObjectKey,
    /// `spec.replicas`
    pub field: String,
    /// Who had written it, and when.
    pub by: Author,
}

/// What the store keeps of a delivery beside its columns.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Body {
    revision: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reverted: Vec<Reverted>,
}

impl Reverted {
    /// Those that a delivery has set back.
    pub(crate) fn by(unit: &UnitSummary) -> Vec<Self> {
        let of = |change: &Change| {
            let object = change.object.clone();
            let fields = change.fields.clone().into_iter();
            fields.filter_map(move |field| Some(Reverted { object: object.clone(), field: field.path, by: field.by? }))
        };
        unit.changes.iter().flat_map(of).collect()
    }
}

impl Body {
    fn of(unit: &UnitSummary) -> Self {
        Self { revision: unit.revision, reverted: Reverted::by(unit) }
    }
}

impl Session {
    /// The revisions of releases, newest first, at most `max` each.
    ///
    /// # Errors
    /// When the cluster cannot be asked.
    #[boxed]
    pub async fn history(&self, wanted: &[(String, String)], max: usize) -> Result<Vec<HistoryLine>, Vec<Diagnostic>> {
        let mut lines = Vec::new();
        for (namespace, name) in wanted {
            let releases = self.releases(namespace);
            let mut records = releases.history(name).await.map_err(|error| vec![error.diagnose()])?;
            records.reverse();
            let rows = self
                .store
                .history
                .of(&format!("release {namespace}/{name}"), 1000)
                .await
                .map_err(|error| vec![error.diagnose()])?;
            // A row of another version of this program that says no revision is nobody's.
            let deliveries: Vec<(Body, String)> = rows
                .into_iter()
                .map(|row| (serde_json::from_value(row.entry.body).unwrap_or_default(), row.entry.revision))
                .collect();
            for (at, record) in records.iter().enumerate().take(max) {
                let status = self.standing(record).await?;
                let before = records.get(at + 1);
                let known = deliveries.iter().find(|(body, _)| body.revision == record.version);
                lines.push(HistoryLine {
                    name: record.name.clone(),
                    namespace: record.namespace.clone(),
                    revision: record.version,
                    updated: record.info.last_deployed.map(|at| at.to_string()).unwrap_or_default(),
                    status,
                    chart: format!(
                        "{}-{}",
                        record.chart["metadata"]["name"].as_str().unwrap_or("?"),
                        record.chart["metadata"]["version"].as_str().unwrap_or("?")
                    ),
                    app_version: record.chart["metadata"]["appVersion"].as_str().unwrap_or_default().to_owned(),
                    description: record.info.description.clone(),
                    given: before.map(|before| given::between(&before.config, &record.config)).unwrap_or_default(),
                    source: known.map(|(_, source)| source.clone()),
                    reverted: known.map(|(body, _)| body.reverted.clone()).unwrap_or_default(),
                });
            }
        }
        Ok(lines)
    }

    /// Appends a delivery to the history of each unit it touched.
    pub(crate) async fn remember(&self, summary: &Summary) {
        for unit in &summary.units {
            if matches!(unit.outcome, Outcome::Unchanged | Outcome::NotBegun) {
                continue;
            }
            let entry = HistoryEntry {
                target: format!("release {}/{}", unit.namespace, unit.name),
                at: self.clock.now().to_string(),
                revision: summary.revision.clone(),
                outcome: match unit.outcome {
                    Outcome::Delivered => "delivered",
                    Outcome::Interrupted => INTERRUPTED,
                    _ => "failed",
                }
                .to_owned(),
                summary: format!(
                    "revision {}, {} changes",
                    unit.revision,
                    unit.changes.iter().filter(|it| it.action != Deed::Step(Action::Keep)).count()
                ),
                body: serde_json::to_value(Body::of(unit)).unwrap_or_default(),
            };
            if let Err(error) = self.store.history.append(&entry).await {
                self.tell(Progress::Note(
                    Diagnostic::warning(
                        code::HISTORY_UNWRITTEN,
                        "the delivery is done but could not be added to the history",
                    )
                    .note(error.to_string()),
                ))
                .await;
            }
        }
    }
}
