//! Reading and writing fields of untyped objects by JSON pointer.

use std::sync::Arc;

use jiff::Timestamp;
use landfall_apiserver::Stored;
use landfall_object::at;
use serde_json::{Map, Value, json};

/// The string at a pointer; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a pointer.
pub(crate) fn int(value: &Value, pointer: &str) -> Option<i64> {
    at(value, pointer).and_then(Value::as_i64)
}

/// The integer at a pointer; 0 when there is none.
pub(crate) fn count(value: &Value, pointer: &str) -> i64 {
    int(value, pointer).unwrap_or(0)
}

/// Whether the boolean at a pointer is there and true.
pub(crate) fn truth(value: &Value, pointer: &str) -> bool {
    at(value, pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// The list at a pointer; empty when there is none.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    at(value, pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The map at a pointer, if there is one.
pub(crate) fn map<'a>(value: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    at(value, pointer).and_then(Value::as_object)
}

/// The entries of the string map at a pointer.
pub(crate) fn entries<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    map(value, pointer).into_iter().flatten().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)))
}

/// `metadata.name`.
pub(crate) fn name(value: &Value) -> &str {
    text(value, "/metadata/name")
}

/// `metadata.namespace`; empty for cluster-scoped objects.
pub(crate) fn namespace(value: &Value) -> &str {
    text(value, "/metadata/namespace")
}

/// `metadata.uid`.
pub(crate) fn uid(value: &Value) -> &str {
    text(value, "/metadata/uid")
}

/// The label of that name.
pub(crate) fn label<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    map(value, "/metadata/labels")?.get(name)?.as_str()
}

/// The annotation of that name.
pub(crate) fn annotation<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    map(value, "/metadata/annotations")?.get(name)?.as_str()
}

/// Sets an annotation; whether that changed anything.
pub(crate) fn annotate(value: &mut Value, name: &str, content: &str) -> bool {
    if annotation(value, name) == Some(content) {
        return false;
    }
    child(child(value, "metadata"), "annotations")[name] = content.into();
    true
}

/// Sets a label; whether that changed anything.
pub(crate) fn set_label(value: &mut Value, name: &str, content: &str) -> bool {
    if label(value, name) == Some(content) {
        return false;
    }
    child(child(value, "metadata"), "labels")[name] = content.into();
    true
}

/// Whether `metadata.deletionTimestamp` is set.
pub(crate) fn deleting(value: &Value) -> bool {
    at(value, "/metadata/deletionTimestamp").is_some_and(|v| !v.is_null())
}

/// Whether the finalizer is on the object.
pub(crate) fn has_finalizer(value: &Value, finalizer: &str) -> bool {
    list(value, "/metadata/finalizers").iter().any(|f| f == finalizer)
}

/// Takes a finalizer away; whether it was there.
pub(crate) fn remove_finalizer(value: &mut Value, finalizer: &str) -> bool {
    let Some(finalizers) = value.pointer_mut("/metadata/finalizers").and_then(Value::as_array_mut) else {
        return false;
    };
    let before = finalizers.len();
    finalizers.retain(|f| f != finalizer);
    let removed = finalizers.len() != before;
    if finalizers.is_empty() {
        remove(value, "/metadata", "finalizers");
    }
    removed
}

/// Adds a finalizer; whether it was missing.
pub(crate) fn add_finalizer(value: &mut Value, finalizer: &str) -> bool {
    if has_finalizer(value, finalizer) {
        return false;
    }
    let metadata = child(value, "metadata");
    match metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        Some(finalizers) => finalizers.push(finalizer.into()),
        None => metadata["finalizers"] = json!([finalizer]),
    }
    true
}

/// The map under `key`, made when it is missing or of another type.
pub(crate) fn child<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = json!({});
    }
    let slot = &mut value[key];
    if !slot.is_object() {
        *slot = json!({});
    }
    slot
}

/// Removes `key` of the map at a pointer.
pub(crate) fn remove(value: &mut Value, pointer: &str, key: &str) -> Option<Value> {
    value.pointer_mut(pointer).and_then(Value::as_object_mut)?.remove(key)
}

/// Sets a counter of a status, or leaves it out when zero, as Go's `omitempty` does.
pub(crate) fn set_count(map: &mut Value, key: &str, count: i64) {
    if count == 0 {
        if let Some(map) = map.as_object_mut() {
            map.remove(key);
        }
    } else {
        map[key] = count.into();
    }
}

/// The controller among the owner references: the reference with `controller: true`.
pub(crate) fn controller_of(value: &Value) -> Option<&Value> {
    list(value, "/metadata/ownerReferences").iter().find(|r| truth(r, "/controller"))
}

/// Whether `owner` is the controller of the object, by uid.
pub(crate) fn is_controlled_by(value: &Value, owner: &Value) -> bool {
    controller_of(value).is_some_and(|r| text(r, "/uid") == uid(owner))
}

/// A reference that makes `owner` the controller.
pub(crate) fn controller_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": text(owner, "/apiVersion"),
        "kind": text(owner, "/kind"),
        "name": name(owner),
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// The instant at a pointer (`metav1.Time` or `MicroTime`).
pub(crate) fn instant(value: &Value, pointer: &str) -> Option<Timestamp> {
    at(value, pointer)?.as_str()?.parse().ok()
}

/// `metadata.creationTimestamp`; the epoch when missing.
pub(crate) fn created(value: &Value) -> Timestamp {
    instant(value, "/metadata/creationTimestamp").unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The condition of that type in `status.conditions`.
pub(crate) fn condition<'a>(value: &'a Value, kind: &str) -> Option<&'a Value> {
    list(value, "/status/conditions").iter().find(|c| text(c, "/type") == kind)
}

/// Whether the condition of that type is `True`.
pub(crate) fn is_true(value: &Value, kind: &str) -> bool {
    condition(value, kind).is_some_and(|c| text(c, "/status") == "True")
}

/// The oldest first; objects of the same second by name.
pub(crate) fn by_age(objects: &mut [Arc<Stored>]) {
    objects.sort_by(|a, b| created(a).cmp(&created(b)).then_with(|| name(a).cmp(name(b))));
}
