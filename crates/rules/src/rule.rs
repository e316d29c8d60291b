//! A rule: what it asks, why, what to do, and the check itself.

use landfall_diag::{Finding, Severity};

use crate::subject::Subject;

/// One rule; each has a file of its own under `rules/`.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// `LF103`.
    pub id: &'static str,
    /// What must be so, in a few words: `references resolve`.
    pub title: &'static str,
    /// How much a breach weighs, unless the finding says otherwise.
    pub severity: Severity,
    /// Why it matters: what breaks when it is not so.
    pub why: &'static str,
    /// What to do about a breach, in general.
    pub advice: &'static str,
    /// The check: reads the subject, gives what it has found.
    pub check: fn(&Subject<'_>) -> Vec<Finding>,
}

impl Rule {
    /// What this rule has found, with its severity and advice; `message` says what is wrong and names the thing.
    pub fn finding(&self, message: impl Into<String>) -> Finding {
        Finding::of(self.id, self.severity, message).help(self.advice)
    }

    /// The same rule with a check that finds nothing: for tests that ask whether the check matters.
    #[must_use]
    pub fn silenced(mut self) -> Self {
        self.check = |_| Vec::new();
        self
    }
}
