//! What a look at a cluster says of images, by their digests: evidence of what ran while it was looked at, and of nothing else.

use std::collections::BTreeMap;

use landfall_delivery::{CheckResult, Run, Seen, Sighting, Verdict};
use landfall_fleet::sha256_hex;
use landfall_project::Check;
use landfall_promote::{CHECK, HEALTH, RUNS, RunOf, TestedImage};

use crate::api::EvidenceLine;

/// The longest sentence of what was found.
const LONGEST: usize = 400;
/// The longest list of runs: a cluster's identities are long.
const LONGEST_RUNS: usize = 1900;
/// How much of a workload's identity is written down.
const OF_UID: usize = 13;

/// How many digits stand for a check.
const OF_CHECK: usize = 32;

/// What was looked at.
#[derive(Clone, Copy)]
pub struct Looked<'a> {
    /// Where.
    pub environment: &'a str,
    /// The images that are declared there, as their registry has them.
    pub images: &'a [TestedImage],
    /// What is seen of what is declared.
    pub sightings: &'a [Sighting],
    /// Why units are not well as wholes, by what is asked of a unit's namespace and name.
    pub troubles: &'a dyn Fn(&(String, String)) -> Option<String>,
    /// What checks found while all of it ran: without a digest.
    pub checks: &'a [EvidenceLine],
}

/// What that says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sighted {
    /// What is written down.
    pub lines: Vec<EvidenceLine>,
    /// Images of which nothing well is said, and why: each with its digest.
    pub untold: Vec<(String, String)>,
    /// Images that wait for their turn to run, and why: each with its digest.
    pub waiting: Vec<(String, String)>,
}

/// What is seen of an image in one unit.
#[derive(Default)]
struct InUnit {
    /// By which runs it runs.
    runs: Vec<String>,
    /// What runs in its place.
    others: Vec<String>,
}

impl Looked<'_> {
    /// What all that was seen says of each image. One that something else runs in place of has passed nothing, whatever the checks
    /// found: they asked the other one.
    pub fn sighted(&self) -> Sighted {
        let mut sighted = Sighted::default();
        for image in self.images {
            self.of_image(image, &mut sighted);
        }
        sighted
    }

    fn of_image(&self, image: &TestedImage, sighted: &mut Sighted) {
        let named = format!("{}:{}", image.repository, image.tag);
        let pinned = format!("@{}", image.digest);
        let is_it = |text: &str| {
            text == named
                || text.strip_prefix(image.repository.as_str()) == Some(&pinned)
                || text.strip_prefix(named.as_str()) == Some(&pinned)
        };
        let mut units: BTreeMap<&(String, String), InUnit> = BTreeMap::new();
        let (mut faults, mut begins, mut waits) = (Vec::new(), Vec::new(), Vec::new());
        for one in self.sightings.iter().filter(|one| is_it(&one.image)) {
            let InUnit { runs, others } = units.entry(&one.unit).or_default();
            match &one.seen {
                Seen::Runs { digest: Some(digest), .. } if *digest != image.digest => {
                    others.push(format!("{} runs {}@{digest}", one.workload, image.repository));
                }
                Seen::Runs { run, fault, .. } => {
                    runs.push(run_of(&one.workload, run).to_string());
                    faults.extend(fault.clone());
                }
                Seen::Begins(why) => begins.push(why.clone()),
                Seen::Waits(why) => waits.push(why.clone()),
                Seen::Not(why) => others.push(why.clone()),
            }
        }
        let line = |what: String, passed: bool, detail: String| EvidenceLine {
            digest: image.digest.clone(),
            environment: self.environment.to_owned(),
            what,
            passed,
            detail,
            ..EvidenceLine::default()
        };
        let others: Vec<String> = units.values().flat_map(|it| it.others.clone()).collect();
        let any_runs = units.values().any(|it| !it.runs.is_empty());
        for ((namespace, name), InUnit { runs, others }) in &units {
            let what = format!("{RUNS}{namespace}/{name}");
            match (runs.is_empty(), others.is_empty()) {
                (_, false) => sighted.lines.push(line(what, false, short(&others.join("; "), LONGEST))),
                (false, true) => sighted.lines.push(line(what, true, short(&runs.join("; "), LONGEST_RUNS))),
                (true, true) => {}
            }
        }
        let of_checks = |passed: &[bool]| {
            let told = self.checks.iter().filter(|one| passed.contains(&one.passed));
            told.map(|one| EvidenceLine { digest: image.digest.clone(), ..one.clone() }).collect::<Vec<_>>()
        };
        if !others.is_empty() {
            sighted.untold.push((image.digest.clone(), format!("{named} does not run: {}", others.join("; "))));
            if any_runs || !begins.is_empty() {
                sighted.lines.extend(of_checks(&[false]));
            }
            return;
        }
        if !any_runs && begins.is_empty() {
            let why = waits.join("; ");
            if !why.is_empty() {
                sighted.waiting.push((image.digest.clone(), why));
            }
            return;
        }
        let troubles = units.keys().filter_map(|unit| (self.troubles)(unit));
        let is_whole = begins.is_empty();
        faults.extend(begins);
        faults.extend(troubles);
        faults.dedup();
        sighted.lines.push(line(HEALTH.to_owned(), faults.is_empty(), short(&faults.join("; "), LONGEST)));
        // While it takes another's place, either may have answered.
        sighted.lines.extend(of_checks(if is_whole { &[true, false] } else { &[false] }));
    }
}

