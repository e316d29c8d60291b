//! What a chart renders to, as a release takes it.

use landfall_chart::{Rendered, RenderedUnit};
use landfall_diag::{Diagnose, Diagnostic};
use landfall_object::{Object, ObjectKey};
use landfall_release::{Content, manifest_objects};

use crate::{Unit, opened};

/// The content of a release; its record is marked where it is given what SOPS had encrypted.
pub(crate) fn content(unit: &Unit, rendered: &Rendered) -> Result<Content, Vec<Diagnostic>> {
    let mut content = Content::of(rendered).map_err(|error| vec![error.diagnose()])?;
    content.labels.extend(opened::mark(unit));
    Ok(content)
}

/// The manifest with only the named workloads as rendered now, and all else as it was delivered before.
///
/// What is new since then and not named is left for the next full delivery.
pub(crate) fn narrowed(before: &str, unit: &RenderedUnit, services: &[String]) -> Result<String, Vec<Diagnostic>> {
    let named = |object: &Object| is_service(object, services);
    let mut fresh: Vec<(ObjectKey, String)> = Vec::new();
    for manifest in &unit.chart().manifests {
        if let Ok(object) = Object::from_value(manifest.object())
            && named(&object)
        {
            fresh.push((object.key(), document(&manifest.path, &manifest.text)));
        }
    }
    let mut out = String::new();
    for text in documents(before) {
        let objects = manifest_objects(text).map_err(|error| vec![error.diagnose()])?;
        let replaced = objects
            .first()
            .and_then(|first| fresh.iter().position(|(key, _)| *key == first.object.key()))
            .map(|index| fresh.remove(index).1);
        out.push_str(replaced.as_deref().unwrap_or(text));
    }
    for (_, text) in fresh {
        out.push_str(&text);
    }
    Ok(out)
}

/// Whether an object is one of the named workloads.
pub(crate) fn is_service(object: &Object, services: &[String]) -> bool {
    is_workload(object) && services.iter().any(|service| service == object.name())
}

/// Whether an object runs pods that can be rolled.
pub(crate) fn is_workload(object: &Object) -> bool {
    object.group() == "apps" && matches!(object.kind(), "Deployment" | "StatefulSet" | "DaemonSet")
}

fn document(path: &str, text: &str) -> String {
    format!("---\n# Source: {path}\n{text}\n")
}

/// The documents of a recorded manifest, each with its separator and source line.
fn documents(manifest: &str) -> Vec<&str> {
    const START: &str = "---\n# Source: ";
    let mut starts: Vec<usize> = Vec::new();
    if manifest.starts_with(START) {
        starts.push(0);
    }
    starts.extend(manifest.match_indices("\n---\n# Source: ").map(|(at, _)| at + 1));
    let mut out = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(manifest.len());
        out.push(&manifest[*start..end]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_manifest_comes_apart_and_together_again() {
        let manifest = "---\n# Source: a\nkind: A\n---\n# Source: b\nkind: B\n";
        let parts = documents(manifest);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts.concat(), manifest);
    }
}
