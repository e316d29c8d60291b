//! Where Helm keeps repositories and what it has fetched of them, and how they are asked.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_chart::Dialect;
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_host::patience;
use landfall_source::{
    Access, CertificateCheck, CredentialScope, Credentials, HttpClient, Redirects, Reference, Registry,
    RepositoryEntry, RepositoryFile, Scheme, SourceError, cached_index, fetch_archive, find_in_repository, resolve_url,
};

use super::flags::Flags;
use super::{Stop, World, environment, gourl, place};

/// Files that Helm and we share.
pub(super) struct Settings {
    /// `repositories.yaml`.
    pub(super) file: PathBuf,
    /// Where indexes and charts are kept.
    pub(super) cache: PathBuf,
    /// How long a server may be silent.
    pub(super) patience: Option<Duration>,
}

impl Settings {
    pub(super) fn of(world: &World<'_>, flags: &Flags) -> Self {
        let variables = environment::variables(world, flags);
        let at = |name: &str| world.host.directory.join(variables.get(name).map_or("", String::as_str));
        Settings {
            file: at("HELM_REPOSITORY_CONFIG"),
            cache: at("HELM_REPOSITORY_CACHE"),
            patience: patience(&world.host.env),
        }
    }

    /// The repositories that were added; none when there is no file.
    pub(super) fn repositories(&self) -> Result<RepositoryFile, Stop> {
        Ok(RepositoryFile::load(&self.file)?.unwrap_or_default())
    }
}

impl From<SourceError> for Stop {
    fn from(error: SourceError) -> Self {
        wrapped("", &error)
    }
}

/// An error of fetching behind Helm's words for what was being done.
pub(super) fn wrapped(doing: &str, error: &SourceError) -> Stop {
    let words = match error {
        SourceError::Read { path, source } => place::go_words("open", &path.to_string_lossy(), source),
        error => error.to_string(),
    };
    let words = if doing.is_empty() { words } else { format!("{doing}: {words}") };
    Stop::said(words, error.diagnose())
}

