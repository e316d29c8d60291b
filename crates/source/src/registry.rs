//! Charts in OCI registries: pull, push, tags (helm: `pkg/registry`; the OCI distribution specification).
//!
//! ```text
//! oci://host/path/name:tag ─► Reference ─► Registry ── manifest ─► config (Chart.yaml as JSON), chart layer, provenance
//!                                             └─ Credentials: what was given, Helm's file, Docker's file and helpers
//! ```
//!
//! Every byte is held against the digest that names it.

mod credentials;
mod exchange;
mod image;
mod reference;
mod retag;
mod signatures;
mod tags;

use async_recursion::async_recursion as boxed;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, LINK, LOCATION};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub use credentials::{Credential, Credentials};
pub use exchange::{Registry, Scheme};
pub use image::ImageState;
pub use reference::Reference;
pub use retag::Retagged;
pub use signatures::{Attestation, BadKey, Signed, VerifyingKey};
pub use tags::ImageDetails;

use crate::error::SourceError;
use crate::repository::{digested, hex};

/// The media type of a chart's `Chart.yaml`.
pub const CONFIG_MEDIA_TYPE: &str = "application/vnd.cncf.helm.config.v1+json";
/// The media type of a packed chart.
pub const CHART_MEDIA_TYPE: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// The media type of packed charts from Helm's experiments.
const OLD_CHART_MEDIA_TYPE: &str = "application/tar+gzip";
/// The media type of a provenance file.
pub const PROVENANCE_MEDIA_TYPE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
const MANIFEST_MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Most bytes a manifest or a list of tags may have.
const MAX_DOCUMENT: u64 = 8 * 1024 * 1024;
/// Most bytes a layer may have.
const MAX_LAYER: u64 = 128 * 1024 * 1024;
/// Most pages of a list of tags.
const MAX_PAGES: usize = 1_000;

/// A chart from a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PulledChart {
    /// The archive.
    pub chart: Vec<u8>,
    /// What its maintainer signed, when that is there.
    pub provenance: Option<Vec<u8>>,
    /// The manifest's digest, `sha256:` in front.
    pub digest: String,
}

/// A chart to be pushed.
#[derive(Debug, Clone, Copy)]
pub struct ChartUpload<'a> {
    /// `Chart.yaml` as JSON, in the order of Helm's fields.
    pub config: &'a [u8],
    /// The archive.
    pub chart: &'a [u8],
    /// What its maintainer signed.
    pub provenance: Option<&'a [u8]>,
    /// Annotations of the manifest, sorted.
    pub annotations: &'a std::collections::BTreeMap<String, String>,
}

