//! The images that a unit's objects run, each with the value that its tag comes from.

use landfall_diag::Place;
use landfall_promote::{Binding, Renaming, renamings};
use serde_json::Value;

use crate::explain::{Explainer, LayerStory, ObjectName, ValueStory};
use crate::unit::Unit;
use crate::value_line::{Files, said, text_of, tree_path};

/// Lists of a pod's containers.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// An image that an object runs.
pub struct Running {
    /// As it is rendered.
    pub image: String,
    /// The object, as `Deployment/web`.
    pub object: String,
    /// The container's name.
    pub container: String,
    /// Whether it is the first of its object's containers, and no one that only begins.
    pub is_first: bool,
    /// The value that says its tag, or its digest where that stands alone; nothing where a template says it.
    pub tag: Option<ValueStory>,
    /// The value that says its digest, where that is another one than the tag's.
    pub digest: Option<ValueStory>,
}

impl Running {
    /// The digest that says what runs, whatever the tag.
    pub fn pinned(&self) -> Option<&str> {
        self.image.split_once('@').map(|(_, digest)| digest)
    }
}

/// All that run, as far as values or kustomizations may say their tags.
pub fn running_images(files: Files<'_>, unit: &Unit, explainer: &Explainer) -> Vec<Running> {
    let mut all = kustomized(files, unit);
    for name in explainer.objects() {
        let Some(name) = ObjectName::parse(&name) else { continue };
        for story in explainer.explain(&name, &[]) {
            let object = format!("{}/{}", story.object.kind, story.object.name);
            let containers: Vec<(String, String)> = story
                .fields
                .iter()
                .filter_map(|field| Some((field.field.strip_suffix(".name")?.to_owned(), bare(&field.value))))
                .collect();
            for field in story.fields {
                let is_image = field.field.ends_with("].image")
                    && ["containers[", "initContainers[", "ephemeralContainers["]
                        .iter()
                        .any(|at| field.field.contains(at));
                if !is_image {
                    continue;
                }
                let image = bare(&field.value);
                let at = field.field.trim_end_matches(".image");
                let container = containers.iter().find(|(place, _)| place == at).map(|(_, name)| name.clone());
                let is_first = at.ends_with(".containers[0]");
                let (mut tag, mut digest, mut repository) = (None, None, None);
                for value in field.values {
                    if repository.is_none() && says_repository(&image, &said(&value)) {
                        repository = Some(value.path.clone());
                    }
                    if tag.is_none() && says_tag(&image, &said(&value), &value.path) {
                        tag = Some(value);
                    } else if digest.is_none() && says_digest(&image, &said(&value)) {
                        digest = Some(value);
                    }
                }
                // What is left empty lets something else say it: the chart's own version, as `helm create` has it.
                let decided = field.decided_by.into_iter().filter(|it| it.reason == "branch").map(|it| it.value);
                let tag = tag.or_else(|| left_empty(&image, repository.as_deref(), decided.collect()));
                let container = container.unwrap_or_default();
                all.push(Running { image, object: object.clone(), container, is_first, tag, digest });
            }
        }
    }
    all
}