/// How servers are asked, by the flags of a chart's source.
pub(super) fn access(world: &World<'_>, flags: &Flags) -> Access {
    let text = |name: &str| flags.text(name).unwrap_or_default().to_owned();
    // As they were typed, because errors name them.
    let file = |name: &str| flags.text(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    Access {
        username: text("username"),
        password: text("password"),
        authorities: None,
        identity: None,
        ca_file: file("ca-file"),
        cert_file: file("cert-file"),
        key_file: file("key-file"),
        certificates: if flags.is("insecure-skip-tls-verify") {
            CertificateCheck::Skip
        } else {
            CertificateCheck::Verify
        },
        credentials: if flags.is("pass-credentials") {
            CredentialScope::Everywhere
        } else {
            CredentialScope::SameServer
        },
        redirects: Redirects::Follow,
        timeout: flags.duration("timeout").filter(|timeout| *timeout > Duration::ZERO),
        patience: patience(&world.host.env),
    }
}

/// The version asked for; `--devel` alone means any, however unfinished.
pub(super) fn version(flags: &Flags) -> String {
    let asked = flags.text("version").unwrap_or_default().trim();
    if asked.is_empty() && flags.is("devel") { ">0.0.0-0".to_owned() } else { asked.to_owned() }
}

/// Registries as the flags say; `--plain-http` asks without TLS, and Helm 3 does so where there is none.
pub(super) fn registry(world: &World<'_>, flags: &Flags) -> Registry {
    Registry::new(world.host.network.client(access(world, flags)), credentials(world, flags), scheme(world, flags))
}

/// Whether registries are asked over TLS.
pub(super) fn scheme(world: &World<'_>, flags: &Flags) -> Scheme {
    let helm_4 = super::dialect(world, flags).is_ok_and(|dialect| dialect == Dialect::V4);
    let given = |name: &str| flags.text(name).is_some_and(|path| !path.is_empty());
    if flags.is("plain-http") {
        Scheme::Http
    } else if given("ca-file")
        || given("cert-file")
        || flags.is("insecure-skip-tls-verify")
        || flags.is("insecure")
        || helm_4
    {
        Scheme::Https
    } else {
        Scheme::Either
    }
}

/// Where credentials for registries are: the flags, Helm's file, Docker's.
pub(super) fn credentials(world: &World<'_>, flags: &Flags) -> Credentials {
    let text = |name: &str| flags.text(name).unwrap_or_default().to_owned();
    let variables = environment::variables(world, flags);
    let own = world.host.directory.join(variables.get("HELM_REGISTRY_CONFIG").map_or("", String::as_str));
    let files = [Some(own), landfall_host::docker_credentials(&world.host.env)].into_iter().flatten().collect();
    Credentials { given: Some((text("username"), text("password"))), files }
}

/// A chart that lies elsewhere.
pub(super) enum Remote {
    /// In a repository, or named by its address.
    Archive {
        /// Where it is.
        url: String,
        /// The repository it belongs to, which its credentials are for.
        owner: String,
        /// What the index says it is, if it says so.
        digest: String,
        /// Who asks.
        client: Box<HttpClient>,
    },
    /// In a registry.
    Registry {
        /// Who asks.
        registry: Box<Registry>,
        /// What for.
        reference: Reference,
    },
}

/// A fetched archive.
pub(super) struct Fetched {
    /// What it is called, the last part of its address.
    pub(super) name: String,
    /// The archive.
    pub(super) bytes: Vec<u8>,
    /// What its maintainer signed, where that came along.
    pub(super) provenance: Option<Vec<u8>>,
    /// What is said of a chart from a registry.
    said: String,
}

impl Fetched {
    /// Helm fetches a chart from a registry a second time for what its maintainer signed, and says so.
    pub(super) fn say_again(&self, mut spoken: impl Write) -> io::Result<()> {
        if self.provenance.is_some() { spoken.write_all(self.said.as_bytes()) } else { Ok(()) }
    }
}

impl Remote {
    /// Finds the address of a chart (helm: `ResolveChartVersion`, and `FindChartInRepoURL` for `--repo`).
    pub(super) fn resolve(
        world: &World<'_>,
        flags: &Flags,
        settings: &Settings,
        reference: &str,
    ) -> Result<Self, Stop> {
        let (version, access) = (version(flags), access(world, flags));
        if let Some(repository) = flags.text("repo").filter(|url| !url.is_empty()) {
            let client = Box::new(world.host.network.client(access));
            let invalid = format!("looks like {repository:?} is not a valid chart repository or cannot be reached");
            let (url, entry) =
                world.host.wait(find_in_repository(repository, reference, &version, &client)).map_err(|error| {
                    match error {
                        error @ SourceError::NoSuchChart(_) => error.into(),
                        error => wrapped(&invalid, &error),
                    }
                })?;
            return Ok(Remote::Archive { url, owner: repository.to_owned(), digest: entry.digest, client });
        }
        if let Some((scheme, rest)) = reference.split_once("://") {
            if scheme == "oci" {
                let registry = Box::new(registry(world, flags));
                let reference = world.host.wait(registry.choose(&Reference::parse(reference)?, &version))?;
                return Ok(Remote::Registry { registry, reference });
            }
            if !matches!(scheme, "http" | "https") {
                return Err(Stop::words(code::BAD_ADDRESS, format!("scheme {scheme:?} not supported")));
            }
            if rest.trim_start_matches(|c| c != '/').trim_matches('/').is_empty() {
                return Err(Stop::words(code::BAD_ADDRESS, format!("invalid chart URL format: {reference}")));
            }
            let (owner, access) = match owner_of(settings, reference)? {
                Some(entry) => (entry.url.clone(), with_entry(access, &entry)),
                None => (reference.to_owned(), access),
            };
            let client = Box::new(world.host.network.client(access));
            return Ok(Remote::Archive { url: reference.to_owned(), owner, digest: String::new(), client });
        }
        let Some(read) = gourl::Reference::parse(reference) else {
            return Err(Stop::words(code::BAD_ADDRESS, format!("invalid chart URL format: {reference}")));
        };
        let path = String::from_utf8_lossy(&read.path);
        let Some((name, chart)) = path.split_once('/') else {
            return Err(Stop::words(code::BAD_ADDRESS, place::not_absolute(&read)));
        };
        let repositories = settings.repositories()?;
        let Some(entry) = repositories.get(name) else {
            return Err(Stop::words(code::NO_CHART_REPOSITORY, format!("repo {name} not found")));
        };
        if entry.url.is_empty() {
            return Err(Stop::words(code::NO_CHART_REPOSITORY, format!("no URL found for repository {name}")));
        }
        let index = cached_index(&settings.cache, name)
            .map_err(|error| wrapped("no cached repo found. (try 'helm repo update')", &error))?;
        let found = index.find(chart, &version).map_err(|error| {
            let missing =
                format!("chart {chart:?} matching {version} not found in {name} index. (try 'helm repo update')");
            wrapped(&missing, &error)
        })?;
        let Some(first) = found.urls.first() else {
            return Err(Stop::words(code::NO_SUCH_CHART, format!("chart {reference:?} has no downloadable URLs")));
        };
        // An index may say that its charts are in a registry.
        if first.starts_with("oci://") {
            let registry = Box::new(registry(world, flags));
            let reference = world.host.wait(registry.choose(&Reference::parse(first)?, ""))?;
            return Ok(Remote::Registry { registry, reference });
        }
        let client = Box::new(world.host.network.client(with_entry(access, entry)));
        let url = resolve_url(&entry.url, first)?;
        Ok(Remote::Archive { url, owner: entry.url.clone(), digest: found.digest, client })
    }

    /// Fetches the archive; what a registry gave is told to `spoken`.
    pub(super) fn fetch(&self, world: &World<'_>, spoken: impl Write) -> Result<Fetched, Stop> {
        match self {
            Remote::Archive { url, owner, digest, client } => Ok(Fetched {
                name: file_name(url)?,
                bytes: world.host.wait(fetch_archive(url, owner, digest, client))?,
                provenance: None,
                said: String::new(),
            }),
            Remote::Registry { registry, reference } => pull(world, registry, reference, spoken),
        }
    }

    /// Where it is.
    pub(super) fn address(&self) -> String {
        match self {
            Remote::Archive { url, .. } => url.clone(),
            Remote::Registry { reference, .. } => format!("oci://{reference}"),
        }
    }

    /// What its maintainer signed about a fetched archive, which must be there.
    pub(super) fn signed(&self, world: &World<'_>, fetched: &Fetched) -> Result<Vec<u8>, Stop> {
        let signed = fetched.provenance.clone().map_or_else(|| self.fetch_provenance(world), Ok);
        signed.map_err(|error| {
            let words = format!("failed to fetch provenance {:?}", format!("{}.prov", self.address()));
            let diagnostic = Diagnostic::error(code::PROVENANCE, format!("{} is not signed", self.address()));
            Stop::said(words, diagnostic.note(error.to_string()).help("leave --verify out to use it all the same"))
        })
    }

    /// Fetches what its maintainer signed about it.
    pub(super) fn fetch_provenance(&self, world: &World<'_>) -> Result<Vec<u8>, SourceError> {
        let Remote::Archive { url, owner, client, .. } = self else {
            return Err(SourceError::NoSuchChart(
                "manifest does not contain a layer with a provenance file".to_owned(),
            ));
        };
        let signed = match url.split_once('?') {
            Some((path, query)) => format!("{path}.prov?{query}"),
            None => format!("{url}.prov"),
        };
        world.host.wait(fetch_archive(&signed, owner, "", client))
    }
}

/// What the file of an address is called.
pub(super) fn file_name(url: &str) -> Result<String, Stop> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = name.replace("%20", " ").replace("%2B", "+").replace("%2b", "+");
    if name.is_empty() || name == ".." || name.contains('\\') {
        return Err(Stop::words(code::BAD_ADDRESS, format!("{url} names no file")));
    }
    Ok(name)
}

