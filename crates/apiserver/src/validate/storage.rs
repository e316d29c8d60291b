//! ConfigMaps, Secrets, claims, volumes and classes.

use base64::Engine as _;
use landfall_object::{FieldError, Quantity};
use serde_json::Value;

use super::at::{At, Errors};
use super::{container, metadata, names};

const MOST_BYTES: usize = 1024 * 1024;

pub(super) fn validate(errors: &mut Errors, kind: &str, object: &At<'_>, old: Option<&At<'_>>) {
    match kind {
        "ConfigMap" => {
            frozen(errors, object, old, &["data", "binaryData"]);
            config_map(errors, object);
        }
        "Secret" => {
            if let Some(old) = old {
                errors.immutable(&object.get("type"), &old.get("type"));
            }
            frozen(errors, object, old, &["data"]);
            secret(errors, object);
        }
        "PersistentVolumeClaim" => {
            claim_spec(errors, &object.get("spec"));
            if let Some(old) = old {
                claim_update(errors, object, old);
            }
        }
        "PersistentVolume" => volume(errors, &object.get("spec")),
        "StorageClass" => class(errors, object, old),
        _ => {}
    }
}

/// What `immutable: true` forbids.
fn frozen(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>, fields: &[&str]) {
    let Some(old) = old.filter(|old| old.get("immutable").flag()) else { return };
    let detail = "field is immutable when `immutable` is set";
    if !object.get("immutable").flag() {
        errors.forbidden("immutable", detail);
    }
    for field in fields {
        if object.get(field).value != old.get(field).value {
            errors.forbidden(*field, detail);
        }
    }
}

fn decoded_len(value: &At<'_>) -> usize {
    let text = value.text();
    text.len() / 4 * 3 - text.bytes().rev().take_while(|byte| *byte == b'=').count()
}

fn config_map(errors: &mut Errors, object: &At<'_>) {
    let mut size = 0;
    for (key, value) in object.get("data").entries() {
        for message in names::config_key(key) {
            errors.push(FieldError::invalid(value.path.clone(), key, message));
        }
        if object.get("binaryData").value.get(key).is_some() {
            errors.push(FieldError::invalid(value.path.clone(), key, "duplicate of key present in binaryData"));
        }
        size += value.text().len();
    }
    for (key, value) in object.get("binaryData").entries() {
        for message in names::config_key(key) {
            errors.push(FieldError::invalid(value.path.clone(), key, message));
        }
        size += decoded_len(&value);
    }
    if size > MOST_BYTES {
        errors.push(FieldError::too_long("", MOST_BYTES));
    }
}

fn secret(errors: &mut Errors, object: &At<'_>) {
    let data = object.get("data");
    let mut size = 0;
    for (key, value) in data.entries() {
        for message in names::config_key(key) {
            errors.push(FieldError::invalid(value.path.clone(), key, message));
        }
        size += decoded_len(&value);
    }
    if size > MOST_BYTES {
        errors.push(FieldError::too_long("data", MOST_BYTES));
    }
    let has = |key: &str| data.value.get(key).is_some();
    let required = |errors: &mut Errors, key: &str| errors.required(data.key(key), "");
    match object.get("type").text() {
        "kubernetes.io/service-account-token" => {
            let name = "kubernetes.io/service-account.name";
            if object.dig("metadata.annotations").value.get(name).and_then(Value::as_str).is_none_or(str::is_empty) {
                errors.required(format!("metadata.annotations[{name}]"), "");
            }
        }
        "kubernetes.io/dockercfg" => docker(errors, &data, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => docker(errors, &data, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
            required(errors, "username");
            required(errors, "password");
        }
        "kubernetes.io/ssh-auth" if data.get("ssh-privatekey").is_empty() => {
            required(errors, "ssh-privatekey");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                if !has(key) {
                    required(errors, key);
                }
            }
        }
        _ => {}
    }
}

fn docker(errors: &mut Errors, data: &At<'_>, key: &str) {
    let Some(text) = data.value.get(key).and_then(Value::as_str) else {
        errors.required(data.key(key), "");
        return;
    };
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    if let Some(reason) = not_a_json_map(&bytes) {
        errors.push(FieldError::invalid(data.key(key), "<secret contents redacted>", reason));
    }
}

/// Why bytes are no JSON map, in Go's words.
fn not_a_json_map(bytes: &[u8]) -> Option<String> {
    if let Err(error) = landfall_sprig::from_json(bytes) {
        return Some(error);
    }
    let kind = match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(_) | Value::Null) => return None,
        Ok(Value::Array(_)) => "array",
        Ok(Value::String(_)) => "string",
        Ok(Value::Bool(_)) => "bool",
        _ => "number",
    };
    Some(format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"))
}

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

