//! What is to become of the Applications that there are.

use std::collections::{BTreeMap, BTreeSet};

use landfall_object::merge::merge_patch;
use landfall_object::{Object, ObjectKey};
use serde_json::{Map, Value, json};

use super::spec::ApplicationSet;
use crate::expression::Expression;
use crate::guard::{APPROVAL, Held, held};

/// What is to be done to a cluster's Applications.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// They are new.
    pub created: Vec<Object>,
    /// They are otherwise than they are generated.
    pub changed: Vec<Changed>,
    /// They are no longer generated.
    pub deleted: Vec<ObjectKey>,
    /// They are no longer generated either, and stay until somebody approves.
    pub held: Option<Held>,
    /// Applications that cannot be, by name, and why: they are left as they are.
    pub invalid: BTreeMap<String, String>,
}

/// An Application that is to be changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// Which.
    pub key: ObjectKey,
    /// By this merge patch.
    pub patch: Value,
}

/// Annotations that others write on Applications.
const OTHERS: [&str; 5] = [
    "notified.notifications.argoproj.io",
    "argocd.argoproj.io/refresh",
    "argocd.argoproj.io/hydrate",
    "argocd.argoproj.io/deletion-approved",
    APPROVAL,
];

/// Finalizers that an Application gets while it is deleted.
const LEAVING: [&str; 2] = ["pre-delete-finalizer.argocd.argoproj.io", "post-delete-finalizer.argocd.argoproj.io"];

/// What is to become of a set's Applications.
///
/// `current` are all Applications of the set's namespace; `projects` are the names of those that there are, where that is
/// known.
pub fn changes(
    set: &ApplicationSet,
    generated: &[Object],
    current: &[Object],
    projects: Option<&BTreeSet<String>>,
) -> Changes {
    let policy = set.applications_sync();
    let mut changes = Changes::default();
    let mut wanted: BTreeMap<&str, &Object> = BTreeMap::new();
    for application in generated {
        match wrong(set, application, projects) {
            _ if wanted.contains_key(application.name()) => {
                let why = format!(
                    "ApplicationSet {} contains applications with duplicate name: {}",
                    set.name,
                    application.name()
                );
                changes.invalid.insert(application.name().to_owned(), why);
            }
            Some(why) => drop(changes.invalid.insert(application.name().to_owned(), why)),
            None => drop(wanted.insert(application.name(), application)),
        }
    }
    for application in wanted.values() {
        let live = current.iter().find(|live| live.name() == application.name());
        match live {
            None => changes.created.push(owned(set, (*application).clone())),
            Some(live) if is_of_another(set, live) => {
                let why = format!("Application {} is already owned by another controller", live.name());
                changes.invalid.insert(live.name().to_owned(), why);
            }
            // What is being deleted is created anew when it has gone.
            Some(live) if live.deletion_timestamp().is_some() || !policy.updates() => {}
            Some(live) => {
                let next = changed(set, application, live);
                let patch = merge_patch::diff(live.map(), next.map());
                if !patch.is_empty() {
                    changes.changed.push(Changed { key: live.key(), patch: Value::Object(patch) });
                }
            }
        }
    }
    let own: Vec<&Object> = current.iter().filter(|live| is_own(set, live)).collect();
    if policy.deletes() {
        let generated: BTreeSet<&str> = generated.iter().map(Object::name).collect();
        let there = || own.iter().filter(|live| live.deletion_timestamp().is_none());
        let going: Vec<&Object> = there().filter(|live| !generated.contains(live.name())).copied().collect();
        let names = going.iter().map(|live| live.name().to_owned()).collect();
        changes.held = held(&set.object, names, there().count());
        if changes.held.is_none() {
            changes.deleted = going.iter().map(|live| live.key()).collect();
        }
    }
    changes
}

/// Why a generated Application cannot be.
fn wrong(set: &ApplicationSet, application: &Object, projects: Option<&BTreeSet<String>>) -> Option<String> {
    if application.name().is_empty() {
        return Some(format!(
            "ApplicationSet {} contains an application with no name; a name must be set in the template's metadata.name or via a templatePatch",
            set.name
        ));
    }
    let project = application.str_at("/spec/project").unwrap_or_default();
    if let Some(projects) = projects
        && !matches!(project, "" | "default")
        && !projects.contains(project)
    {
        return Some(format!("application references project {project} which does not exist"));
    }
    crate::Application::parse(application).err().map(|error| error.to_string())
}

