//! Values that templates draw anew with each rendering: what of them lives in a Secret stays.
//!
//! A password that a chart draws (`randAlphaNum` without `lookup`) is another one each time, and Argo CD gives the data that
//! was made with the first one a second. What two renderings do not have alike was drawn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_apps::{Semantics, Target};
use landfall_chart::{RenderedObject, RenderedUnit};
use landfall_object::{Gvk, Object, ObjectKey, kept_value};
use serde_json::Value;

use crate::session::Session;

/// How a note ends that says that a value was drawn anew and the one that lives stays.
pub const DRAWN: &str = "drawn anew with each rendering (`landfall explain LF101`)";

/// Whether anything was drawn while something was rendered.
pub(crate) type Draws = Arc<AtomicBool>;

impl Session {
    /// Leaves the values of Secrets as they live that `again`, a second rendering of the same, does not have alike, and says which. What
    /// is delivered and what is compared is the same, so that nothing is ever out of sync for it.
    ///
    /// Nothing is left where what is drawn goes into objects of other kinds, too: they would no longer fit together. Keys and
    /// certificates are left to be drawn: they run out.
    pub(crate) async fn keep_drawn(
        &self,
        namespace: &str,
        targets: &mut [Target],
        again: &RenderedUnit,
    ) -> Vec<String> {
        if self.semantics == Semantics::Argo {
            return Vec::new();
        }
        let others: BTreeMap<ObjectKey, &Object> =
            again.objects.iter().map(|one| (one.object.key(), &one.object)).collect();
        let mut drawn: Vec<(usize, Vec<String>)> = Vec::new();
        let mut elsewhere = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            let Some(&other) = others.get(&target.object.key()) else { continue };
            if !is_secret(&target.object) {
                if differs(target.object.value(), other.value()) {
                    elsewhere.push(format!("{}/{}", target.object.kind(), target.object.name()));
                }
                continue;
            }
            let keys: Vec<String> = keys_of(&target.object)
                .into_iter()
                .filter(|key| {
                    let (one, other) = (kept_value(&target.object, key), kept_value(other, key));
                    one != other && !one.as_deref().is_some_and(is_pem)
                })
                .collect();
            if !keys.is_empty() {
                drawn.push((index, keys));
            }
        }
        let mut notes = Vec::new();
        for (index, keys) in drawn {
            let Target { object, path } = &mut targets[index];
            let name = object.name().to_owned();
            let told = |keys: &str, what: &str| format!("Secret/{name}: {keys}, {what}: {path} has it {DRAWN}");
            if !elsewhere.is_empty() {
                let where_else = format!("changes, as what is drawn goes into {}, too", elsewhere.join(", "));
                notes.push(told(&keys.join(", "), &where_else));
                continue;
            }
            let key =
                ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(object.namespace().unwrap_or(namespace)), &name);
            // What cannot be asked is left to the server's own answer.
            let Ok(Some(live)) = self.cluster.get(&key).await else { continue };
            let mut kept = Vec::new();
            for key in keys {
                let Some(value) = kept_value(&live, &key) else { continue };
                put(object, &key, value);
                kept.push(key);
            }
            if !kept.is_empty() {
                notes.push(told(&kept.join(", "), "as it lives, stays"));
            }
        }
        notes
    }
}

impl Session {
    /// As [`Session::keep_drawn`], for what a release renders to: in the text of its manifests, which is what it delivers and records.
    pub(crate) async fn keep_drawn_of_release(
        &self,
        namespace: &str,
        rendered: &mut RenderedUnit,
        again: &RenderedUnit,
    ) -> Vec<String> {
        let target = |one: &RenderedObject| Target { object: one.object.clone(), path: one.path.clone() };
        let mut targets: Vec<Target> = rendered.objects.iter().map(target).collect();
        let before: Vec<Object> = targets.iter().map(|target| target.object.clone()).collect();
        let notes = self.keep_drawn(namespace, &mut targets, again).await;
        for (before, Target { object, .. }) in before.iter().zip(&targets) {
            let is_kept = |key: &String| kept_value(before, key) != kept_value(object, key);
            let keys: Vec<String> = keys_of(object).into_iter().filter(is_kept).collect();
            if !keys.is_empty() {
                rendered.put_values(object, &keys);
            }
        }
        notes
    }
}

fn is_secret(object: &Object) -> bool {
    object.group().is_empty() && object.kind() == "Secret"
}

/// The keys that a Secret has values for.
fn keys_of(secret: &Object) -> Vec<String> {
    let fields = ["/data", "/stringData"].into_iter().filter_map(|field| secret.at(field)?.as_object());
    let mut keys: Vec<String> = fields.flat_map(|values| values.keys().cloned()).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// Puts a value in its place.
fn put(secret: &mut Object, key: &str, value: String) {
    if let Some(Value::Object(texts)) = secret.at_mut("/stringData") {
        texts.remove(key);
    }
    let data = secret.map_mut().entry("data").or_insert_with(|| Value::Object(serde_json::Map::new()));
    if let Value::Object(data) = data {
        data.insert(key.to_owned(), value.into());
    }
}

/// Whether a value in base64 is a key or a certificate.
fn is_pem(value: &str) -> bool {
    STANDARD.decode(value).is_ok_and(|bytes| bytes.starts_with(b"-----BEGIN"))
}

/// Whether two objects differ in more than annotations, which hold hashes of what stands elsewhere, and certificates.
fn differs(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let counted = |key: &&String| *key != "annotations";
            let keys = one.keys().filter(counted);
            keys.clone().count() != other.keys().filter(counted).count()
                || keys.into_iter().any(|key| other.get(key).is_none_or(|other| differs(&one[key], other)))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() != other.len() || one.iter().zip(other).any(|(one, other)| differs(one, other))
        }
        (Value::String(one), Value::String(other)) => one != other && !one.starts_with("-----BEGIN") && !is_pem(one),
        (one, other) => one != other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(value: Value) -> Object {
        Object::from_value(value).expect("an object")
    }

    #[test]
    fn a_value_is_put_where_the_server_keeps_it_and_read_as_it_does() {
        let mut made = secret(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
            "stringData": {"A": "x", "B": "y"}, "data": {"A": "b2xk", "C": "Yw=="}}));
        assert_eq!(keys_of(&made), ["A", "B", "C"]);
        assert_eq!(kept_value(&made, "A").as_deref(), Some("eA=="));
        put(&mut made, "A", "bGl2ZQ==".to_owned());
        assert_eq!(
            (kept_value(&made, "A").as_deref(), kept_value(&made, "B").as_deref()),
            (Some("bGl2ZQ=="), Some("eQ=="))
        );
        assert_eq!(made.at("/stringData"), Some(&json!({"B": "y"})));
    }

    #[test]
    fn what_differs_is_more_than_hashes_and_certificates() {
        let one = json!({"metadata": {"annotations": {"checksum/secret": "1"}}, "spec": {"caBundle": "LS0tLS1CRUdJTiBBLS0tLS0=", "list": [1]}});
        let mut other = one.clone();
        other["metadata"]["annotations"]["checksum/secret"] = "2".into();
        other["spec"]["caBundle"] = "LS0tLS1CRUdJTiBCLS0tLS0=".into();
        assert!(!differs(&one, &other));
        other["spec"]["list"] = json!([2]);
        assert!(differs(&one, &other));
        assert!(differs(&json!({"a": 1}), &json!({"a": 1, "b": 1})) && differs(&json!({"a": 1}), &json!({"b": 1})));
    }
}
