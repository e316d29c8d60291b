//! A cluster's objects at one moment, with the values of secrets left behind.

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_cluster::{Cluster, ListOptions};
use landfall_diag::{Diagnose, Diagnostic, code, is_mutant};
use landfall_object::{Object, mask};
use landfall_rules::Fingerprints;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A cluster as it was at one moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    /// Always `landfall.dev/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// Always `ClusterSnapshot`.
    pub kind: String,
    /// What the cluster is called.
    pub name: String,
    /// Its version, as `1.36.3`.
    pub version: String,
    /// When it was taken, as RFC 3339.
    pub taken: String,
    /// Kinds that could not be read, each with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// What makes its fingerprints: with it a guess at a value can be confirmed, so a snapshot's file is its owner's.
    #[serde(default, rename = "key", skip_serializing_if = "Fingerprints::is_unkeyed")]
    pub fingerprints: Fingerprints,
    /// The objects; of Secrets only the names of their keys and fingerprints.
    #[serde(serialize_with = "fingerprinted", deserialize_with = "objects")]
    pub objects: Vec<Object>,
}

const API_VERSION: &str = "landfall.dev/v1";
const KIND: &str = "ClusterSnapshot";

/// Kinds that say what has happened or who is alive, not what is.
const PASSING: &[(&str, &str)] =
    &[("", "Event"), ("events.k8s.io", "Event"), ("", "ComponentStatus"), ("coordination.k8s.io", "Lease")];

impl Snapshot {
    /// Reads a cluster; asks for nothing but lists. What may not be read is told in [`Snapshot::unread`].
    ///
    /// # Errors
    /// When the cluster cannot be reached at all, or the machine has no randomness.
    #[boxed]
    pub async fn read(cluster: &Cluster, name: &str, taken: jiff::Timestamp) -> Result<Self, Diagnostic> {
        let fingerprints = random()?;
        let version = cluster.version().await.map_err(|error| error.diagnose())?;
        let mut seen: Vec<(String, String)> = Vec::new();
        let (mut objects, mut unread) = (Vec::new(), Vec::new());
        for resource in cluster.resources().await.map_err(|error| error.diagnose())? {
            let kind = (resource.gvk.group.clone(), resource.gvk.kind.clone());
            // The preferred version comes first; the others show the same objects.
            if !resource.takes("list") || PASSING.contains(&(&kind.0, &kind.1)) || seen.contains(&kind) {
                continue;
            }
            seen.push(kind);
            match cluster.list(&resource.gvk, &ListOptions::default()).await {
                Ok(found) => objects.extend(found),
                Err(error) => unread.push(format!("{}: {error}", resource.gvk)),
            }
        }
        let version =
            version.git_version.trim_start_matches('v').split(['+', '-']).next().unwrap_or_default().to_owned();
        Ok(Snapshot {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            name: name.to_owned(),
            version,
            taken: taken.to_string(),
            unread,
            objects: objects.into_iter().map(|object| masked(object, &fingerprints)).collect(),
            fingerprints,
        })
    }

    /// Reads a snapshot's file.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(file: &str, text: &str) -> Result<Self, Diagnostic> {
        let wrong = |why: String| {
            Diagnostic::error(code::NOT_A_SNAPSHOT, format!("`{file}` is not a snapshot of a cluster"))
                .note(why)
                .help("`landfall cluster snapshot FILE` writes one")
        };
        let snapshot: Snapshot = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        if (snapshot.api_version.as_str(), snapshot.kind.as_str()) != (API_VERSION, KIND) {
            return Err(wrong(format!("it is a {} of {}", snapshot.kind, snapshot.api_version)));
        }
        // Somebody may have written one by hand.
        let objects = snapshot.objects.into_iter().map(|object| masked(object, &snapshot.fingerprints)).collect();
        Ok(Snapshot { objects, ..snapshot })
    }
}

/// Fingerprints with a key of their own.
fn random() -> Result<Fingerprints, Diagnostic> {
    let mut key = [0; Fingerprints::KEY_LENGTH];
    aws_lc_rs::rand::fill(&mut key)
        .map_err(|_| Diagnostic::error(code::NO_RANDOMNESS, "there is no randomness for the key of a snapshot"))?;
    Ok(Fingerprints::keyed(key))
}

