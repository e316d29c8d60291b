//! Who asked for what: the last requests that changed something or were refused.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use parking_lot::Mutex;

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// When, by the cluster's clock.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// The user.
    pub user: String,
    /// The client's own name (`User-Agent`).
    pub agent: String,
    /// The Kubernetes verb.
    pub verb: String,
    /// The path asked for.
    pub path: String,
    /// Whether it was only tried (`dryRun`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The code answered.
    pub code: u16,
    /// The version of the object as it was answered: the order in which writes took effect, which is not the order in which they
    /// were answered, and so not that of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<u64>,
    /// What admission noted, as `pod-security.kubernetes.io/audit-violations`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

fn as_text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

const KEPT: usize = 4096;

/// The last entries, oldest first.
#[derive(Default)]
pub struct AuditLog(Mutex<VecDeque<AuditEntry>>);

impl AuditLog {
    pub(crate) fn record(&self, entry: AuditEntry) {
        let mut entries = self.0.lock();
        if entries.len() >= KEPT {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// The entries that are kept, oldest first.
    pub fn entries(&self) -> Vec<AuditEntry> {
        self.0.lock().iter().cloned().collect()
    }
}
