//! Who delivers to a system, as others are told of it.

use std::time::Duration;

use landfall_diag::seconds;
use serde::{Deserialize, Serialize};

/// Who delivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliverer {
    /// Its process.
    pub pid: u32,
    /// What it does: `up`, `down`, `rollback`.
    pub command: String,
    /// RFC 3339.
    pub since: String,
}

impl Deliverer {
    /// `pid 4711, landfall up, for 3.2s`
    pub(crate) fn shown(&self) -> String {
        let since = self.since.parse::<jiff::Timestamp>().ok();
        let lasting = since.and_then(|since| Duration::try_from(jiff::Timestamp::now().duration_since(since)).ok());
        let lasting = lasting.map(|it| format!(", for {}", seconds(it))).unwrap_or_default();
        format!("pid {}, landfall {}{lasting}", self.pid, self.command)
    }
}
