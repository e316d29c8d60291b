//! What differs between two states of an object, for people and for plans.
//!
//! Both sides are normalised first: read as their kind (quantities and times in canonical form, empty optional fields
//! gone), defaulted, and stripped of what only servers write. List items are matched by the keys the schema declares,
//! so that a reordered or extended list shows what really changed. Secret values are masked.

mod brief;
mod hunk;

use serde_json::{Map, Value};

pub use brief::Brief;
pub use hunk::{Hunk, Line, hunks};

use crate::merge::managed;
use crate::schema::{ListKind, Node, Schemas, Structure};
use crate::{Object, Quantity, defaults, mask};

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The field: `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// Its value before; `None` when it was not there.
    pub from: Option<Value>,
    /// Its value after; `None` when it is gone.
    pub to: Option<Value>,
}

/// `metadata` fields that servers write.
const SERVER_FIELDS: [&str; 9] = [
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "generateName",
];

/// The object in the form comparisons use: typed, defaulted, without `status` and server-written metadata.
pub fn normalised(object: &Object, schemas: &Schemas) -> Object {
    let mut normal = decoded(object, schemas);
    defaults::apply(&mut normal, schemas);
    strip(&mut normal);
    normal
}

fn decoded(object: &Object, schemas: &Schemas) -> Object {
    let read = schemas.decode(&object.gvk(), object.value()).ok();
    read.and_then(|decoded| Object::from_value(decoded.value).ok()).unwrap_or_else(|| object.clone())
}

fn strip(object: &mut Object) {
    let map = object.map_mut();
    map.remove("status");
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        for field in SERVER_FIELDS {
            metadata.remove(field);
        }
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            if annotations.is_empty() {
                metadata.remove("annotations");
            }
        }
    }
}

/// Every field in which two states of an object differ.
pub fn changes(from: &Object, to: &Object, schemas: &Schemas) -> Vec<Change> {
    let (from, to) = (normalised(from, schemas), normalised(to, schemas));
    let (from, to) = mask::pair(Some(&from), Some(&to));
    let gvk = to.as_ref().map(Object::gvk).unwrap_or_default();
    let node = schemas.kind(&gvk).unwrap_or_else(Node::deduced);
    let mut walk = Walk { path: String::new(), changes: Vec::new(), live_only: LiveOnly::Report };
    walk.value(node, from.as_ref().map(Object::value), to.as_ref().map(Object::value));
    walk.changes
}

/// Where a live object is not as desired: fields the desired state sets and the live one has otherwise.
///
/// What only the live object has (defaults, other writers' fields) is no drift, unless `manager` owns it there and the
/// desired state no longer sets it: then it is reported as to be removed.
pub fn drift(desired: &Object, live: &Object, manager: Option<&str>, schemas: &Schemas) -> Vec<Change> {
    let owned = manager.map(|manager| {
        let entries = managed::entries(live.value()).unwrap_or_default();
        let own = entries.into_iter().filter(|entry| entry.manager == manager && entry.subresource.is_empty());
        own.fold(managed::FieldSet::default(), |all, entry| all.union(&entry.set))
    });
    let mut wanted = decoded(desired, schemas);
    strip(&mut wanted);
    let live = normalised(live, schemas);
    // The keys of list items may be defaulted (a port's protocol), so both sides are compared with them filled in.
    let mut completed = wanted.clone();
    defaults::apply(&mut completed, schemas);
    let completed = restricted(completed.value(), wanted.value());
    let completed = Object::from_value(completed).unwrap_or(wanted);
    let (live, completed) = mask::pair(Some(&live), Some(&completed));
    let node = schemas.kind(&desired.gvk()).unwrap_or_else(Node::deduced);
    let live_only = match owned {
        Some(set) => LiveOnly::Owned(set),
        None => LiveOnly::Ignore,
    };
    let mut walk = Walk { path: String::new(), changes: Vec::new(), live_only };
    walk.value(node, live.as_ref().map(Object::value), completed.as_ref().map(Object::value));
    walk.changes
}

/// The completed value, reduced to fields that were set; list items keep what was added to them.
fn restricted(completed: &Value, set: &Value) -> Value {
    match (completed, set) {
        (Value::Object(completed), Value::Object(set)) => {
            let kept: Map<String, Value> = completed
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), restricted(value, set.get(key)?))))
                .collect();
            Value::Object(kept)
        }
        (completed, _) => completed.clone(),
    }
}

/// What to do with fields that only the first side has.
enum LiveOnly {
    Report,
    Ignore,
    Owned(managed::FieldSet),
}

struct Walk {
    path: String,
    changes: Vec<Change>,
    live_only: LiveOnly,
}

impl Walk {
    fn at(&mut self, segment: &str, work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !self.path.is_empty() && !segment.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(segment);
        work(self);
        self.path.truncate(length);
    }

    fn change(&mut self, from: Option<&Value>, to: Option<&Value>) {
        if to.is_none() {
            match &self.live_only {
                LiveOnly::Report => {}
                LiveOnly::Ignore => return,
                LiveOnly::Owned(set) => {
                    let owned = set.paths().iter().any(|path| path_text(path) == self.path);
                    if !owned {
                        return;
                    }
                }
            }
        }
        self.changes.push(Change { path: self.path.clone(), from: from.cloned(), to: to.cloned() });
    }

    fn value(&mut self, node: Node<'_>, from: Option<&Value>, to: Option<&Value>) {
        match (from, to) {
            (Some(a), Some(b)) if equal(node, a, b) => {}
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                let added = b.keys().filter(|key| !a.contains_key(*key));
                let mut keys: Vec<&String> = a.keys().chain(added).collect();
                keys.sort();
                for key in keys {
                    let below = node.field(key).unwrap_or_else(Node::deduced);
                    self.at(&segment(key), |this| this.value(below, a.get(key), b.get(key)));
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) => self.list(node, a, b),
            // A whole map that only the live side has may still hold fields of the manager.
            (Some(Value::Object(a)), None) if matches!(self.live_only, LiveOnly::Owned(_)) && !a.is_empty() => {
                for (key, inner) in a {
                    let below = node.field(key).unwrap_or_else(Node::deduced);
                    self.at(&segment(key), |this| this.value(below, Some(inner), None));
                }
            }
            (from, to) => self.change(from, to),
        }
    }

    fn list(&mut self, node: Node<'_>, from: &[Value], to: &[Value]) {
        let keys = match node.structure() {
            Structure::List(ListKind::Map(keys)) => keys.to_vec(),
            _ => node.patch_strategy().merge_key.map(|key| vec![key.into()]).unwrap_or_default(),
        };
        let item = node.item();
        if keys.is_empty() {
            if matches!(node.structure(), Structure::List(ListKind::Set)) {
                for gone in from.iter().filter(|value| !to.contains(value)) {
                    self.at(&format!("[={}]", plain(gone)), |this| this.change(Some(gone), None));
                }
                for new in to.iter().filter(|value| !from.contains(value)) {
                    self.at(&format!("[={}]", plain(new)), |this| this.change(None, Some(new)));
                }
            } else if from.len() == to.len() {
                for (at, (a, b)) in from.iter().zip(to).enumerate() {
                    self.at(&format!("[{at}]"), |this| this.value(item, Some(a), Some(b)));
                }
            } else {
                self.change(Some(&Value::Array(from.to_vec())), Some(&Value::Array(to.to_vec())));
            }
            return;
        }
        let key_of = |value: &Value| -> String {
            let parts = keys.iter().filter_map(|key| Some(format!("{key}={}", plain(value.get(&**key)?))));
            format!("[{}]", parts.collect::<Vec<_>>().join(","))
        };
        for before in from {
            let key = key_of(before);
            let after = to.iter().find(|after| key_of(after) == key);
            self.at(&key, |this| this.value(item, Some(before), after));
        }
        for after in to {
            let key = key_of(after);
            if !from.iter().any(|before| key_of(before) == key) {
                self.at(&key, |this| this.change(None, Some(after)));
            }
        }
    }
}

fn segment(key: &str) -> String {
    // Keys such as `app.kubernetes.io/name` would read as a path.
    if key.contains(['.', '/']) { format!("[{key}]") } else { key.to_owned() }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A path of managed fields in this module's notation.
fn path_text(path: &[managed::Element]) -> String {
    let mut text = String::new();
    for element in path {
        match element {
            managed::Element::Field(name) => {
                let segment = segment(name);
                if !text.is_empty() && !segment.starts_with('[') {
                    text.push('.');
                }
                text.push_str(&segment);
            }
            other => text.push_str(&other.to_string().replace('"', "")),
        }
    }
    text
}

/// Equal as the API sees it: quantities by value, `80` and `"80"` where both are allowed.
fn equal(node: Node<'_>, a: &Value, b: &Value) -> bool {
    if a == b {
        return true;
    }
    if node.is_quantity() {
        return matches!((Quantity::from_json(a), Quantity::from_json(b)), (Ok(a), Ok(b)) if a == b);
    }
    node.is_int_or_string() && plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).expect("a map")
    }

    fn deployment(containers: Value) -> Object {
        object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}}}))
    }

    fn shown(changes: &[Change]) -> Vec<String> {
        let text = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        changes
            .iter()
            .map(|change| format!("{}: {} -> {}", change.path, text(&change.from), text(&change.to)))
            .collect()
    }

    #[test]
    fn spelling_order_and_defaults_are_no_change() {
        let schemas = Schemas::builtin();
        let from = deployment(json!([{"name": "a", "image": "i:1", "resources": {"limits": {"cpu": "1000m"}},
            "ports": [{"containerPort": 80}]}, {"name": "b", "image": "j:1"}]));
        let to = deployment(json!([{"name": "b", "image": "j:1", "imagePullPolicy": "IfNotPresent"},
            {"name": "a", "image": "i:1", "resources": {"limits": {"cpu": 1}}, "ports": [{"containerPort": 80, "protocol": "TCP"}]}]));
        assert_eq!(changes(&from, &to, &schemas), []);
    }

    #[test]
    fn list_items_are_matched_by_their_keys() {
        let schemas = Schemas::builtin();
        let from = deployment(json!([{"name": "a", "image": "i:1", "env": [{"name": "X", "value": "1"}]}]));
        let to = deployment(
            json!([{"name": "a", "image": "i:2", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}]),
        );
        let prefix = "spec.template.spec.containers[name=a]";
        assert_eq!(
            shown(&changes(&from, &to, &schemas)),
            [
                format!("{prefix}.env[name=Y]: - -> {}", json!({"name": "Y", "value": "2"})),
                format!("{prefix}.image: \"i:1\" -> \"i:2\"")
            ]
        );
    }

    #[test]
    fn drift_is_what_the_desired_state_sets_and_its_manager_still_owns() {
        let schemas = Schemas::builtin();
        let desired = deployment(json!([{"name": "a", "image": "i:1"}]));
        let mut live =
            deployment(json!([{"name": "a", "image": "i:2", "tty": true}, {"name": "sidecar", "image": "s:1"}]));
        live.map_mut().insert("status".into(), json!({"replicas": 1}));
        live.metadata_mut().insert("labels".into(), json!({"old": "1", "theirs": "1"}));
        let image = "spec.template.spec.containers[name=a].image: \"i:2\" -> \"i:1\"";
        assert_eq!(shown(&drift(&desired, &live, None, &schemas)), [image]);
        let fields = json!({"f:metadata": {"f:labels": {"f:old": {}}}});
        live.metadata_mut().insert(
            "managedFields".into(),
            json!([{"manager": "m", "operation": "Apply", "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": fields}]),
        );
        assert_eq!(shown(&drift(&desired, &live, Some("m"), &schemas)), ["metadata.labels.old: \"1\" -> -", image]);
    }

    #[test]
    fn secrets_show_which_keys_differ_and_nothing_more() {
        let schemas = Schemas::builtin();
        let secret = |data: Value| {
            object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}))
        };
        let found =
            changes(&secret(json!({"a": "MQ==", "b": "MQ=="})), &secret(json!({"a": "MQ==", "b": "Mg=="})), &schemas);
        assert_eq!(shown(&found), ["data.b: \"++++++++\" -> \"+++++++++\""]);
    }
}
