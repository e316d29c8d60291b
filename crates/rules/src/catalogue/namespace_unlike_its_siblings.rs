use std::collections::BTreeMap;

use landfall_diag::{Finding, Severity};

use crate::pods::pod_template;
use crate::rule::Rule;
use crate::subject::{Desired, DesiredUnit, Door, Role, Subject};

pub(super) static RULE: Rule = Rule {
    id: "LF423",
    title: "what a release makes is in one namespace where that is chosen for it",
    severity: Severity::Warning,
    why: "A chart that lets its namespace be chosen has to say it in each object. One that does not lands in the release's own: a Role \
          there gives no right where the pods are, a ConfigMap there is not found by them.",
    advice: "Write `namespace` into the object's metadata as the others of the chart do.",
    check,
};

/// So many others have to be elsewhere.
const OTHERS: usize = 3;

fn check(subject: &Subject<'_>) -> Vec<Finding> {
    subject.units.iter().flat_map(of_unit).collect()
}

fn of_unit(unit: &DesiredUnit) -> Vec<Finding> {
    if !matches!(unit.door, Door::Release) {
        return Vec::new();
    }
    let mut by_namespace: BTreeMap<&str, Vec<&Desired>> = BTreeMap::new();
    for desired in unit.objects.iter().filter(|it| it.role == Role::Manifest) {
        if let Some(namespace) = desired.object.namespace() {
            by_namespace.entry(namespace).or_default().push(desired);
        }
    }
    let Some(here) = by_namespace.remove(unit.namespace.as_str()) else { return Vec::new() };
    let elsewhere: Vec<(&str, Vec<&Desired>)> = by_namespace.into_iter().collect();
    let [(chosen, others)] = &*elsewhere else { return Vec::new() };
    // Whole parts may be elsewhere on purpose: there are pods on both sides then.
    let is_pod = |it: &&Desired| pod_template(&it.object).is_some();
    let is_part = here.iter().any(is_pod) || !others.iter().any(is_pod);
    if others.len() < OTHERS || others.len() < here.len() || is_part {
        return Vec::new();
    }
    // What is not written comes from where its table does, like anything else that is not.
    let says_none = |it: &&Desired| {
        let written = unit.rendered.written(&it.key());
        let place = |field: &str| written.as_ref().and_then(|it| it.origin(field)).and_then(|origin| origin.template);
        place("metadata.namespace") == place("metadata.unwritten")
    };
    here.into_iter()
        .filter(says_none)
        .map(|desired| {
            let (kind, name) = (desired.object.kind(), desired.object.name());
            RULE.finding(format!(
                "{kind} `{name}` says no namespace, and {} others of the chart are in `{chosen}`",
                others.len()
            ))
            .because(format!("it lands in `{}`, the release's own, where none of the pods are", unit.namespace))
            .at(desired.spot_at("metadata"))
        })
        .collect()
}
