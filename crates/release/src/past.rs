//! What there is of a release when an operation on it begins.

use jiff::Timestamp;

use crate::{Error, Record, Status};

/// A release as it was found: its name and place, and its revisions.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its revisions, oldest first.
    pub history: Vec<Record>,
    /// The time of looking.
    pub now: Timestamp,
}

impl Past {
    /// The newest revision.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn last(&self) -> Result<&Record, Error> {
        self.history.last().ok_or_else(|| Error::NotFound { name: self.name.clone() })
    }

    /// The last revision and the one an upgrade starts from (pkg/action/upgrade.go, prepareUpgrade).
    ///
    /// # Errors
    /// [`Error::NothingDeployed`], [`Error::Pending`].
    pub fn base(&self) -> Result<(&Record, &Record), Error> {
        let nothing = || Error::NothingDeployed { name: self.name.clone() };
        let last = self.history.last().ok_or_else(nothing)?;
        if last.info.status.is_pending() {
            return Err(self.pending(last));
        }
        if last.info.status == Status::Deployed {
            return Ok((last, last));
        }
        if let Some(deployed) = self.history.iter().rev().find(|record| record.info.status == Status::Deployed) {
            return Ok((last, deployed));
        }
        if matches!(last.info.status, Status::Failed | Status::Superseded) {
            return Ok((last, last));
        }
        Err(nothing())
    }

    /// The last revision that was well, but for one: where a failed upgrade goes back to.
    pub(crate) fn good(&self, but: i64) -> Option<&Record> {
        self.history
            .iter()
            .rev()
            .find(|record| record.version != but && matches!(record.info.status, Status::Superseded | Status::Deployed))
    }

    fn pending(&self, last: &Record) -> Error {
        let since = last.info.last_deployed.unwrap_or(self.now);
        let age = self.now.as_second() - since.as_second();
        Error::Pending { name: self.name.clone(), status: last.info.status, age }
    }
}
