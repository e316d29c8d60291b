use landfall_cluster::Patch;
use landfall_object::merge::managed::{self, OnConflict, Writer};
use landfall_object::schema::{Node, Schemas};
use landfall_object::{Object, mask};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::desired::Method;

mod three_way;
mod writers;

pub use writers::Author;
use writers::Writers;

/// One field that a step changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// `spec.replicas`, `spec.template.spec.containers[web].image`.
    pub path: String,
    /// Before; absent when the field is new.
    pub from: Option<Value>,
    /// After; absent when the field goes.
    pub to: Option<Value>,
    /// Who wrote the present value, when that was somebody else than the one who delivers: an edit by hand, an autoscaler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Author>,
}

/// A write of a desired object over a live one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Write {
    /// There is nothing to write.
    Nothing,
    /// This patch.
    Patch(Patch),
    /// The desired object in place of the live one.
    Replace,
    /// Delete, then create.
    Recreate,
}

/// The write that brings a live object to the desired state.
pub(crate) fn write_over(previous: Option<&Object>, desired: &Object, live: &Object, method: &Method) -> Write {
    match method {
        Method::ThreeWay { .. } => match three_way::patch(previous, desired, live) {
            Some(patch) => Write::Patch(patch),
            None => Write::Nothing,
        },
        Method::ServerSide { manager, .. } if is_applied(desired, live, manager) => Write::Nothing,
        Method::ServerSide { force, .. } => {
            let body = desired.value().clone();
            Write::Patch(if *force { Patch::ForceApply(body) } else { Patch::Apply(body) })
        }
        Method::Replace { .. } => Write::Replace,
        Method::Recreate { .. } => Write::Recreate,
        Method::OrRecreate { first } => write_over(previous, desired, live, first),
    }
}

/// What a live object would become, as far as can be told without asking the server.
///
/// Of one that is put in the place of another: what is desired over what is there, for whatever the cluster has filled in it
/// fills in again, and that is no difference.
pub fn predict(previous: Option<&Object>, desired: &Object, live: Option<&Object>, method: &Method) -> Object {
    let Some(live) = live else { return desired.clone() };
    let mut next = match method {
        Method::ThreeWay { .. } | Method::Replace { .. } | Method::Recreate { .. } => {
            three_way::predict(previous, desired, live)
        }
        Method::ServerSide { manager, .. } => server_side(desired, live, manager),
        Method::OrRecreate { first } => return predict(previous, desired, Some(live), first),
    };
    // What the server fills in is no difference: lists that are replaced as a whole come without it.
    landfall_object::defaults::apply(&mut next, &Schemas::builtin());
    next
}

/// What a write leaves of a live object: of one that is replaced nothing but what is desired.
pub(crate) fn left_by(previous: Option<&Object>, desired: &Object, live: &Object, method: &Method) -> Object {
    match method {
        Method::Replace { .. } | Method::Recreate { .. } => desired.clone(),
        Method::ThreeWay { .. } | Method::ServerSide { .. } | Method::OrRecreate { .. } => {
            predict(previous, desired, Some(live), method)
        }
    }
}

/// A server-side apply, by the same function that the embedded cluster answers with; forced, because a conflict is the
/// server's to tell and what would be overwritten is the executor's to guard.
fn server_side(desired: &Object, live: &Object, manager: &str) -> Object {
    applied(desired, live, manager)
        .and_then(|value| Object::from_value(value).ok())
        .unwrap_or_else(|| three_way::predict(None, desired, live))
}

fn applied(desired: &Object, live: &Object, manager: &str) -> Option<Value> {
    let schemas = Schemas::builtin();
    let gvk = desired.gvk();
    let api_version = gvk.api_version();
    let writer = Writer { manager, api_version: &api_version, subresource: "", time: "", reset: &[] };
    let schema = schemas.kind(&gvk).unwrap_or_else(Node::deduced);
    let wanted = three_way::canonical(&schemas, &gvk, desired);
    managed::apply(Some(live.value()), &wanted, schema, &writer, OnConflict::Force).ok()
}