/// Fetches a chart from a registry and says what it was.
pub(super) fn pull(
    world: &World<'_>,
    registry: &Registry,
    reference: &Reference,
    mut err: impl Write,
) -> Result<Fetched, Stop> {
    let pulled = world.host.wait(registry.pull(reference))?;
    let mut said = format!("Pulled: {reference}\nDigest: {}\n", pulled.digest).into_bytes();
    note_underscore(&reference.to_string(), &mut said)?;
    err.write_all(&said)?;
    let said = String::from_utf8_lossy(&said).into_owned();
    let name = match (reference.tag(), reference.digest()) {
        (Some(tag), _) => format!("{}-{tag}.tgz", reference.name()),
        (None, digest) => format!("{}@{}.tgz", reference.name(), digest.unwrap_or_default().replace(':', "-")),
    };
    Ok(Fetched { name, bytes: pulled.chart, provenance: pulled.provenance, said })
}

/// Where Helm says what it has pulled and pushed: version 3 on standard error, version 4 on standard output.
pub(super) fn spoken(world: &World<'_>, flags: &Flags) -> Result<Box<dyn Write>, Stop> {
    Ok(match super::dialect(world, flags)? {
        Dialect::V3 => Box::new(landfall_terminal::err()),
        Dialect::V4 => Box::new(landfall_terminal::out()),
    })
}

/// Helm's words on versions whose `+` became `_`.
pub(super) fn note_underscore(reference: &str, err: &mut impl Write) -> io::Result<()> {
    if !reference.contains('_') {
        return Ok(());
    }
    writeln!(err, "{reference} contains an underscore.\n{UNDERSCORE}")
}

const UNDERSCORE: &str = "
OCI artifact references (e.g. tags) do not support the plus sign (+). To support
storing semantic versions, Helm adopts the convention of changing plus (+) to
an underscore (_) in chart version tags when pushing to a registry and back to
a plus (+) when pulling from a registry.";

/// What was given for this request, and what the repository's entry has beside it.
fn with_entry(mut access: Access, entry: &RepositoryEntry) -> Access {
    let known = entry.access();
    if known.ca_file.is_some() || known.cert_file.is_some() || known.key_file.is_some() {
        (access.ca_file, access.cert_file, access.key_file) = (known.ca_file, known.cert_file, known.key_file);
    }
    if !known.username.is_empty() && !known.password.is_empty() {
        (access.username, access.password, access.credentials) = (known.username, known.password, known.credentials);
    }
    // That certificates were skipped when the repository was added counts for its index alone, as in Helm.
    access
}

/// The repository whose index names an address (helm: `scanReposForURL`).
fn owner_of(settings: &Settings, url: &str) -> Result<Option<RepositoryEntry>, Stop> {
    for entry in settings.repositories()?.repositories {
        let index = cached_index(&settings.cache, &entry.name)
            .map_err(|error| wrapped("no cached repo found. (try 'helm repo update')", &error))?;
        if index.has_url(url) {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Writes a file beside its place and renames it, so that no half of it is ever seen.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Stop> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let partial = path.with_file_name(format!(".{name}.{}.partial", std::process::id()));
    let words =
        |error: std::io::Error| Stop::words(code::FILES, place::go_words("open", &path.to_string_lossy(), &error));
    std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path)).map_err(words)
}