impl Registry {
    /// The versions of a chart, newest first: tags that are none are left out, and `_` stands for `+`.
    ///
    /// # Errors
    /// No answer, no access, no such repository.
    #[boxed]
    pub async fn versions(&self, reference: &Reference) -> Result<Vec<String>, SourceError> {
        let mut url = Some(self.url(reference, "tags/list"));
        let mut tags = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(page) = url.take() else { break };
            let reply = self.ask(reference, Method::GET, &page, HeaderMap::new(), Vec::new(), MAX_DOCUMENT).await?;
            let reply = self.expect(reply, &Method::GET, &page, &[200])?;
            let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
            let listed = json.get("tags").and_then(Value::as_array);
            tags.extend(listed.into_iter().flatten().filter_map(|tag| Some(tag.as_str()?.replace('_', "+"))));
            let next = reply.headers.get(LINK).and_then(|link| link.to_str().ok()).and_then(|link| {
                let inside = link.split_once('<')?.1.split_once('>')?.0;
                reqwest::Url::parse(&page).ok()?.join(inside).ok()
            });
            // A page elsewhere is not asked for: it would get the credentials.
            url = next
                .filter(|next| crate::address::host_of(next.as_str()) == crate::address::host_of(&page))
                .map(Into::into);
        }
        let mut versions: Vec<(landfall_sprig::Version, String)> =
            tags.into_iter().filter_map(|tag| Some((landfall_sprig::Version::parse(&tag).ok()?, tag))).collect();
        versions.sort_by(|(a, _), (b, _)| b.precedence(a));
        Ok(versions.into_iter().map(|(_, tag)| tag).collect())
    }

    /// The tag to pull for what was asked: a version is taken as it is, a range or nothing looks among the tags
    /// (helm: `ValidateReference`).
    ///
    /// # Errors
    /// In Helm's words.
    #[boxed]
    pub async fn choose(&self, reference: &Reference, version: &str) -> Result<Reference, SourceError> {
        let mut chosen = reference.clone();
        let version = match (version, reference.tag()) {
            ("", Some(tag)) => tag.to_owned(),
            (version, Some(tag)) if tag != version => {
                let words = format!("chart reference and version mismatch: {version} is not {tag}");
                return Err(SourceError::NoSuchChart(words));
            }
            (version, _) => version.to_owned(),
        };
        if reference.digest().is_some() {
            return Ok(chosen);
        }
        if landfall_sprig::Version::parse(&version).is_ok() {
            chosen.set_tag(&version);
            return Ok(chosen);
        }
        let versions = self.versions(reference).await?;
        if versions.is_empty() {
            let words = format!("Unable to locate any tags in provided repository: oci://{reference}");
            return Err(SourceError::NoSuchChart(words));
        }
        let lost = || {
            SourceError::NoSuchChart(format!("Could not locate a version matching provided version string {version}"))
        };
        let range = landfall_sprig::Constraint::parse(if version.is_empty() { "*" } else { &version })
            .map_err(|error| SourceError::NoSuchChart(error.to_string()))?;
        let fits = |tag: &&String| landfall_sprig::Version::parse(tag).is_ok_and(|version| range.check(&version));
        chosen.set_tag(versions.iter().find(fits).ok_or_else(lost)?);
        Ok(chosen)
    }

    /// Fetches a chart and, where it is there, its provenance.
    ///
    /// # Errors
    /// No answer, no access, no such chart, something else than a chart, other bytes than promised.
    #[boxed]
    pub async fn pull(&self, reference: &Reference) -> Result<PulledChart, SourceError> {
        let url = self.url(reference, &format!("manifests/{}", reference.named()));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(MANIFEST_MEDIA_TYPE));
        let reply =
            self.ask(reference, Method::GET, &url, headers, Vec::new(), MAX_DOCUMENT).await.map_err(fetching)?;
        if reply.status == 404 {
            return Err(SourceError::NoSuchChart(format!(
                "failed to perform \"FetchReference\" on source: {reference}: not found"
            )));
        }
        let reply = self.expect(reply, &Method::GET, &url, &[200]).map_err(fetching)?;
        let digest = sha256(&reply.body);
        if let Some(expected) = reference.digest() {
            same(&reference.to_string(), expected, &digest)?;
        }
        let manifest: Value = serde_json::from_slice(&reply.body)
            .map_err(|error| SourceError::Index(format!("{reference}: the manifest is no JSON: {error}")))?;
        let is = |descriptor: &&Value, kinds: &[&str]| {
            descriptor.get("mediaType").and_then(Value::as_str).is_some_and(|kind| kinds.contains(&kind))
        };
        if manifest.get("config").filter(|config| is(config, &[CONFIG_MEDIA_TYPE])).is_none() {
            return Err(SourceError::Index(format!("could not load config with mediatype {CONFIG_MEDIA_TYPE}")));
        }
        let layers = manifest.get("layers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let chart =
            layers.iter().find(|layer| is(layer, &[CHART_MEDIA_TYPE, OLD_CHART_MEDIA_TYPE])).ok_or_else(|| {
                SourceError::Index(format!("manifest does not contain a layer with mediatype {CHART_MEDIA_TYPE}"))
            })?;
        let signed = layers.iter().find(|layer| is(layer, &[PROVENANCE_MEDIA_TYPE]));
        let chart = self.blob(reference, chart).await?;
        let provenance = match signed {
            Some(layer) => Some(self.blob(reference, layer).await?),
            None => None,
        };
        Ok(PulledChart { chart, provenance, digest })
    }

    async fn blob(&self, reference: &Reference, descriptor: &Value) -> Result<Vec<u8>, SourceError> {
        let expected = descriptor.get("digest").and_then(Value::as_str).unwrap_or_default();
        let hexadecimal = expected.strip_prefix("sha256:").unwrap_or_default();
        if hexadecimal.len() != 64 || !hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(SourceError::Index(format!("{reference}: {expected:?} is no digest that is known")));
        }
        let url = self.url(reference, &format!("blobs/{expected}"));
        let reply = self.ask(reference, Method::GET, &url, HeaderMap::new(), Vec::new(), MAX_LAYER).await?;
        let reply = self.expect(reply, &Method::GET, &url, &[200])?;
        // A manifest that is wrong about one thing is not believed in another; without a size it says none.
        let size = descriptor.get("size").and_then(Value::as_u64).unwrap_or_default();
        if usize::try_from(size) != Ok(reply.body.len()) {
            return Err(SourceError::Index(format!(
                "failed to perform \"Fetch\" on source: GET \"{url}\": mismatch Content-Length"
            )));
        }
        let (body, actual) = digested(reply.body).await?;
        same(&url, expected, &format!("sha256:{actual}"))?;
        Ok(body)
    }

    /// Uploads a chart under its tag; gives the manifest's digest. Layers that are there already are not sent.
    ///
    /// # Errors
    /// No answer, no access.
    #[boxed]
    pub async fn push(&self, reference: &Reference, upload: &ChartUpload<'_>) -> Result<String, SourceError> {
        let descriptor = |kind: &str, bytes: &[u8]| (kind.to_owned(), sha256(bytes), bytes.len());
        let mut layers = vec![descriptor(CHART_MEDIA_TYPE, upload.chart)];
        layers.extend(upload.provenance.map(|bytes| descriptor(PROVENANCE_MEDIA_TYPE, bytes)));
        layers.sort_by(|(_, a, _), (_, b, _)| a.cmp(b));
        // Written by hand in the order of Helm's fields, without its own media type: the digest is over these bytes.
        let shown = |(kind, digest, size): &(String, String, usize)| {
            format!("{{\"mediaType\":{},\"digest\":{},\"size\":{size}}}", json!(kind), json!(digest))
        };
        let annotations = serde_json::to_string(upload.annotations).unwrap_or_default();
        let annotations = annotations.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        let layers: Vec<String> = layers.iter().map(shown).collect();
        let manifest = format!(
            "{{\"schemaVersion\":2,\"config\":{},\"layers\":[{}],\"annotations\":{annotations}}}",
            shown(&descriptor(CONFIG_MEDIA_TYPE, upload.config)),
            layers.join(",")
        );
        let digest = sha256(manifest.as_bytes());
        // Helm's client looks for the manifest before anything is sent, and is refused there first.
        self.is_there(reference, &self.url(reference, &format!("manifests/{digest}"))).await?;
        for bytes in [Some(upload.chart), upload.provenance, Some(upload.config)].into_iter().flatten() {
            self.upload(reference, bytes).await?;
        }
        let url = self.url(reference, &format!("manifests/{}", reference.named()));
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MANIFEST_MEDIA_TYPE));
        let reply = self.ask(reference, Method::PUT, &url, headers, manifest.into_bytes(), MAX_DOCUMENT).await?;
        self.expect(reply, &Method::PUT, &url, &[200, 201, 202])?;
        Ok(digest)
    }

    /// Whether the registry has something already.
    async fn is_there(&self, reference: &Reference, url: &str) -> Result<bool, SourceError> {
        let reply = self.ask(reference, Method::HEAD, url, HeaderMap::new(), Vec::new(), MAX_DOCUMENT).await;
        let reply = reply.map_err(|error| while_doing("failed to perform \"Exists\" on destination: ", error))?;
        Ok(reply.status == 200)
    }

    async fn upload(&self, reference: &Reference, bytes: &[u8]) -> Result<(), SourceError> {
        let digest = sha256(bytes);
        let url = self.url(reference, &format!("blobs/{digest}"));
        if self.is_there(reference, &url).await? {
            return Ok(());
        }
        let start = self.url(reference, "blobs/uploads/");
        let reply = self.ask(reference, Method::POST, &start, HeaderMap::new(), Vec::new(), MAX_DOCUMENT).await?;
        let reply = self.expect(reply, &Method::POST, &start, &[202])?;
        let location = reply.headers.get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
        let mut place = reqwest::Url::parse(&start)
            .ok()
            .and_then(|start| start.join(location).ok())
            .ok_or_else(|| SourceError::Url(location.to_owned()))?;
        place.query_pairs_mut().append_pair("digest", &digest);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let reply = self.ask(reference, Method::PUT, place.as_str(), headers, bytes.to_vec(), MAX_DOCUMENT).await?;
        self.expect(reply, &Method::PUT, place.as_str(), &[201])?;
        Ok(())
    }
}

/// A refusal of the manifest, in the words of Helm's client.
fn fetching(error: SourceError) -> SourceError {
    while_doing("failed to perform \"FetchReference\" on source: ", error)
}

fn while_doing(doing: &'static str, error: SourceError) -> SourceError {
    match error {
        SourceError::Refused { method, url, status, said, .. } => {
            SourceError::Refused { doing, method, url, status, said }
        }
        error => error,
    }
}

fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

fn same(what: &str, expected: &str, actual: &str) -> Result<(), SourceError> {
    if expected.eq_ignore_ascii_case(actual) {
        return Ok(());
    }
    let bare = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    Err(SourceError::Digest { what: what.to_owned(), expected: bare(expected), actual: bare(actual) })
}
