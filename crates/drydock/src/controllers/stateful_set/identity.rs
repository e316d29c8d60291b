//! What makes a pod of a stateful set that one: its name, labels and claims (`stateful_set_utils.go`).

use serde_json::{Value, json};

use super::super::fields::{child, entries, list, name, namespace, set_label, text};
use super::super::pod_control;
use super::REVISION_LABEL;

/// The ordinal of a pod of that name, if it can belong to the set.
pub(in crate::controllers) fn ordinal(set: &str, pod: &str) -> Option<i64> {
    let digits = pod.strip_prefix(set)?.strip_prefix('-')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if plain && (digits == "0" || !digits.starts_with('0')) { digits.parse().ok() } else { None }
}

/// The pod of an ordinal at a revision.
pub(super) fn pod(set: &Value, template: &Value, ordinal: i64, revision: &str) -> Value {
    let mut pod = pod_control::from_template(template, set);
    let pod_name = format!("{}-{ordinal}", name(set));
    pod["metadata"]["name"] = pod_name.clone().into();
    pod["metadata"]["generateName"] = format!("{}-", name(set)).into();
    set_label(&mut pod, "statefulset.kubernetes.io/pod-name", &pod_name);
    set_label(&mut pod, "apps.kubernetes.io/pod-index", &ordinal.to_string());
    set_label(&mut pod, REVISION_LABEL, revision);
    let spec = child(&mut pod, "spec");
    spec["hostname"] = pod_name.into();
    if !text(set, "/spec/serviceName").is_empty() {
        spec["subdomain"] = set["spec"]["serviceName"].clone();
    }
    let templates = list(set, "/spec/volumeClaimTemplates");
    let mut volumes: Vec<Value> = templates
        .iter()
        .map(|claim| {
            json!({"name": name(claim), "persistentVolumeClaim": {"claimName": claim_name(set, claim, ordinal)}})
        })
        .collect();
    let own = list(spec, "/volumes").iter();
    volumes.extend(own.filter(|v| !templates.iter().any(|t| name(t) == text(v, "/name"))).cloned());
    if !volumes.is_empty() {
        spec["volumes"] = volumes.into();
    }
    pod
}

/// The claims that the pod needs, from the set's templates.
pub(super) fn claims(set: &Value, pod: &Value) -> Vec<Value> {
    let Some(ordinal) = ordinal(name(set), name(pod)) else { return Vec::new() };
    list(set, "/spec/volumeClaimTemplates")
        .iter()
        .map(|template| {
            let mut claim = template.clone();
            claim["apiVersion"] = "v1".into();
            claim["kind"] = "PersistentVolumeClaim".into();
            let metadata = child(&mut claim, "metadata");
            metadata["name"] = claim_name(set, template, ordinal).into();
            metadata["namespace"] = namespace(set).into();
            for (key, value) in entries(set, "/spec/selector/matchLabels") {
                set_label(&mut claim, key, value);
            }
            if let Some(claim) = claim.as_object_mut() {
                claim.remove("status");
            }
            claim
        })
        .collect()
}

fn claim_name(set: &Value, template: &Value, ordinal: i64) -> String {
    format!("{}-{}-{ordinal}", name(template), name(set))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_ordinals_belong_to_the_set() {
        assert_eq!(ordinal("db", "db-0"), Some(0));
        assert_eq!(ordinal("db", "db-12"), Some(12));
        assert_eq!(ordinal("db", "db-01"), None);
        assert_eq!(ordinal("db", "db-x"), None);
        assert_eq!(ordinal("db", "dbx-1"), None);
    }

    #[test]
    fn a_claim_template_becomes_claim_and_volume_of_the_ordinal() {
        let set = json!({
            "metadata": {"name": "db", "namespace": "shop", "uid": "u"},
            "spec": {
                "serviceName": "db-headless",
                "selector": {"matchLabels": {"app": "db"}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}],
            },
        });
        let template =
            json!({"metadata": {"labels": {"app": "db"}}, "spec": {"volumes": [{"name": "data"}, {"name": "tmp"}]}});
        let pod = pod(&set, &template, 1, "db-abc");
        assert_eq!(text(&pod, "/spec/volumes/0/persistentVolumeClaim/claimName"), "data-db-1");
        assert_eq!(text(&pod, "/spec/volumes/1/name"), "tmp");
        assert_eq!(text(&pod, "/spec/hostname"), "db-1");
        assert_eq!(text(&pod, "/spec/subdomain"), "db-headless");
        let claims = claims(&set, &pod);
        assert_eq!(name(&claims[0]), "data-db-1");
        assert_eq!(text(&claims[0], "/metadata/labels/app"), "db");
    }
}
