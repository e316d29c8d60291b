//! What a whole cluster has and the testbed has not, played: a volume provisioner, a load balancer, and the operators whose
//! kinds the examples use.
//!
//! It makes ready what was asked for and nothing else: no operator's workloads, certificates or databases. All that it
//! makes bears [`MARK`], so that it is not taken for what was delivered.

use std::time::Duration;

use serde_json::{Value, json};

use super::recorder::{Recorder, Sighting, What, text};
use crate::traces::side::Side;

/// The annotation of what is played.
pub(super) const MARK: &str = "conformance.landfall.dev/played";

/// Groups whose operators are simulated on the embedded cluster and played here.
pub(super) const OPERATORS: &[&str] = &["cert-manager.io", "k8s.mariadb.com", "bitnami.com"];

/// The class that the embedded cluster and k3s have.
const CLASS: &str = "local-path";

/// What stands on a k3s cluster before anything is delivered, but for what is delivered itself: the embedded cluster gives
/// its own up to it, and who brings a class of the same name to k3s has turned k3s' own off.
pub(super) async fn furnish(side: &Side, brought: &[(&str, &str)]) -> anyhow::Result<()> {
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "rancher.io/local-path", "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
    });
    if !brought.contains(&("StorageClass", CLASS)) {
        side.create("/apis/storage.k8s.io/v1/storageclasses", &class).await?;
    }
    let class = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
        "metadata": {"name": "traefik", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "traefik.io/ingress-controller"},
    });
    if !brought.contains(&("IngressClass", "traefik")) {
        side.create("/apis/networking.k8s.io/v1/ingressclasses", &class).await?;
    }
    Ok(())
}

/// Plays until it is dropped.
pub(super) async fn play(side: &Side, recorder: &Recorder) {
    let mut at = 0;
    loop {
        let fresh = recorder.seen_from(at);
        at += fresh.len();
        for sighting in fresh.iter().filter(|sighting| sighting.what != What::Deleted) {
            if let Err(error) = answer(side, sighting).await {
                // Another answer came first, or the object is gone: the next sighting tells.
                let told = error.to_string();
                if !told.contains("409") && !told.contains("404") {
                    eprintln!("stand-in: {told}");
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn answer(side: &Side, sighting: &Sighting) -> anyhow::Result<()> {
    let object = &sighting.object;
    let (api_version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    match (group, kind) {
        ("", "PersistentVolumeClaim") => provision(side, object).await,
        ("", "Service") if text(object, "/spec/type") == "LoadBalancer" => {
            address(side, object, "/api/v1", "services").await
        }
        ("networking.k8s.io", "Ingress") => address(side, object, "/apis/networking.k8s.io/v1", "ingresses").await,
        ("bitnami.com", "SealedSecret") => unseal(side, object).await,
        ("cert-manager.io", "Certificate") => {
            secret(side, object, text(object, "/spec/secretName"), "kubernetes.io/tls", &["tls.crt", "tls.key"])
                .await?;
            ready(side, object, "Ready").await
        }
        (group, _) if OPERATORS.contains(&group) => ready(side, object, "Ready").await,
        _ => Ok(()),
    }
}

/// Makes the volume of a claim whose pod has a node.
async fn provision(side: &Side, claim: &Value) -> anyhow::Result<()> {
    let annotations = &claim["metadata"]["annotations"];
    let node = annotations["volume.kubernetes.io/selected-node"].as_str().unwrap_or_default();
    // A provisioner waits until the controller has told it that the claim is its own.
    let is_told = annotations["volume.kubernetes.io/storage-provisioner"].is_string();
    if node.is_empty()
        || !is_told
        || !text(claim, "/spec/volumeName").is_empty()
        || text(claim, "/spec/storageClassName") != CLASS
    {
        return Ok(());
    }
    let uid = text(claim, "/metadata/uid");
    let (namespace, name) = (text(claim, "/metadata/namespace"), text(claim, "/metadata/name"));
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": format!("pvc-{uid}"), "annotations": {"pv.kubernetes.io/provisioned-by": "rancher.io/local-path"}},
        "spec": {
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "accessModes": claim["spec"]["accessModes"], "volumeMode": claim["spec"]["volumeMode"],
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": CLASS,
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": name,
                "uid": uid, "resourceVersion": claim["metadata"]["resourceVersion"]},
            "hostPath": {"path": format!("/var/lib/simulated/pvc-{uid}_{namespace}_{name}"), "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}]}},
        },
    });
    side.create("/api/v1/persistentvolumes", &volume).await.map(drop)
}

fn path(object: &Value, prefix: &str, plural: &str) -> String {
    let (namespace, name) = (text(object, "/metadata/namespace"), text(object, "/metadata/name"));
    match namespace {
        "" => format!("{prefix}/{plural}/{name}"),
        namespace => format!("{prefix}/namespaces/{namespace}/{plural}/{name}"),
    }
}

/// Gives a Service or Ingress the address under which it is reached.
async fn address(side: &Side, object: &Value, prefix: &str, plural: &str) -> anyhow::Result<()> {
    if object.pointer("/status/loadBalancer/ingress/0").is_some() {
        return Ok(());
    }
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}});
    side.merge(&format!("{}/status", path(object, prefix, plural)), &status).await.map(drop)
}

/// Says of a custom resource that it is ready.
async fn ready(side: &Side, object: &Value, condition: &str) -> anyhow::Result<()> {
    if object.pointer("/status/conditions/0").is_some() {
        return Ok(());
    }
    // Plurals are regular in all groups that are played.
    let plural = match text(object, "/kind").to_lowercase() {
        kind if kind.ends_with('s') => format!("{kind}es"),
        kind => format!("{kind}s"),
    };
    let prefix = format!("/apis/{}", text(object, "/apiVersion"));
    let told = json!({"status": {"conditions": [{"type": condition, "status": "True", "reason": "Played",
        "message": "played by the testbed's stand-in", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
    side.merge(&format!("{}/status", path(object, &prefix, &plural)), &told).await.map(drop)
}

/// Makes the Secret of a sealed one, without its values.
async fn unseal(side: &Side, object: &Value) -> anyhow::Result<()> {
    let keys: Vec<&str> =
        object["spec"]["encryptedData"].as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    let name = match text(object, "/spec/template/metadata/name") {
        "" => text(object, "/metadata/name"),
        name => name,
    };
    let kind = match text(object, "/spec/template/type") {
        "" => "Opaque",
        kind => kind,
    };
    secret(side, object, name, kind, &keys).await?;
    ready(side, object, "Synced").await
}

async fn secret(side: &Side, of: &Value, name: &str, kind: &str, keys: &[&str]) -> anyhow::Result<()> {
    let namespace = text(of, "/metadata/namespace");
    // `~` in base64.
    let data: serde_json::Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), json!("fg=="))).collect();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "data": data,
        "metadata": {"name": name, "namespace": namespace, "annotations": {MARK: "true"}}});
    match side.create(&format!("/api/v1/namespaces/{namespace}/secrets"), &secret).await {
        Err(error) if !error.to_string().contains("409") => Err(error),
        _ => Ok(()),
    }
}
