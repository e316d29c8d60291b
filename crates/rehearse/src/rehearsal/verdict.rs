//! What the trials and the findings come to.

use landfall_delivery::{Outcome, Verdict};
use landfall_diag::{Diagnostic, Finding, ObjectName, Spot, Witness, code};
use landfall_object::{Assumption, Simulated, unanswered};
use landfall_rules::{DesiredUnit, Fingerprints, Inventory, Start};

use super::TrialReport;
use crate::impact::Impact;
use crate::trial::Trial;

/// Leaves out what the rehearsal or an API says of an object that another finding explains already: that one is the
/// cause, and says that it was seen.
pub(super) fn one_cause(found: Vec<Finding>) -> Vec<Finding> {
    let (mut seen, mut rest): (Vec<Finding>, Vec<Finding>) =
        found.into_iter().partition(|finding| finding.witness != Witness::Rule);
    seen.retain(|failure| {
        let mut explained = false;
        for finding in rest.iter_mut().filter(|finding| finding.fails() && finding.rule != failure.rule) {
            let shares = finding.spots.iter().any(|spot| failure.spots.iter().any(|other| is_one_place(spot, other)));
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

/// Whether two findings are about one place: an object, and within it one field, where both name one.
fn is_one_place(spot: &Spot, other: &Spot) -> bool {
    let holds = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    // An API that cannot read what it is sent names no field of it.
    let [one, other_one] = [spot, other].map(|it| it.field.as_deref().filter(|field| *field != "patch"));
    let is_one_field = match (one, other_one) {
        (Some(one), Some(other)) => holds(one, other) || holds(other, one),
        _ => true,
    };
    spot.object.is_some() && is_same(spot.object.as_ref(), other.object.as_ref()) && is_one_field
}

/// Whether two names are of one object, in whatever version it is written.
fn is_same(one: Option<&ObjectName>, other: Option<&ObjectName>) -> bool {
    one.zip(other).is_some_and(|(one, other)| {
        one.name == other.name && one.gvk.kind == other.gvk.kind
            // What is of a version that is gone may not have been placed.
            && (one.namespace == other.namespace || one.namespace.is_none() || other.namespace.is_none())
    })
}

pub(super) fn first_words(trial: &Trial) -> String {
    why(trial).first().map(|diagnostic| diagnostic.message.clone()).unwrap_or_default()
}

pub(super) fn why(trial: &Trial) -> Vec<Diagnostic> {
    let refused = trial.left_out.iter().map(|it| it.told.clone());
    trial.lacking.iter().cloned().chain(refused).chain(failed(trial)).collect()
}

fn failed(trial: &Trial) -> Vec<Diagnostic> {
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

pub(super) fn report(
    trial: &Trial,
    before: &Inventory,
    base: &[DesiredUnit],
    fingerprints: &Fingerprints,
) -> TrialReport {
    let nothing = Inventory::default();
    let before = if trial.start == Start::Empty { &nothing } else { before };
    TrialReport {
        start: trial.start.clone(),
        would_deliver: trial.would_deliver(),
        as_its_base: false,
        why: why(trial),
        impact: Impact::of(before, base, trial, fingerprints),
        waits: trial.waits.iter().filter(|wait| wait.seconds > 0 || wait.is_hook).cloned().collect(),
        checks: trial.outcome.as_ref().map(|summary| summary.checks.clone()).unwrap_or_default(),
        seconds: trial.took.as_secs(),
    }
}

/// What the trials could only take for granted.
pub(super) fn unsimulated(trials: &[Trial]) -> Vec<String> {
    let mut notes = vec!["containers answer what `simulate:` in landfall.yaml declares, and nothing else".to_owned()];
    let Some(trial) = trials.first() else { return notes };
    notes.extend(trial.taken_as_there.iter().map(|it| format!("{it}: taken as there; nothing delivered brings it")));
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
    notes.extend(unanswered(trial.after.of_kind("apiregistration.k8s.io", "APIService")));
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
