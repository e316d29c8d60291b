//! Another tag for an image that is there: its manifest's own bytes, so that the digest is the same.

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::exchange::Registry;
use super::image::KINDS;
use super::reference::Reference;
use super::{MAX_DOCUMENT, same, sha256};
use crate::error::SourceError;

/// What became of a tag that was to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retagged {
    /// The image has it now.
    Given,
    /// It had it already.
    AlreadyThere,
    /// Another image has it, with this digest; nothing was changed.
    Taken(String),
}

impl Registry {
    /// Gives the image with a digest another tag: what is sent is what the registry gave, byte for byte.
    ///
    /// A registry has no way to refuse a tag that somebody else gives in the same moment: it is looked before and after,
    /// and what stands there afterwards is what is said.
    ///
    /// # Errors
    /// No answer, no access, no such image, other bytes than promised.
    pub async fn retag(&self, reference: &Reference, digest: &str, tag: &str) -> Result<Retagged, SourceError> {
        if let Some(present) = self.digest_of(reference, tag).await? {
            return Ok(match present == digest {
                true => Retagged::AlreadyThere,
                false => Retagged::Taken(present),
            });
        }
        let url = self.url(reference, &format!("manifests/{digest}"));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(KINDS));
        let reply = self.ask(reference, Method::GET, &url, headers, Vec::new(), MAX_DOCUMENT).await?;
        let reply = self.expect(reply, &Method::GET, &url, &[200])?;
        same(&url, digest, &sha256(&reply.body))?;
        let kind = media_type(&reply.headers, &reply.body);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind);
        let place = self.url(reference, &format!("manifests/{tag}"));
        let sent = self.ask(reference, Method::PUT, &place, headers, reply.body, MAX_DOCUMENT).await?;
        self.expect(sent, &Method::PUT, &place, &[200, 201, 202])?;
        match self.digest_of(reference, tag).await? {
            Some(present) if present == digest => Ok(Retagged::Given),
            Some(present) => Ok(Retagged::Taken(present)),
            None => Err(SourceError::Exchange { url: place, why: "it took the tag, and does not have it".to_owned() }),
        }
    }

    /// The digest of what stands behind a tag; nothing where there is none. What a registry says of it is not believed:
    /// the manifest's bytes are counted.
    async fn digest_of(&self, reference: &Reference, tag: &str) -> Result<Option<String>, SourceError> {
        let url = self.url(reference, &format!("manifests/{tag}"));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(KINDS));
        let reply = self.ask(reference, Method::GET, &url, headers, Vec::new(), MAX_DOCUMENT).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        let reply = self.expect(reply, &Method::GET, &url, &[200])?;
        Ok(Some(sha256(&reply.body)))
    }
}

/// The media type of a manifest: its own word, else the registry's, else OCI's.
fn media_type(headers: &HeaderMap, body: &[u8]) -> HeaderValue {
    let own = serde_json::from_slice::<serde_json::Value>(body).ok();
    let own =
        own.as_ref().and_then(|json| json["mediaType"].as_str()).and_then(|text| HeaderValue::from_str(text).ok());
    own.or_else(|| headers.get(CONTENT_TYPE).cloned()).unwrap_or(HeaderValue::from_static(super::MANIFEST_MEDIA_TYPE))
}
