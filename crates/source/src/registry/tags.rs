//! What images a repository has: its tags, and of one of them what it was made from and when.

use async_recursion::async_recursion as boxed;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, LINK};
use serde_json::Value;

use super::exchange::Registry;
use super::image::KINDS;
use super::reference::Reference;
use super::{MAX_DOCUMENT, same, sha256};
use crate::error::SourceError;

/// Most pages of a list of tags that are asked for.
const MOST_PAGES: usize = 200;
/// Most tags of a repository that are looked at.
const MOST_TAGS: usize = 100_000;
/// The label that says which commit an image was built from.
const REVISION: &str = "org.opencontainers.image.revision";
/// The label that says when an image was made.
const CREATED: &str = "org.opencontainers.image.created";

/// What a registry says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDetails {
    /// The digest of what stands behind the tag, `sha256:` in front.
    pub digest: String,
    /// The commit that it says it was built from.
    pub revision: Option<String>,
    /// When it says it was made.
    pub created: Option<Timestamp>,
}

impl Registry {
    /// The tags of a repository, as the registry lists them.
    ///
    /// # Errors
    /// No answer, no access, no such repository, more tags or pages than are looked at, a page elsewhere.
    #[boxed]
    pub async fn tags(&self, reference: &Reference) -> Result<Vec<String>, SourceError> {
        let mut url = self.url(reference, "tags/list?n=1000");
        let (mut tags, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
        let wrong = |url: &str, why: &str| Err(SourceError::Exchange { url: url.to_owned(), why: why.to_owned() });
        for _ in 0..MOST_PAGES {
            if !seen.insert(url.clone()) {
                return wrong(&url, "the list of tags leads back to one of its pages");
            }
            let reply = self.ask(reference, Method::GET, &url, HeaderMap::new(), Vec::new(), MAX_DOCUMENT).await?;
            let reply = self.expect(reply, &Method::GET, &url, &[200])?;
            let page: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let listed = page.get("tags").and_then(Value::as_array);
            tags.extend(listed.into_iter().flatten().filter_map(|tag| tag.as_str().map(str::to_owned)));
            if tags.len() > MOST_TAGS {
                return wrong(&url, &format!("the repository has more than {MOST_TAGS} tags"));
            }
            let link = reply.headers.get(LINK).and_then(|link| link.to_str().ok());
            let Some(inside) = link.and_then(|link| Some(link.split_once('<')?.1.split_once('>')?.0)) else {
                return Ok(tags);
            };
            let here = reqwest::Url::parse(&url).map_err(|_| SourceError::Url(url.clone()))?;
            let next = here.join(inside).map_err(|_| SourceError::Url(inside.to_owned()))?;
            // A page elsewhere would get the credentials.
            if next.origin() != here.origin() {
                return wrong(&url, "the list of tags goes on at another server");
            }
            url = next.into();
        }
        wrong(&url, &format!("the list of tags has more than {MOST_PAGES} pages"))
    }

    /// What an image was made from and when; nothing where there is no such image.
    ///
    /// Of an image for several machines the first one is looked into.
    ///
    /// # Errors
    /// No answer, no access, other bytes than promised.
    #[boxed]
    pub async fn details(&self, reference: &Reference) -> Result<Option<ImageDetails>, SourceError> {
        let Some((digest, manifest)) = self.manifest(reference, &reference.named()).await? else { return Ok(None) };
        let label = |of: &Value, at: &str, name: &str| {
            of.pointer(at).and_then(|labels| labels.get(name)?.as_str()).filter(|it| !it.is_empty()).map(str::to_owned)
        };
        let (mut revision, mut created) =
            (label(&manifest, "/annotations", REVISION), label(&manifest, "/annotations", CREATED));
        let mut inner = manifest;
        if let Some(all) = inner.get("manifests").and_then(Value::as_array) {
            // What only says something about an image is no image.
            let is_image = |it: &&Value| it.pointer("/platform/os").and_then(Value::as_str) != Some("unknown");
            let first = all.iter().find(is_image).and_then(|it| it["digest"].as_str()).map(str::to_owned);
            inner = match first {
                Some(first) => self.manifest(reference, &first).await?.map(|(_, it)| it).unwrap_or_default(),
                None => Value::Null,
            };
            revision = revision.or_else(|| label(&inner, "/annotations", REVISION));
        }
        if let Some(config) = inner.get("config").filter(|_| revision.is_none() || created.is_none()) {
            let bytes = self.blob(reference, config).await?;
            let config: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            revision = revision.or_else(|| label(&config, "/config/Labels", REVISION));
            created = created
                .or_else(|| label(&config, "/config/Labels", CREATED))
                .or_else(|| config.get("created").and_then(Value::as_str).map(str::to_owned));
        }
        let created = created.and_then(|text| text.parse().ok());
        Ok(Some(ImageDetails { digest, revision, created }))
    }

    /// A manifest with its digest; nothing where there is none of that name.
    pub(super) async fn manifest(
        &self,
        reference: &Reference,
        named: &str,
    ) -> Result<Option<(String, Value)>, SourceError> {
        let url = self.url(reference, &format!("manifests/{named}"));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(KINDS));
        let reply = self.ask(reference, Method::GET, &url, headers, Vec::new(), MAX_DOCUMENT).await?;
        if reply.status == 404 {
            return Ok(None);
        }
        let reply = self.expect(reply, &Method::GET, &url, &[200])?;
        let digest = sha256(&reply.body);
        if named.starts_with("sha256:") {
            same(&url, named, &digest)?;
        }
        let manifest = serde_json::from_slice(&reply.body)
            .map_err(|error| SourceError::Index(format!("{reference}: the manifest is no JSON: {error}")))?;
        Ok(Some((digest, manifest)))
    }
}
