//! Defaults of `core/v1`.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::{inner, is_empty, is_unset, items, set, set_nonzero, text};

type Fields = Map<String, Value>;

const DEFAULT_MODE: i64 = 0o644;

pub(super) fn rules(name: &str, map: &mut Fields) {
    match name {
        "Container" | "EphemeralContainer" => container(map),
        "Pod" => pod(map),
        "PodSpec" => pod_spec(map),
        "Probe" => {
            set_nonzero(map, "timeoutSeconds", 1);
            set_nonzero(map, "periodSeconds", 10);
            set_nonzero(map, "successThreshold", 1);
            set_nonzero(map, "failureThreshold", 3);
        }
        "HTTPGetAction" => {
            set(map, "path", "/");
            set(map, "scheme", "HTTP");
        }
        "Volume" => volume(map),
        "SecretVolumeSource" | "ConfigMapVolumeSource" | "DownwardAPIVolumeSource" | "ProjectedVolumeSource" => {
            set(map, "defaultMode", DEFAULT_MODE);
        }
        "HostPathVolumeSource" if map.get("type").is_none_or(Value::is_null) => {
            map.insert("type".into(), "".into());
        }
        "ServiceAccountTokenProjection" => set(map, "expirationSeconds", 3600),
        "ObjectFieldSelector" => set(map, "apiVersion", "v1"),
        "Service" => service(map),
        "Secret" => secret(map),
        "PersistentVolume" => {
            set(inner(map, "status"), "phase", "Pending");
            let spec = inner(map, "spec");
            set(spec, "persistentVolumeReclaimPolicy", "Retain");
            set(spec, "volumeMode", "Filesystem");
        }
        "PersistentVolumeClaim" => set(inner(map, "status"), "phase", "Pending"),
        "PersistentVolumeClaimSpec" => set(map, "volumeMode", "Filesystem"),
        "EndpointPort" => set(map, "protocol", "TCP"),
        "Namespace" => {
            let metadata = inner(map, "metadata");
            if let Some(name) = metadata.get("name").filter(|name| !is_unset(Some(name))).cloned() {
                inner(metadata, "labels").insert("kubernetes.io/metadata.name".into(), name);
            }
            set(inner(map, "status"), "phase", "Active");
        }
        "NodeSpec" => node_spec(map),
        "NodeStatus" if is_empty(map, "allocatable") => {
            if let Some(capacity) = map.get("capacity").cloned() {
                map.insert("allocatable".into(), capacity);
            }
        }
        "LimitRangeItem" => limit_range_item(map),
        "ReplicationController" => {
            let labels = map.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels")).cloned();
            if let Some(labels) = labels.filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty())) {
                if is_empty(inner(map, "spec"), "selector") {
                    inner(map, "spec").insert("selector".into(), labels.clone());
                }
                if is_empty(inner(map, "metadata"), "labels") {
                    inner(map, "metadata").insert("labels".into(), labels);
                }
            }
            set(inner(map, "spec"), "replicas", 1);
        }
        _ => {}
    }
}

fn container(map: &mut Fields) {
    let policy = if image_is_latest(text(map, "image")) { "Always" } else { "IfNotPresent" };
    set(map, "imagePullPolicy", policy);
    set(map, "terminationMessagePath", "/dev/termination-log");
    set(map, "terminationMessagePolicy", "File");
}

/// Whether an image reference means the tag `latest`: written so, or neither tag nor digest.
fn image_is_latest(image: &str) -> bool {
    if image.is_empty() || image.contains(char::is_whitespace) {
        return false;
    }
    let (name, digest) = image.split_once('@').map_or((image, false), |(name, _)| (name, true));
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => !digest,
    }
}

fn pod(map: &mut Fields) {
    let Some(Value::Object(spec)) = map.get_mut("spec") else { return };
    let host_network = spec.get("hostNetwork").and_then(Value::as_bool) == Some(true);
    for list in ["containers", "initContainers"] {
        for container in items(spec, list) {
            if let Some(Value::Object(resources)) = container.get_mut("resources") {
                requests_from_limits(resources);
            }
            if host_network {
                for port in items(container, "ports") {
                    let number = port.get("containerPort").and_then(Value::as_i64).unwrap_or(0);
                    set_nonzero(port, "hostPort", number);
                }
            }
        }
    }
    if let Some(Value::Object(resources)) = spec.get_mut("resources") {
        requests_from_limits(resources);
    }
    set(spec, "enableServiceLinks", true);
}

