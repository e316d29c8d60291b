use std::fmt;
use std::sync::Arc;

use landfall_diag::is_mutant;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{Gvk, ObjectKey, mask, once_keys};

/// A Kubernetes object: a JSON map with accessors for what every kind shares.
///
/// Invariant: the value is a JSON map. Nothing else is promised: `metadata` may be missing or of a wrong type, and
/// then the accessors answer as if the field were absent.
///
/// It serialises as it may be shown, with the values of Secrets masked ([`mask`]); what a cluster, a record or
/// a sealed journal needs whole is asked for by name: [`Object::revealed`].
///
/// Clones share the value until one of them is changed, and what is shared is equal at a glance: a definition of a megabyte
/// is handed from rendering to delivery to snapshot many times, and hardly ever changed.
#[derive(Clone, PartialEq, Eq)]
pub struct Object(Arc<Value>);

/// An object that serialises whole, with the values of Secrets in it: for the wire to a cluster, for storage that is
/// sealed or the cluster's own, and for what a user asked for in so many words. Never for what is shown.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Revealed<'o>(&'o Value);

/// Serialises an object of a derived type whole: `#[serde(serialize_with = "landfall_object::revealed")]`, where
/// [`Revealed`] says that it may.
///
/// # Errors
/// Those of the serializer.
pub fn revealed<S: Serializer>(object: &Object, serializer: S) -> Result<S::Ok, S::Error> {
    object.revealed().serialize(serializer)
}

/// The JSON value is not a map, so it cannot be a Kubernetes object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a Kubernetes object must be a map, this is {found}")]
pub struct NotAnObject {
    /// What it is instead: `null`, `a list`, ...
    pub found: &'static str,
}

/// One entry of `metadata.ownerReferences`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    /// The owner's `apiVersion`.
    #[serde(default)]
    pub api_version: String,
    /// The owner's kind.
    #[serde(default)]
    pub kind: String,
    /// The owner's name.
    #[serde(default)]
    pub name: String,
    /// The owner's uid.
    #[serde(default)]
    pub uid: String,
    /// Whether the owner is the managing controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<bool>,
    /// Whether foreground deletion of the owner waits for this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_owner_deletion: Option<bool>,
}

impl Object {
    /// An object with only `apiVersion`, `kind` and, if any, namespace and name.
    pub fn new(key: &ObjectKey) -> Self {
        let mut metadata = Map::new();
        if !key.name.is_empty() {
            metadata.insert("name".into(), key.name.clone().into());
        }
        if let Some(namespace) = &key.namespace {
            metadata.insert("namespace".into(), namespace.clone().into());
        }
        let mut map = Map::new();
        map.insert("apiVersion".into(), key.gvk.api_version().into());
        map.insert("kind".into(), key.gvk.kind.clone().into());
        map.insert("metadata".into(), Value::Object(metadata));
        Self::from_map(map)
    }

    /// The map as an object.
    pub fn from_map(map: Map<String, Value>) -> Self {
        Self(Arc::new(Value::Object(map)))
    }

    /// Takes the value as an object; refuses what is not a map.
    pub fn from_value(value: Value) -> Result<Self, NotAnObject> {
        match value {
            Value::Object(_) => Ok(Self(Arc::new(value))),
            other => Err(NotAnObject { found: json_type(&other) }),
        }
    }

    /// The whole value; always a map.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The whole value.
    pub fn into_value(self) -> Value {
        Arc::unwrap_or_clone(self.0)
    }

