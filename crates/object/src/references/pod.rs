use serde_json::Value;

use super::{Collector, Need};

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    value.get(field).and_then(Value::as_array).into_iter().flatten().enumerate()
}

fn need(source: &Value) -> Need {
    if source.get("optional").and_then(Value::as_bool) == Some(true) { Need::Optional } else { Need::Start }
}

fn key(source: &Value) -> Option<String> {
    source.get("key").and_then(Value::as_str).map(str::to_owned)
}

/// The references of a pod's spec, wherever it stands.
pub(super) fn pod_spec(found: &mut Collector, spec: Option<&Value>, path: &str) {
    let Some(spec) = spec else { return };
    let account = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount"));
    found.core("ServiceAccount", account, None, format!("{path}.serviceAccountName"), Need::Start);
    let class = spec.get("priorityClassName");
    found.cluster("scheduling.k8s.io", "PriorityClass", class, format!("{path}.priorityClassName"), Need::Start);
    let class = spec.get("runtimeClassName");
    found.cluster("node.k8s.io", "RuntimeClass", class, format!("{path}.runtimeClassName"), Need::Start);
    for (at, secret) in list(spec, "imagePullSecrets") {
        found.core("Secret", secret.get("name"), None, format!("{path}.imagePullSecrets[{at}]"), Need::Later);
    }
    for field in ["initContainers", "containers", "ephemeralContainers"] {
        for (at, container) in list(spec, field) {
            container_env(found, container, &format!("{path}.{field}[{at}]"));
        }
    }
    for (at, volume) in list(spec, "volumes") {
        volume_source(found, volume, &format!("{path}.volumes[{at}]"));
    }
}

fn container_env(found: &mut Collector, container: &Value, path: &str) {
    for (at, variable) in list(container, "env") {
        for (field, kind) in [("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")] {
            if let Some(source) = variable.get("valueFrom").and_then(|from| from.get(field)) {
                let path = format!("{path}.env[{at}].valueFrom.{field}");
                found.core(kind, source.get("name"), key(source), path, need(source));
            }
        }
    }
    for (at, from) in list(container, "envFrom") {
        for (field, kind) in [("secretRef", "Secret"), ("configMapRef", "ConfigMap")] {
            if let Some(source) = from.get(field) {
                found.core(kind, source.get("name"), None, format!("{path}.envFrom[{at}].{field}"), need(source));
            }
        }
    }
}

fn volume_source(found: &mut Collector, volume: &Value, path: &str) {
    if let Some(claim) = volume.get("persistentVolumeClaim") {
        let name = claim.get("claimName");
        found.core("PersistentVolumeClaim", name, None, format!("{path}.persistentVolumeClaim"), Need::Start);
    }
    if let Some(source) = volume.get("secret") {
        keyed(found, "Secret", source.get("secretName"), source, &format!("{path}.secret"));
    }
    if let Some(source) = volume.get("configMap") {
        keyed(found, "ConfigMap", source.get("name"), source, &format!("{path}.configMap"));
    }
    let sources = volume.pointer("/projected/sources").and_then(Value::as_array);
    for (at, projected) in sources.into_iter().flatten().enumerate() {
        for (field, kind) in [("secret", "Secret"), ("configMap", "ConfigMap")] {
            if let Some(source) = projected.get(field) {
                let path = format!("{path}.projected.sources[{at}].{field}");
                keyed(found, kind, source.get("name"), source, &path);
            }
        }
    }
    if let Some(source) = volume.pointer("/csi/nodePublishSecretRef") {
        found.core("Secret", source.get("name"), None, format!("{path}.csi.nodePublishSecretRef"), Need::Start);
    }
    if let Some(spec) = volume.pointer("/ephemeral/volumeClaimTemplate/spec") {
        super::claim_spec(found, Some(spec), &format!("{path}.ephemeral.volumeClaimTemplate.spec"));
    }
}

/// One reference for each key that is mounted, or one for the whole when all are.
fn keyed(found: &mut Collector, kind: &str, name: Option<&Value>, source: &Value, path: &str) {
    let mut whole = true;
    for (at, item) in list(source, "items") {
        whole = false;
        found.core(kind, name, key(item), format!("{path}.items[{at}]"), need(source));
    }
    if whole {
        found.core(kind, name, None, path.to_owned(), need(source));
    }
}
