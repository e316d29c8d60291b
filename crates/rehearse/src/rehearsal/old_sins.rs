//! What was wrong before the change: told apart from what the change brings.

use std::collections::BTreeSet;

use landfall_diag::{Diagnostic, Finding, Severity, Spot};
use landfall_rules::{Examination, Failure};

use super::verdict::why;
use crate::trial::Trial;

/// What is wrong with the base revision by itself.
#[derive(Debug, Default)]
pub(super) struct OldSins {
    /// Rule, weight, cause and places of each finding.
    findings: Vec<(&'static str, Severity, String, BTreeSet<String>)>,
    /// Why it would not deliver.
    reasons: BTreeSet<String>,
    /// Whether it leaves something that does not come up.
    leaves_stuck: bool,
    /// The words for what of the change waits for nothing but that.
    held_up: BTreeSet<String>,
}

impl OldSins {
    pub(super) fn of(examination: &Examination, trial: Option<&Trial>) -> Self {
        let mut sins = OldSins::default();
        if let Some(trial) = trial {
            sins.hear(trial);
        }
        sins.add(examination);
        sins
    }

    /// Adds why the base would not deliver.
    pub(super) fn hear(&mut self, trial: &Trial) {
        self.leaves_stuck |= !trial.came_up();
        self.reasons.extend(why(trial).iter().map(|it| lasting(&it.message)));
        self.reasons.extend(causes(trial).into_iter().map(|(_, cause)| cause));
    }

    /// Adds why the base's templates would refuse an upgrade of themselves: what nobody can deliver.
    pub(super) fn refuse(&mut self, told: &[Diagnostic]) {
        for reason in told.iter().map(|it| lasting(&it.message)) {
            self.findings.push(("LF100", Severity::Error, reason.clone(), BTreeSet::new()));
            self.reasons.insert(reason);
        }
    }

    /// Adds what was found of the base in another way.
    pub(super) fn add(&mut self, examination: &Examination) {
        let told = |it: &Finding| (it.rule, it.severity, lasting(&it.key), it.spots.iter().map(place).collect());
        self.findings.extend(examination.findings.iter().map(told));
    }

    /// Adds what of the change waits for nothing but what the base left and what does not come up: nothing of the change has
    /// come to it.
    pub(super) fn hold_up(&mut self, change: &[Trial]) {
        if self.leaves_stuck {
            self.held_up.extend(change.iter().flat_map(held_up).cloned());
        }
    }

    /// Takes what the base had, no lighter, out of what was found of the change: whole findings, and of the others the
    /// places where the base had them.
    pub(super) fn take_from(&self, examination: &mut Examination) -> Vec<Finding> {
        let (mut known, mut new) = (Vec::new(), Vec::new());
        for mut finding in std::mem::take(&mut examination.findings) {
            if self.held_up.contains(&finding.message) {
                known.push(finding);
                continue;
            }
            let cause = lasting(&finding.key);
            let mut alike = self.findings.iter().filter(|(rule, severity, key, _)| {
                *rule == finding.rule && *severity >= finding.severity && *key == cause
            });
            let Some((_, _, _, first)) = alike.next() else {
                new.push(finding);
                continue;
            };
            let places: BTreeSet<&String> = first.iter().chain(alike.flat_map(|(_, _, _, places)| places)).collect();
            if finding.spots.iter().all(|spot| places.contains(&place(spot))) {
                known.push(finding);
            } else {
                finding.spots.retain(|spot| !places.contains(&place(spot)));
                new.push(finding);
            }
        }
        examination.findings = new;
        known
    }

    /// Whether the base would not deliver for each reason of a trial either.
    pub(super) fn explain(&self, trial: &Trial) -> bool {
        let causes = causes(trial);
        why(trial).iter().all(|reason| {
            let mut others = causes.iter().filter(|(message, _)| *message == reason.message);
            self.reasons.contains(&lasting(&reason.message))
                || self.held_up.contains(&reason.message)
                || others.any(|(_, cause)| self.reasons.contains(cause))
        })
    }
}

/// What was told of units that wait for nothing but what ran before and did not start.
fn held_up(trial: &Trial) -> impl Iterator<Item = &String> {
    let units = trial.outcome.iter().flat_map(|summary| &summary.units);
    let held = units.filter(|unit| unit.failure.as_ref().is_some_and(|failure| failure.is_held_up));
    held.flat_map(|unit| &unit.diagnostics).map(|told| &told.message)
}

/// What the units of a trial fail of whose pods do not run, each with the words that were told of it.
fn causes(trial: &Trial) -> Vec<(String, String)> {
    let outcome = trial.as_outcome();
    let of = |unit: &Failure<'_>| {
        let told = unit.told.iter().filter_map(|it| Some((it.message.clone(), lasting(&unit.cause_of(it)?))));
        told.collect::<Vec<_>>()
    };
    outcome.failures.iter().flat_map(of).collect()
}