/// What is said of a check that could not be made, before why.
pub const UNMADE: &str = "it could not be made: ";

/// What a check has found, of whatever ran while it was made: with what stands for how it is declared.
pub fn of_check(environment: &str, result: &CheckResult, declared: &[Check]) -> EvidenceLine {
    let (passed, detail) = match &result.verdict {
        Verdict::Passed => (true, String::new()),
        Verdict::Failed { reason } => (false, short(reason, LONGEST)),
        Verdict::NotSimulated { reason } => (false, short(&format!("{UNMADE}{reason}"), LONGEST)),
    };
    EvidenceLine {
        environment: environment.to_owned(),
        what: format!("{CHECK}{}", result.name),
        passed,
        detail,
        made_as: declared.iter().find(|check| check.name == result.name).map(made_as).unwrap_or_default(),
        ..EvidenceLine::default()
    }
}

/// What stands for a check as it is declared: the same of two checks that ask the same in the same words.
pub fn made_as(check: &Check) -> String {
    let text = serde_json::to_vec(check).unwrap_or_default();
    sha256_hex(&text).chars().take(OF_CHECK).collect()
}

fn run_of(workload: &str, run: &Run) -> RunOf {
    let uid: String = run.uid.chars().take(OF_UID).collect();
    RunOf { workload: workload.to_owned(), uid, after: run.after, at: run.at }
}

/// A sentence in one line that a book takes.
fn short(text: &str, longest: usize) -> String {
    landfall_diag::without_known(text).chars().map(|c| if c.is_control() { ' ' } else { c }).take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "a/web:0.5.0-alpha.1.1";

    fn image() -> TestedImage {
        TestedImage { repository: "a/web".to_owned(), tag: "0.5.0-alpha.1.1".to_owned(), digest: "sha256:a".to_owned() }
    }

    fn sighting(workload: &str, seen: Seen) -> Sighting {
        let unit = ("ns".to_owned(), "web".to_owned());
        Sighting { unit, workload: workload.to_owned(), image: IMAGE.to_owned(), seen }
    }

    fn runs(digest: Option<&str>) -> Seen {
        let run = Run { uid: "u".to_owned(), after: 0, at: 1 };
        Seen::Runs { run, digest: digest.map(str::to_owned), fault: None }
    }

    /// What is written down, in words, and what is not.
    fn said(sightings: &[Sighting]) -> (Vec<String>, usize, usize) {
        let check = |name: &str, passed: bool| EvidenceLine {
            environment: "test".to_owned(),
            what: format!("check {name}"),
            passed,
            ..EvidenceLine::default()
        };
        let looked = Looked {
            environment: "test",
            images: &[image()],
            sightings,
            troubles: &|_| None,
            checks: &[check("home", true), check("orders", false)],
        };
        let sighted = looked.sighted();
        let told = sighted.lines.iter().map(|one| format!("{} {}", one.what, one.passed)).collect();
        (told, sighted.untold.len(), sighted.waiting.len())
    }

    fn lines(told: &[&str]) -> Vec<String> {
        told.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn what_something_else_runs_in_place_of_has_passed_nothing() {
        let all = lines(&["runs ns/web true", "health true", "check home true", "check orders false"]);
        assert_eq!(said(&[sighting("Deployment/web", runs(None))]), (all.clone(), 0, 0));
        assert_eq!(said(&[sighting("Deployment/web", runs(Some("sha256:a")))]), (all, 0, 0));
        let other = Seen::Not("Deployment/web runs a/web:0.9".to_owned());
        assert_eq!(said(&[sighting("Deployment/web", other.clone())]), (lines(&["runs ns/web false"]), 1, 0));
        // The tag is the same, and the image behind it was another one when its node pulled it.
        assert_eq!(said(&[sighting("Deployment/web", runs(Some("sha256:b")))]), (lines(&["runs ns/web false"]), 1, 0));
        // Where one of two workloads runs something else, what fails counts, and what passes does not.
        let both = [sighting("Deployment/web", runs(None)), sighting("Deployment/jobs", other)];
        assert_eq!(said(&both), (lines(&["runs ns/web false", "check orders false"]), 1, 0));
    }

    #[test]
    fn what_begins_to_run_is_not_well_yet_and_what_waits_for_its_turn_is_neither() {
        let begins = Seen::Begins("the pod web-1 runs a/web:0.9".to_owned());
        assert_eq!(said(&[sighting("Deployment/web", begins)]), (lines(&["health false", "check orders false"]), 0, 0));
        let waits = Seen::Waits("CronJob/jobs has not fired with it yet".to_owned());
        assert_eq!(said(&[sighting("CronJob/jobs", waits.clone())]), (Vec::new(), 0, 1));
        let both = [sighting("Deployment/web", runs(None)), sighting("CronJob/jobs", waits)];
        assert_eq!(said(&both).0[..2], lines(&["runs ns/web true", "health true"]));
    }
}