fn access_modes(errors: &mut Errors, modes: &At<'_>) {
    let mut found: Vec<&str> = Vec::new();
    for mode in modes.items() {
        if !ACCESS_MODES.contains(&mode.text()) {
            errors.push(FieldError::not_supported(modes.path.clone(), mode.text(), &ACCESS_MODES));
        }
        found.push(mode.text());
    }
    if found.contains(&"ReadWriteOncePod") && found.iter().any(|mode| *mode != "ReadWriteOncePod") {
        errors.forbidden(modes.path.clone(), "may not use ReadWriteOncePod with other access modes");
    }
}

/// The spec of a claim, also inside a StatefulSet.
pub(super) fn claim_spec(errors: &mut Errors, spec: &At<'_>) {
    let modes = spec.get("accessModes");
    if modes.is_empty() {
        errors.required(modes.path.clone(), "at least 1 access mode is required");
    }
    if spec.get("selector").is_set() {
        metadata::selector(errors, &spec.get("selector"));
    }
    access_modes(errors, &modes);
    let size = spec.dig("resources.requests.storage");
    let path = spec.get("resources").key("storage");
    match Quantity::from_json(size.value) {
        Err(_) => errors.required(path, ""),
        Ok(quantity) if quantity.signum() <= 0 => {
            errors.push(FieldError::invalid(path, quantity.to_string(), "must be greater than zero"));
        }
        Ok(_) => container::resource_quantity(errors, "storage", &At::new(size.value, path)),
    }
    let class = spec.get("storageClassName");
    if !class.is_empty() {
        errors.each(&class, names::dns_subdomain(class.text()));
    }
    errors.one_of_if_set(&spec.get("volumeMode"), &["Block", "Filesystem"]);
}

fn claim_update(errors: &mut Errors, object: &At<'_>, old: &At<'_>) {
    let bound = object.dig("status.phase").text() == "Bound";
    let kept = |at: &At<'_>| {
        let mut spec = at.get("spec").value.clone();
        if let Some(map) = spec.as_object_mut() {
            if old.dig("spec.volumeName").is_empty() {
                map.remove("volumeName");
            }
            if bound {
                map.remove("volumeAttributesClassName");
            }
        }
        if bound && let Some(requests) = spec.pointer_mut("/resources/requests").and_then(Value::as_object_mut) {
            requests.remove("storage");
        }
        spec
    };
    if kept(object) != kept(old) {
        errors.forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        );
    }
    let size = |at: &At<'_>, path: &str| Quantity::from_json(at.dig(path).value).unwrap_or_else(|_| Quantity::zero());
    let storage = "spec.resources.requests.storage";
    if size(object, storage) < size(old, storage) && size(object, storage) <= size(old, "status.capacity.storage") {
        errors.forbidden(storage, "field can not be less than status.capacity");
    }
}

fn volume(errors: &mut Errors, spec: &At<'_>) {
    let modes = spec.get("accessModes");
    if modes.is_empty() {
        errors.required(modes.path.clone(), "");
    }
    access_modes(errors, &modes);
    let capacity = spec.get("capacity");
    if capacity.is_empty() {
        errors.required(capacity.path.clone(), "");
    }
    if capacity.value.get("storage").is_none() || capacity.entries().count() > 1 {
        let keys: Vec<&str> = vec!["storage"];
        errors.push(FieldError::not_supported(capacity.path.clone(), capacity.value.clone(), &keys));
    }
    errors.one_of_if_set(&spec.get("persistentVolumeReclaimPolicy"), &["Delete", "Recycle", "Retain"]);
    let sources = [
        "hostPath",
        "nfs",
        "csi",
        "local",
        "iscsi",
        "fc",
        "rbd",
        "cephfs",
        "gcePersistentDisk",
        "awsElasticBlockStore",
        "azureDisk",
        "azureFile",
        "vsphereVolume",
        "portworxVolume",
        "cinder",
        "glusterfs",
        "flexVolume",
        "flocker",
        "quobyte",
        "scaleIO",
        "storageos",
        "photonPersistentDisk",
    ];
    let count = sources.iter().filter(|source| spec.get(source).is_set()).count();
    if count == 0 {
        errors.required(spec.path.clone(), "must specify a volume type");
    }
    errors.one_of_if_set(&spec.get("volumeMode"), &["Block", "Filesystem"]);
}

fn class(errors: &mut Errors, object: &At<'_>, old: Option<&At<'_>>) {
    if let Some(old) = old {
        let changed = |field: &str| object.get(field).value != old.get(field).value;
        if changed("parameters") {
            errors.invalid(&object.get("parameters"), "field is immutable");
        }
        for field in ["provisioner", "reclaimPolicy", "volumeBindingMode"] {
            errors.immutable(&object.get(field), &old.get(field));
        }
        return;
    }
    let provisioner = object.get("provisioner");
    if provisioner.is_empty() {
        errors.required(provisioner.path.clone(), "");
    } else {
        errors.each(&provisioner, names::qualified_name(&provisioner.text().to_lowercase()));
    }
    errors.one_of_if_set(&object.get("reclaimPolicy"), &["Delete", "Retain"]);
    errors.one_of(&object.get("volumeBindingMode"), &["Immediate", "WaitForFirstConsumer"]);
}