/// Those whose tags an `images` of a kustomization of this repository sets: the outermost one that says it counts.
fn kustomized(files: Files<'_>, unit: &Unit) -> Vec<Running> {
    let mut all = Vec::new();
    for (manifest, kustomizations) in unit.manifests() {
        if kustomizations.is_empty() {
            continue;
        }
        let object = format!("{}/{}", manifest.object.kind(), manifest.object.name());
        let mut found = Vec::new();
        containers(manifest.object.value(), &mut found);
        for (container, is_first) in found {
            let Some(image) = container["image"].as_str() else { continue };
            let Some((shown, renaming)) = renaming(files, kustomizations, image) else { continue };
            let story = |binding: Binding| {
                let line = u32::try_from(binding.line).unwrap_or_default();
                let layer = LayerStory {
                    kind: "file",
                    at: format!("{shown}:{line}"),
                    place: Some(Place::line(shown, line)),
                    value: Some(Value::from(binding.tag).to_string()),
                    commit: None,
                };
                ValueStory { path: binding.path.to_string(), layers: vec![layer] }
            };
            let (repository, _) = image_parts(image);
            let pin = image.split_once('@').map(|(_, digest)| format!("@{digest}")).unwrap_or_default();
            // A digest alone is set in the place of a tag.
            let (image, tag, digest) = match (renaming.tag, renaming.digest) {
                // An older kustomize leaves the tag out where there is a digest.
                (Some(tag), digest) => (format!("{repository}:{}{pin}", tag.tag), tag, digest),
                (None, Some(digest)) => (image.to_owned(), digest, None),
                (None, None) => continue,
            };
            all.push(Running {
                image,
                object: object.clone(),
                container: container["name"].as_str().unwrap_or_default().to_owned(),
                is_first,
                tag: Some(story(tag)),
                digest: digest.map(story),
            });
        }
    }
    all
}

/// The entry of the outermost kustomization that says which tag an image has. What only gives it another name is followed to what it
/// was called before.
fn renaming<'k>(files: Files<'_>, kustomizations: &'k [String], image: &str) -> Option<(&'k String, Renaming)> {
    let (repository, tag) = image_parts(image);
    let digest = image.split_once('@').map(|(_, digest)| digest);
    let said = |binding: &Option<Binding>| binding.as_ref().map(|it| it.tag.clone());
    let mut name = repository.to_owned();
    for shown in kustomizations {
        let Some(path) = tree_path(files, shown) else { continue };
        let Ok(entries) = text_of(files.source, &path).and_then(|text| renamings(&text, &name)) else { continue };
        let is_it = |entry: &&Renaming| {
            let has_none = tag.is_empty() && digest.is_some();
            let has_tag = said(&entry.tag).map_or(has_none, |it| it == tag || has_none);
            has_tag && said(&entry.digest).as_deref() == digest
        };
        if let Some(entry) = entries.iter().find(is_it) {
            return Some((shown, entry.clone()));
        }
        // Another one counts, which something else has overruled.
        if entries.iter().any(|entry| entry.tag.is_some() || entry.digest.is_some()) {
            return None;
        }
        if let Some(entry) = entries.into_iter().next() {
            name = entry.name;
        }
    }
    None
}

/// The containers of an object, and whether each is the first of those that go on.
fn containers<'v>(value: &'v Value, found: &mut Vec<(&'v Value, bool)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::Array(all) if CONTAINERS.contains(&name.as_str()) => {
                        let firsts = name == CONTAINERS[0];
                        found.extend(all.iter().enumerate().map(|(at, container)| (container, firsts && at == 0)));
                    }
                    value => containers(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| containers(item, found)),
        _ => {}
    }
}

fn bare(text: &str) -> String {
    text.trim_matches(['"', '\'']).to_owned()
}

/// Whether a value is the digest that an image is pinned by, with or without what it was made with in front.
fn says_digest(image: &str, value: &str) -> bool {
    let digest = image.split_once('@').map_or("", |(_, digest)| digest);
    !value.is_empty() && (value == digest || digest.split_once(':').is_some_and(|(_, hex)| hex == value))
}

/// Repository and tag of an image; the tag is empty where it has none.
pub fn image_parts(image: &str) -> (&str, &str) {
    let named = image.split('@').next().unwrap_or(image);
    match named.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (named, ""),
    }
}

/// Whether a value is an image's repository, or its end.
fn says_repository(image: &str, value: &str) -> bool {
    let (repository, _) = image_parts(image);
    !value.is_empty() && (repository == value || repository.ends_with(&format!("/{value}")))
}

