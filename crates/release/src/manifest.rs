use landfall_object::{Object, flattened, mask};
use serde_json::Value;

use crate::Error;

/// An object of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestObject {
    /// The template it comes from, when the manifest says so.
    pub path: String,
    /// The object.
    pub object: Object,
}

/// The objects of a release's manifest, lists taken apart, in order.
///
/// Read as Helm's client reads what it sends to a cluster (`kube.Client.Build`); a document without a `# Source:` of its
/// own is of the template before it.
///
/// # Errors
/// [`Error::Manifest`] and [`Error::Unset`] naming the template.
pub fn manifest_objects(manifest: &str) -> Result<Vec<ManifestObject>, Error> {
    let mut objects = Vec::new();
    let mut path = String::new();
    for part in landfall_yaml::documents(manifest) {
        let failed = |path: &str, reason: String| {
            let reason = mask::words_about(manifest, reason);
            Error::Manifest { path: path.to_owned(), reason }
        };
        let part = part.map_err(|error| failed(&path, error.to_string()))?;
        if let Some(source) = source(part.text) {
            path = source.to_owned();
        }
        let document = part.to_json().map_err(|error| failed(&path, error.to_string()))?;
        if !document.is_null() {
            take(document, &path, &mut objects)?;
        }
    }
    Ok(objects)
}

/// The objects of a hook's text, which has no source line.
///
/// # Errors
/// As [`manifest_objects`].
pub fn hook_objects(path: &str, text: &str) -> Result<Vec<Object>, Error> {
    let mut objects = Vec::new();
    for part in landfall_yaml::documents(text) {
        let document = part
            .and_then(|part| part.to_json())
            .map_err(|error| mask::words_about(text, error.to_string()))
            .map_err(|reason| Error::Manifest { path: path.to_owned(), reason })?;
        if !document.is_null() {
            take(document, path, &mut objects)?;
        }
    }
    Ok(objects.into_iter().map(|entry| entry.object).collect())
}

/// The template that a document's first comments name.
fn source(document: &str) -> Option<&str> {
    document
        .lines()
        .skip_while(|line| line.starts_with("---"))
        .map_while(|line| line.strip_prefix('#'))
        .find_map(|line| line.trim().strip_prefix("Source: "))
}

fn take(document: Value, path: &str, objects: &mut Vec<ManifestObject>) -> Result<(), Error> {
    for value in flattened(document) {
        let object = Object::from_value(value)
            .map_err(|error| Error::Manifest { path: path.to_owned(), reason: error.to_string() })?;
        let unset: Vec<&'static str> = [("apiVersion", object.api_version()), ("kind", object.kind())]
            .into_iter()
            .filter(|(_, text)| text.is_empty())
            .map(|(field, _)| field)
            .collect();
        if !unset.is_empty() {
            return Err(Error::Unset { path: path.to_owned(), fields: unset });
        }
        objects.push(ManifestObject { path: path.to_owned(), object });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_taken_apart_and_every_object_knows_its_template() {
        let manifest = "---\n# Source: a/templates/x.yaml\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: b}\n---\n# Source: a/templates/y.yaml\n# only a comment\n---\n# Source: a/templates/z.yaml\napiVersion: v1\nkind: Service\nmetadata:\n  name: c\n";
        let objects = manifest_objects(manifest).expect("reads");
        let told: Vec<String> = objects.iter().map(|entry| format!("{} {}", entry.path, entry.object.key())).collect();
        assert_eq!(
            told,
            ["a/templates/x.yaml ConfigMap a", "a/templates/x.yaml Secret b", "a/templates/z.yaml Service c"]
        );
    }

    #[test]
    fn broken_yaml_names_its_template() {
        let error = manifest_objects("---\n# Source: a/x.yaml\nkind: {\n").expect_err("refused");
        assert!(error.to_string().starts_with("YAML parse error on a/x.yaml: "), "{error}");
    }

    #[test]
    fn the_last_block_scalar_of_every_document_keeps_its_newline() {
        let map = |name: &str| {
            format!(
                "# Source: c/{name}.yaml\nkind: ConfigMap\napiVersion: v1\nmetadata: {{name: {name}}}\ndata:\n  f: |\n    line\n"
            )
        };
        let manifest = format!("---\n{}---\n{}", map("a"), map("b"));
        for text in [manifest.as_str(), manifest.trim()] {
            let objects = manifest_objects(text).expect("reads");
            let data: Vec<_> = objects.iter().map(|entry| entry.object.str_at("/data/f")).collect();
            assert_eq!(data, [Some("line\n"), Some("line\n")]);
            assert_eq!(objects[1].path, "c/b.yaml");
        }
        let hook = hook_objects("c/a.yaml", map("a").trim_end()).expect("reads");
        assert_eq!(hook[0].str_at("/data/f"), Some("line\n"));
    }
}
