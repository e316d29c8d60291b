//! Pods that are not given the pull secrets which are set for all of a chart.

use std::collections::BTreeSet;

use landfall_chart::{Rendered, values_to_json};
use landfall_diag::{Finding, Severity};
use serde_json::Value;

use super::super::forgotten_pull_secret::{HUB, Owner, Secrets, owners, secrets_of};
use super::{RULE, pods_of_root};
use crate::pods::PodTemplate;
use crate::subject::{Desired, DesiredUnit, Subject};
use crate::texts::own_texts;
use crate::written::written;

/// Where charts take pull secrets for all that they run.
const SETTINGS: &[(&str, &str)] = &[
    ("imagePullSecrets", "/imagePullSecrets"),
    ("global.imagePullSecrets", "/global/imagePullSecrets"),
    ("image.imagePullSecrets", "/image/imagePullSecrets"),
    ("image.pullSecrets", "/image/pullSecrets"),
];

/// Where a part of a chart takes its own.
const OWN: &[&str] = &["imagePullSecrets", "pullSecrets"];

/// The kinds that bring pods.
const RUNNING: &[&str] =
    &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController", "Pod", "List"];

/// A pod that is pulled without the secrets that are set.
struct Unpulled<'s> {
    setting: &'static str,
    desired: &'s Desired,
    template: PodTemplate<'s>,
    /// One that is pulled with them; none where no pod of the chart is.
    other: Option<&'s Desired>,
    /// Whether that one is of the same owner, in a registry where that says something.
    is_alike: bool,
}

pub(super) fn told(subject: &Subject<'_>, unit: &DesiredUnit) -> Vec<Finding> {
    let told = unpulled(subject, unit).into_iter().map(|it| {
        let (kind, name) = (it.desired.object.kind(), it.desired.object.name());
        let because = match it.other.map(|other| &other.object) {
            Some(other) => {
                format!("{} `{}` does, and this one's image is pulled without a secret", other.kind(), other.name())
            }
            None => "no pod of the chart does, and this one's image is pulled without a secret".to_owned(),
        };
        RULE.finding(format!("{kind} `{name}` does not take the `{}` that is set", it.setting))
            .keyed(format!("{} {kind}/{name}", it.setting))
            .weighing(if it.is_alike { Severity::Warning } else { RULE.severity })
            .because(because)
            .at(it.desired.spot_at(it.template.path))
    });
    told.collect()
}

/// The workloads of all units whose charts do not give them the pull secrets that are set, and give them to others.
pub(in super::super) fn left_without_secrets<'s>(subject: &Subject<'s>) -> Vec<&'s Desired> {
    let all = subject.units.iter().flat_map(|unit| unpulled(subject, unit));
    all.filter(|it| it.other.is_some()).map(|it| it.desired).collect()
}

fn unpulled<'s>(subject: &Subject<'s>, unit: &DesiredUnit) -> Vec<Unpulled<'s>> {
    let [rendered] = unit.rendered.charts.as_slice() else { return Vec::new() };
    let values = values_to_json(&rendered.values);
    let mut found: Vec<Unpulled<'_>> = Vec::new();
    for (setting, pointer) in SETTINGS {
        let given = values.pointer(pointer).map(names).unwrap_or_default();
        if given.is_empty() {
            continue;
        }
        let is_of_image = setting.starts_with("image.");
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
        let Some(&(other, _)) = with.first() else {
            if !is_of_image && is_forgotten(rendered, setting, pointer) {
                let all = without.into_iter();
                found.extend(all.map(|(desired, template)| Unpulled {
                    setting,
                    desired,
                    template,
                    other: None,
                    is_alike: false,
                }));
            }
            continue;
        };
        if is_of_image {
            without.retain(|(desired, template)| {
                let is_told = found.iter().any(|it| it.desired.key() == desired.key());
                !is_told && !has_own_setting(unit, rendered, &values, desired, template)
            });
        }
        let private: BTreeSet<Owner> = with.iter().flat_map(|(_, template)| owners_of(template)).collect();
        found.extend(without.into_iter().filter_map(|(desired, template)| {
            let is_alike = owners_of(&template).iter().any(|it| private.contains(it) && !it.starts_with(HUB));
            // A database of somebody else's beside the chart's own image is pulled by anybody.
            let is_meant = !is_of_image || is_alike || matches!(desired.object.kind(), "Job" | "CronJob");
            is_meant.then_some(Unpulled { setting, desired, template, other: Some(other), is_alike })
        }));
    }
    found
}

