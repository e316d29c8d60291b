//! A pull request at a glance: what it changes in the rendered objects, where that comes from, what is risky about it.
//!
//! Both revisions are rendered and compared; the verdict is the rehearsal's.

use std::collections::BTreeMap;

use landfall_diag::{Diagnostic, Finding};
use landfall_object::diff::{Change, changes};
use landfall_object::schema::Schemas;
use landfall_object::{Object, ObjectKey, Quantity};
use landfall_rules::{ContainerRole, Desired, DesiredUnit, Examination, Role, place_text, pod_template};
use serde::Serialize;
use serde_json::Value;

use crate::at_hand::NotChecked;
use crate::impact::holds;
use crate::rehearsal::{Rehearsal, TrialReport, passes};
use crate::study::Conditions;

/// What one environment would see of a change.
#[derive(Debug, Serialize)]
pub struct Preview {
    /// The environment, when the target is a system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Objects that differ, by unit in the order in which they are delivered.
    pub objects: Vec<ObjectDiff>,
    /// Objects that are the same.
    pub unchanged: usize,
    /// Requests and limits before and after.
    pub resources: Vec<ResourceChange>,
    /// Findings of the new revision that the old one has not.
    pub examination: Examination,
    /// Findings that both have.
    pub known_findings: usize,
    /// Those.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Finding>,
    /// The deliveries that were tried, the upgrade first.
    pub trials: Vec<TrialReport>,
    /// What nobody brings and was taken as there, as `Secret db`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub taken_as_there: Vec<String>,
    /// What was not looked at, because a chart is not at hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_checked: Vec<NotChecked>,
    /// Releases and Applications that could not be rendered, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Diagnostic>,
    /// What else is to be known of it, such as that something stands in for a part that was not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// An object that differs.
#[derive(Debug, Serialize)]
pub struct ObjectDiff {
    /// The release or Application.
    pub unit: String,
    /// `created`, `changed` or `deleted`.
    pub what: &'static str,
    /// The object.
    pub object: ObjectKey,
    /// As a hook of these moments, or in this wave.
    pub when: String,
    /// Which fields; values of secrets masked.
    pub fields: Vec<FieldDiff>,
    /// What is lost when it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loses: Option<String>,
    /// Whether the pods of a workload are made anew.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub restarts: bool,
}

/// A field that differs.
#[derive(Debug, Serialize)]
pub struct FieldDiff {
    /// The field.
    pub path: String,
    /// Before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// After.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// Where the new value was set: `values.prod.yaml:12:3`, else the template's line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<String>,
}

/// Requests or limits that change, over all replicas.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct ResourceChange {
    /// `requests.cpu`, `limits.memory`.
    pub name: String,
    /// Before.
    pub from: String,
    /// After.
    pub to: String,
}

impl ObjectDiff {
    /// Whether another environment's object changes in the same way, wherever that comes from.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let fields = |diff: &Self| -> Vec<(String, Option<Value>, Option<Value>)> {
            diff.fields.iter().map(|it| (it.path.clone(), it.from.clone(), it.to.clone())).collect()
        };
        self.what == other.what
            && self.when == other.when
            && self.restarts == other.restarts
            && self.object == other.object
            && fields(self) == fields(other)
    }
}