/// Whether a server-side apply would change nothing: no field, and nobody's fields. The server has nothing to be asked then.
fn is_applied(desired: &Object, live: &Object, manager: &str) -> bool {
    // Writes of one moment and of another are alike, and those who wrote stand in the order in which they did.
    let timeless = |mut value: Value| {
        if let Some(entries) = value.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut) {
            entries.iter_mut().filter_map(Value::as_object_mut).for_each(|entry| drop(entry.remove("time")));
            entries.sort_by_cached_key(ToString::to_string);
        }
        value
    };
    live.at("/metadata/managedFields").is_some()
        && applied(desired, live, manager).is_some_and(|applied| timeless(applied) == timeless(live.value().clone()))
}

/// The fields in which two objects differ, server-written metadata and status left out, secret values masked.
pub fn changes_between(from: &Object, to: &Object) -> Vec<FieldChange> {
    changes(from, to, &Writers::default())
}

/// The same for a live object, each change with who else than `manager` has written what is there.
pub(crate) fn changes_of_live(live: &Object, to: &Object, manager: &str) -> Vec<FieldChange> {
    changes(live, to, &Writers::of(live, manager))
}

fn changes(from: &Object, to: &Object, writers: &Writers<'_>) -> Vec<FieldChange> {
    let (mut from, mut to) = (crate::normalised(from), crate::normalised(to));
    for object in [&mut from, &mut to] {
        object.metadata_mut().remove("uid");
    }
    mask::hide(Some(&mut from), Some(&mut to));
    let mut changes = Vec::new();
    walk("", Some(from.value()), Some(to.value()), writers, &mut changes);
    changes
}

fn walk(path: &str, from: Option<&Value>, to: Option<&Value>, writers: &Writers<'_>, changes: &mut Vec<FieldChange>) {
    match (from, to) {
        (Some(a), Some(b)) if a == b => {}
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))).collect();
            names.sort();
            for name in names {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&inner, a.get(name), b.get(name), &writers.field(name), changes);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if named(a) && named(b) => {
            let find = |list: &'_ [Value], name: &str| list.iter().position(|item| name_of(item) == Some(name));
            for (index, item) in a.iter().enumerate() {
                let name = name_of(item).unwrap_or_default();
                let writers = writers.item(item, index);
                walk(&format!("{path}[{name}]"), Some(item), find(b, name).map(|at| &b[at]), &writers, changes);
            }
            for item in b {
                let name = name_of(item).unwrap_or_default();
                if find(a, name).is_none() {
                    walk(&format!("{path}[{name}]"), None, Some(item), &Writers::default(), changes);
                }
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                walk(&format!("{path}[{index}]"), Some(a), Some(b), &writers.item(a, index), changes);
            }
        }
        (from, to) => {
            let by = if from.is_some() { writers.author() } else { None };
            changes.push(FieldChange { path: path.to_owned(), from: from.cloned(), to: to.cloned(), by });
        }
    }
}

fn name_of(item: &Value) -> Option<&str> {
    item.get("name")?.as_str()
}

/// Whether all entries have a name of their own.
fn named(list: &[Value]) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    !list.is_empty() && list.iter().all(|item| name_of(item).is_some_and(|name| seen.insert(name)))
}

