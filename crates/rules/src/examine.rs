//! All rules over one subject: findings of one cause made one, located, waived.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use landfall_chart::{RenderedUnit, Source, Written, path_steps};
use landfall_diag::{Commit, Finding, Place, Severity, Spot, ValueOrigin};
use landfall_object::{ObjectKey, mask};
use serde::Serialize;
use serde_json::Value;

use crate::grouped::{gathered, grouped};
use crate::rule::Rule;
use crate::subject::{DesiredUnit, Subject};
use crate::waiver::{self, IdleWaiver};

/// What all rules have found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Examination {
    /// One finding a cause, the heaviest first.
    pub findings: Vec<Finding>,
    /// Waivers that accepted nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub idle_waivers: Vec<IdleWaiver>,
}

/// Says which commit wrote a line of a file.
pub trait Blame {
    /// The commit that wrote the line (from 1); `None` when it is not committed or cannot be told.
    fn commit(&self, file: &str, line: u32) -> Option<Commit>;
}

/// Nobody knows.
#[derive(Debug, Clone, Copy)]
pub struct NoBlame;

impl Blame for NoBlame {
    fn commit(&self, _: &str, _: u32) -> Option<Commit> {
        None
    }
}

/// Runs rules over a subject.
pub fn examine(subject: &Subject<'_>, rules: &[&Rule], blame: &dyn Blame) -> Examination {
    let found = rules.iter().flat_map(|rule| (rule.check)(subject)).collect();
    let mut examination = conclude(found, subject, blame);
    examination.gather();
    examination
}

/// Groups, locates and waives findings, whoever made them; families stand apart until they are gathered.
pub fn conclude(found: Vec<Finding>, subject: &Subject<'_>, blame: &dyn Blame) -> Examination {
    let mut findings = grouped(found);
    let mut read = HashMap::new();
    for finding in &mut findings {
        for spot in &mut finding.spots {
            locate(spot, subject, blame, &mut read);
        }
    }
    let environment = subject.environment.map(|(name, _)| name);
    let idle_waivers = subject
        .project
        .map(|project| waiver::apply(&mut findings, project, environment, subject.today))
        .unwrap_or_default();
    Examination { findings, idle_waivers }
}

impl Examination {
    /// Makes one of the findings of a family.
    pub fn gather(&mut self) {
        self.findings = gathered(std::mem::take(&mut self.findings));
    }

    /// Findings that make the rehearsal fail.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.fails()).count()
    }

    /// Findings of a weight that are not waived.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity && finding.waived.is_none()).count()
    }
}

/// The objects of units as their templates wrote them, as far as they were read.
type Read<'a> = HashMap<(&'a str, ObjectKey), Option<Written<'a>>>;

/// Adds the template's line and the values' lines to a spot.
fn locate<'a>(spot: &mut Spot, subject: &Subject<'a>, blame: &dyn Blame, read: &mut Read<'a>) {
    let (Some(unit), Some(object)) = (&spot.unit, &spot.object) else { return };
    if spot.template.is_some() || !spot.values.is_empty() {
        return;
    }
    let Some(unit) = subject.unit(unit) else { return };
    let key = &ObjectKey::from(object);
    let path = spot.field.as_deref().map_or(Cow::Borrowed("kind"), |field| telling(unit, key, field));
    let written = read.entry((&*unit.name, key.clone())).or_insert_with(|| unit.rendered.written(key));
    let Some(origin) = written.as_ref().and_then(|it| it.origin(&path)) else { return };
    let hidden =
        unit.object(&key.gvk.group, &key.gvk.kind, key.namespace.as_deref(), &key.name).is_some_and(|desired| {
            mask::hides(desired.object.value(), &path_steps(spot.field.as_deref().unwrap_or_default()))
        });
    // Where a template writes a secret itself, its line says it.
    spot.template = origin.template.map(|place| if hidden { Place { source: None, ..place } } else { place });
    // What is not there was set by nobody: the values around it say nothing of it.
    let written = spot.field.as_deref().is_some_and(|field| is_written(unit, key, field));
    if !written {
        return;
    }
    spot.values = origin.sources.iter().map(|source| value_origin(source, blame)).collect();
}

/// The field whose origin says most of this one's: many lines write a container, and its image's says which one it is.
fn telling<'f>(unit: &DesiredUnit, key: &ObjectKey, field: &'f str) -> Cow<'f, str> {
    let list = field.rsplit_once('[').map_or("", |(list, _)| list.rsplit('.').next().unwrap_or(list));
    let image = format!("{field}.image");
    let is_container = field.ends_with(']') && matches!(list, "containers" | "initContainers");
    if is_container && is_written(unit, key, &image) { Cow::Owned(image) } else { Cow::Borrowed(field) }
}

/// Whether an object has a field, as `spec.containers[0].image` or `metadata.annotations[a/b]`.
fn is_written(unit: &DesiredUnit, key: &ObjectKey, field: &str) -> bool {
    let (group, kind) = (&key.gvk.group, &key.gvk.kind);
    let Some(desired) = unit.object(group, kind, key.namespace.as_deref(), &key.name) else { return true };
    let mut value = desired.object.value();
    let mut rest = field;
    while !rest.is_empty() {
        let (part, after) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        let below = match value {
            Value::Array(items) => match part.parse::<usize>() {
                Ok(index) => items.get(index),
                // `[name=web]` of a list that is merged by key.
                Err(_) => return true,
            },
            value => value.get(part),
        };
        let Some(below) = below else { return false };
        value = below;
        rest = after.strip_prefix('.').unwrap_or(after);
    }
    true
}

fn value_origin(source: &Source, blame: &dyn Blame) -> ValueOrigin {
    // The line itself may hold a secret's value, and so may a flag.
    let place = source.place().map(|place| Place { source: None, ..place.clone() });
    let commit = place.as_ref().and_then(|place| blame.commit(&place.file, place.line));
    ValueOrigin { text: source.brief(), place, commit }
}

/// The objects of a rendering by key, for comparing two of them; of alike ones all, in their order.
pub(crate) fn keyed(rendered: &RenderedUnit) -> BTreeMap<ObjectKey, Vec<&landfall_object::Object>> {
    let mut keyed: BTreeMap<ObjectKey, Vec<&landfall_object::Object>> = BTreeMap::new();
    for object in rendered.all_objects() {
        keyed.entry(object.key()).or_default().push(object);
    }
    keyed
}
