//! What is told of pods and pod templates: what has stopped to work (`pkg/api/pod/warnings.go`).

use std::collections::BTreeSet;

use serde_json::Value;

use super::{addresses, labels, overlaps, storage};
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

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const NO_POD: &str = "a null labelSelector results in matching no pod";
/// Amounts that are bytes.
const BYTES: [&str; 2] = ["memory", "ephemeral-storage"];
const SECCOMP: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_OF: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR_OF: &str = "container.apparmor.security.beta.kubernetes.io/";

/// Warns of a pod (`path` is empty) or of a template that stands at `path`.
pub(super) fn of_pod(pod: &Value, path: &str, remarks: &Remarks) {
    let below = |field: &str| if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") };
    let annotation = |key: &str| pod["metadata"]["annotations"].get(key).and_then(Value::as_str);
    let at = |key: &str| below(&format!("metadata.annotations[{key}]"));
    nodes(&pod["spec"], &below("spec"), remarks);
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
        let template = below(&format!("spec.volumes[{index}].ephemeral.volumeClaimTemplate.spec"));
        storage::requests(&volume["ephemeral"]["volumeClaimTemplate"], &template, remarks);
    }
    overlaps::warn(spec, remarks);
    repeated(spec, &below("spec"), remarks);
    for name in BYTES {
        storage::whole_bytes(&spec["overhead"], name, &below("spec.overhead"), remarks);
    }
    const UNREAD: &str = r#"non-functional in v1.27+; use the "seccompProfile" field instead"#;
    if spec["securityContext"]["seccompProfile"].is_null() && annotation(SECCOMP).is_some() {
        remarks.warn(format!("{}: {UNREAD}", at(SECCOMP)));
    }
    for (place, container) in containers(spec) {
        let name = container["name"].as_str().unwrap_or_default();
        let key = format!("{SECCOMP_OF}{name}");
        if container["securityContext"]["seccompProfile"].is_null() && annotation(&key).is_some() {
            remarks.warn(format!("{}: {UNREAD}", at(&key)));
        }
        // A pod's own annotations have become fields by now, and were told then.
        let key = format!("{APP_ARMOR_OF}{name}");
        if !path.is_empty()
            && container["securityContext"]["appArmorProfile"].is_null()
            && let Some(value) = annotation(&key)
        {
            let of_pod = &spec["securityContext"]["appArmorProfile"];
            if of_pod.is_null() || profile(value).as_ref() != Some(of_pod) {
                remarks.warn(format!("{}: {DEPRECATED}", at(&key)));
            }
        }
        let place = below(&format!("spec.{place}"));
        for amount in BYTES {
            for list in ["limits", "requests"] {
                let path = format!("{place}.resources.{list}");
                storage::whole_bytes(&container["resources"][list], amount, &path, remarks);
            }
        }
        variables(container, &place, remarks);
    }
    ports(spec, path, remarks);
    // A pod's own has become 1 by now.
    if !path.is_empty() && spec["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0) {
        let at = below("spec.terminationGracePeriodSeconds");
        remarks.warn(format!("{at}: must be >= 0; negative values are invalid and will be treated as 1"));
    }
    neighbours(&spec["affinity"], &below("spec.affinity"), remarks);
    for (index, server) in spec["dnsConfig"]["nameservers"].as_array().into_iter().flatten().enumerate() {
        let at = below(&format!("spec.dnsConfig.nameservers[{index}]"));
        addresses::warn(server.as_str().unwrap_or_default(), &at, remarks);
    }
    for (index, alias) in spec["hostAliases"].as_array().into_iter().flatten().enumerate() {
        let at = below(&format!("spec.hostAliases[{index}].ip"));
        addresses::warn(alias["ip"].as_str().unwrap_or_default(), &at, remarks);
    }
}

