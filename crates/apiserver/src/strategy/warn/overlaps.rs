//! Files of one volume of which one stands where another one has a directory, or where it stands itself
//! (`warningsForOverlappingVirtualPaths`).

use serde_json::Value;

use crate::remarks::Remarks;

/// A file of a volume, and what brings it.
struct File<'v> {
    path: &'v str,
    source: String,
}

/// Warns of the volumes of a pod's spec.
pub(super) fn warn(spec: &Value, remarks: &Remarks) {
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        let name = volume["name"].as_str().unwrap_or_default();
        for (field, kind, named) in
            [("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName"), ("downwardAPI", "DownwardAPI", "")]
        {
            let source = &volume[field];
            let of = shown(kind, source[named].as_str());
            tell(&items(source, &of), |path, other| {
                remarks
                    .warn(format!("volume {name:?} ({of}): overlapping paths: {:?} with {:?}", path.path, other.path));
            });
        }
        if volume["projected"].is_object() {
            projected(name, &volume["projected"]["sources"], remarks);
        }
    }
}

fn projected(name: &str, sources: &Value, remarks: &Remarks) {
    let mut files = Vec::new();
    for source in sources.as_array().into_iter().flatten() {
        for (field, kind) in [("configMap", "ConfigMap"), ("secret", "Secret"), ("downwardAPI", "DownwardAPI")] {
            files.extend(items(&source[field], &shown(kind, source[field]["name"].as_str())));
        }
        for (field, kind) in [
            ("serviceAccountToken", "ServiceAccountToken"),
            ("clusterTrustBundle", "ClusterTrustBundle"),
            ("podCertificate", "PodCertificate"),
        ] {
            if let Some(path) = source[field]["path"].as_str() {
                files.push(File { path, source: kind.to_owned() });
            }
        }
    }
    tell(&files, |path, other| {
        remarks.warn(format!(
            "volume {name:?} (Projected): overlapping paths: {:?} ({}) with {:?} ({})",
            path.path, path.source, other.path, other.source
        ));
    });
}

/// What a source is called: its kind, and its name where it has one.
fn shown(kind: &str, name: Option<&str>) -> String {
    name.map_or_else(|| kind.to_owned(), |name| format!("{kind} {name:?}"))
}

fn items<'v>(source: &'v Value, shown: &str) -> Vec<File<'v>> {
    let items = source["items"].as_array().into_iter().flatten();
    items.filter_map(|item| Some(File { path: item["path"].as_str()?, source: shown.to_owned() })).collect()
}

/// Tells of each file the first one before it that it overlaps with.
fn tell(files: &[File<'_>], mut overlap: impl FnMut(&File<'_>, &File<'_>)) {
    for (at, file) in files.iter().enumerate() {
        if let Some(other) = files[..at].iter().find(|other| overlaps(file.path, other.path)) {
            overlap(file, other);
        }
    }
}

/// Whether two paths are one, or one is a directory of the other.
fn overlaps(one: &str, other: &str) -> bool {
    let below = |outer: &str, inner: &str| {
        inner.strip_prefix(outer.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    below(one, other) || below(other, one)
}