/// Whether an image of a pod comes from a table of values with pull secrets of its own, set or not.
fn has_own_setting(
    unit: &DesiredUnit,
    rendered: &Rendered,
    values: &Value,
    desired: &Desired,
    template: &PodTemplate<'_>,
) -> bool {
    let Some(provenance) = &rendered.provenance else { return false };
    let key = desired.key();
    let has_own = |path: &str| {
        tables_of(path).filter(|table| *table != "image").any(|table| {
            let table = values.pointer(&format!("/{}", table.replace('.', "/")));
            table.is_some_and(|it| OWN.iter().any(|own| it.get(*own).is_some()))
        })
    };
    template.containers().iter().any(|container| {
        let origin = unit.rendered.origin(&key, &format!("{}.image", container.path));
        origin.is_some_and(|it| it.data.iter().any(|data| provenance.path_of(*data).is_some_and(has_own)))
    })
}

/// The tables that a value lies in, its own first, but for the top: `web.image` and `web` of `web.image.tag`.
fn tables_of(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(path.rsplit_once('.'), |(table, _)| table.rsplit_once('.')).map(|(table, _)| table)
}

/// Whether a chart declares a setting itself and no template of its own reads it, nor may one that was left out.
fn is_forgotten(rendered: &Rendered, setting: &str, pointer: &str) -> bool {
    let chart = &rendered.processed;
    let own = chart.raw_file("values.yaml").and_then(|file| landfall_yaml::to_json(&file.text()).ok());
    let reads = format!(".Values.{setting}");
    own.is_some_and(|own| own.pointer(pointer).is_some())
        && !chart.without.templates.iter().any(|left| !left.path.ends_with("NOTES.txt") && may_run(&left.text))
        && !own_texts(rendered).iter().any(|it| it.text.contains(&reads))
}

/// Whether a template may bring pods: it says so, or what it brings is not seen.
fn may_run(text: &str) -> bool {
    let all = written(text);
    all.is_empty() || all.iter().any(|it| it.kind.contains("{{") || RUNNING.contains(&it.kind))
}

fn owners_of(template: &PodTemplate<'_>) -> Vec<Owner> {
    owners(template).into_iter().map(|(owner, _)| owner).collect()
}

/// The names of a list of pull secrets, as `[a]` or as `[{name: a}]`.
fn names(list: &Value) -> Vec<&str> {
    let entries = list.as_array().into_iter().flatten();
    entries.filter_map(|it| it.as_str().or(it["name"].as_str())).filter(|it| !it.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_texts_and_as_tables() {
        assert_eq!(names(&serde_json::json!(["a", {"name": "b"}, "", {}])), ["a", "b"]);
        assert_eq!(tables_of("web.image.tag").collect::<Vec<_>>(), ["web.image", "web"]);
        assert_eq!(tables_of("image").count(), 0);
    }

    #[test]
    fn a_template_may_bring_pods_where_it_does_not_say_otherwise() {
        assert!(may_run("apiVersion: apps/v1\nkind: Deployment\n"));
        assert!(may_run("kind: {{ .Values.kind }}\n"));
        assert!(may_run("{{ include \"common.web\" . }}\n"));
        assert!(!may_run("kind: HorizontalPodAutoscaler\nspec:\n  scaleTargetRef:\n    kind: Deployment\n"));
    }
}