fn requests_from_limits(resources: &mut Fields) {
    let Some(Value::Object(limits)) = resources.get("limits").cloned() else { return };
    if limits.is_empty() {
        return;
    }
    let requests = inner(resources, "requests");
    for (name, limit) in limits {
        requests.entry(name).or_insert(limit);
    }
}

/// The one range of a node and the first of the list are kept equal; where they differ, the one counts.
fn node_spec(map: &mut Fields) {
    let first = map.get("podCIDRs").and_then(|ranges| ranges.get(0)?.as_str()).map(str::to_owned);
    let single = Some(text(map, "podCIDR").to_owned()).filter(|range| !range.is_empty());
    match (single, first) {
        (Some(single), first) if first.as_ref() != Some(&single) => {
            map.insert("podCIDRs".into(), vec![single].into());
        }
        (None, Some(first)) => {
            map.insert("podCIDR".into(), first.into());
        }
        _ => {}
    }
}

fn pod_spec(map: &mut Fields) {
    set(map, "dnsPolicy", "ClusterFirst");
    set(map, "restartPolicy", "Always");
    set(map, "securityContext", Value::Object(Map::new()));
    set(map, "terminationGracePeriodSeconds", 30);
    set(map, "schedulerName", "default-scheduler");
    // The old name of the field is kept equal to the new one.
    let account =
        [text(map, "serviceAccountName"), text(map, "serviceAccount")].into_iter().find(|name| !name.is_empty());
    if let Some(account) = account.map(str::to_owned) {
        map.insert("serviceAccountName".into(), account.clone().into());
        map.insert("serviceAccount".into(), account.into());
    }
}

fn volume(map: &mut Fields) {
    if map.iter().all(|(field, value)| field == "name" || value.is_null()) {
        map.insert("emptyDir".into(), Value::Object(Map::new()));
    }
    if let Some(Value::Object(image)) = map.get_mut("image") {
        let policy = if image_is_latest(text(image, "reference")) { "Always" } else { "IfNotPresent" };
        set(image, "pullPolicy", policy);
    }
}

fn service(map: &mut Fields) {
    let spec = inner(map, "spec");
    set(spec, "sessionAffinity", "None");
    match text(spec, "sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            let client = inner(inner(spec, "sessionAffinityConfig"), "clientIP");
            set(client, "timeoutSeconds", 10_800);
        }
        _ => {}
    }
    set(spec, "type", "ClusterIP");
    for port in items(spec, "ports") {
        set(port, "protocol", "TCP");
        let unset = is_unset(port.get("targetPort")) || port.get("targetPort").and_then(Value::as_i64) == Some(0);
        if let Some(number) = port.get("port").filter(|_| unset).cloned() {
            port.insert("targetPort".into(), number);
        }
    }
    let kind = text(spec, "type").to_owned();
    let external = match kind.as_str() {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !is_empty(spec, "externalIPs"),
        _ => false,
    };
    if external {
        set(spec, "externalTrafficPolicy", "Cluster");
    }
    if matches!(kind.as_str(), "LoadBalancer" | "NodePort" | "ClusterIP") {
        set(spec, "internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        set(spec, "allocateLoadBalancerNodePorts", true);
        if let Some(Value::Object(balancer)) = map.get_mut("status").and_then(|status| status.get_mut("loadBalancer")) {
            for ingress in items(balancer, "ingress") {
                if !text(ingress, "ip").is_empty() {
                    set(ingress, "ipMode", "VIP");
                }
            }
        }
    }
}

/// `stringData` is for writing only: it goes into `data`.
fn secret(map: &mut Fields) {
    if let Some(Value::Object(given)) = map.remove("stringData") {
        let data = inner(map, "data");
        for (key, value) in given {
            let encoded = base64::engine::general_purpose::STANDARD.encode(value.as_str().unwrap_or_default());
            data.insert(key, encoded.into());
        }
        if data.is_empty() {
            map.remove("data");
        }
    }
    set(map, "type", "Opaque");
}

fn limit_range_item(map: &mut Fields) {
    if text(map, "type") != "Container" {
        return;
    }
    for (target, sources) in [("default", ["max"].as_slice()), ("defaultRequest", ["default", "min"].as_slice())] {
        for source in sources {
            let Some(Value::Object(values)) = map.get(*source).cloned() else { continue };
            let filled = inner(map, target);
            for (name, value) in values {
                filled.entry(name).or_insert(value);
            }
        }
    }
}
