//! What the trials and the findings come to.

use landfall_delivery::{Outcome, Verdict};
use landfall_diag::{Diagnostic, Finding, ObjectName, Witness, code};
use landfall_object::{Assumption, Simulated};
use landfall_rules::{Fingerprints, Inventory, Start};

use super::TrialReport;
use crate::impact::Impact;
use crate::trial::Trial;

/// Leaves out what the rehearsal or an API says of an object that another finding explains already: that one is the
/// cause, and says that it was seen.
pub(super) fn one_cause(found: Vec<Finding>) -> Vec<Finding> {
    let (mut seen, mut rest): (Vec<Finding>, Vec<Finding>) =
        found.into_iter().partition(|finding| finding.witness != Witness::Rule);
    seen.retain(|failure| {
        let objects: Vec<&ObjectName> = failure.spots.iter().filter_map(|spot| spot.object.as_ref()).collect();
        let mut explained = false;
        for finding in rest.iter_mut().filter(|finding| finding.fails() && finding.rule != failure.rule) {
            let shares = finding.spots.iter().filter_map(|spot| spot.object.as_ref()).any(|key| objects.contains(&key));
            if shares {
                finding.witness = failure.witness.clone();
                explained = true;
            }
        }
        !explained
    });
    rest.extend(seen);
    rest
}

pub(super) fn first_words(trial: &Trial) -> String {
    why(trial).first().map(|diagnostic| diagnostic.message.clone()).unwrap_or_default()
}

fn why(trial: &Trial) -> Vec<Diagnostic> {
    match &trial.outcome {
        Err(diagnostics) => diagnostics.clone(),
        Ok(summary) => {
            let units = summary.units.iter().filter(|unit| unit.outcome == Outcome::Failed);
            let mut all: Vec<Diagnostic> = units.flat_map(|unit| unit.diagnostics.clone()).collect();
            all.extend(summary.checks.iter().filter_map(|check| {
                match &check.verdict {
                    Verdict::Failed { reason } => Some(
                        Diagnostic::error(code::CHECK_FAILED, format!("check {} fails: {reason}", check.name))
                            .note(check.address.clone()),
                    ),
                    _ => None,
                }
            }));
            all
        }
    }
}

pub(super) fn report(trial: &Trial, before: &Inventory, fingerprints: &Fingerprints) -> TrialReport {
    let nothing = Inventory::default();
    let before = if trial.start == Start::Empty { &nothing } else { before };
    TrialReport {
        start: trial.start.clone(),
        would_deliver: trial.would_deliver(),
        why: why(trial),
        impact: Impact::of(before, trial, fingerprints),
        waits: trial.waits.iter().filter(|wait| wait.seconds > 0 || wait.is_hook).cloned().collect(),
        checks: trial.outcome.as_ref().map(|summary| summary.checks.clone()).unwrap_or_default(),
        seconds: trial.took.as_secs(),
    }
}

/// What the trials could only take for granted.
pub(super) fn unsimulated(trials: &[Trial]) -> Vec<String> {
    let mut notes = vec!["containers answer what `simulate:` in landfall.yaml declares, and nothing else".to_owned()];
    let Some(trial) = trials.first() else { return notes };
    let mut taken: Vec<String> = trial
        .after
        .of_kind("", "Pod")
        .filter(|pod| match Simulated::of(pod) {
            Some(Simulated::Containers(taken)) => taken.iter().any(|it| matches!(it, Assumption::Probe(_))),
            _ => false,
        })
        .map(|pod| pod.controller().map_or_else(|| pod.name().to_owned(), |owner| owner.name))
        .collect();
    taken.sort();
    taken.dedup();
    if !taken.is_empty() {
        let more = taken.len().saturating_sub(4);
        taken.truncate(4);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("probes of which nothing is declared were taken as passing: {}{rest}", taken.join(", ")));
    }
    for made in ["Secret", "ConfigMap"].into_iter().flat_map(|kind| trial.after.of_kind("", kind)) {
        let Some(by) = Simulated::of(made) else { continue };
        let why = match by {
            Simulated::MadeBy(_) => "which may create Secrets",
            Simulated::MadeFor(_) => "by an operator that is not simulated",
            Simulated::Containers(_) | Simulated::Other(_) => continue,
        };
        notes.push(format!("{} {}: taken as {by}, {why}", made.kind(), made.name()));
    }
    if trial.after.of_kind("networking.k8s.io", "NetworkPolicy").next().is_some() {
        notes.push("NetworkPolicies are stored; no traffic between pods is simulated".to_owned());
    }
    for (group, kind) in [
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ] {
        if trial.after.of_kind(group, kind).next().is_some() {
            notes.push(format!("{kind}s are stored; no webhook is called"));
        }
    }
    for check in trial.outcome.iter().flat_map(|summary| &summary.checks) {
        if let Verdict::NotSimulated { reason } = &check.verdict {
            notes.push(format!("check {}: {reason}", check.name));
        }
    }
    notes
}