/// Labels of nodes that are called otherwise by now, and a spread over no pods.
fn nodes(spec: &Value, path: &str, remarks: &Remarks) {
    for key in spec["nodeSelector"].as_object().into_iter().flatten().map(|(key, _)| key) {
        if let Some(message) = labels::deprecated(key) {
            remarks.warn(format!("{path}.nodeSelector[{key}]: {message}"));
        }
    }
    let affinity = &spec["affinity"]["nodeAffinity"];
    let required = &affinity[REQUIRED]["nodeSelectorTerms"];
    for (index, term) in required.as_array().into_iter().flatten().enumerate() {
        let place = format!("{path}.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms[{index}]");
        labels::of_term(term, &place, remarks);
    }
    for (index, term) in affinity[PREFERRED].as_array().into_iter().flatten().enumerate() {
        let place = format!("{path}.affinity.nodeAffinity.{PREFERRED}[{index}].preference");
        labels::of_term(&term["preference"], &place, remarks);
    }
    for (index, spread) in spec["topologySpreadConstraints"].as_array().into_iter().flatten().enumerate() {
        let place = format!("{path}.topologySpreadConstraints[{index}]");
        let key = spread["topologyKey"].as_str().unwrap_or_default();
        if let Some(message) = labels::deprecated(key) {
            remarks.warn(format!("{place}.topologyKey: {key} is {message}"));
        }
        if spread["labelSelector"].is_null() {
            remarks.warn(format!("{place}.labelSelector: {NO_POD}"));
        }
    }
}

/// Terms of pods' neighbours that select none.
fn neighbours(affinity: &Value, path: &str, remarks: &Remarks) {
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (index, term) in affinity[kind][REQUIRED].as_array().into_iter().flatten().enumerate() {
            if term["labelSelector"].is_null() {
                remarks.warn(format!("{path}.{kind}.{REQUIRED}[{index}].labelSelector: {NO_POD}"));
            }
        }
        for (index, term) in affinity[kind][PREFERRED].as_array().into_iter().flatten().enumerate() {
            if term["podAffinityTerm"]["labelSelector"].is_null() {
                remarks.warn(format!("{path}.{kind}.{PREFERRED}[{index}].podAffinityTerm.labelSelector: {NO_POD}"));
            }
        }
    }
}

/// Hosts' addresses and Secrets of registries that are given twice, and one without a name.
fn repeated(spec: &Value, path: &str, remarks: &Remarks) {
    for (list, field, word) in [("hostAliases", "ip", "ip"), ("imagePullSecrets", "name", "name")] {
        let mut known = BTreeSet::new();
        for (index, item) in spec[list].as_array().into_iter().flatten().enumerate() {
            let value = item[field].as_str().unwrap_or_default();
            if !known.insert(value) {
                remarks.warn(format!("{path}.{list}[{index}].{field}: duplicate {word} {value:?}"));
            }
        }
    }
    for (index, item) in spec["imagePullSecrets"].as_array().into_iter().flatten().enumerate() {
        if item["name"].as_str().unwrap_or_default().is_empty() {
            remarks.warn(format!(r#"{path}.imagePullSecrets[{index}].name: invalid empty name """#));
        }
    }
}

/// Variables that are given twice, and the second time without what the first one said.
fn variables(container: &Value, path: &str, remarks: &Remarks) {
    let mut known = BTreeSet::new();
    for (index, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        let name = variable["name"].as_str().unwrap_or_default();
        let (value, first) = (variable["value"].as_str().unwrap_or_default(), format!("$({name})"));
        let hides = !variable["valueFrom"].is_null() || value == first || !value.contains(&first);
        if !known.insert(name) && hides {
            remarks.warn(format!(
                "{path}.env[{index}]: hides previous definition of {name:?}, which may be dropped when using apply"
            ));
        }
    }
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

/// The containers of a pod's spec, and where in it each stands.
fn containers(spec: &Value) -> impl Iterator<Item = (String, &Value)> {
    CONTAINERS.into_iter().flat_map(|list| {
        let containers = spec[list].as_array().into_iter().flatten().enumerate();
        containers.map(move |(index, container)| (format!("{list}[{index}]"), container))
    })
}
