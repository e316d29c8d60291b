//! Charts that lie in repositories and registries, for what is delivered from them: each archive is fetched once.
//!
//! ```text
//! repoURL, chart, version or range ─► index.yaml | tags ─► archive ─► kept by its address under `charts/` of the cache
//! ```
//!
//! A version that is named in full and was fetched before needs no network.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_sprig::Version;
use sha2::{Digest as _, Sha256};

use crate::access::Access;
use crate::account::{Account, Accounts, Login, Transport};
use crate::address::{same_server, same_url};
use crate::archive::read_archive;
use crate::aside::aside;
use crate::error::SourceError;
use crate::http::HttpClient;
use crate::network::Network;
use crate::reach::NetworkReach;
use crate::registry::{Credentials, Reference, Registry, Scheme};
use crate::repository::{RepositoryEntry, RepositoryFile, fetch_archive, find_in_repository, hex};

/// How charts elsewhere are asked for, and where their archives are kept.
#[derive(Debug, Clone, Default)]
pub struct RemoteCharts {
    /// The directory for archives; nothing is kept when it is not said.
    pub cache: Option<PathBuf>,
    /// Makes the directory for archives before the first one is kept there; without it, it is made as any other.
    pub make_cache: Option<fn(&Path) -> io::Result<()>>,
    /// Helm's file of the repositories that were added, with their credentials.
    pub repositories: Option<PathBuf>,
    /// Where credentials for registries are.
    pub credentials: Credentials,
    /// Who servers are asked as before Helm's and Docker's files are looked into.
    pub accounts: Accounts,
    /// How long a server may be silent; [`crate::PATIENCE`] when not said.
    pub patience: Option<Duration>,
    /// What they are fetched with.
    pub network: Network,
    /// Where a repository may be that nobody but a chart names, and an archive that nobody but an index does.
    pub named_by_charts: NetworkReach,
}

/// An archive of a chart and where it came from.
#[derive(Debug, Clone)]
pub struct FetchedChart {
    /// The archive.
    pub bytes: Vec<u8>,
    /// Its address for messages, with the version.
    pub place: String,
}

impl RemoteCharts {
    /// Fetches a chart. The repository is an `http(s)` address, an `oci://` one, or, as Argo CD writes registries, one
    /// without a scheme; with an empty name the registry's address is the chart's own. The version is one or a range;
    /// empty means the newest that is stable.
    ///
    /// # Errors
    /// No answer, no access, no such chart or version, or other bytes than promised.
    #[boxed]
    pub async fn fetch(&self, repository: &str, name: &str, version: &str) -> Result<FetchedChart, SourceError> {
        let repository = repository.trim_end_matches('/');
        let place = match (name, version) {
            ("", "") => repository.to_owned(),
            ("", version) => format!("{repository}:{version}"),
            (name, "") => format!("{repository}/{name}"),
            (name, version) => format!("{repository}/{name}:{version}"),
        };
        let _turn = self.network.chart().await;
        let kept = self.place_of(repository, name, version);
        if let Some(path) = kept.clone()
            && let Some(bytes) = whole(path, place.clone()).await?
        {
            return Ok(FetchedChart { bytes, place });
        }
        let bytes = if in_repository(repository) {
            self.ask_repository(repository, name, version).await?
        } else {
            self.ask_registry(repository, name, version).await?
        };
        if let Some(path) = kept {
            self.keep(&path, &bytes);
        }
        Ok(FetchedChart { bytes, place })
    }

    /// Fetches what a chart depends on. Its repository is named by whoever wrote the chart: one that somebody has declared here
    /// is asked wherever it is, any other one where [`RemoteCharts::named_by_charts`] permits.
    ///
    /// # Errors
    /// As [`RemoteCharts::fetch`]; [`SourceError::Inside`].
    #[boxed]
    pub async fn fetch_dependency(
        &self,
        repository: &str,
        name: &str,
        version: &str,
    ) -> Result<FetchedChart, SourceError> {
        if self.is_declared(repository)? {
            return self.fetch(repository, name, version).await;
        }
        let within = RemoteCharts { network: self.network.within(self.named_by_charts.clone()), ..self.clone() };
        within.fetch(repository, name, version).await
    }

    /// Whether an account is for a repository, or Helm's file has it.
    fn is_declared(&self, repository: &str) -> Result<bool, SourceError> {
        if self.accounts.of(repository) != Account::default() {
            return Ok(true);
        }
        if !in_repository(repository) {
            return Ok(false);
        }
        let file = self.repositories.as_deref().map(RepositoryFile::load).transpose()?.flatten();
        Ok(file.is_some_and(|file| file.repositories.iter().any(|entry| same_url(&entry.url, repository))))
    }

    /// The version that a range leads to now; one that is named in full, or a digest, is itself and asks nobody.
    ///
    /// # Errors
    /// No answer, no access, no such chart or version.
    #[boxed]
    pub async fn version(&self, repository: &str, name: &str, version: &str) -> Result<String, SourceError> {
        if is_one(version) {
            return Ok(version.to_owned());
        }
        let repository = repository.trim_end_matches('/');
        let _turn = self.network.chart().await;
        if in_repository(repository) {
            let client = self.repository_client(repository)?;
            let (_, entry) = find_in_repository(repository, name, version, &client).await?;
            return Ok(entry.version);
        }
        let registry = self.registry(repository);
        let chosen = registry.choose(&named(repository, name)?, version).await?;
        Ok(chosen.tag().unwrap_or_default().to_owned())
    }

