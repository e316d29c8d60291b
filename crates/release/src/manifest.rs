use landfall_object::Object;
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
/// # Errors
/// [`Error::Manifest`] naming the template.
pub fn manifest_objects(manifest: &str) -> Result<Vec<ManifestObject>, Error> {
    let mut objects = Vec::new();
    for text in documents(manifest) {
        let path = text
            .lines()
            .map_while(|line| line.strip_prefix('#'))
            .find_map(|line| line.trim().strip_prefix("Source: "))
            .unwrap_or_default()
            .to_owned();
        let value = landfall_yaml::to_json(text)
            .map_err(|error| Error::Manifest { path: path.clone(), reason: error.to_string() })?;
        if value.is_null() {
            continue;
        }
        take(value, &path, &mut objects)?;
    }
    Ok(objects)
}

/// The one object of a hook's text.
pub(crate) fn hook_object(path: &str, text: &str) -> Result<Object, Error> {
    let failed = |reason: String| Error::Manifest { path: path.to_owned(), reason };
    let value = landfall_yaml::to_json(text).map_err(|error| failed(error.to_string()))?;
    Object::from_value(value).map_err(|error| failed(error.to_string()))
}

fn take(value: Value, path: &str, objects: &mut Vec<ManifestObject>) -> Result<(), Error> {
    let is_list = value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"))
        && value.get("items").is_some_and(Value::is_array);
    if is_list {
        let Value::Object(mut map) = value else { return Ok(()) };
        if let Some(Value::Array(items)) = map.remove("items") {
            for item in items {
                take(item, path, objects)?;
            }
        }
        return Ok(());
    }
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
    Ok(())
}

/// The documents between lines that begin with `---`; text behind the three dashes belongs to the next document.
pub(crate) fn documents(manifest: &str) -> Vec<&str> {
    let mut documents = Vec::new();
    let mut start = 0;
    let mut at = 0;
    for line in manifest.split_inclusive('\n') {
        if line.starts_with("---") {
            documents.push(&manifest[start..at]);
            start = at + 3;
        }
        at += line.len();
    }
    documents.push(&manifest[start..]);
    documents.into_iter().map(str::trim).filter(|text| !text.is_empty()).collect()
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
}
