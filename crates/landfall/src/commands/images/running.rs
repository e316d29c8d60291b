//! The images that a unit's objects run, each with the value that its tag comes from.

use landfall_delivery::{Explainer, ObjectName, ValueStory};

use crate::commands::write_back::said;

/// An image that an object runs.
pub(crate) struct Running {
    /// As it is rendered.
    pub(crate) image: String,
    /// The object, as `Deployment/web`.
    pub(crate) object: String,
    /// The container's name.
    pub(crate) container: String,
    /// Whether it is the first of its object's containers, and no one that only begins.
    pub(crate) is_first: bool,
    /// The value that says its tag; nothing where a template says it.
    pub(crate) tag: Option<ValueStory>,
    /// The value that says its digest, where that is another one than the tag's.
    pub(crate) digest: Option<ValueStory>,
}

impl Running {
    /// The digest that says what runs, whatever the tag.
    pub(crate) fn pinned(&self) -> Option<&str> {
        self.image.split_once('@').map(|(_, digest)| digest)
    }
}

/// All that run.
pub(crate) fn images(explainer: &Explainer) -> Vec<Running> {
    let mut all = Vec::new();
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
                let (mut tag, mut digest) = (None, None);
                for value in field.values {
                    if tag.is_none() && says_tag(&image, &said(&value), &value.path) {
                        tag = Some(value);
                    } else if digest.is_none() && says_digest(&image, &said(&value)) {
                        digest = Some(value);
                    }
                }
                let container = container.unwrap_or_default();
                all.push(Running { image, object: object.clone(), container, is_first, tag, digest });
            }
        }
    }
    all
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
pub(crate) fn parts(image: &str) -> (&str, &str) {
    let named = image.split('@').next().unwrap_or(image);
    match named.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (named, ""),
    }
}

/// Whether a value is the one that says an image's tag: the whole image, or the tag, perhaps with a role in front of it.
fn says_tag(image: &str, value: &str, path: &str) -> bool {
    let (_, tag) = parts(image);
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
        assert_eq!(parts("localhost:5000/web"), ("localhost:5000/web", ""));
        assert_eq!(parts("a/b:c@sha256:d"), ("a/b", "c"));
    }
}
