//! Chart repositories: `repositories.yaml`, the cached indexes, and the archives behind them.
//!
//! Files and their names are Helm's, so that both programs read what either has written.

mod entries;
mod index;

use std::fs;
use std::path::{Path, PathBuf};

use async_recursion::async_recursion as boxed;
use sha2::{Digest as _, Sha256};

pub use entries::{RepositoryEntry, RepositoryFile};
pub use index::{Index, IndexEntry, index_json, index_of_archives, index_yaml, join_url};

use crate::access::{Access, Redirects};
use crate::aside::aside;
use crate::error::SourceError;
use crate::http::{HttpClient, resolve_url};

/// Most bytes an index may have.
const MAX_INDEX: u64 = 80 * 1024 * 1024;
/// Most bytes a packed chart may have.
const MAX_ARCHIVE: u64 = crate::MAX_PACKED;

/// The name of a repository's cached index (helm: `CacheIndexFile`).
pub fn index_file(name: &str) -> String {
    if name.is_empty() { "index.yaml".to_owned() } else { format!("{name}-index.yaml") }
}

/// The name of a repository's cached list of charts (helm: `CacheChartsFile`).
pub fn charts_file(name: &str) -> String {
    if name.is_empty() { "charts.txt".to_owned() } else { format!("{name}-charts.txt") }
}

/// An index as it came.
#[derive(Debug)]
pub struct FetchedIndex {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they say.
    pub index: Index,
}

impl FetchedIndex {
    /// Writes it and the list of its charts where Helm looks for them.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn store(&self, cache: &Path, name: &str) -> Result<PathBuf, SourceError> {
        let told = |path: &Path| {
            let path = path.to_owned();
            move |source| SourceError::Read { path, source }
        };
        fs::create_dir_all(cache).map_err(told(cache))?;
        let names: String = self.index.names().map(|name| format!("{name}\n")).collect();
        let charts = cache.join(charts_file(name));
        fs::write(&charts, names).map_err(told(&charts))?;
        // Beside and renamed: another process may be reading it.
        let path = cache.join(index_file(name));
        let partial = cache.join(format!(".{}.{}.partial", index_file(name), std::process::id()));
        fs::write(&partial, &self.bytes).map_err(told(&partial))?;
        fs::rename(&partial, &path).map_err(told(&path))?;
        Ok(path)
    }
}

/// Fetches a repository's index.
///
/// # Errors
/// No answer, or an answer that is no index.
#[boxed]
pub async fn fetch_index(url: &str, client: &HttpClient) -> Result<FetchedIndex, SourceError> {
    let bytes = client.get(&resolve_url(url, "index.yaml")?, url, MAX_INDEX).await?;
    aside(move || {
        let index = Index::parse(&bytes)?;
        Ok(FetchedIndex { bytes, index })
    })
    .await?
}

/// The index of a repository as it was last fetched.
///
/// # Errors
/// It was never fetched, or is none.
pub fn cached_index(cache: &Path, name: &str) -> Result<Index, SourceError> {
    // Put together again, an address in it has one slash where it had two, as in Go.
    let path: PathBuf = cache.join(index_file(name)).components().collect();
    let failed = |source| SourceError::Read { path: path.clone(), source };
    let bytes = crate::read_bounded(&path, MAX_INDEX).map_err(failed)?;
    Index::parse(&bytes).map_err(|error| SourceError::Index(format!("error loading {}: {error}", path.display())))
}

/// Finds a chart in a repository that nobody has added; gives its absolute address (helm: `FindChartInRepoURL`).
///
/// # Errors
/// In Helm's words.
#[boxed]
pub async fn find_in_repository(
    url: &str,
    chart: &str,
    version: &str,
    client: &HttpClient,
) -> Result<(String, IndexEntry), SourceError> {
    let fetched = fetch_index(url, client).await?;
    let shown =
        if version.is_empty() { format!("chart {chart:?}") } else { format!("chart {chart:?} version {version:?}") };
    let entry = fetched
        .index
        .find(chart, version)
        .map_err(|_| SourceError::NoSuchChart(format!("{shown} not found in {url} repository")))?;
    let Some(first) = entry.urls.first() else {
        return Err(SourceError::NoSuchChart(format!("{shown} has no downloadable URLs")));
    };
    Ok((resolve_url(url, first)?, entry))
}

/// Fetches a packed chart and holds it against the digest that the index names.
///
/// # Errors
/// No answer, or other bytes than promised.
#[boxed]
pub async fn fetch_archive(url: &str, owner: &str, digest: &str, client: &HttpClient) -> Result<Vec<u8>, SourceError> {
    let bytes = client.get(url, owner, MAX_ARCHIVE).await?;
    let expected = digest.strip_prefix("sha256:").unwrap_or(digest);
    if expected.len() != 64 {
        return Ok(bytes);
    }
    let (bytes, actual) = digested(bytes).await?;
    if !actual.eq_ignore_ascii_case(expected) {
        return Err(SourceError::Digest { what: url.to_owned(), expected: expected.to_owned(), actual });
    }
    Ok(bytes)
}

/// Bytes with their SHA-256 as hexadecimal digits.
pub(crate) async fn digested(bytes: Vec<u8>) -> Result<(Vec<u8>, String), SourceError> {
    let work = move || {
        let digest = hex(&Sha256::digest(&bytes));
        (bytes, digest)
    };
    Ok(aside(work).await?)
}

impl RepositoryEntry {
    /// How its server is talked to.
    pub fn access(&self) -> Access {
        use crate::access::{CertificateCheck, CredentialScope};
        let file = |path: &str| (!path.is_empty()).then(|| PathBuf::from(path));
        Access {
            username: self.username.clone(),
            password: self.password.clone(),
            authorities: None,
            identity: None,
            ca_file: file(&self.ca_file),
            cert_file: file(&self.cert_file),
            key_file: file(&self.key_file),
            certificates: if self.insecure_skip_tls_verify { CertificateCheck::Skip } else { CertificateCheck::Verify },
            credentials: if self.pass_credentials_all {
                CredentialScope::Everywhere
            } else {
                CredentialScope::SameServer
            },
            redirects: Redirects::Follow,
            timeout: None,
            patience: None,
        }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _infallible = write!(out, "{byte:02x}");
        out
    })
}