/// Where a finding is, as far as it stays the same: the object and its container, or the file.
fn place(spot: &Spot) -> String {
    match &spot.object {
        Some(object) => {
            let namespace = object.namespace.as_deref().unwrap_or_default();
            let container = spot.container.as_deref().unwrap_or_default();
            lasting(&format!("{}/{namespace}/{}/{container}", object.gvk.kind, object.name))
        }
        None => spot.file.as_ref().map(|place| place.file.clone()).unwrap_or_default(),
    }
}

/// A text without what each revision changes: versions (`1.2.3`, `v2.0-rc.1`), the digests that name what is made, and
/// what is drawn at the end of a pod's name.
fn lasting(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '+' | '_');
    let mut rest = text;
    let (mut is_announced, mut is_of_pod) = (false, false);
    let mut long_name = 0;
    while !rest.is_empty() {
        let end = rest.find(|letter| !is_of_word(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let next = after.find(is_of_word).unwrap_or(after.len());
        let (between, onwards) = after.split_at(next);
        // The name of a pod goes on as long as nothing but hyphens stands between its words.
        is_of_pod = is_announced || is_of_pod;
        let ends_pod = is_of_pod && between != "-";
        let changes = is_version(word) || is_digest(word) || (ends_pod && !is_announced && is_drawn(word));
        long_name = if is_announced || !is_of_pod { word.len() } else { long_name + 1 + word.len() };
        match word.split_at_checked(word.len().saturating_sub(DRAWN)) {
            // What is drawn follows a name that was cut without a hyphen.
            Some((kept, end)) if ends_pod && !changes && long_name == LONGEST_NAME && is_drawn(end) => {
                out.extend([kept, "*"]);
            }
            _ => out.push_str(if changes { "*" } else { word }),
        }
        out.push_str(between);
        is_announced = matches!(word, "pod" | "Pod") && matches!(between, " " | "/");
        is_of_pod &= !ends_pod;
        rest = onwards;
    }
    out
}

/// How many letters the API draws for `generateName`, and how long a name it makes of a longer one (apiserver: `names.SimpleNameGenerator`).
const DRAWN: usize = 5;
const LONGEST_NAME: usize = 63;

/// Whether a word is what the API draws for `generateName`: five letters that make no words.
fn is_drawn(word: &str) -> bool {
    word.len() == DRAWN && word.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte))
}

fn is_version(word: &str) -> bool {
    let word = word.strip_prefix('v').unwrap_or(word);
    let numbers = word.split('.').take_while(|part| part.starts_with(|digit: char| digit.is_ascii_digit())).count();
    numbers >= 2
}

fn is_digest(word: &str) -> bool {
    word.len() >= 8
        && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_revision_changes_is_no_other_cause() {
        assert_eq!(lasting("Job/seed-1.2.3 failed (5f8c9d7b6a)"), lasting("Job/seed-1.3.0 failed (7bb9d6c8f4)"));
        let waits = |pod: &str| lasting(&format!("default/web cannot become ready: pod {pod}, container a: no key b"));
        assert_eq!(waits("web-6d9f8b7c5d-x2kqz"), waits("web-5c8f9d7b6d-48lwg"));
        assert_eq!(waits("web-seed-bc7mc"), waits("web-seed-48lwg"));
        assert_ne!(waits("web-seed-bc7mc"), waits("web-feed-bc7mc"));
        assert_ne!(waits("web-0"), waits("web-1"), "a StatefulSet's pods are two");
        let long = |ends: &str| waits(&format!("{}-{ends}", "indexer-of-all-documents".repeat(2)));
        assert_eq!(long("configurer5zvq"), long("configurewx42k"), "the API cuts a long name and draws behind it");
        assert_ne!(long("configurer5zvq"), long("configurawx42k"));
        assert_ne!(long("seedr5zvq"), long("seedwx42k"), "a short one has a hyphen before what is drawn");
        assert_ne!(lasting("Service `db-http2`"), lasting("Service `db-grpc2`"), "no pod's name");
        assert_eq!(lasting("image `db:v2.1`"), lasting("image `db:v2.2`"));
        assert_ne!(lasting("Service `web` has no port `8080`"), lasting("Service `web` has no port `8081`"));
        assert_ne!(lasting("key `A` of Secret `s`"), lasting("key `B` of Secret `s`"));
    }
}
