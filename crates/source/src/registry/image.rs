//! Whether an image is where a manifest says it is; nothing of it is fetched.

use async_recursion::async_recursion as boxed;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};

use super::exchange::Registry;
use super::reference::Reference;
use crate::error::SourceError;

/// What may stand behind a tag: an image, or a list of them for several machines.
pub(super) const KINDS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.docker.distribution.manifest.v2+json";

/// What a registry says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageState {
    /// It is there, with this digest where the registry says one.
    There(Option<String>),
    /// There is no such image.
    Absent,
    /// Whoever asked may not read it, if it is there at all.
    Denied,
}

impl Reference {
    /// Reads an image's name as a container runtime does: without a host it is Docker Hub's, without an owner the
    /// library's.
    ///
    /// # Errors
    /// A name no registry can have.
    pub fn image(text: &str) -> Result<Self, SourceError> {
        let (first, rest) = text.split_once('/').unwrap_or(("", text));
        let is_host = first.contains(['.', ':']) || first == "localhost";
        match (is_host, first.is_empty()) {
            (true, _) => Reference::parse(text),
            (false, true) => Reference::parse(&format!("docker.io/library/{rest}")),
            (false, false) => Reference::parse(&format!("docker.io/{text}")),
        }
    }
}

impl Registry {
    /// Asks for an image's manifest by its digest or tag, without its body.
    ///
    /// # Errors
    /// No answer, or one that says neither yes nor no.
    #[boxed]
    pub async fn image(&self, reference: &Reference) -> Result<ImageState, SourceError> {
        let url = self.url(reference, &format!("manifests/{}", reference.named()));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(KINDS));
        let reply = match self.ask(reference, Method::HEAD, &url, headers, Vec::new(), 0).await {
            // The server that gives out tokens refuses, too.
            Err(SourceError::Refused { status: 401 | 403, .. }) => return Ok(ImageState::Denied),
            reply => reply?,
        };
        match reply.status {
            200 => {
                let digest = reply.headers.get("docker-content-digest").and_then(|value| value.to_str().ok());
                Ok(ImageState::There(digest.map(str::to_owned)))
            }
            404 => Ok(ImageState::Absent),
            401 | 403 => Ok(ImageState::Denied),
            _ => Err(SourceError::Status { url, status: reply.status_line }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_host_is_docker_hubs() {
        let named = |text: &str| Reference::image(text).expect("a name").to_string();
        assert_eq!(named("redis:7-alpine"), "docker.io/library/redis:7-alpine");
        assert_eq!(named("minio/minio"), "docker.io/minio/minio");
        assert_eq!(named("localhost:5000/web:1"), "localhost:5000/web:1");
        assert_eq!(named("registry.example.com/shop/web:1"), "registry.example.com/shop/web:1");
    }
}
