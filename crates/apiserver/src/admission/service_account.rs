//! ServiceAccount: pods run as an account, with its token mounted (`plugin/pkg/admission/serviceaccount`).

use serde_json::{Value, json};

use super::Review;
use crate::status::Status;
use crate::world::World;

const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

pub(super) fn assign(world: &mut World, review: &mut Review<'_>) -> Result<(), Status> {
    if !review.creates("pods") {
        return Ok(());
    }
    let annotations = &review.object["metadata"]["annotations"];
    if annotations.get("kubernetes.io/config.mirror").is_some() {
        return Ok(());
    }
    let spec = &mut review.object["spec"];
    if spec["serviceAccountName"].as_str().unwrap_or_default().is_empty() {
        spec["serviceAccountName"] = json!("default");
    }
    let name = spec["serviceAccountName"].as_str().unwrap_or_default().to_owned();
    spec["serviceAccount"] = json!(name);
    let Some(account) = world.find("serviceaccounts", review.namespace, &name) else {
        return Err(review.forbid(format!(
            "error looking up service account {}/{name}: serviceaccount \"{name}\" not found",
            review.namespace
        )));
    };
    let spec = &mut review.object["spec"];
    let secrets = account["imagePullSecrets"].as_array().filter(|list| !list.is_empty());
    if let Some(secrets) = secrets
        && spec["imagePullSecrets"].as_array().is_none_or(Vec::is_empty)
    {
        spec["imagePullSecrets"] = json!(secrets);
    }
    let mounts = spec["automountServiceAccountToken"]
        .as_bool()
        .or_else(|| account["automountServiceAccountToken"].as_bool())
        .unwrap_or(true);
    if mounts {
        let suffix = world.random().suffix(5);
        mount_token(spec, &format!("kube-api-access-{suffix}"));
    }
    Ok(())
}

fn mount_token(spec: &mut Value, fresh: &str) {
    // A pod made from another's template may carry the volume already.
    let known = spec["volumes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|volume| volume["name"].as_str())
        .find(|name| name.starts_with("kube-api-access-"))
        .map(str::to_owned);
    let name = known.clone().unwrap_or_else(|| fresh.to_owned());
    let mut used = false;
    for field in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec[field].as_array_mut().into_iter().flatten() {
            let mounts = container["volumeMounts"].as_array().cloned().unwrap_or_default();
            if mounts.iter().any(|mount| mount["mountPath"] == MOUNT_PATH) {
                continue;
            }
            let mut mounts = mounts;
            mounts.push(json!({"name": name, "readOnly": true, "mountPath": MOUNT_PATH}));
            container["volumeMounts"] = Value::Array(mounts);
            used = true;
        }
        if spec[field].is_null()
            && let Some(map) = spec.as_object_mut()
        {
            map.remove(field);
        }
    }
    if !used || known.is_some() {
        return;
    }
    let volume = json!({
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
            ],
        },
    });
    match spec["volumes"].as_array_mut() {
        Some(volumes) => volumes.push(volume),
        None => spec["volumes"] = json!([volume]),
    }
}