/// The objects as they are: what stands in their Secrets are fingerprints.
fn fingerprinted<S: serde::Serializer>(objects: &[Object], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(objects.iter().map(Object::revealed))
}

fn objects<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Object>, D::Error> {
    let values = Vec::<Value>::deserialize(deserializer)?;
    values.into_iter().map(|value| Object::from_value(value).map_err(serde::de::Error::custom)).collect()
}

/// A Secret with fingerprints in place of its values; a release's record with its own secrets masked alike; anything
/// else as it is.
pub(crate) fn masked(mut object: Object, fingerprints: &Fingerprints) -> Object {
    if !mask::is_secret(&object) || is_mutant("fingerprints") {
        return object;
    }
    let scope = format!("{}/{}", object.namespace().unwrap_or_default(), object.name());
    if object.str_at("/type") == Some("helm.sh/release.v1")
        && let Some(record) = object.str_at("/data/release").and_then(|text| masked_record(&scope, text, fingerprints))
    {
        mask::hide(Some(&mut object), None);
        object.map_mut().insert("data".to_owned(), json!({"release": record}));
        return object;
    }
    fingerprints.mask(object)
}

/// Whether two states of a Secret have the same data, fingerprints on either side.
pub(crate) fn have_same_data(fingerprints: &Fingerprints, one: &Object, other: &Object) -> bool {
    let data = |object: &Object| masked(object.clone(), fingerprints).at("/data").cloned();
    data(one) == data(other)
}

/// What `kubectl apply` wrote last by the one, when the other one's fingerprint says that it is the same there.
pub(crate) fn have_same_copy<'a>(fingerprints: &Fingerprints, one: &'a Object, other: &Object) -> Option<&'a str> {
    let copy = |object: &Object| masked(object.clone(), fingerprints).annotation(mask::LAST_APPLIED).map(str::to_owned);
    one.annotation(mask::LAST_APPLIED).filter(|_| copy(one) == copy(other))
}

/// A release's record as Helm stores it (base64 of the stored text), without values, chart texts and secrets.
fn masked_record(scope: &str, data: &str, fingerprints: &Fingerprints) -> Option<String> {
    let stored = String::from_utf8(STANDARD.decode(data).ok()?).ok()?;
    let mut record = landfall_release::decode(scope, &stored).ok()?;
    record.config.clear();
    record.info.notes.clear();
    if let Some(chart) = record.chart.as_object_mut() {
        chart.retain(|field, _| field == "metadata");
    }
    record.manifest = masked_manifest(&record.manifest, fingerprints);
    for hook in &mut record.hooks {
        hook.manifest = masked_manifest(&hook.manifest, fingerprints);
    }
    landfall_release::encode(&record).ok().map(|text| STANDARD.encode(text))
}

/// A manifest with the values of its Secrets masked; a document that cannot be read may hold anything and is left out.
pub(crate) fn masked_manifest(manifest: &str, fingerprints: &Fingerprints) -> String {
    let mut text = String::with_capacity(manifest.len());
    for (index, part) in landfall_yaml::documents(manifest).map_while(Result::ok).enumerate() {
        if index > 0 || part.text.starts_with("---") {
            text.push_str("---\n");
        }
        mask_document(&part, &mut text, fingerprints);
    }
    text
}

