//! What is told of pods and pod templates: what has stopped to work (`pkg/api/pod/warnings.go`).

use serde_json::Value;

use crate::remarks::Remarks;

/// Annotations that nothing reads any more, and what to use.
const ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        r#"non-functional in v1.16+; use the "priorityClassName" field instead"#,
    ),
    ("security.alpha.kubernetes.io/sysctls", r#"non-functional in v1.11+; use the "sysctls" field instead"#),
    ("security.alpha.kubernetes.io/unsafe-sysctls", r#"non-functional in v1.11+; use the "sysctls" field instead"#),
];

/// Kinds of volumes on their way out: the field, its name in the message, what is told.
const VOLUMES: [(&str, &str, &str); 9] = [
    ("photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"),
    ("scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_OF: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR_OF: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Warns of a pod (`path` is empty) or of a template that stands at `path`.
pub(super) fn of_pod(pod: &Value, path: &str, remarks: &Remarks) {
    let below = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    let annotation = |key: &str| pod["metadata"]["annotations"].get(key).and_then(Value::as_str);
    let at = |key: &str| below(&format!("metadata.annotations[{key}]"));
    for (key, message) in ANNOTATIONS {
        if annotation(key).is_some() {
            remarks.warn(format!("{}: {message}", at(key)));
        }
    }
    let spec = &pod["spec"];
    for (index, volume) in spec["volumes"].as_array().into_iter().flatten().enumerate() {
        for (field, shown, message) in VOLUMES {
            if !volume[field].is_null() {
                remarks.warn(format!("{}: {message}", below(&format!("spec.volumes[{index}].{shown}"))));
            }
        }
    }
    const UNREAD: &str = r#"non-functional in v1.27+; use the "seccompProfile" field instead"#;
    if spec["securityContext"]["seccompProfile"].is_null() && annotation(SECCOMP).is_some() {
        remarks.warn(format!("{}: {UNREAD}", at(SECCOMP)));
    }
    for container in containers(spec) {
        let name = container["name"].as_str().unwrap_or_default();
        let key = format!("{SECCOMP_OF}{name}");
        if container["securityContext"]["seccompProfile"].is_null() && annotation(&key).is_some() {
            remarks.warn(format!("{}: {UNREAD}", at(&key)));
        }
        // A pod's own annotations have become fields by now, and were told then.
        if path.is_empty() || !container["securityContext"]["appArmorProfile"].is_null() {
            continue;
        }
        let key = format!("{APP_ARMOR_OF}{name}");
        let Some(value) = annotation(&key) else { continue };
        let of_pod = &spec["securityContext"]["appArmorProfile"];
        if of_pod.is_null() || profile(value).as_ref() != Some(of_pod) {
            remarks.warn(format!("{}: {DEPRECATED}", at(&key)));
        }
    }
    ports(spec, path, remarks);
}

/// Ports that meet those of the same pod: equal ones, ones that overlap, and names that are given twice.
fn ports(spec: &Value, path: &str, remarks: &Remarks) {
    let prefix = if path.is_empty() { "spec".to_owned() } else { format!("{path}.spec") };
    let mut all: Vec<(String, &Value)> = Vec::new();
    for list in CONTAINERS {
        for (index, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            for (number, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
                all.push((format!("{prefix}.{list}[{index}].ports[{number}]"), port));
            }
        }
    }
    let host = |port: &Value| port["hostPort"].as_i64().unwrap_or(0);
    let ip = |port: &Value| port["hostIP"].as_str().unwrap_or_default().to_owned();
    for (at, (field, port)) in all.iter().enumerate() {
        let alike = |other: &&(String, &Value)| {
            other.1["containerPort"] == port["containerPort"] && other.1["protocol"] == port["protocol"]
        };
        for (known, other) in all[..at].iter().filter(alike) {
            if ip(port) == ip(other) && host(port) == host(other) {
                remarks.warn(format!("{field}: duplicate port definition with {known}"));
            } else if host(port) == 0 || host(other) == 0 {
                remarks.warn(format!("{field}: overlapping port definition with {known}"));
            } else if host(port) == host(other) && (ip(port).is_empty() != ip(other).is_empty()) {
                remarks.warn(format!("{field}: dangerously ambiguous port definition with {known}"));
            }
        }
    }
    let named = |port: &Value| port["name"].as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    for (at, (field, port)) in all.iter().enumerate() {
        let Some(name) = named(port) else { continue };
        if let Some((known, _)) = all[..at].iter().find(|(_, other)| named(other).as_ref() == Some(&name)) {
            remarks.warn(format!(
                "{field}: duplicate port name {name:?} with {known}, services and probes that select ports by name will use {known}"
            ));
        }
    }
}

const DEPRECATED: &str = r#"deprecated since v1.30; use the "appArmorProfile" field instead"#;

/// Makes fields of a new pod's AppArmor annotations (`applyAppArmorVersionSkew`).
pub(super) fn annotations_to_fields(pod: &mut Value, remarks: &Remarks) {
    if pod["spec"]["os"]["name"] == "windows" {
        return;
    }
    let annotations = pod["metadata"]["annotations"].clone();
    let of_pod = pod["spec"]["securityContext"]["appArmorProfile"].clone();
    for list in CONTAINERS {
        for container in pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let key = format!("{APP_ARMOR_OF}{}", container["name"].as_str().unwrap_or_default());
            let Some(value) = annotations.get(&key).and_then(Value::as_str) else { continue };
            if container.pointer("/securityContext/appArmorProfile").is_some_and(|known| !known.is_null()) {
                continue;
            }
            let made = profile(value);
            let differs = made.as_ref().is_some_and(|made| *made != of_pod);
            if let Some(made) = made.clone().filter(|_| differs) {
                container["securityContext"]["appArmorProfile"] = made;
            }
            if differs || made.is_none() {
                remarks.warn(format!("metadata.annotations[{key}]: {DEPRECATED}"));
            }
        }
    }
}

/// The field that says what an annotation says (`ApparmorFieldForAnnotation`).
fn profile(annotation: &str) -> Option<Value> {
    match annotation {
        "unconfined" => Some(serde_json::json!({"type": "Unconfined"})),
        "runtime/default" => Some(serde_json::json!({"type": "RuntimeDefault"})),
        other => {
            let local = other.strip_prefix("localhost/").filter(|local| !local.is_empty())?;
            Some(serde_json::json!({"type": "Localhost", "localhostProfile": local}))
        }
    }
}

const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    CONTAINERS.into_iter().flat_map(|list| spec[list].as_array().into_iter().flatten())
}
