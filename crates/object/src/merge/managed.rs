//! Server-side apply and the ownership of fields.
//!
//! Follows structured-merge-diff v6 (`merge/update.go`) and the chain of managers kube-apiserver puts around it
//! (`apimachinery/pkg/util/managedfields/internal`), conflicts and their words included.
//!
//! ```text
//! apply:  patch ──check──> field set, merged with live ── prune what the manager dropped ── conflicts? ── managers
//! update: live, new ── compare ── what changed becomes the manager's, what vanished nobody's
//! ```

mod conflict;
mod element;
mod entry;
mod set;
mod typed;

use std::sync::LazyLock;

use serde_json::{Map, Value};

pub use conflict::{Conflict, Conflicts};
pub use element::{Element, Scalar};
pub use entry::{Entry, EntryError, Operation, entries, set_entries};
pub use set::FieldSet;

use crate::schema::Node;
use typed::{Comparison, compare, field_set, merge, remove_items, validate};

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// More update managers than this are folded into one.
const MOST_UPDATE_MANAGERS: usize = 10;

/// Who writes, through which endpoint, and when.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The field manager; empty counts as `unknown`.
    pub manager: &'a str,
    /// The `apiVersion` of the request.
    pub api_version: &'a str,
    /// The subresource written through; empty for the object itself.
    pub subresource: &'a str,
    /// The time that entries which change get (RFC 3339, seconds, UTC).
    pub time: &'a str,
    /// Fields this endpoint never sets, as paths of field names: `["status"]` for the object itself.
    pub reset: &'a [&'a [&'a str]],
}

/// What to do when other managers own fields with other values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Report them and change nothing.
    Refuse,
    /// Take the fields over.
    Force,
}

/// Why an apply failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The request itself is wrong (400).
    #[error("{0}")]
    BadRequest(String),
    /// Others own fields with other values (409).
    #[error("{0}")]
    Conflict(Conflicts),
    /// A value does not fit the schema (500 on a real server).
    #[error("{0}")]
    Schema(String),
}

/// Applies a configuration to the live object (`None`: it is created).
///
/// The result carries the new `managedFields` but no defaults; decode and default it before storing, and do not write
/// at all when it then equals the live object.
pub fn apply(
    live: Option<&Value>,
    patch: &Value,
    schema: Node<'_>,
    writer: &Writer<'_>,
    on_conflict: OnConflict,
) -> Result<Value, ApplyError> {
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text(patch, "apiVersion") != writer.api_version {
        return Err(ApplyError::BadRequest(format!(
            "Incorrect version specified in apply patch. Specified patch version: {}, expected: {}",
            text(patch, "apiVersion"),
            writer.api_version
        )));
    }
    if patch.pointer("/metadata/managedFields").is_some_and(|fields| !fields.is_null()) {
        return Err(ApplyError::BadRequest("metadata.managedFields must be nil".to_owned()));
    }
    let mut fresh = schema.empty_object();
    for field in ["apiVersion", "kind"] {
        fresh.insert(field.to_owned(), text(patch, field).into());
    }
    let live_value = live.cloned().unwrap_or_else(|| Value::Object(fresh.clone()));
    let managers = entries(&live_value)
        .map_err(|error| ApplyError::Schema(format!("failed to decode managed fields: {error}")))?;
    let mut live_value = live_value;
    remove_managed_fields(&mut live_value);
    let attempt =
        |on_conflict| apply_tracked(&live_value, patch, &fresh, schema, writer, managers.clone(), on_conflict);
    let result = match attempt(on_conflict) {
        Err(ApplyError::Conflict(conflicts)) if writer.manager == "kubectl" => {
            let allowed = fields_as_last_applied(&live_value, schema, writer).unwrap_or_default();
            let rest: Vec<Conflict> =
                conflicts.list.iter().filter(|conflict| !allowed.has(&conflict.path)).cloned().collect();
            if rest.is_empty() {
                attempt(OnConflict::Force)
            } else {
                Err(ApplyError::Conflict(Conflicts { list: rest }))
            }
        }
        other => other,
    };
    let (mut value, managers) = result?;
    if writer.manager == "kubectl" {
        refresh_last_applied(&mut value, patch);
    }
    set_entries(&mut value, managers);
    Ok(value)
}