fn mask_document(part: &landfall_yaml::Part<'_>, text: &mut String, fingerprints: &Fingerprints) {
    let Ok(value) = part.to_json() else { return };
    let separator: usize =
        part.text.split_inclusive('\n').take_while(|line| line.starts_with("---")).map(str::len).sum();
    let document = &part.text[separator..];
    match Object::from_value(value) {
        Ok(object) if mask::is_secret(&object) => {
            // `# Source:` names the template.
            text.extend(document.lines().filter(|line| line.starts_with('#')).flat_map(|line| [line, "\n"]));
            text.push_str(&landfall_yaml::emit(masked(object, fingerprints).value()).unwrap_or_default());
        }
        Ok(object) if object.kind().ends_with("List") => {
            let mut value = object.into_value();
            for item in value["items"].as_array_mut().into_iter().flatten() {
                if let Ok(object) = Object::from_value(item.take()) {
                    *item = masked(object, fingerprints).into_value();
                }
            }
            text.push_str(&landfall_yaml::emit(&value).unwrap_or_default());
        }
        _ => text.push_str(document),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(value: &str) -> Object {
        Object::from_value(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": "shop",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{\"data\":\"hunter2\"}"}},
            "data": {"PASSWORD": STANDARD.encode(value)}, "stringData": {"TOKEN": value}}),
        )
        .expect("a map")
    }

    #[test]
    fn of_secrets_only_the_keys_and_fingerprints_are_kept() {
        let key = Fingerprints::keyed([7; 16]);
        let (one, other) = (masked(secret("hunter2"), &key), masked(secret("hunter3"), &key));
        let text = one.value().to_string();
        assert!(!text.contains("hunter2") && !text.contains(&STANDARD.encode("hunter2")), "{text}");
        assert_ne!(one.at("/data/PASSWORD"), other.at("/data/PASSWORD"));
        assert_eq!(masked(one.clone(), &key), one, "masking twice changes nothing");
        assert!(one.at("/data/PASSWORD").is_some() && one.at("/stringData/TOKEN").is_some());
    }

    #[test]
    fn a_fingerprint_says_nothing_without_its_snapshots_key() {
        let snapshots = [7, 8].map(|byte| masked(secret("hunter2"), &Fingerprints::keyed([byte; 16])));
        assert_ne!(snapshots[0].at("/data"), snapshots[1].at("/data"));
        let guessed = masked(secret("hunter2"), &Fingerprints::default());
        assert_ne!(snapshots[0].at("/data"), guessed.at("/data"), "what everybody can compute is not in it");
    }

    #[test]
    fn secrets_written_otherwise_and_records_in_config_maps_are_kept_no_more_than_others() {
        for value in [
            json!({"apiVersion": "v1", "kind": "secret", "data": {"a": "hunter2"}}),
            json!({"apiVersion": "v1", "kind": "Secret", "Data": {"a": "hunter2"}, "data": "hunter2"}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"labels": {"owner": "helm"}}, "data": {"release": "hunter2"}}),
        ] {
            let object = masked(Object::from_value(value).expect("a map"), &Fingerprints::keyed([7; 16]));
            assert!(!object.value().to_string().contains("hunter2"), "{}", object.value());
        }
    }

    #[test]
    fn a_release_s_record_keeps_its_manifest_but_no_secret() {
        let record: landfall_release::Record = serde_json::from_value(json!({
            "name": "shop", "version": 3, "namespace": "shop", "info": {"status": "deployed", "notes": "log in with hunter2"},
            "config": {"password": "hunter2"}, "chart": {"metadata": {"name": "shop"}, "values": {"password": "hunter2"}},
            "manifest": "---\n# Source: shop/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n---\n# Source: shop/templates/b.yaml\napiVersion: v1\nkind: Secret\nmetadata:\n  name: b\nstringData:\n  PEM: |\n    -----BEGIN KEY-----\n    hunter2\n  PASSWORD: hunter2\n",
        }))
        .expect("a record");
        let stored = landfall_release::encode(&record).expect("encodes");
        let object = Object::from_value(json!({"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"name": "sh.helm.release.v1.shop.v3", "namespace": "shop"},
            "data": {"release": STANDARD.encode(stored)}}))
        .expect("a map");
        let object = masked(object, &Fingerprints::keyed([7; 16]));
        let text = String::from_utf8(STANDARD.decode(object.str_at("/data/release").expect("kept")).expect("base64"));
        let record = landfall_release::decode("x", &text.expect("text")).expect("a record still");
        let all = serde_json::to_string(&record).expect("JSON");
        assert!(!all.contains("hunter2"), "{all}");
        let objects = landfall_release::manifest_objects(&record.manifest).expect("a manifest");
        assert_eq!(objects.len(), 2);
        assert!(record.manifest.contains("# Source: shop/templates/b.yaml"), "{}", record.manifest);
    }
}
