//! Which tag an image has where it is delivered, and which version an answer tells.

use landfall_project::VersionCheck;
use serde_json::Value;

use crate::running::image_parts;

/// What versions are held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// The one that was given.
    Given(String),
    /// Those that the images have which are delivered.
    Of(Vec<String>),
}

impl Tags {
    /// Whether a version is the one that is wanted; else why not, with both.
    pub(super) fn hold(&self, version: &VersionCheck, told: Option<&str>) -> Result<(), String> {
        let wanted = self.wanted(&version.image)?;
        match told {
            Some(told) if told == wanted => Ok(()),
            Some(told) => Err(format!("it tells the version {told:?}, wanted {wanted:?}")),
            None => {
                let field = version.field.as_deref().unwrap_or(FIELD);
                Err(format!("it tells no version (no text in `{field}`), wanted {wanted:?}"))
            }
        }
    }

    /// The tag of an image.
    fn wanted(&self, image: &str) -> Result<String, String> {
        let images = match self {
            Tags::Given(tag) => return Ok(tag.clone()),
            Tags::Of(images) => images,
        };
        let mut tags: Vec<&str> = images.iter().filter_map(|one| tag_of(one, image)).collect();
        tags.sort_unstable();
        tags.dedup();
        match tags.as_slice() {
            [one] => Ok((*one).to_owned()),
            [] => Err(format!("nothing that is delivered runs an image `{image}` with a tag")),
            several => Err(format!("`{image}` is delivered with several tags: {}", several.join(", "))),
        }
    }
}

/// The field of an answer in JSON that tells a version, where none is named.
const FIELD: &str = "version";

/// The tag of an image, where its repository is that one or ends with it.
fn tag_of<'i>(image: &'i str, wanted: &str) -> Option<&'i str> {
    let (repository, tag) = image_parts(image);
    let ends = repository.strip_suffix(wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    (ends && !tag.is_empty()).then_some(tag)
}

/// The version that an answer tells: a field of it, or all of it where it is no JSON.
pub(super) fn told(body: &str, field: Option<&str>) -> Option<String> {
    let text = match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(fields)) => fields.get(field.unwrap_or(FIELD))?.as_str()?.to_owned(),
        Ok(Value::String(text)) => text,
        _ => body.trim().to_owned(),
    };
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use landfall_project::ImageRepository;

    use super::*;

    #[test]
    fn a_tag_is_found_by_the_repository_or_how_it_ends() {
        let image = "registry.example.com:5000/acme/api-gateway:sha-1a2b3c4@sha256:00ff";
        assert_eq!(tag_of(image, "api-gateway"), Some("sha-1a2b3c4"));
        assert_eq!(tag_of(image, "registry.example.com:5000/acme/api-gateway"), Some("sha-1a2b3c4"));
        assert_eq!(tag_of(image, "gateway"), None, "another image's name");
        assert_eq!(tag_of("registry.example.com:5000/acme/api-gateway", "api-gateway"), None, "it has no tag");
    }

    #[test]
    fn a_version_is_told_as_json_or_alone() {
        assert_eq!(told(r#"{"version": "1.2.3"}"#, None).as_deref(), Some("1.2.3"));
        assert_eq!(told(r#"{"commit": "abc"}"#, Some("commit")).as_deref(), Some("abc"));
        assert_eq!(told("1.2.3\n", None).as_deref(), Some("1.2.3"));
        assert_eq!(told("\"1.2.3\"", None).as_deref(), Some("1.2.3"));
        assert_eq!(told(r#"{"version": 3}"#, None), None);
        assert_eq!(told(" ", None), None);
    }

    #[test]
    fn a_wrong_version_is_told_with_both() {
        let version = VersionCheck { image: ImageRepository::parse("api").expect("a repository"), field: None };
        let of = |images: &[&str]| Tags::Of(images.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(of(&["acme/api:1.2.3"]).hold(&version, Some("1.2.3")), Ok(()));
        let wrong = of(&["acme/api:1.2.4"]).hold(&version, Some("1.2.3"));
        assert_eq!(wrong, Err("it tells the version \"1.2.3\", wanted \"1.2.4\"".to_owned()));
        assert!(of(&["acme/web:1"]).hold(&version, None).expect_err("none").contains("runs an image `api`"));
        assert!(of(&["a/api:1", "b/api:2"]).hold(&version, None).expect_err("two").contains("several tags: 1, 2"));
        let given = Tags::Given("9".to_owned()).hold(&version, None).expect_err("none told");
        assert_eq!(given, "it tells no version (no text in `version`), wanted \"9\"");
    }
}