/// The value that would say an image's tag if it were not empty: the one beside its repository, where there are several.
fn left_empty(image: &str, repository: Option<&str>, decided: Vec<ValueStory>) -> Option<ValueStory> {
    let above = |path: &str| path.rsplit_once('.').map(|(above, _)| above.to_owned());
    let is_left = |story: &ValueStory| {
        let key = story.path.rsplit('.').next().unwrap_or(&story.path).to_lowercase();
        let value = story.layers.first().and_then(|layer| layer.value.as_deref());
        (key.ends_with("tag") || key.ends_with("version")) && matches!(value, Some("\"\"" | "null"))
    };
    if image_parts(image).1.is_empty() {
        return None;
    }
    let (mut beside, mut others): (Vec<_>, Vec<_>) = decided
        .into_iter()
        .filter(is_left)
        .partition(|story| repository.is_some_and(|repository| above(repository) == above(&story.path)));
    if beside.is_empty() { (!others.is_empty()).then(|| others.remove(0)) } else { Some(beside.remove(0)) }
}

/// Whether a value is the one that says an image's tag: the whole image, or the tag, perhaps with a role in front of it.
fn says_tag(image: &str, value: &str, path: &str) -> bool {
    let (_, tag) = image_parts(image);
    let key = path.rsplit('.').next().unwrap_or(path).to_lowercase();
    let is_called = key.contains("tag") || key.contains("version") || key == "image";
    if tag.is_empty() {
        return is_called && value.is_empty();
    }
    let is_tag = value == tag || (is_called && !value.is_empty() && tag.ends_with(&format!("-{value}")));
    value == image || (is_tag && (is_called || value.len() > 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_that_says_a_tag_is_told_from_others() {
        assert!(says_tag("ghcr.io/acme/web:1.2.3", "1.2.3", "web.image.tag"));
        assert!(says_tag("ghcr.io/acme/site:app-v1.2.3", "v1.2.3", "image.tag"));
        assert!(says_tag("acme/web:1", "acme/web:1", "image"));
        assert!(says_tag("acme/web:2", "2", "image.tag"));
        assert!(!says_tag("acme/web:2", "2", "web.replicas"), "a number that happens to be the same");
        assert!(!says_tag("acme/web:1.2.3", "acme/web", "image.repository"));
        assert_eq!(image_parts("localhost:5000/web"), ("localhost:5000/web", ""));
        assert!(says_repository("ghcr.io/acme/web:1", "acme/web") && !says_repository("ghcr.io/acme/web:1", "eb"));
    }

    #[test]
    fn an_empty_value_that_lets_something_else_say_a_tag_is_where_it_is_set() {
        let story = |path: &str, value: &str| {
            let value = Some(value.to_owned());
            let layer = LayerStory { kind: "default", at: String::new(), place: None, value, commit: None };
            ValueStory { path: path.to_owned(), layers: vec![layer] }
        };
        let found = |image: &str, repository: Option<&str>| {
            let empty = [
                ("web.enabled", "true"),
                ("global.imageTag", "\"\""),
                ("web.image.tag", "\"\""),
                ("web.tagged", "\"\""),
            ];
            let decided = empty.iter().map(|(path, value)| story(path, value)).collect();
            left_empty(image, repository, decided).map(|story| story.path)
        };
        assert_eq!(found("acme/web:1.2.3", Some("web.image.repository")).as_deref(), Some("web.image.tag"));
        assert_eq!(found("acme/web:1.2.3", None).as_deref(), Some("global.imageTag"));
        assert_eq!(found("acme/web", Some("web.image.repository")), None, "it has none");
        assert!(left_empty("acme/web:1.2.3", None, vec![story("image.tag", "\"1.2.3\"")]).is_none());
    }

    #[test]
    fn an_image_is_repository_tag_and_digest() {
        assert_eq!(image_parts("a/b:c@sha256:d"), ("a/b", "c"));
        assert_eq!(image_parts("ghcr.io/acme/web:1.0.0"), ("ghcr.io/acme/web", "1.0.0"));
        assert_eq!(image_parts("localhost:5000/acme/web:1@sha256:a"), ("localhost:5000/acme/web", "1"));
        assert_eq!(image_parts("localhost:5000/acme/web"), ("localhost:5000/acme/web", ""));
    }
}