    /// The object as something that serialises with the values of Secrets in it; [`Revealed`] says who may ask.
    pub fn revealed(&self) -> Revealed<'_> {
        Revealed(&self.0)
    }

    /// The top-level fields.
    pub fn map(&self) -> &Map<String, Value> {
        self.0.as_object().expect("invariant of Object: the value is a map")
    }

    /// The top-level fields, to be changed.
    pub fn map_mut(&mut self) -> &mut Map<String, Value> {
        Arc::make_mut(&mut self.0).as_object_mut().expect("invariant of Object: the value is a map")
    }

    /// The value at a JSON pointer (`/spec/replicas`).
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        at(&self.0, pointer)
    }

    /// The value at a JSON pointer, to be changed.
    pub fn at_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        // What is not there is no reason to make a copy.
        self.0.pointer(pointer)?;
        Arc::make_mut(&mut self.0).pointer_mut(pointer)
    }

    /// The string at a JSON pointer.
    pub fn str_at(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str)
    }

    /// The integer at a JSON pointer.
    pub fn i64_at(&self, pointer: &str) -> Option<i64> {
        self.at(pointer).and_then(Value::as_i64)
    }

    /// The boolean at a JSON pointer.
    pub fn bool_at(&self, pointer: &str) -> Option<bool> {
        self.at(pointer).and_then(Value::as_bool)
    }

    /// The list at a JSON pointer; empty when there is none.
    pub fn list_at(&self, pointer: &str) -> &[Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// `apiVersion`; empty when missing.
    pub fn api_version(&self) -> &str {
        self.map().get("apiVersion").and_then(Value::as_str).unwrap_or_default()
    }

    /// `kind`; empty when missing.
    pub fn kind(&self) -> &str {
        self.map().get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// Group, version and kind.
    pub fn gvk(&self) -> Gvk {
        Gvk::from_api_version(self.api_version(), self.kind())
    }

    /// The API group; empty for core.
    pub fn group(&self) -> &str {
        crate::gvk::split_api_version(self.api_version()).0
    }

    /// Kind, namespace and name.
    pub fn key(&self) -> ObjectKey {
        ObjectKey::new(self.gvk(), self.namespace(), self.name())
    }

    /// Whether it is the object of a key, in whatever version.
    pub fn is_at(&self, key: &ObjectKey) -> bool {
        self.name() == key.name
            && self.kind() == key.gvk.kind
            && self.namespace() == key.namespace.as_deref()
            && self.group() == key.gvk.group
    }

    /// `metadata`, when it is a map.
    pub fn metadata(&self) -> Option<&Map<String, Value>> {
        self.map().get("metadata").and_then(Value::as_object)
    }

    /// `metadata`, made an empty map first when it is missing or of a wrong type.
    pub fn metadata_mut(&mut self) -> &mut Map<String, Value> {
        child_map(self.map_mut(), "metadata")
    }

    fn metadata_str(&self, field: &str) -> Option<&str> {
        self.metadata()?.get(field)?.as_str().filter(|text| !text.is_empty())
    }

    /// `metadata.name`; empty when missing.
    pub fn name(&self) -> &str {
        self.metadata_str("name").unwrap_or_default()
    }

    /// `metadata.generateName`.
    pub fn generate_name(&self) -> Option<&str> {
        self.metadata_str("generateName")
    }

    /// `metadata.namespace`.
    pub fn namespace(&self) -> Option<&str> {
        self.metadata_str("namespace")
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> Option<&str> {
        self.metadata_str("uid")
    }

    /// `metadata.resourceVersion`.
    pub fn resource_version(&self) -> Option<&str> {
        self.metadata_str("resourceVersion")
    }

    /// `metadata.generation`.
    pub fn generation(&self) -> Option<i64> {
        self.metadata()?.get("generation")?.as_i64()
    }

    /// `metadata.creationTimestamp`, as written (RFC 3339).
    pub fn creation_timestamp(&self) -> Option<&str> {
        self.metadata_str("creationTimestamp")
    }

    /// `metadata.deletionTimestamp`; present while the object is being deleted.
    pub fn deletion_timestamp(&self) -> Option<&str> {
        self.metadata_str("deletionTimestamp")
    }

    /// `metadata.labels`, when it is a map.
    pub fn labels(&self) -> Option<&Map<String, Value>> {
        self.metadata()?.get("labels")?.as_object()
    }

    /// One label's value.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels()?.get(name)?.as_str()
    }

    /// `metadata.annotations`, when it is a map.
    pub fn annotations(&self) -> Option<&Map<String, Value>> {
        self.metadata()?.get("annotations")?.as_object()
    }

    /// Whether it is a hook of Argo CD that is deleted before it is made again, as hooks are unless their policy says
    /// something else (gitops-engine, `pkg/sync/hook/delete_policy.go`).
    pub fn is_remade_by_argo(&self) -> bool {
        let words = |annotation| self.annotation(annotation).unwrap_or_default().split(',').map(str::trim);
        let is_hook =
            words("argocd.argoproj.io/hook").any(|word| matches!(word, "PreSync" | "Sync" | "PostSync" | "SyncFail"));
        let mut policies = words("argocd.argoproj.io/hook-delete-policy").filter(|word| !word.is_empty()).peekable();
        is_hook && (policies.peek().is_none() || policies.any(|policy| policy == "BeforeHookCreation"))
    }

    /// Whether nothing of value goes with it: of kinds that are not the cluster's own nobody can know.
    pub fn has_no_data(&self) -> bool {
        let is_own = !self.group().contains('.') || self.group().ends_with(".k8s.io");
        let keeps = matches!(
            self.kind(),
            "PersistentVolumeClaim" | "PersistentVolume" | "Namespace" | "CustomResourceDefinition"
        );
        let claims_go = self.str_at("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted") == Some("Delete");
        is_own && !keeps && !claims_go
    }

    /// Whether its own options have it made anew where the API refuses to change it: `Force=true` alone does so where nothing of value
    /// goes by that, and nobody has said that it stays.
    pub fn is_forced_by_argo(&self) -> bool {
        let options = self.annotation("argocd.argoproj.io/sync-options").unwrap_or_default();
        let has = |wanted: &str| options.split(',').any(|option| option.trim() == wanted);
        let stays = ["Prune=false", "Prune=confirm", "Delete=false", "Delete=confirm"].into_iter().any(has)
            || self.annotation("helm.sh/resource-policy").is_some_and(|it| it.trim().eq_ignore_ascii_case("keep"))
            || !once_keys(self).is_empty();
        has("Force=true") && (has("Replace=true") || (!stays && self.has_no_data()))
    }

    /// One annotation's value.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.annotations()?.get(name)?.as_str()
    }

    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> impl Iterator<Item = &str> {
        self.list_at("/metadata/finalizers").iter().filter_map(Value::as_str)
    }

    /// `metadata.ownerReferences`; entries that are not references are left out.
    pub fn owner_references(&self) -> Vec<OwnerReference> {
        self.list_at("/metadata/ownerReferences")
            .iter()
            .filter_map(|entry| OwnerReference::deserialize(entry).ok())
            .collect()
    }

    /// The managing controller among the owners.
    pub fn controller(&self) -> Option<OwnerReference> {
        self.owner_references().into_iter().find(|owner| owner.controller == Some(true))
    }

    /// `spec`, when it is there.
    pub fn spec(&self) -> Option<&Value> {
        self.map().get("spec")
    }

    /// `status`, when it is there.
    pub fn status(&self) -> Option<&Value> {
        self.map().get("status")
    }

    /// The condition of that type under `status.conditions`.
    pub fn condition(&self, kind: &str) -> Option<&Value> {
        self.list_at("/status/conditions")
            .iter()
            .find(|condition| condition.get("type").and_then(Value::as_str) == Some(kind))
    }

    /// Sets `metadata.name`.
    pub fn set_name(&mut self, name: impl Into<String>) {
        self.metadata_mut().insert("name".into(), Value::String(name.into()));
    }

    /// Sets `metadata.namespace`.
    pub fn set_namespace(&mut self, namespace: impl Into<String>) {
        self.metadata_mut().insert("namespace".into(), Value::String(namespace.into()));
    }

    /// Sets `metadata.resourceVersion`, at which alone it may be written.
    pub fn set_resource_version(&mut self, version: impl Into<String>) {
        self.metadata_mut().insert("resourceVersion".into(), Value::String(version.into()));
    }

    /// Sets one label.
    pub fn set_label(&mut self, name: impl Into<String>, value: impl Into<String>) {
        child_map(self.metadata_mut(), "labels").insert(name.into(), Value::String(value.into()));
    }

    /// Sets one annotation.
    pub fn set_annotation(&mut self, name: impl Into<String>, value: impl Into<String>) {
        child_map(self.metadata_mut(), "annotations").insert(name.into(), Value::String(value.into()));
    }

    /// Removes one annotation, and the map when it was the last.
    pub fn remove_annotation(&mut self, name: &str) -> Option<String> {
        self.annotations()?.get(name)?;
        let metadata = self.map_mut().get_mut("metadata")?.as_object_mut()?;
        let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
        let removed = annotations.remove(name);
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
        removed.and_then(|value| value.as_str().map(str::to_owned))
    }
}