/// Tracks a create (`live` is `None`), update or patch; returns the new value with its `managedFields`.
///
/// Never fails: where a real server would log and go on without tracking, so does this.
pub fn update(live: Option<&Value>, new: &Value, schema: Node<'_>, writer: &Writer<'_>) -> Value {
    let mut result = new.clone();
    let managers = live_or_new(live, new, writer);
    remove_managed_fields(&mut result);
    let existing = live.is_some_and(|live| live.pointer("/metadata/uid").is_some());
    if managers.is_empty() && existing {
        return result;
    }
    let mut before = live.cloned().unwrap_or_else(|| {
        let mut empty = schema.empty_object();
        for field in ["apiVersion", "kind"] {
            if let Some(value) = new.get(field) {
                empty.insert(field.to_owned(), value.clone());
            }
        }
        Value::Object(empty)
    });
    remove_managed_fields(&mut before);
    if let Ok(managers) = update_tracked(&before, &result, schema, writer, managers, writer.manager) {
        set_entries(&mut result, managers);
    }
    result
}

/// The entries an update starts from: the new object's if it brings valid ones, none if it resets them, else the live ones.
fn live_or_new(live: Option<&Value>, new: &Value, writer: &Writer<'_>) -> Vec<Entry> {
    let from_live = || live.and_then(|live| entries(live).ok()).unwrap_or_default();
    if !writer.subresource.is_empty() {
        return from_live();
    }
    match new.pointer("/metadata/managedFields") {
        Some(Value::Array(given)) if given.is_empty() => return Vec::new(),
        Some(Value::Array(given)) if given.len() == 1 && given[0].as_object().is_some_and(Map::is_empty) => {
            return Vec::new();
        }
        _ => {}
    }
    match entries(new) {
        Ok(given) if !given.is_empty() => given,
        _ => from_live(),
    }
}

fn remove_managed_fields(value: &mut Value) {
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.remove("managedFields");
    }
}

fn apply_tracked(
    live: &Value,
    patch: &Value,
    fresh: &Map<String, Value>,
    schema: Node<'_>,
    writer: &Writer<'_>,
    mut managers: Vec<Entry>,
    on_conflict: OnConflict,
) -> Result<(Value, Vec<Entry>), ApplyError> {
    if managers.is_empty() {
        // Fields that were there before anyone applied belong to a manager of their own.
        let empty = Value::Object(fresh.clone());
        managers = update_tracked(&empty, live, schema, writer, managers, "before-first-apply")
            .map_err(|error| ApplyError::Schema(format!("failed to create manager for existing fields: {error}")))?;
    }
    validate(schema, patch).map_err(|error| {
        ApplyError::Schema(format!("failed to create typed patch object ({}): {error}", named(patch)))
    })?;
    let schema_error = |error: String| ApplyError::Schema(error);
    managers.iter_mut().for_each(|entry| entry.set.reconcile(schema));

    let identity = Entry::identity_of(writer, Operation::Apply, writer.manager);
    let merged = merge(schema, Some(live), Some(patch))
        .map_err(|error| schema_error(format!("failed to merge config: {error}")))?
        .unwrap_or(Value::Null);
    let applied = without_reset(field_set(schema, patch), writer);
    let position = managers.iter().position(|entry| entry.is(&identity));
    let last = position.map(|at| managers[at].set.clone()).unwrap_or_default();
    let entry = Entry { set: applied, ..identity };
    let at = match position {
        Some(at) => {
            let time = managers[at].time.take();
            managers[at] = Entry { time, ..entry };
            at
        }
        None => {
            managers.push(entry);
            managers.len() - 1
        }
    };
    let pruned = prune(schema, merged, &managers, &last);
    let comparison = compare(schema, Some(live), Some(&pruned))
        .map_err(|error| schema_error(format!("failed to compare objects: {error}")))?;
    let comparison = filtered(comparison, writer);
    let conflicts = lose(&mut managers, Some(at), &comparison.changed(), &comparison.removed);
    if on_conflict == OnConflict::Refuse && !conflicts.list.is_empty() {
        return Err(ApplyError::Conflict(conflicts));
    }
    let changed = pruned != *live;
    if changed {
        managers[at].time = Some(writer.time.to_owned());
    }
    managers[at].set = std::mem::take(&mut managers[at].set).without(&STRIPPED);
    managers.retain(|entry| !entry.set.is_empty());
    Ok((if changed { pruned } else { live.clone() }, managers))
}

fn update_tracked(
    live: &Value,
    new: &Value,
    schema: Node<'_>,
    writer: &Writer<'_>,
    mut managers: Vec<Entry>,
    manager: &str,
) -> Result<Vec<Entry>, String> {
    managers.iter_mut().for_each(|entry| entry.set.reconcile(schema));
    let comparison = filtered(compare(schema, Some(live), Some(new))?, writer);
    let changed = comparison.changed();
    lose(&mut managers, None, &changed, &comparison.removed);
    managers.retain(|entry| !entry.set.is_empty());
    let changed = changed.without(&STRIPPED);
    if !changed.is_empty() {
        let identity = Entry::identity_of(writer, Operation::Update, manager);
        match managers.iter_mut().find(|entry| entry.is(&identity)) {
            Some(entry) => {
                entry.set = entry.set.union(&changed);
                entry.api_version = identity.api_version;
                entry.time = Some(writer.time.to_owned());
            }
            None => managers.push(Entry { set: changed, time: Some(writer.time.to_owned()), ..identity }),
        }
    }
    Ok(entry::capped(managers, MOST_UPDATE_MANAGERS))
}

