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
use landfall_cluster::Cluster;
use landfall_object::{Gvk, Object, ObjectKey, kept_value, once_keys};
use serde_json::Value;

use crate::session::Session;

/// How a note ends that says that a value was drawn anew and the one that lives stays.
pub const DRAWN: &str = "drawn anew with each rendering (`landfall explain LF101`)";

/// Whether anything was drawn while something was rendered.
pub type Draws = Arc<AtomicBool>;

/// Whose drawn values stay as they live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Staying {
    /// Everybody's.
    All,
    /// Those of which one is generated once, as they belong together: all others are drawn anew by Helm and Argo CD, and so they are
    /// where it is their manner that is asked for.
    WithOnce,
}

impl Staying {
    fn of(semantics: Semantics) -> Self {
        match semantics {
            Semantics::Own => Staying::All,
            Semantics::Argo => Staying::WithOnce,
        }
    }
}

impl Session {
    /// Leaves the values of Secrets as they live that `again`, a second rendering of the same, does not have alike, and says which. What
    /// is delivered and what is compared is the same, so that nothing is ever out of sync for it.
    ///
    /// Nothing is left where what is drawn goes into objects of other kinds, too: they would no longer fit together. Keys and
    /// certificates are left to be drawn, as they run out, but where one of them is generated once.
    pub(crate) async fn keep_drawn(
        &self,
        namespace: &str,
        targets: &mut [Target],
        again: &RenderedUnit,
    ) -> Vec<String> {
        keep(&self.cluster, namespace, targets, again, Staying::of(self.semantics)).await
    }

    /// As [`Session::keep_drawn`], for what a release renders to: in the text of its manifests, which is what it delivers and records.
    pub(crate) async fn keep_drawn_of_release(
        &self,
        namespace: &str,
        rendered: &mut RenderedUnit,
        again: &RenderedUnit,
    ) -> Vec<String> {
        keep_in_text(&self.cluster, namespace, rendered, again, Staying::of(self.semantics)).await
    }
}

/// As [`Session::keep_drawn_of_release`], for Helm's verbs: only where one of the values is generated once, and with it all that was
/// drawn beside it. `again` renders the same once more, and is asked only where there is such a key.
pub async fn keep_drawn_once(
    cluster: &Cluster,
    namespace: &str,
    rendered: &mut RenderedUnit,
    again: impl AsyncFnOnce() -> Option<RenderedUnit>,
) -> Vec<String> {
    let mut is_any = false;
    for one in rendered.objects.iter().filter(|one| is_secret(&one.object)) {
        let keys = keys_of(&one.object);
        let live = live(cluster, namespace, &one.object).await;
        is_any |= live.is_some_and(|live| keys.iter().any(|key| is_once(&live, &one.object, key)));
    }
    if !is_any {
        return Vec::new();
    }
    let Some(again) = again().await else { return Vec::new() };
    keep_in_text(cluster, namespace, rendered, &again, Staying::WithOnce).await
}

async fn keep_in_text(
    cluster: &Cluster,
    namespace: &str,
    rendered: &mut RenderedUnit,
    again: &RenderedUnit,
    staying: Staying,
) -> Vec<String> {
    let target = |one: &RenderedObject| Target { object: one.object.clone(), path: one.path.clone() };
    let mut targets: Vec<Target> = rendered.objects.iter().map(target).collect();
    let before: Vec<Object> = targets.iter().map(|target| target.object.clone()).collect();
    let notes = keep(cluster, namespace, &mut targets, again, staying).await;
    for (before, Target { object, .. }) in before.iter().zip(&targets) {
        let is_kept = |key: &String| kept_value(before, key) != kept_value(object, key);
        let keys: Vec<String> = keys_of(object).into_iter().filter(is_kept).collect();
        if !keys.is_empty() {
            rendered.put_values(object, &keys);
        }
    }
    notes
}

/// The keys of a Secret that were drawn, with the one that lives.
struct Drawn {
    target: usize,
    keys: Vec<String>,
    live: Option<Object>,
}

