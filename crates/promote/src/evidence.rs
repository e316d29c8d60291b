//! What was seen of an image, by its digest: what of it counts, and since when.
//!
//! Nothing that was seen is ever taken back; a later failure of the same thing counts instead of what was well before. What
//! an image has proved in one environment it has proved there alone.

use jiff::Timestamp;
use serde::Serialize;

/// What was looked at when an image's workloads were.
pub const HEALTH: &str = "health";
/// What a declared check is called in evidence: this, and its name.
pub const CHECK: &str = "check ";
/// What a report is called in evidence: this, and the tool's name.
pub const REPORT: &str = "report ";

/// Something that was seen of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The image's digest.
    pub digest: String,
    /// Where it ran.
    pub environment: String,
    /// When.
    pub at: Timestamp,
    /// What was looked at: [`HEALTH`], [`CHECK`] with a name.
    pub what: String,
    /// Whether it was well.
    pub passed: bool,
    /// In a sentence; may be empty.
    pub detail: String,
}

/// What all that was seen of a digest in one environment comes to.
#[derive(Debug, Clone, Default)]
pub struct Record<'e> {
    latest: std::collections::BTreeMap<&'e str, &'e Evidence>,
    well_since: Option<Timestamp>,
}

impl<'e> Record<'e> {
    /// That of a digest in an environment, of evidence in the order in which it was seen.
    pub fn of(evidence: &'e [Evidence], digest: &str, environment: &str) -> Self {
        let mut record = Record::default();
        for one in evidence.iter().filter(|it| it.digest == digest && it.environment == environment) {
            record.latest.insert(&one.what, one);
            if !is_of_the_run(&one.what) {
                continue;
            }
            // Where anything fails that was looked at while it ran, the time before is lost.
            record.well_since = match (one.passed, record.well_since) {
                (false, _) => None,
                (true, Some(since)) => Some(since),
                (true, None) if record.fails().next().is_none() => Some(one.at),
                (true, None) => None,
            };
        }
        record
    }

    /// Whether nothing was ever seen of it.
    pub fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }

    /// What was seen last of something.
    pub fn last(&self, what: &str) -> Option<&'e Evidence> {
        self.latest.get(what).copied()
    }

    /// Everything whose name begins so, as it was seen last.
    pub fn all(&self, begins: &str) -> impl Iterator<Item = &'e Evidence> {
        self.latest.values().copied().filter(move |one| one.what.starts_with(begins))
    }

    /// Since when nothing that was looked at while it ran has failed; nothing where something does.
    pub fn well_since(&self) -> Option<Timestamp> {
        self.well_since
    }

    fn fails(&self) -> impl Iterator<Item = &'e Evidence> {
        self.latest.values().copied().filter(|one| is_of_the_run(&one.what) && !one.passed)
    }
}

fn is_of_the_run(what: &str) -> bool {
    what == HEALTH || what.starts_with(CHECK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: &str, what: &str, passed: bool) -> Evidence {
        Evidence {
            digest: "sha256:a".to_owned(),
            environment: "test".to_owned(),
            at: format!("2026-01-{at}T00:00:00Z").parse().expect("a time"),
            what: what.to_owned(),
            passed,
            detail: String::new(),
        }
    }

    fn since(evidence: &[Evidence]) -> Option<String> {
        Record::of(evidence, "sha256:a", "test").well_since().map(|at| at.to_string()[8..10].to_owned())
    }

    #[test]
    fn a_later_failure_withdraws_what_was_seen_before_and_time_begins_anew() {
        let mut all = vec![seen("01", HEALTH, true), seen("01", "check home", true), seen("03", "check home", true)];
        assert_eq!(since(&all).as_deref(), Some("01"));
        all.push(seen("04", "check home", false));
        assert_eq!(since(&all), None);
        all.push(seen("05", HEALTH, true));
        assert_eq!(since(&all), None, "the check still fails");
        all.push(seen("06", "check home", true));
        assert_eq!(since(&all).as_deref(), Some("06"));
        let record = Record::of(&all, "sha256:a", "test");
        assert!(record.last("check home").is_some_and(|it| it.passed) && record.last("check other").is_none());
    }

    #[test]
    fn what_was_seen_elsewhere_or_of_another_digest_says_nothing_here() {
        let all = [seen("01", HEALTH, true)];
        assert!(Record::of(&all, "sha256:b", "test").is_empty());
        assert!(Record::of(&all, "sha256:a", "staging").is_empty());
    }

    #[test]
    fn a_report_is_no_time_that_it_ran() {
        let all = [seen("01", "report scanner", true)];
        assert_eq!(since(&all), None);
        assert_eq!(Record::of(&all, "sha256:a", "test").all(REPORT).count(), 1);
    }
}