/// Takes from every other manager what changed or vanished; returns what they lost by change.
fn lose(managers: &mut [Entry], writer: Option<usize>, changed: &FieldSet, removed: &FieldSet) -> Conflicts {
    let mut conflicts = Conflicts::default();
    for (at, entry) in managers.iter_mut().enumerate() {
        if Some(at) == writer {
            continue;
        }
        let lost = entry.set.intersection(changed);
        for path in lost.paths() {
            conflicts.list.push(Conflict { manager: entry.label(), path });
        }
        entry.set = std::mem::take(&mut entry.set).without(&lost).without(removed);
    }
    conflicts.list.sort_by(|a, b| a.manager.cmp(&b.manager));
    conflicts
}

/// Removes what the manager applied last time and nobody owns now.
fn prune(schema: Node<'_>, merged: Value, managers: &[Entry], last: &FieldSet) -> Value {
    if last.is_empty() {
        return merged;
    }
    let named = |set: &FieldSet| set.with_named_fields(schema);
    let remove = |value: &Value, set: &FieldSet| remove_items(schema, value, set).unwrap_or(Value::Null);
    let pruned = remove(&merged, &named(last));
    let owned = managers.iter().fold(FieldSet::default(), |all, entry| all.union(&entry.set));
    let merged_set = named(&field_set(schema, &merged));
    let pruned_set = named(&field_set(schema, &pruned));
    let pruned = remove(&merged, &merged_set.difference(&pruned_set.union(&named(&owned))));
    // Items that were never the manager's come back.
    let pruned_set = named(&field_set(schema, &pruned));
    remove(&merged, &merged_set.difference(&pruned_set).intersection(&named(last)))
}

fn without_reset(set: FieldSet, writer: &Writer<'_>) -> FieldSet {
    if writer.reset.is_empty() || set.is_empty() {
        return set;
    }
    set.recursive_difference(&FieldSet::of_names(writer.reset))
}

fn filtered(comparison: Comparison, writer: &Writer<'_>) -> Comparison {
    Comparison {
        removed: without_reset(comparison.removed, writer),
        modified: without_reset(comparison.modified, writer),
        added: without_reset(comparison.added, writer),
    }
}

/// Fields nobody owns.
static STRIPPED: LazyLock<FieldSet> = LazyLock::new(|| {
    FieldSet::of_names(&[
        &["apiVersion"],
        &["kind"],
        &["metadata"],
        &["metadata", "name"],
        &["metadata", "namespace"],
        &["metadata", "creationTimestamp"],
        &["metadata", "selfLink"],
        &["metadata", "uid"],
        &["metadata", "clusterName"],
        &["metadata", "generation"],
        &["metadata", "managedFields"],
        &["metadata", "resourceVersion"],
    ])
});

/// `namespace/name; apps/v1, Kind=Deployment`
fn named(value: &Value) -> String {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (namespace, name) = (text("/metadata/namespace"), text("/metadata/name"));
    let version = text("/apiVersion");
    // As Go prints a kind: the core group is an empty one.
    let slash = if version.contains('/') { "" } else { "/" };
    format!("{namespace}/{name}; {slash}{version}, Kind={}", text("/kind"))
}

/// The fields whose live values are what `kubectl apply` wrote last: kubectl may take those over.
fn fields_as_last_applied(live: &Value, schema: Node<'_>, writer: &Writer<'_>) -> Option<FieldSet> {
    let annotation = live.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    let last: Value = serde_json::from_str(annotation).ok()?;
    if last.get("apiVersion")?.as_str()? != writer.api_version || validate(schema, &last).is_err() {
        return None;
    }
    let comparison = compare(schema, Some(&last), Some(live)).ok()?;
    let set = field_set(schema, &last);
    Some(set.difference(&comparison.modified).difference(&comparison.added).difference(&comparison.removed))
}

/// Keeps the annotation of client-side apply up to date where it is used.
fn refresh_last_applied(value: &mut Value, patch: &Value) {
    let annotations = value.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    let Some(annotation) = annotations.and_then(|annotations| annotations.get_mut(LAST_APPLIED)) else { return };
    if annotation.as_str().is_none_or(str::is_empty) {
        return;
    }
    let mut applied = patch.clone();
    if let Some(Value::Object(annotations)) = applied.pointer_mut("/metadata/annotations") {
        annotations.remove(LAST_APPLIED);
    }
    *annotation = Value::String(format!("{applied}\n"));
}

#[cfg(test)]
mod tests;