impl TryFrom<Value> for Object {
    type Error = NotAnObject;

    fn try_from(value: Value) -> Result<Self, NotAnObject> {
        Self::from_value(value)
    }
}

impl Serialize for Object {
    /// As it may be shown: what is serialised ends in output, files and logs. [`Object::revealed`] is the other way.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if mask::may_hide(self) && !is_mutant("serialised-secrets") {
            mask::mask(self).0.serialize(serializer)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Object {
    /// The key only: an object may hold secret values, and debug output ends in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({})", self.key())
    }
}

/// The map under `field`, made an empty one first when it is missing or of a wrong type.
pub(crate) fn child_map<'a>(map: &'a mut Map<String, Value>, field: &str) -> &'a mut Map<String, Value> {
    let child = map.entry(field).or_insert_with(|| Value::Object(Map::new()));
    if !child.is_object() {
        *child = Value::Object(Map::new());
    }
    child.as_object_mut().expect("just made a map")
}

/// The value at a JSON pointer (RFC 6901), as `Value::pointer` finds it, which makes a text of its own for each step:
/// controllers look at thousands of fields.
pub fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    if pointer.is_empty() {
        return Some(value);
    }
    if pointer.contains('~') {
        return value.pointer(pointer);
    }
    pointer.strip_prefix('/')?.split('/').try_fold(value, |value, step| match value {
        Value::Object(map) => map.get(step),
        Value::Array(_) => value.pointer(&format!("/{step}")),
        _ => None,
    })
}

