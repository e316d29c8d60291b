//! What was seen of an image, by its digest: what of it counts, and since when.
//!
//! Nothing that was seen is ever taken back; a later failure of the same thing counts instead of what was well before. What
//! an image has proved in one environment it has proved there alone, and while it ran: what says that it runs says by which run of
//! each workload, and another run, or none, ends the time that it has run well.

use jiff::Timestamp;
use serde::Serialize;

/// What was looked at when an image's workloads were.
pub const HEALTH: &str = "health";
/// What a declared check is called in evidence: this, and its name.
pub const CHECK: &str = "check ";
/// What a report is called in evidence: this, and the tool's name.
pub const REPORT: &str = "report ";

/// What says whether an image runs: this, and the unit.
pub const RUNS: &str = "runs ";

/// A time in which a workload ran an image and no other, as it stands in evidence: `Deployment/web 1f2e3d4c 0-3`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunOf {
    /// The workload: `Deployment/web`.
    pub workload: String,
    /// The workload's identity; nothing of what runs to its end.
    pub uid: String,
    /// The last revision that did not run the image, or of which that is not known.
    pub after: u64,
    /// The revision that runs it.
    pub at: u64,
}

impl std::fmt::Display for RunOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let uid = if self.uid.is_empty() { "-" } else { self.uid.as_str() };
        write!(f, "{} {uid} {}-{}", self.workload, self.after, self.at)
    }
}

impl RunOf {
    /// Those that a line of evidence names.
    pub fn parse(text: &str) -> Vec<RunOf> {
        let one = |text: &str| {
            let mut words = text.split_whitespace();
            let (workload, uid, span) = (words.next()?, words.next()?, words.next()?);
            let (after, at) = span.split_once('-')?;
            let uid = if uid == "-" { "" } else { uid };
            Some(RunOf {
                workload: workload.to_owned(),
                uid: uid.to_owned(),
                after: after.parse().ok()?,
                at: at.parse().ok()?,
            })
        };
        text.split(';').filter_map(one).collect()
    }

    /// Whether nothing else ran between an earlier look and this one.
    fn goes_on_from(&self, earlier: &RunOf) -> bool {
        self.uid == earlier.uid && self.after <= earlier.at
    }
}

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
    /// What stands for the check as it was declared when it was made; empty where nobody says it.
    pub made_as: String,
}

/// What all that was seen of a digest in one environment comes to.
#[derive(Debug, Clone, Default)]
pub struct Record<'e> {
    latest: std::collections::BTreeMap<&'e str, &'e Evidence>,
    /// By unit and workload the run that was seen last.
    runs: std::collections::BTreeMap<(&'e str, String), RunOf>,
    well_since: Option<Timestamp>,
}

impl<'e> Record<'e> {
    /// That of a digest in an environment, of evidence in the order in which it was seen.
    pub fn of(evidence: impl IntoIterator<Item = &'e Evidence>, digest: &str, environment: &str) -> Self {
        let mut record = Record::default();
        for one in evidence.into_iter().filter(|it| it.digest == digest && it.environment == environment) {
            record.latest.insert(&one.what, one);
            if one.what.starts_with(RUNS) {
                record.run(one);
                continue;
            }
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

    /// Takes down by which runs it runs; the time before counts where each of them is the one that was seen before.
    fn run(&mut self, one: &'e Evidence) {
        if !one.passed {
            self.well_since = None;
            self.runs.retain(|(unit, _), _| *unit != one.what);
            return;
        }
        let is_first = self.runs.is_empty();
        let mut goes_on = !is_first;
        for run in RunOf::parse(&one.detail) {
            let before = self.runs.get(&(one.what.as_str(), run.workload.clone()));
            goes_on &= before.is_none_or(|before| run.goes_on_from(before));
            self.runs.insert((&one.what, run.workload.clone()), run);
        }
        if !goes_on {
            self.well_since = None;
        }
    }

    /// Why it does not run any more, where somebody has looked and not found it.
    pub fn gone(&self) -> Option<&'e Evidence> {
        self.all(RUNS).find(|one| !one.passed)
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
            made_as: String::new(),
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
    fn time_in_which_something_else_ran_or_nothing_is_no_time_that_it_ran_well() {
        let runs = |at: &str, detail: &str| Evidence { detail: detail.to_owned(), ..seen(at, "runs a/web", true) };
        let mut all = vec![runs("01", "Deployment/web u 0-1"), seen("01", HEALTH, true)];
        all.extend([runs("02", "Deployment/web u 0-1"), seen("02", HEALTH, true)]);
        assert_eq!(since(&all).as_deref(), Some("01"), "the same run");
        all.extend([runs("03", "Deployment/web u 0-2; Deployment/jobs v 0-1"), seen("03", HEALTH, true)]);
        assert_eq!(since(&all).as_deref(), Some("01"), "another setting of the same image, and one more workload");
        all.extend([runs("04", "Deployment/web u 3-4; Deployment/jobs v 0-1"), seen("04", HEALTH, true)]);
        assert_eq!(since(&all).as_deref(), Some("04"), "revision 3 was another image");
        all.extend([runs("05", "Deployment/web w 0-1"), seen("05", HEALTH, true)]);
        assert_eq!(since(&all).as_deref(), Some("05"), "it was gone in between");
        all.push(Evidence { detail: "Deployment/web runs b".to_owned(), ..seen("06", "runs a/web", false) });
        let record = Record::of(&all, "sha256:a", "test");
        assert_eq!(
            (record.well_since(), record.gone().map(|it| it.detail.as_str())),
            (None, Some("Deployment/web runs b"))
        );
        all.extend([runs("07", "Deployment/web w 2-3"), seen("07", HEALTH, true)]);
        assert_eq!(since(&all).as_deref(), Some("07"));
        assert!(Record::of(&all, "sha256:a", "test").gone().is_none());
        // What was seen before anybody said what runs is no proof of it.
        let old = [seen("01", HEALTH, true), runs("09", "Deployment/web u 0-1"), seen("09", HEALTH, true)];
        assert_eq!(since(&old).as_deref(), Some("09"));
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