/// Whether an Application is one of the set's.
pub(crate) fn is_own(set: &ApplicationSet, live: &Object) -> bool {
    live.controller().is_some_and(|owner| owner.kind == "ApplicationSet" && owner.name == set.name)
}

fn is_of_another(set: &ApplicationSet, live: &Object) -> bool {
    live.controller().is_some() && !is_own(set, live)
}

fn owned(set: &ApplicationSet, mut application: Object) -> Object {
    let reference = json!([{
        "apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": set.name,
        "uid": set.object.uid().unwrap_or_default(), "controller": true, "blockOwnerDeletion": true,
    }]);
    application.metadata_mut().insert("ownerReferences".to_owned(), reference);
    application
}

/// A live Application as it is to be.
fn changed(set: &ApplicationSet, generated: &Object, live: &Object) -> Object {
    let mut next = live.clone();
    let spec = generated.spec().cloned().unwrap_or_else(|| json!({}));
    next.map_mut().insert("spec".to_owned(), spec);
    if let Some(operation) = generated.at("/operation") {
        next.map_mut().insert("operation".to_owned(), operation.clone());
    }
    let kept_annotations = set.preserved.annotations.iter().map(String::as_str).chain(OTHERS);
    let annotations = kept(generated.annotations(), live.annotations(), kept_annotations);
    let labels = kept(generated.labels(), live.labels(), set.preserved.labels.iter().map(String::as_str));
    let leaving = live.finalizers().filter(|it| LEAVING.iter().any(|prefix| it.starts_with(prefix)));
    let mut finalizers: Vec<&str> = generated.finalizers().collect();
    finalizers.extend(leaving);
    let finalizers = Value::from(finalizers);
    let metadata = next.metadata_mut();
    for (field, value) in [("annotations", annotations.into()), ("labels", labels.into()), ("finalizers", finalizers)] {
        let value: Value = value;
        let is_empty = value.as_object().map_or_else(|| value.as_array().is_none_or(Vec::is_empty), Map::is_empty);
        if is_empty {
            metadata.remove(field);
        } else {
            metadata.insert(field.to_owned(), value);
        }
    }
    if live.controller().is_none() {
        let mut owners = live.list_at("/metadata/ownerReferences").to_vec();
        owners.extend_from_slice(owned(set, Object::from_map(Map::new())).list_at("/metadata/ownerReferences"));
        next.metadata_mut().insert("ownerReferences".to_owned(), owners.into());
    }
    leave_ignored(set, &mut next, live);
    next
}

/// Labels or annotations as they are generated, with those of the live Application that are not to be touched.
fn kept<'k>(
    generated: Option<&Map<String, Value>>,
    live: Option<&Map<String, Value>>,
    keep: impl Iterator<Item = &'k str>,
) -> Map<String, Value> {
    let mut all = generated.cloned().unwrap_or_default();
    for key in keep {
        if let Some(there) = live.and_then(|live| live.get(key)) {
            all.insert(key.to_owned(), there.clone());
        }
    }
    all
}

/// Fields that the set leaves alone stay as they are, also where they are not there.
fn leave_ignored(set: &ApplicationSet, next: &mut Object, live: &Object) {
    for rule in set.ignored.iter().filter(|rule| rule.name.is_empty() || rule.name == live.name()) {
        let mut pointers = rule.json_pointers.clone();
        for expression in rule.jq_path_expressions.iter().filter_map(|it| Expression::parse(it)) {
            pointers.extend(expression.pointers(live.value()));
            pointers.extend(expression.pointers(next.value()));
        }
        for pointer in pointers {
            let Some((parent, field)) = pointer.rsplit_once('/') else { continue };
            let field = field.replace("~1", "/").replace("~0", "~");
            match (live.at(&pointer).cloned(), next.at_mut(parent)) {
                (Some(there), Some(Value::Object(parent))) => drop(parent.insert(field, there)),
                (Some(there), _) => {
                    if let Some(place) = next.at_mut(&pointer) {
                        *place = there;
                    } else {
                        put(next, &pointer, there);
                    }
                }
                (None, Some(Value::Object(parent))) => drop(parent.remove(&field)),
                (None, _) => {}
            }
        }
    }
}

/// Puts a value where the maps above it may be missing.
fn put(object: &mut Object, pointer: &str, value: Value) {
    let steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let Some((last, above)) = steps.split_last() else { return };
    let mut at = object.map_mut();
    for step in above {
        let under = at.entry(step.as_str()).or_insert_with(|| json!({}));
        let Value::Object(under) = under else { return };
        at = under;
    }
    at.insert(last.clone(), value);
}
