//! Who wrote the fields that a step changes, by the live object's `managedFields`.

use landfall_object::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who else has written a field, by `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The field manager: `kubectl-edit`, `kube-controller-manager`.
    pub manager: String,
    /// When it last wrote any of its fields (RFC 3339), where that is recorded.
    pub time: Option<String>,
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.time {
            Some(time) => write!(f, "{} at {time}", self.manager),
            None => f.write_str(&self.manager),
        }
    }
}

/// The managers of one place in an object, each with what it owns from there on.
#[derive(Debug, Clone, Default)]
pub(super) struct Writers<'a>(Vec<Writer<'a>>);

#[derive(Debug, Clone, Copy)]
struct Writer<'a> {
    manager: &'a str,
    time: Option<&'a str>,
    /// `FieldsV1`; empty where all that is below is owned as one.
    fields: &'a Value,
}

impl<'a> Writers<'a> {
    /// Those of an object, one manager left out; what cannot be read is nobody's.
    pub(super) fn of(object: &'a Object, own: &str) -> Self {
        let entries = object.at("/metadata/managedFields").and_then(Value::as_array);
        let writers = entries.into_iter().flatten().filter_map(|entry| {
            let manager = entry.get("manager")?.as_str()?;
            let fields = entry.get("fieldsV1")?;
            let time = entry.get("time").and_then(Value::as_str);
            (manager != own).then_some(Writer { manager, time, fields })
        });
        Self(writers.collect())
    }

    /// Those of a field of this place.
    pub(super) fn field(&self, name: &str) -> Self {
        self.inside(|fields| fields.get(format!("f:{name}")))
    }

    /// Those of an item of the list that is here.
    pub(super) fn item(&self, item: &Value, index: usize) -> Self {
        let name = |element: &str| match element.split_at_checked(2)? {
            ("k:", keys) => {
                let keys: Value = serde_json::from_str(keys).ok()?;
                Some(keys.as_object()?.iter().all(|(key, value)| item.get(key) == Some(value)))
            }
            ("v:", value) => Some(serde_json::from_str::<Value>(value).ok()? == *item),
            ("i:", at) => Some(at.parse() == Ok(index)),
            _ => None,
        };
        self.inside(|fields| {
            let (_, inside) = fields.as_object()?.iter().find(|(element, _)| name(element) == Some(true))?;
            Some(inside)
        })
    }

    /// Who wrote last what is here, or any of what is below.
    pub(super) fn author(&self) -> Option<Author> {
        let last = self.0.iter().max_by_key(|writer| writer.time)?;
        Some(Author { manager: last.manager.to_owned(), time: last.time.map(str::to_owned) })
    }

    fn inside(&self, find: impl Fn(&'a Value) -> Option<&'a Value>) -> Self {
        let writers = self.0.iter().filter_map(|writer| {
            // A leaf is owned with all that is in it.
            let is_leaf = writer.fields.as_object().is_some_and(serde_json::Map::is_empty);
            let fields = if is_leaf { writer.fields } else { find(writer.fields)? };
            Some(Writer { fields, ..*writer })
        });
        Self(writers.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live() -> Object {
        let entry = |manager: &str, time: &str, fields: Value| json!({"manager": manager, "operation": "Update", "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields});
        let value = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": [
                entry("helm", "2026-11-20T10:00:00Z", json!({"f:spec": {"f:template": {}}})),
                entry("kubectl", "2026-11-20T11:00:00Z", json!({"f:spec": {"f:replicas": {}}})),
                entry("kubectl-edit", "2026-11-20T12:00:00Z", json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"web\"}": {".": {}, "f:image": {}}, "k:{\"name\":\"log\"}": {"f:args": {}},
                }}}}})),
            ]},
            "spec": {},
        });
        Object::from_value(value).expect("a map")
    }

    #[test]
    fn a_field_is_its_managers() {
        let live = live();
        let spec = Writers::of(&live, "helm").field("spec");
        let replicas = spec.field("replicas").author().expect("is kubectl's");
        assert_eq!((replicas.manager.as_str(), replicas.time.as_deref()), ("kubectl", Some("2026-11-20T11:00:00Z")));
        assert_eq!(spec.field("selector").author(), None);
        assert_eq!(spec.author().expect("has two").manager, "kubectl-edit");
    }

    #[test]
    fn items_of_lists_are_found_by_their_keys() {
        let live = live();
        let containers = ["spec", "template", "spec", "containers"]
            .iter()
            .fold(Writers::of(&live, "helm"), |at, name| at.field(name));
        let web = containers.item(&json!({"name": "web", "image": "a:2"}), 0);
        assert_eq!(web.field("image").author().expect("is edited").manager, "kubectl-edit");
        assert_eq!(web.field("args").author(), None);
        assert_eq!(containers.item(&json!({"name": "new"}), 2).author(), None);
    }

    #[test]
    fn our_own_writes_and_broken_entries_are_nobodys() {
        let live = live();
        assert_eq!(Writers::of(&live, "kubectl").field("spec").field("replicas").author(), None);
        for broken in [json!(1), json!([1, {}, {"manager": 2}, {"manager": "a", "fieldsV1": 3}])] {
            let object =
                Object::from_value(json!({"kind": "A", "metadata": {"managedFields": broken}})).expect("a map");
            let writers = Writers::of(&object, "helm").field("spec");
            assert_eq!((writers.author(), writers.item(&json!(1), 0).author()), (None, None));
        }
    }
}
