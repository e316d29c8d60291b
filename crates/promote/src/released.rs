//! What an image is released as: the tag that the receiving environment runs it by, and no other one.

use serde::Serialize;

use crate::gates::TestedImage;
use crate::hold::bare;
use crate::role::role_of;
use crate::tag::Tag;

/// An image that goes, and what the receiving environment calls it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleasedImage {
    /// What was tested.
    pub image: TestedImage,
    /// The tag that it is run by, and is given.
    pub tag: String,
}

impl ReleasedImage {
    /// Its name there.
    pub fn named(&self) -> String {
        format!("{}:{}", self.image.repository, self.tag)
    }
}

/// An image as an object names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedImage<'a> {
    /// Its repository.
    pub repository: &'a str,
    /// Its tag; empty where it has none.
    pub tag: &'a str,
    /// The digest that it is pulled by, where it names one.
    pub digest: Option<&'a str>,
}

impl NamedImage<'_> {
    /// The tested image that this is once that has the release's tag: of the same repository and in the same role, whatever the `v`;
    /// where a digest says what runs, that very one. Nothing where none was tested that it could be.
    pub fn tested<'i>(&self, images: &'i [TestedImage], released: &Tag) -> Option<&'i TestedImage> {
        let is_release = |image: &TestedImage| match self.tag {
            "" => self.digest.is_some(),
            tag => role_of(tag) == role_of(&image.tag) && bare(tag) == bare(released.as_str()),
        };
        let is_it = |image: &&TestedImage| {
            image.repository == self.repository
                && self.digest.is_none_or(|digest| digest == image.digest)
                && is_release(image)
        };
        images.iter().find(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ez_16_what_runs_is_what_was_tested_by_its_repository_its_role_and_its_digest() {
        let image = |tag: &str, digest: &str| TestedImage {
            repository: "acme/site".to_owned(),
            tag: tag.to_owned(),
            digest: digest.to_owned(),
        };
        let tested = [image("app-v0.5.0-rc.1", "sha256:a"), image("horizon-v0.5.0-rc.1", "sha256:b")];
        let released = Tag::parse("0.5.0").expect("a tag");
        let found = |repository, tag, digest| {
            NamedImage { repository, tag, digest }.tested(&tested, &released).map(|image| image.digest.as_str())
        };
        assert_eq!(found("acme/site", "app-v0.5.0", None), Some("sha256:a"));
        assert_eq!(found("acme/site", "app-0.5.0", None), Some("sha256:a"), "whatever its `v`");
        assert_eq!(found("acme/site", "horizon-v0.5.0", Some("sha256:b")), Some("sha256:b"));
        assert_eq!(found("acme/site", "", Some("sha256:b")), Some("sha256:b"));
        for (repository, tag, digest) in [
            ("acme/site", "scheduler-v0.5.0", None),
            ("acme/site", "v0.5.0", None),
            ("acme/other", "app-v0.5.0", None),
            ("acme/site", "app-v0.5.1", None),
            ("acme/site", "app-v0.5.0-rc.1", None),
            ("acme/site", "app-v0.5.0", Some("sha256:b")),
            ("acme/site", "", Some("sha256:c")),
            ("acme/site", "", None),
        ] {
            assert_eq!(found(repository, tag, digest), None, "{repository}:{tag} {digest:?}");
        }
    }
}
