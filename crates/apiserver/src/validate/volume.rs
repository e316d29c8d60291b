//! Volumes of pods.

use landfall_object::{FieldError, Quantity};

use super::at::{At, Errors};
use super::{container, names, paths};

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

const SOURCES: [&str; 12] = [
    "emptyDir",
    "hostPath",
    "secret",
    "nfs",
    "iscsi",
    "persistentVolumeClaim",
    "downwardAPI",
    "configMap",
    "projected",
    "csi",
    "ephemeral",
    "image",
];

/// Validates the volumes; returns the names that may be mounted.
pub(super) fn list<'v>(errors: &mut Errors, volumes: &At<'v>) -> Vec<&'v str> {
    let mut seen: Vec<&str> = Vec::new();
    for volume in volumes.items() {
        let mut found = Errors::default();
        source(&mut found, &volume);
        let name = volume.get("name");
        if name.is_empty() {
            found.required(name.path.clone(), "");
        } else {
            found.each(&name, names::dns_label(name.text()));
        }
        if seen.contains(&name.text()) {
            found.duplicate(&name);
        }
        if found.0.is_empty() {
            seen.push(name.text());
        } else {
            errors.0.extend(found.0);
        }
    }
    seen
}

fn source(errors: &mut Errors, volume: &At<'_>) {
    let mut count = 0;
    let known = volume
        .value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !SOURCES.contains(&name.as_str()) && *name != "name" && !value.is_null());
    let rest: Vec<&String> = known.map(|(name, _)| name).collect();
    for kind in SOURCES.iter().copied().chain(rest.iter().map(|name| name.as_str())) {
        let source = volume.get(kind);
        if !source.is_set() {
            continue;
        }
        if count > 0 {
            errors.forbidden(source.path, "may not specify more than 1 volume type");
            continue;
        }
        count += 1;
        match kind {
            "emptyDir" => {
                let limit = source.get("sizeLimit");
                if Quantity::from_json(limit.value).is_ok_and(|limit| limit.signum() < 0) {
                    errors.forbidden(limit.path, "SizeLimit field must be a valid resource quantity");
                }
            }
            "hostPath" => {
                let path = source.get("path");
                if path.is_empty() {
                    errors.required(path.path, "");
                } else {
                    paths::no_backsteps(errors, &path);
                    let types = [
                        "",
                        "BlockDevice",
                        "CharDevice",
                        "Directory",
                        "DirectoryOrCreate",
                        "File",
                        "FileOrCreate",
                        "Socket",
                    ];
                    errors.one_of_if_set(&source.get("type"), &types);
                }
            }
            "secret" => keyed(errors, &source, "secretName"),
            "configMap" => keyed(errors, &source, "name"),
            "persistentVolumeClaim" if source.get("claimName").is_empty() => {
                errors.required(source.child("claimName"), "");
            }
            "downwardAPI" => {
                mode(errors, &source.get("defaultMode"));
                for file in source.get("items").items() {
                    downward_file(errors, &At::new(file.value, source.path.clone()));
                }
            }
            "projected" => projected(errors, &source),
            "nfs" => {
                for field in ["server", "path"] {
                    if source.get(field).is_empty() {
                        errors.required(source.child(field), "");
                    }
                }
                if !source.get("path").is_empty() && !source.get("path").text().starts_with('/') {
                    errors.invalid(&source.get("path"), "must be an absolute path");
                }
            }
            "csi" if source.get("driver").is_empty() => {
                errors.required(source.child("driver"), "");
            }
            _ => {}
        }
    }
    if count == 0 {
        errors.required(volume.path.clone(), "must specify a volume type");
    }
}

fn mode(errors: &mut Errors, mode: &At<'_>) {
    if mode.int().is_some_and(|mode| !(0..=0o777).contains(&mode)) {
        errors.invalid(mode, MODE);
    }
}

fn keyed(errors: &mut Errors, source: &At<'_>, name: &str) {
    if source.get(name).is_empty() {
        errors.required(source.child(name), "");
    }
    mode(errors, &source.get("defaultMode"));
    for item in source.get("items").items() {
        key_to_path(errors, &item);
    }
}

fn key_to_path(errors: &mut Errors, item: &At<'_>) {
    if item.get("key").is_empty() {
        errors.required(item.child("key"), "");
    }
    if item.get("path").is_empty() {
        errors.required(item.child("path"), "");
    }
    paths::local_path(errors, &item.get("path"));
    mode(errors, &item.get("mode"));
}

fn downward_file(errors: &mut Errors, file: &At<'_>) {
    let path = file.get("path");
    if path.is_empty() {
        errors.required(path.path.clone(), "");
    }
    paths::local_path(errors, &path);
    container::downward_file(errors, file);
    mode(errors, &file.get("mode"));
}

fn projected(errors: &mut Errors, source: &At<'_>) {
    mode(errors, &source.get("defaultMode"));
    let mut paths: Vec<&str> = Vec::new();
    for projection in source.get("sources").items() {
        let mut count = 0;
        for kind in ["secret", "configMap"] {
            let at = projection.get(kind);
            if !at.is_set() {
                continue;
            }
            count += 1;
            let name = at.get("name");
            if name.is_empty() {
                errors.required(name.path.clone(), "");
            }
            for item in at.get("items").items() {
                key_to_path(errors, &item);
                let path = item.get("path").text();
                if !path.is_empty() && paths.contains(&path) {
                    errors.push(FieldError::invalid(source.path.clone(), name.text(), "conflicting duplicate paths"));
                } else {
                    paths.push(path);
                }
            }
        }
        let downward = projection.get("downwardAPI");
        if downward.is_set() {
            count += 1;
            for file in downward.get("items").items() {
                downward_file(errors, &At::new(file.value, downward.path.clone()));
            }
        }
        let token = projection.get("serviceAccountToken");
        if token.is_set() {
            count += 1;
            let seconds = token.get("expirationSeconds");
            if seconds.int().unwrap_or(0) < 600 {
                errors.invalid(&seconds, "may not specify a duration less than 10 minutes");
            }
            if token.get("path").is_empty() {
                errors.required(source.child("path"), "");
            }
        }
        if count > 1 {
            errors.forbidden(projection.path, "may not specify more than 1 volume type per source");
        }
    }
}