impl Preview {
    /// Compares two revisions' units, of which the new one was rehearsed onto the old one; `unread` is what could not be
    /// rendered or rehearsed.
    pub fn of(
        environment: Option<&str>,
        base: &[DesiredUnit],
        head: &[DesiredUnit],
        rehearsal: Option<Rehearsal>,
        unread: Vec<Diagnostic>,
    ) -> Self {
        let schemas = Schemas::builtin();
        let mut objects = Vec::new();
        let mut unchanged = 0;
        let before = by_key(base);
        let after = by_key(head);
        for unit in head {
            for desired in &unit.objects {
                let key = identity(&desired.object);
                let found = match before.get(&key) {
                    None => Vec::new(),
                    Some(old) if old.object == desired.object => {
                        unchanged += 1;
                        continue;
                    }
                    Some(old) => changes(&old.object, &desired.object, &schemas),
                };
                let is_new = !before.contains_key(&key);
                if !is_new && found.is_empty() {
                    unchanged += 1;
                    continue;
                }
                objects.push(ObjectDiff {
                    unit: unit.name.clone(),
                    what: if is_new { "created" } else { "changed" },
                    object: desired.key(),
                    when: when(desired),
                    restarts: !is_new && restarts(&desired.object, &found),
                    fields: found.into_iter().map(|change| field(unit, desired, change)).collect(),
                    loses: None,
                });
            }
        }
        for (unit, desired) in base.iter().flat_map(|unit| unit.objects.iter().map(move |desired| (unit, desired))) {
            if !after.contains_key(&identity(&desired.object)) {
                objects.push(ObjectDiff {
                    unit: desired.unit.clone(),
                    what: "deleted",
                    object: desired.key(),
                    when: when(desired),
                    fields: Vec::new(),
                    loses: holds(&desired.object).filter(|_| !unit.can_make_again(desired)),
                    restarts: false,
                });
            }
        }
        let (examination, known, trials, taken_as_there, not_checked) = match rehearsal {
            Some(it) => (it.examination, it.known, it.trials, it.taken_as_there, it.not_checked),
            None => Default::default(),
        };
        Preview {
            environment: environment.map(str::to_owned),
            objects,
            unchanged,
            resources: resources(base, head),
            examination,
            known_findings: known.len(),
            known,
            trials,
            taken_as_there,
            not_checked,
            unread,
            notes: Vec::new(),
        }
    }

    /// Whether the change may be merged: everything could be rendered, it would deliver as well as its base, and no
    /// finding of its own is an error.
    pub fn passes(&self) -> bool {
        self.unread.is_empty() && passes(&self.trials, &self.examination)
    }

    /// How many objects are so.
    pub fn count(&self, what: &str) -> usize {
        self.objects.iter().filter(|object| object.what == what).count()
    }
}