/// Fields both have, for tests and merges.
pub(crate) fn as_map(value: &Value) -> Option<&Map<String, Value>> {
    value.as_object()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    #[test]
    fn a_change_in_a_named_list_is_told_by_its_name() {
        let from =
            object(json!({"kind": "A", "spec": {"containers": [{"name": "web", "image": "a:1"}, {"name": "log"}]}}));
        let to =
            object(json!({"kind": "A", "spec": {"containers": [{"name": "log"}, {"name": "web", "image": "a:2"}]}}));
        let changes = changes_between(&from, &to);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].path, "spec.containers[web].image");
    }

    #[test]
    fn values_of_secrets_are_masked() {
        let from = object(json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "c2VjcmV0"}}));
        let to = object(json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "b3RoZXI=", "b": "eA=="}}));
        let text = serde_json::to_string(&changes_between(&from, &to)).expect("serialises");
        assert!(text.contains("data.a") && !text.contains("c2VjcmV0") && !text.contains("eA=="), "{text}");
    }

    #[test]
    fn a_copy_of_a_secret_in_an_annotation_is_masked_and_its_change_is_told() {
        let secret = |value: &str| {
            let copy =
                json!({"kubectl.kubernetes.io/last-applied-configuration": format!("{{\"stringData\":\"{value}\"}}")});
            object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"annotations": copy}}))
        };
        let changes = changes_between(&secret("hunter2"), &secret("hunter3"));
        let text = serde_json::to_string(&changes).expect("serialises");
        assert!(changes.len() == 1 && !text.contains("hunter"), "{text}");
        assert_eq!(changes_between(&secret("hunter2"), &secret("hunter2")), []);
    }

    #[test]
    fn what_is_applied_already_is_not_written_again_and_what_is_not_ours_is() {
        let method = Method::ServerSide { manager: "us".to_owned(), force: true };
        let desired = |data: Value| {
            object(
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "labels": {"a": "b"}}, "data": data}),
            )
        };
        let by = |manager: &str, wanted: &Object, live: Option<&Object>, time: &str| {
            let writer = Writer { manager, api_version: "v1", subresource: "", time, reset: &[] };
            let schemas = Schemas::builtin();
            let schema = schemas.kind(&wanted.gvk()).expect("known");
            let live = live.map(Object::value);
            object(managed::apply(live, wanted.value(), schema, &writer, OnConflict::Force).expect("applied"))
        };
        let one = desired(json!({"x": "1"}));
        let live = by("us", &one, None, "2026-01-01T00:00:00Z");
        assert_eq!(write_over(None, &one, &live, &method), Write::Nothing);
        let beside = by("them", &desired(json!({"y": "2"})), Some(&live), "2025-01-01T00:00:00Z");
        assert_eq!(write_over(None, &one, &beside, &method), Write::Nothing, "what is beside it is theirs");
        let is_written =
            |desired: &Object, live: &Object| matches!(write_over(None, desired, live, &method), Write::Patch(_));
        assert!(is_written(&desired(json!({"x": "2"})), &live), "another value");
        assert!(is_written(&desired(json!({})), &live), "a field less");
        assert!(is_written(&desired(json!({"x": "1", "z": "3"})), &live), "a field more");
        let theirs = by("them", &one, None, "2026-01-01T00:00:00Z");
        assert!(is_written(&one, &theirs), "the same values, and nobody knows that they are ours");
        let taken = by("them", &desired(json!({"x": "9"})), Some(&live), "2026-01-02T00:00:00Z");
        let back = object({
            let mut value = taken.value().clone();
            value["data"]["x"] = json!("1");
            value
        });
        assert!(is_written(&one, &back), "somebody has taken the field, and the value is as it was");
        let mut bare = live.clone();
        bare.metadata_mut().remove("managedFields");
        assert!(is_written(&one, &bare), "nobody knows whose the fields are");
    }

    #[test]
    fn what_the_cluster_fills_in_is_no_difference_of_an_object_that_is_replaced() {
        let job = |image: &str| {
            let containers = json!([{"name": "c", "image": image}]);
            let template = json!({"spec": {"restartPolicy": "Never", "containers": containers}});
            object(
                json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template}}),
            )
        };
        let mut live = job("a:1").into_value();
        live["metadata"]["uid"] = json!("u");
        live["metadata"]["labels"] = json!({"batch.kubernetes.io/controller-uid": "u"});
        live["spec"]["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}});
        live["spec"]["template"]["metadata"] = json!({"labels": {"batch.kubernetes.io/controller-uid": "u"}});
        let live = object(live);
        let manager = || "us".to_owned();
        for method in [Method::Replace { manager: manager() }, Method::Recreate { manager: manager() }] {
            let changes = |desired: &Object| {
                let next = predict(None, desired, Some(&live), &method);
                let mut defaulted = live.clone();
                landfall_object::defaults::apply(&mut defaulted, &Schemas::builtin());
                changes_between(&defaulted, &next)
            };
            assert_eq!(changes(&job("a:1")), [], "{method:?}");
            let changed = changes(&job("a:2"));
            assert_eq!(changed.len(), 1, "{method:?}: {changed:?}");
            assert_eq!(changed[0].path, "spec.template.spec.containers[c].image");
            // What guards keys that are made once is told what really stays.
            assert_eq!(left_by(None, &job("a:2"), &live, &method).at("/spec/selector"), None);
        }
    }

    #[test]
    fn server_side_apply_removes_what_only_this_manager_had() {
        let live = object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "managedFields": [
            {"manager": "landfall", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}}}]},
            "data": {"a": "1", "b": "2", "c": "3"}}));
        let desired =
            object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "9"}}));
        let method = Method::ServerSide { manager: "landfall".into(), force: false };
        let next = predict(None, &desired, Some(&live), &method);
        assert_eq!(next.at("/data"), Some(&json!({"a": "9", "c": "3"})));
    }
}