    fn repository_client(&self, repository: &str) -> Result<HttpClient, SourceError> {
        let access = match self.accounts.access(repository) {
            Some(access) => access,
            None => {
                let file = self.repositories.as_deref().map(RepositoryFile::load).transpose()?.flatten();
                let file = file.unwrap_or_default();
                let added = file.repositories.iter().find(|entry| same_url(&entry.url, repository));
                added.map_or_else(Access::default, RepositoryEntry::access)
            }
        };
        Ok(self.network.client(Access { patience: self.patience, ..access }))
    }

    async fn ask_repository(&self, repository: &str, name: &str, version: &str) -> Result<Vec<u8>, SourceError> {
        let client = self.repository_client(repository)?;
        let (url, entry) = find_in_repository(repository, name, version, &client).await?;
        // An index may lead elsewhere, also into a registry: whoever declared the repository has not declared that.
        let is_own = same_server(&url, repository) || self.accounts.of(&url) != Account::default();
        let within = self.network.within(self.named_by_charts.clone());
        if url.starts_with("oci://") {
            let asked = RemoteCharts { network: if is_own { self.network.clone() } else { within }, ..self.clone() };
            return asked.ask_registry(&url, "", "").await;
        }
        let client = if is_own { client } else { client.over(within) };
        fetch_archive(&url, repository, &entry.digest, &client).await
    }

    /// The registry of an address, asked as the account that is for it.
    fn registry(&self, repository: &str) -> Registry {
        let account = self.accounts.of(repository);
        let access = self.accounts.access(repository).unwrap_or_default();
        let client = self.network.client(Access { patience: self.patience, ..access });
        let scheme = match account.transport {
            Transport::Plain => Scheme::Http,
            Transport::Secured => Scheme::Either,
        };
        let credentials = match account.login {
            Login::Password { username, password } => {
                Credentials { given: Some((username, password)), files: Vec::new() }
            }
            _ => self.credentials.clone(),
        };
        Registry::new(client, credentials, scheme)
    }

    async fn ask_registry(&self, repository: &str, name: &str, version: &str) -> Result<Vec<u8>, SourceError> {
        let registry = self.registry(repository);
        let named = named(repository, name)?;
        // A digest names the bytes themselves and is no version to be looked for.
        let chosen = match version.starts_with("sha256:") {
            true => Reference::parse(&format!("{}/{}@{version}", named.host(), named.path()))?,
            false => registry.choose(&named, version).await?,
        };
        Ok(registry.pull(&chosen).await?.chart)
    }

    /// Where an archive is kept; only one whose version cannot mean another tomorrow.
    fn place_of(&self, repository: &str, name: &str, version: &str) -> Option<PathBuf> {
        if !is_one(version) {
            return None;
        }
        // Who may not ask for it does not find what somebody else was given.
        let account = self.accounts.of(repository).name;
        let address = match account.is_empty() {
            true => Sha256::digest(format!("{repository}\n{name}\n{version}")),
            false => Sha256::digest(format!("{repository}\n{name}\n{version}\n{account}")),
        };
        Some(self.cache.as_ref()?.join("charts").join(format!("{}.tgz", hex(&address))))
    }

    /// Keeps an archive for the next time, beside and renamed, as another process may be reading it; where that cannot
    /// be, it is fetched again.
    fn keep(&self, path: &Path, bytes: &[u8]) {
        let made = match (&self.cache, self.make_cache) {
            (Some(cache), Some(make)) => make(cache),
            _ => Ok(()),
        };
        let partial = path.with_extension(format!("{}.partial", std::process::id()));
        let written = made
            .and_then(|()| fs::create_dir_all(path.parent().unwrap_or(path)))
            .and_then(|()| fs::write(&partial, bytes))
            .and_then(|()| fs::rename(&partial, path));
        if written.is_err() {
            let _not_there = fs::remove_file(&partial);
        }
    }
}

/// Whether a repository is one of charts behind an index, not a registry.
fn in_repository(repository: &str) -> bool {
    repository.starts_with("http://") || repository.starts_with("https://")
}

/// A chart of a registry, or the one that its address names.
fn named(repository: &str, name: &str) -> Result<Reference, SourceError> {
    if name.is_empty() { Reference::parse(repository) } else { Reference::child(repository, name, "") }
}

/// Whether a version cannot mean another tomorrow.
fn is_one(version: &str) -> bool {
    version.starts_with("sha256:") || Version::parse_strict(version.strip_prefix('v').unwrap_or(version)).is_ok()
}

/// An archive that was kept, where it is there and whole.
async fn whole(path: PathBuf, place: String) -> Result<Option<Vec<u8>>, SourceError> {
    let read = move || {
        let bytes = crate::read_bounded(&path, crate::MAX_PACKED).ok()?;
        read_archive(&place, &bytes).is_ok().then_some(bytes)
    };
    Ok(aside(read).await?)
}
