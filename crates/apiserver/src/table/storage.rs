//! Rows of configuration and volumes.

use serde_json::{Value, json};

use super::{Printer, age, list, name, str_of, text, wide};

fn entries(object: &Value, fields: &[&str]) -> Value {
    json!(fields.iter().map(|field| object[*field].as_object().map_or(0, |map| map.len())).sum::<usize>())
}

pub(super) const CONFIG_MAP: Printer = Printer {
    columns: &[text("Name"), text("Data"), text("Age")],
    row: |object, now| vec![name(object), entries(object, &["data", "binaryData"]), age(object, now)],
};

pub(super) const SECRET: Printer = Printer {
    columns: &[text("Name"), text("Type"), text("Data"), text("Age")],
    row: |object, now| vec![name(object), object["type"].clone(), entries(object, &["data"]), age(object, now)],
};

fn modes(modes: &Value) -> String {
    let short = list(modes).iter().map(|mode| match str_of(mode) {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    });
    short.collect::<Vec<_>>().join(",")
}

fn volume_mode(spec: &Value) -> Value {
    json!(spec["volumeMode"].as_str().unwrap_or("<unset>"))
}

pub(super) const CLAIM: Printer = Printer {
    columns: &[
        text("Name"),
        text("Status"),
        text("Volume"),
        text("Capacity"),
        text("Access Modes"),
        text("StorageClass"),
        text("VolumeAttributesClass"),
        text("Age"),
        wide("VolumeMode"),
    ],
    row: |object, now| {
        let (spec, status) = (&object["spec"], &object["status"]);
        let phase =
            if object["metadata"]["deletionTimestamp"].is_string() { "Terminating" } else { str_of(&status["phase"]) };
        let bound = !str_of(&spec["volumeName"]).is_empty();
        let class = spec["storageClassName"]
            .as_str()
            .or_else(|| object["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"].as_str());
        vec![
            name(object),
            json!(phase),
            json!(str_of(&spec["volumeName"])),
            json!(if bound { str_of(&status["capacity"]["storage"]) } else { "" }),
            json!(if bound { modes(&status["accessModes"]) } else { String::new() }),
            json!(class.unwrap_or_default()),
            json!(spec["volumeAttributesClassName"].as_str().unwrap_or("<unset>")),
            age(object, now),
            volume_mode(spec),
        ]
    },
};

pub(super) const VOLUME: Printer = Printer {
    columns: &[
        text("Name"),
        text("Capacity"),
        text("Access Modes"),
        text("Reclaim Policy"),
        text("Status"),
        text("Claim"),
        text("StorageClass"),
        text("VolumeAttributesClass"),
        text("Reason"),
        text("Age"),
        wide("VolumeMode"),
    ],
    row: |object, now| {
        let (spec, status) = (&object["spec"], &object["status"]);
        let claim = &spec["claimRef"];
        let claim = if claim.is_object() {
            format!("{}/{}", str_of(&claim["namespace"]), str_of(&claim["name"]))
        } else {
            String::new()
        };
        let phase =
            if object["metadata"]["deletionTimestamp"].is_string() { "Terminating" } else { str_of(&status["phase"]) };
        vec![
            name(object),
            json!(str_of(&spec["capacity"]["storage"])),
            json!(modes(&spec["accessModes"])),
            json!(str_of(&spec["persistentVolumeReclaimPolicy"])),
            json!(phase),
            json!(claim),
            json!(str_of(&spec["storageClassName"])),
            json!(spec["volumeAttributesClassName"].as_str().unwrap_or("<unset>")),
            json!(str_of(&status["reason"])),
            age(object, now),
            volume_mode(spec),
        ]
    },
};

pub(super) const STORAGE_CLASS: Printer = Printer {
    columns: &[
        text("Name"),
        text("Provisioner"),
        text("ReclaimPolicy"),
        text("VolumeBindingMode"),
        super::Column { name: "AllowVolumeExpansion", kind: "string", wide: false },
        text("Age"),
    ],
    row: |object, now| {
        let default = object["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true";
        let shown = if default {
            format!("{} (default)", str_of(&object["metadata"]["name"]))
        } else {
            str_of(&object["metadata"]["name"]).to_owned()
        };
        vec![
            json!(shown),
            object["provisioner"].clone(),
            json!(object["reclaimPolicy"].as_str().unwrap_or("Delete")),
            json!(object["volumeBindingMode"].as_str().unwrap_or("Immediate")),
            json!(object["allowVolumeExpansion"] == true),
            age(object, now),
        ]
    },
};