async fn keep(
    cluster: &Cluster,
    namespace: &str,
    targets: &mut [Target],
    again: &RenderedUnit,
    staying: Staying,
) -> Vec<String> {
    let others: BTreeMap<ObjectKey, &Object> =
        again.objects.iter().map(|one| (one.object.key(), &one.object)).collect();
    let mut drawn: Vec<Drawn> = Vec::new();
    for (index, Target { object, .. }) in targets.iter().enumerate().filter(|(_, target)| is_secret(&target.object)) {
        let Some(&other) = others.get(&object.key()) else { continue };
        let is_drawn = |key: &String| kept_value(object, key) != kept_value(other, key);
        let keys: Vec<String> = keys_of(object).into_iter().filter(is_drawn).collect();
        if !keys.is_empty() {
            drawn.push(Drawn { target: index, keys, live: live(cluster, namespace, object).await });
        }
    }
    let rendered = |one: &Drawn| &targets[one.target].object;
    let is_certificate = |one: &Drawn, key: &str| kept_value(rendered(one), key).as_deref().is_some_and(is_pem);
    let generated_once = |one: &Drawn| -> Vec<String> {
        let once = |key: &&String| one.live.as_ref().is_some_and(|live| is_once(live, rendered(one), key));
        one.keys.iter().filter(once).cloned().collect()
    };
    if staying == Staying::WithOnce && drawn.iter().all(|one| generated_once(one).is_empty()) {
        return Vec::new();
    }
    // One that never changes is no good without those that were made with it.
    let has_once = |one: &Drawn| generated_once(one).iter().any(|key| is_certificate(one, key));
    let certificates = if drawn.iter().any(has_once) { Certificates::Counted } else { Certificates::LeftAside };
    if certificates == Certificates::LeftAside {
        let left: Vec<Vec<String>> = drawn
            .iter()
            .map(|one| one.keys.iter().filter(|key| !is_certificate(one, key)).cloned().collect())
            .collect();
        drawn.iter_mut().zip(left).for_each(|(one, keys)| one.keys = keys);
        drawn.retain(|one| !one.keys.is_empty());
    }
    let elsewhere: Vec<String> = targets
        .iter()
        .map(|target| &target.object)
        .filter(|object| !is_secret(object))
        .filter(|object| {
            others.get(&object.key()).is_some_and(|other| differs(object.value(), other.value(), certificates))
        })
        .map(|object| format!("{}/{}", object.kind(), object.name()))
        .collect();
    let mut notes = Vec::new();
    for Drawn { target, keys, live } in drawn {
        let Target { object, path } = &mut targets[target];
        let name = object.name().to_owned();
        let told = |keys: &str, what: &str| format!("Secret/{name}: {keys}, {what}: {path} has it {DRAWN}");
        if !elsewhere.is_empty() {
            let where_else = format!("changes, as what is drawn goes into {}, too", elsewhere.join(", "));
            notes.push(told(&keys.join(", "), &where_else));
            continue;
        }
        let Some(live) = live else { continue };
        let mut kept = Vec::new();
        for key in keys {
            // What is empty is yet to be filled.
            let Some(value) = kept_value(&live, &key).filter(|value| !value.is_empty()) else { continue };
            put(object, &key, value);
            kept.push(key);
        }
        if !kept.is_empty() {
            notes.push(told(&kept.join(", "), "as it lives, stays"));
        }
    }
    notes
}

/// The Secret that lives in a rendered one's place; what cannot be asked is left to the server's own answer.
async fn live(cluster: &Cluster, namespace: &str, rendered: &Object) -> Option<Object> {
    let namespace = rendered.namespace().unwrap_or(namespace);
    let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(namespace), rendered.name());
    cluster.get(&key).await.ok().flatten()
}

/// Whether a key of a Secret that lives is generated once: that says so, or what is to be written.
fn is_once(live: &Object, rendered: &Object, key: &str) -> bool {
    let has_value = kept_value(live, key).is_some_and(|value| !value.is_empty());
    has_value && [live, rendered].into_iter().any(|secret| once_keys(secret).iter().any(|once| once == key))
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

/// Whether keys and certificates that differ are a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certificates {
    /// They are.
    Counted,
    /// They are drawn anew, wherever they stand.
    LeftAside,
}

/// Whether two objects differ in more than annotations, which hold hashes of what stands elsewhere, and certificates that are left aside.
fn differs(one: &Value, other: &Value, certificates: Certificates) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let counted = |key: &&String| *key != "annotations";
            let keys = one.keys().filter(counted);
            keys.clone().count() != other.keys().filter(counted).count()
                || keys
                    .into_iter()
                    .any(|key| other.get(key).is_none_or(|other| differs(&one[key], other, certificates)))
        }
        (Value::Array(one), Value::Array(other)) => {
            let differ = |(one, other)| differs(one, other, certificates);
            one.len() != other.len() || one.iter().zip(other).any(differ)
        }
        (Value::String(one), Value::String(other)) if certificates == Certificates::LeftAside => {
            one != other && !one.starts_with("-----BEGIN") && !is_pem(one)
        }
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
        let differs = |one: &Value, other: &Value| differs(one, other, Certificates::LeftAside);
        assert!(!differs(&one, &other));
        assert!(super::differs(&one, &other, Certificates::Counted), "where one of them is kept");
        other["spec"]["list"] = json!([2]);
        assert!(differs(&one, &other));
        assert!(differs(&json!({"a": 1}), &json!({"a": 1, "b": 1})) && differs(&json!({"a": 1}), &json!({"b": 1})));
    }
}