/// Renders units on all cores; those that cannot be rendered are told.
pub fn study_all(
    candidates: &[landfall_delivery::Candidate],
    conditions: &Conditions,
    threads: usize,
) -> (Vec<DesiredUnit>, Vec<Diagnostic>) {
    let mut unread: Vec<Diagnostic> =
        candidates.iter().filter_map(|(_, unit)| unit.as_ref().err()).flatten().cloned().collect();
    let units: Vec<&landfall_delivery::Unit> = candidates.iter().filter_map(|(_, unit)| unit.as_ref().ok()).collect();
    let share = units.len().div_ceil(threads.max(1)).max(1);
    let rendered: Vec<Result<DesiredUnit, Vec<Diagnostic>>> = std::thread::scope(|scope| {
        let parts: Vec<_> = units
            .chunks(share)
            .map(|part| {
                scope.spawn(move || part.iter().map(|unit| crate::study::render(unit, conditions)).collect::<Vec<_>>())
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    });
    let mut studied = Vec::with_capacity(rendered.len());
    for one in rendered {
        match one {
            Ok(unit) => studied.push(unit),
            Err(diagnostics) => unread.extend(diagnostics),
        }
    }
    (studied, unread)
}

type Identity = (String, String, Option<String>, String);

fn identity(object: &Object) -> Identity {
    (
        object.group().to_owned(),
        object.kind().to_owned(),
        object.namespace().map(str::to_owned),
        object.name().to_owned(),
    )
}

fn by_key(units: &[DesiredUnit]) -> BTreeMap<Identity, &Desired> {
    units.iter().flat_map(|unit| &unit.objects).map(|desired| (identity(&desired.object), desired)).collect()
}

fn when(desired: &Desired) -> String {
    match &desired.role {
        Role::Hook { events, .. } => {
            format!("hook {}", events.iter().map(|event| event.name()).collect::<Vec<_>>().join(", "))
        }
        Role::Definition => "definition".to_owned(),
        Role::Manifest => match desired.object.annotation("argocd.argoproj.io/sync-wave") {
            Some(wave) => format!("wave {wave}"),
            None => String::new(),
        },
    }
}

/// Whether changes make a workload's controller replace its pods by itself.
fn restarts(object: &Object, changes: &[Change]) -> bool {
    let by_itself = object.str_at("/spec/updateStrategy/type") != Some("OnDelete");
    matches!((object.group(), object.kind()), ("apps", "Deployment" | "StatefulSet" | "DaemonSet"))
        && by_itself
        && changes.iter().any(|change| change.path == "spec.template" || change.path.starts_with("spec.template."))
}

fn field(unit: &DesiredUnit, desired: &Desired, change: Change) -> FieldDiff {
    let path = indexed(&desired.object, &change.path);
    // What the API fills in stands nowhere.
    let pointer = landfall_delivery::path_steps(&path)
        .iter()
        .fold(String::new(), |pointer, step| format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1")));
    let is_written = change.to.is_none() || desired.object.at(&pointer).is_some();
    let origin = if is_written { unit.rendered.origin(&desired.key(), &path) } else { None };
    let origins = origin.map(|origin| {
        let mut texts: Vec<String> = origin.sources.iter().map(landfall_chart::Source::brief).collect();
        if texts.is_empty() {
            texts.extend(origin.template.as_ref().map(place_text));
        }
        texts
    });
    FieldDiff { path: change.path, from: change.from, to: change.to, origins: origins.unwrap_or_default() }
}

/// A path with list items by key (`containers[name=web]`) as one with indexes, as the text has them.
fn indexed(object: &Object, path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((selector, tail)) = after.split_once(']') else { break };
        out.push_str(before);
        let list = object.list_at(&format!("/{}", out.replace(['.', '['], "/").replace(']', "")));
        let wanted: Vec<(&str, &str)> = selector.split(',').filter_map(|term| term.split_once('=')).collect();
        let fits = |item: &Value| {
            wanted.iter().all(|(key, value)| match item.get(*key) {
                Some(Value::String(text)) => text == value,
                Some(Value::Number(number)) => value.parse::<serde_json::Number>().is_ok_and(|it| it == *number),
                Some(other) => other.as_bool().is_some_and(|it| value.parse() == Ok(it)),
                // A key that was defaulted does not stand in the text.
                None => true,
            })
        };
        match list.iter().position(fits) {
            Some(index) if !wanted.is_empty() => out.push_str(&format!("[{index}]")),
            _ => out.push_str(&format!("[{selector}]")),
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The sums of requests and limits over all workloads and replicas that differ.
fn resources(base: &[DesiredUnit], head: &[DesiredUnit]) -> Vec<ResourceChange> {
    let (before, after) = (sums(base), sums(head));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let text =
                |sums: &BTreeMap<String, Quantity>| sums.get(name).map_or_else(|| "0".to_owned(), ToString::to_string);
            let (from, to) = (text(&before), text(&after));
            (from != to).then(|| ResourceChange { name: name.clone(), from, to })
        })
        .collect()
}

fn sums(units: &[DesiredUnit]) -> BTreeMap<String, Quantity> {
    let mut sums: BTreeMap<String, Quantity> = BTreeMap::new();
    let running = units.iter().flat_map(|unit| &unit.objects).filter(|desired| desired.role == Role::Manifest);
    for desired in running {
        let Some(template) = pod_template(&desired.object) else { continue };
        let replicas = match desired.object.kind() {
            "Deployment" | "StatefulSet" | "ReplicaSet" => desired.object.i64_at("/spec/replicas").unwrap_or(1),
            // A DaemonSet's pods are as many as the nodes, which nobody knows here: one of each.
            "DaemonSet" | "Pod" => 1,
            _ => continue,
        };
        for container in template.containers().iter().filter(|container| container.role != ContainerRole::Init) {
            for kind in ["requests", "limits"] {
                let declared = container.value.pointer(&format!("/resources/{kind}")).and_then(Value::as_object);
                for (name, value) in declared.into_iter().flatten() {
                    let Ok(quantity) = Quantity::from_json(value) else { continue };
                    let sum = sums.entry(format!("{kind}.{name}")).or_insert_with(Quantity::zero);
                    for _ in 0..replicas.clamp(0, 10_000) {
                        *sum = sum.plus(&quantity);
                    }
                }
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_by_key_are_found_in_the_text_by_index() {
        let object = Object::from_value(json!({"spec": {"containers": [{"name": "a"}, {"name": "b", "ports":
            [{"containerPort": 80}]}]}}))
        .expect("a map");
        assert_eq!(
            indexed(&object, "spec.containers[name=b].ports[containerPort=80,protocol=TCP].name"),
            "spec.containers[1].ports[0].name"
        );
    }
}
