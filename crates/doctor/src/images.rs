//! Images: whether each can be pulled by whoever looks.

use std::collections::BTreeSet;

use async_recursion::async_recursion as boxed;
use landfall_diag::Severity;
use landfall_rules::Subject;
use landfall_rules::place::IMAGE;
use landfall_source::{ImageState, Reference, Registry};

use crate::{Area, Observation};

/// What was found of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageAccess {
    /// It is there.
    There(Option<String>),
    /// It is not.
    Absent,
    /// It may not be read.
    Denied,
    /// Its registry could not be asked.
    Unreached(String),
}

/// The images that a delivery runs, but for those that it builds itself.
pub fn images_of(subject: &Subject<'_>) -> Vec<String> {
    let mut images = BTreeSet::new();
    for (_, template) in subject.pods() {
        images.extend(template.containers().iter().map(|container| container.image().to_owned()));
    }
    images.remove("");
    images.into_iter().collect()
}

/// Asks an image's registry for it, until it answers or its time is over.
#[boxed]
pub async fn image_access(registry: &Registry, image: &str) -> ImageAccess {
    let reference = match Reference::image(image) {
        Ok(reference) => reference,
        Err(error) => return ImageAccess::Unreached(error.to_string()),
    };
    match registry.image(&reference).await {
        Ok(ImageState::There(digest)) => ImageAccess::There(digest),
        Ok(ImageState::Absent) => ImageAccess::Absent,
        Ok(ImageState::Denied) => ImageAccess::Denied,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            ImageAccess::Unreached(format!("{error}{cause}"))
        }
    }
}

impl ImageAccess {
    /// What is said of an image.
    pub fn observation(&self, image: &str) -> Observation {
        let wrong =
            |seen: &str, cause: &str| Observation::wrong(Area::Registry, &IMAGE, Severity::Error, image, seen, cause);
        let host = Reference::image(image).map(|reference| reference.host().to_owned()).unwrap_or_default();
        match self {
            ImageAccess::There(Some(digest)) => Observation::fine(Area::Registry, image, format!("is there: {digest}")),
            ImageAccess::There(None) => Observation::fine(Area::Registry, image, "is there"),
            ImageAccess::Absent => wrong("is not in its registry", "its pods wait for it, and the delivery with them"),
            ImageAccess::Denied => wrong(
                "may not be read with the credentials of this account (401)",
                "a node with the same credentials cannot pull it",
            )
            .help(format!("landfall registry login {host}")),
            ImageAccess::Unreached(why) => Observation::not_checked(Area::Registry, image, why.as_str()),
        }
    }
}
