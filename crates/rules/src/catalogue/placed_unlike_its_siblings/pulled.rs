//! Pods that are not given the pull secrets which are set for all of a chart.

use std::collections::BTreeSet;

use landfall_chart::values_to_json;
use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::super::forgotten_pull_secret::{HUB, Owner, Secrets, owners, secrets_of};
use super::{RULE, pods_of_root};
use crate::pods::PodTemplate;
use crate::subject::{Desired, DesiredUnit, Subject};

/// Where charts take pull secrets for all that they run.
const SETTINGS: &[(&str, &str)] =
    &[("imagePullSecrets", "/imagePullSecrets"), ("global.imagePullSecrets", "/global/imagePullSecrets")];

/// A pod that is pulled without the secrets that are set.
struct Unpulled<'s> {
    setting: &'static str,
    desired: &'s Desired,
    template: PodTemplate<'s>,
    /// One that is pulled with them.
    other: &'s Desired,
    /// Whether that one is of the same owner, in a registry where that says something.
    is_alike: bool,
}

pub(super) fn told(subject: &Subject<'_>, unit: &DesiredUnit) -> Vec<Finding> {
    let told = unpulled(subject, unit).into_iter().map(|it| {
        let (kind, name) = (it.desired.object.kind(), it.desired.object.name());
        RULE.finding(format!("{kind} `{name}` does not take the `{}` that is set", it.setting))
            .keyed(format!("{} {kind}/{name}", it.setting))
            .weighing(if it.is_alike { Severity::Warning } else { RULE.severity })
            .because(format!(
                "{} `{}` does, and this one's image is pulled without a secret",
                it.other.object.kind(),
                it.other.object.name()
            ))
            .at(it.desired.spot_at(it.template.path))
    });
    told.collect()
}

/// The workloads of all units whose charts do not give them the pull secrets that are set.
pub(in super::super) fn left_without_secrets<'s>(subject: &Subject<'s>) -> Vec<&'s Desired> {
    subject.units.iter().flat_map(|unit| unpulled(subject, unit)).map(|it| it.desired).collect()
}

fn unpulled<'s>(subject: &Subject<'s>, unit: &DesiredUnit) -> Vec<Unpulled<'s>> {
    let [rendered] = unit.rendered.charts.as_slice() else { return Vec::new() };
    let values = values_to_json(&rendered.values);
    let mut found = Vec::new();
    for (setting, pointer) in SETTINGS {
        let given = values.pointer(pointer).map(names).unwrap_or_default();
        if given.is_empty() {
            continue;
        }
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for (desired, template) in pods_of_root(subject, unit) {
            match secrets_of(subject, &template) {
                Secrets::Named(own) if own.iter().any(|it| given.contains(&it.as_str())) => {
                    with.push((desired, template));
                }
                Secrets::None => without.push((desired, template)),
                _ => {}
            }
        }
        let Some(&(other, _)) = with.first() else { continue };
        let private: BTreeSet<Owner> = with.iter().flat_map(|(_, template)| owners_of(template)).collect();
        found.extend(without.into_iter().map(|(desired, template)| {
            let is_alike = owners_of(&template).iter().any(|it| private.contains(it) && !it.starts_with(HUB));
            Unpulled { setting, desired, template, other, is_alike }
        }));
    }
    found
}

fn owners_of(template: &PodTemplate<'_>) -> Vec<Owner> {
    owners(template).into_iter().map(|(owner, _)| owner).collect()
}

/// The names of a list of pull secrets, as `[a]` or as `[{name: a}]`.
fn names(list: &Value) -> Vec<&str> {
    let entries = list.as_array().into_iter().flatten();
    entries.filter_map(|it| it.as_str().or(it["name"].as_str())).filter(|it| !it.is_empty()).collect()
}