/// The word for a JSON value's type.
pub(crate) fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What `Force=true` alone makes anew, and what it leaves because something of value would go.
    #[test]
    fn what_is_forced_is_made_anew_where_nothing_of_value_goes() {
        let forced = |kind: &str, options: &str, more: serde_json::Value| {
            let (api, kind) = kind.rsplit_once('/').expect("with its group");
            let mut object = json!({"apiVersion": api, "kind": kind,
                "metadata": {"name": "a", "annotations": {"argocd.argoproj.io/sync-options": options}}});
            for (key, value) in more.as_object().into_iter().flatten() {
                object[key] = value.clone();
            }
            Object::from_value(object).expect("a map").is_forced_by_argo()
        };
        assert!(forced("apps/v1/Deployment", "Force=true", json!({})));
        assert!(!forced("apps/v1/Deployment", "Replace=true", json!({})));
        assert!(!forced("apps/v1/Deployment", "Force=true, Prune=false", json!({})));
        assert!(forced("apps/v1/StatefulSet", "Force=true", json!({})));
        let claims_go = json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete"}}});
        assert!(!forced("apps/v1/StatefulSet", "Force=true", claims_go));
        for kept in ["v1/PersistentVolumeClaim", "v1/PersistentVolume", "v1/Namespace", "example.com/v1/Database"] {
            assert!(!forced(kept, "Force=true", json!({})), "{kept}");
            assert!(forced(kept, "Force=true,Replace=true", json!({})), "{kept}");
        }
    }

    #[test]
    fn accessors_answer_absent_for_metadata_of_a_wrong_type() {
        let object = Object::from_value(json!({"kind": "A", "metadata": [1]})).expect("a map");
        assert_eq!((object.name(), object.namespace(), object.label("x")), ("", None, None));
        assert!(Object::from_value(json!([])).is_err());
    }

    #[test]
    fn pointers_are_followed_as_serde_json_follows_them() {
        let value = json!({"a": {"b/c": [1, {"~": 2}], "": 3}, "0": 4});
        for pointer in [
            "",
            "/",
            "a",
            "/a",
            "/a/",
            "/a/b~1c/1/~0",
            "/a/b~1c/0",
            "/0",
            "/a/b~1c/01",
            "/a/b~1c/+1",
            "/a/b~1c/2",
            "/0/x",
        ] {
            assert_eq!(at(&value, pointer), value.pointer(pointer), "{pointer}");
        }
        let list = json!([[5]]);
        for pointer in ["/0/0", "/0", "/00", "/-", "/0/1", "//0"] {
            assert_eq!(at(&list, pointer), list.pointer(pointer), "{pointer}");
        }
    }

    #[test]
    fn debug_output_shows_no_values() {
        let object = Object::from_value(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}, "data": {"k": "c2VjcmV0"}}),
        );
        assert_eq!(format!("{:?}", object.expect("a map")), "Object(Secret n/s)");
    }

    #[test]
    fn what_is_serialised_shows_no_value_of_a_secret_unless_it_is_asked_for_by_name() {
        #[derive(Serialize)]
        struct Sent {
            #[serde(serialize_with = "revealed")]
            object: Object,
        }
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "c2VjcmV0"}});
        let plain =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "data": {"k": "c2VjcmV0"}});
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [secret, plain]});
        for value in [secret.clone(), list] {
            let object = Object::from_value(value.clone()).expect("a map");
            let shown = serde_json::to_value(&object).expect("serialises");
            assert_eq!(shown, *mask::mask(&object).value());
            assert_ne!(shown, value);
            assert_eq!(serde_json::to_value(object.revealed()).expect("serialises"), value);
            assert_eq!(serde_json::to_value(Sent { object }).expect("serialises"), json!({"object": value}));
        }
        let object = Object::from_value(plain.clone()).expect("a map");
        assert_eq!(serde_json::to_value(&object).expect("serialises"), plain);
    }

    #[test]
    fn annotations_are_set_and_removed_with_their_map() {
        let mut object = Object::from_value(json!({"kind": "A"})).expect("a map");
        object.set_annotation("a", "1");
        assert_eq!(object.annotation("a"), Some("1"));
        assert_eq!(object.remove_annotation("a").as_deref(), Some("1"));
        assert_eq!(object.value(), &json!({"kind": "A", "metadata": {}}));
    }
}
