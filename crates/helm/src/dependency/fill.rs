//! `helm dependency build` and `update`: fills `charts/` and writes the lock (helm: `pkg/downloader/manager.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use landfall_chart::{API_VERSION_V1, Chart, Dependency, Lock, PackageOptions, digest, package};
use landfall_diag::{Diagnostic, code, without_passwords};
use landfall_host::patience;
use landfall_source::{
    Access, HttpClient, Index, IndexEntry, Reference, RepositoryEntry, cached_index, join_url, same_url,
};
use landfall_sprig::{Constraint, Version};
use sha2::{Digest as _, Sha256};

use super::super::flags::Flags;
use super::super::repo::fetch_all;
use super::super::repositories::{Fetched, Remote, Settings, access, pull, registry, spoken, wrapped, write_whole};
use super::super::{Stop, World, moment, place, provenance};

/// What the name of a repository begins with that nobody has added.
const UNMANAGED: &str = "helm-manager-";

/// Fills one chart's `charts/`.
pub(in super::super) struct Filling<'w> {
    world: &'w World<'w>,
    flags: &'w Flags,
    settings: Settings,
    /// The chart's directory as it was typed.
    shown: String,
    directory: PathBuf,
    repositories: Vec<RepositoryEntry>,
    /// Indexes read or fetched so far, by the repository's name or, where nobody has added it, address.
    indexes: BTreeMap<String, Index>,
    unsigned: Unsigned,
    telling: Telling,
}

/// Whether what is done is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    Aloud,
    /// What registries have given on standard error.
    Aside,
    Nothing,
}

/// What becomes of archives that nobody has signed, with `--verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsigned {
    Refused,
    Told,
}

/// A dependency whose repository has no index here: what could not be fetched was told already.
fn without_index(wanted: &Dependency, stop: Stop) -> Stop {
    let diagnostic = Diagnostic::error(
        code::NO_INDEX,
        format!("dependency `{}` cannot be chosen: the index of {} is not here", wanted.name, wanted.repository),
    )
    .help("check the address under `dependencies:` in Chart.yaml, and the network");
    Stop::said(stop.helm_words(), diagnostic)
}

impl<'w> Filling<'w> {
    pub(in super::super) fn new(world: &'w World<'w>, flags: &'w Flags, name: &str) -> Result<Self, Stop> {
        let settings = Settings::of(world, flags);
        let repositories = settings.repositories()?.repositories;
        let shown = match name.trim_end_matches('/') {
            "" => ".".to_owned(),
            name => name.strip_prefix("./").unwrap_or(name).to_owned(),
        };
        let directory = world.host.directory.join(name);
        Ok(Filling {
            world,
            flags,
            settings,
            shown,
            directory,
            repositories,
            indexes: BTreeMap::new(),
            unsigned: Unsigned::Refused,
            telling: Telling::Aloud,
        })
    }

    /// With what registries have given on standard error, as where a chart is printed.
    pub(in super::super) fn aside(mut self) -> Self {
        self.telling = Telling::Aside;
        self
    }

    /// Where it is told what a registry has given.
    fn spoken(&self) -> Result<Box<dyn Write>, Stop> {
        match self.telling {
            Telling::Aside => Ok(Box::new(landfall_terminal::err())),
            Telling::Aloud | Telling::Nothing => spoken(self.world, self.flags),
        }
    }

    /// Without a word of what is done, as where a chart is packed.
    pub(in super::super) fn quietly(mut self) -> Self {
        self.telling = Telling::Nothing;
        self
    }

    fn out(&self) -> Box<dyn Write> {
        match self.telling {
            Telling::Aloud | Telling::Aside => Box::new(landfall_terminal::out()),
            Telling::Nothing => Box::new(io::sink()),
        }
    }

    fn load(&self) -> Result<Chart, Stop> {
        let status = fs::metadata(&self.directory).map_err(|error| {
            Stop::words(
                code::NO_CHART,
                format!("could not find {}: {}", self.shown, place::go_words("stat", &self.shown, &error)),
            )
        })?;
        if !status.is_dir() {
            return Err(Stop::words(code::NO_CHART, "only unpacked charts can be updated"));
        }
        place::load(self.world, &self.directory, &self.shown)
    }

    /// Fetches what the lock names.
    pub(in super::super) fn build(mut self) -> Result<(), Stop> {
        let chart = self.load()?;
        let Some(lock) = &chart.lock else { return self.update() };
        self.unsigned = Unsigned::Told;
        let mut asked = chart.metadata.dependencies.clone();
        let older = landfall_chart::digest_v2(&asked) == lock.digest;
        self.names(&mut asked)?;
        if digest(&asked, &lock.dependencies) != lock.digest {
            let first = chart.metadata.api_version == API_VERSION_V1;
            if first {
                let _nobody_listens = writeln!(
                    landfall_terminal::err(),
                    "warning: a valid Helm v3 hash was not found. Checking against Helm v2 hash..."
                );
            }
            if !(first && older) {
                let (lock, file) =
                    if first { ("requirements.lock", "requirements.yaml") } else { ("Chart.lock", "Chart.yaml") };
                return Err(Stop::words(
                    code::UNSETTLED_DEPENDENCIES,
                    format!(
                        "the lock file ({lock}) is out of sync with the dependencies file ({file}). Please update the dependencies"
                    ),
                ));
            }
        }
        let mut locked = lock.dependencies.clone();
        let unknown: Vec<&str> = locked
            .iter()
            .filter(|it| !is_local(it) && !is_registry(it))
            .filter(|it| {
                !self.repositories.iter().any(|known| same_url(&known.url, it.repository.trim_end_matches('/')))
            })
            .map(|it| it.repository.as_str())
            .collect();
        if !unknown.is_empty() {
            return Err(Stop::words(
                code::NO_CHART_REPOSITORY,
                format!(
                    "no repository definition for {}. Please add the missing repos via 'helm repo add'",
                    unknown.join(", ")
                ),
            ));
        }
        self.refresh()?;
        self.fetch(&mut locked)
    }

    /// Chooses versions anew, fetches them and writes the lock.
    pub(in super::super) fn update(mut self) -> Result<(), Stop> {
        let chart = self.load()?;
        let mut asked = chart.metadata.dependencies.clone();
        if asked.is_empty() {
            return Ok(());
        }
        let mut names = self.names(&mut asked)?;
        self.meet(&mut names, &asked)?;
        self.refresh()?;
        let mut locked = self.choose(&asked, &names)?;
        self.fetch(&mut locked)?;
        let digest = digest(&asked, &locked);
        if chart.lock.as_ref().is_some_and(|old| old.digest == digest) {
            return Ok(());
        }
        let generated = moment::formatted("2006-01-02T15:04:05.999999999Z07:00", jiff::Timestamp::now());
        let lock = Lock { generated, digest, dependencies: locked };
        let first = chart.metadata.api_version == API_VERSION_V1;
        let file = if first { "requirements.lock" } else { "Chart.lock" };
        let path = self.directory.join(file);
        if let Ok(target) = fs::read_link(&path) {
            return Err(Stop::words(
                code::BAD_LINK,
                format!("the {file} file is a symlink to {:?}", target.to_string_lossy()),
            ));
        }
        write_whole(&path, landfall_yaml::emit(&lock).unwrap_or_default().as_bytes())
    }

    /// The names of the repositories the dependencies come from; aliases become addresses (helm: `resolveRepoNames`).
    fn names(&self, asked: &mut [Dependency]) -> Result<BTreeMap<String, String>, Stop> {
        let mut names = BTreeMap::new();
        let mut missing = Vec::new();
        for wanted in asked {
            if wanted.repository.is_empty() {
                continue;
            }
            if is_local(wanted) {
                self.local_path(&wanted.repository)?;
            }
            if is_local(wanted) || is_registry(wanted) {
                names.insert(wanted.name.clone(), wanted.repository.clone());
                continue;
            }
            let alias = wanted.repository.strip_prefix('@').or_else(|| wanted.repository.strip_prefix("alias:"));
            let found = self.repositories.iter().find(|known| match alias {
                Some(alias) => known.name == alias,
                None => same_url(&known.url, &wanted.repository),
            });
            if let Some(known) = found {
                if alias.is_some() {
                    wanted.repository.clone_from(&known.url);
                }
                names.insert(wanted.name.clone(), known.name.clone());
            } else if alias.is_some() || !(wanted.repository.contains("://") || wanted.repository.starts_with('/')) {
                missing.push(wanted.repository.clone());
            }
        }
        if missing.is_empty() {
            return Ok(names);
        }
        let mut words =
            format!("no repository definition for {}. Please add them via 'helm repo add'", missing.join(", "));
        if missing.iter().any(|it| !it.contains("//") && !it.starts_with('@') && !it.starts_with("alias:")) {
            words.push_str(
                "\nNote that repositories must be URLs or aliases. For example, to refer to the \"example\"\nrepository, use \"https://charts.example.com/\" or \"@example\" instead of\n\"example\". Don't forget to add the repo, too ('helm repo add').",
            );
        }
        Err(Stop::words(code::NO_CHART_REPOSITORY, words))
    }

    /// Fetches the indexes of repositories that nobody has added (helm: `ensureMissingRepos`).
    fn meet(&mut self, names: &mut BTreeMap<String, String>, asked: &[Dependency]) -> Result<(), Stop> {
        let mut unknown: Vec<RepositoryEntry> = Vec::new();
        for wanted in asked {
            if wanted.repository.is_empty() || names.contains_key(&wanted.name) {
                continue;
            }
            let key: String =
                Sha256::digest(wanted.repository.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
            let name = format!("{UNMANAGED}{key}");
            names.insert(wanted.name.clone(), name.clone());
            if !unknown.iter().any(|entry| entry.name == name) {
                unknown.push(RepositoryEntry { name, url: wanted.repository.clone(), ..RepositoryEntry::default() });
            }
        }
        if unknown.is_empty() || self.flags.is("skip-refresh") {
            return Ok(());
        }
        writeln!(self.out(), "Getting updates for unmanaged Helm repositories...")?;
        self.get_all(&unknown)
    }

    /// Fetches the indexes of the repositories that were added.
    fn refresh(&mut self) -> Result<(), Stop> {
        if self.flags.is("skip-refresh") || self.repositories.is_empty() {
            return Ok(());
        }
        writeln!(self.out(), "Hang tight while we grab the latest from your chart repositories...")?;
        self.get_all(&self.repositories.clone())?;
        writeln!(self.out(), "Update Complete. ⎈Happy Helming!⎈")?;
        Ok(())
    }

    fn get_all(&mut self, entries: &[RepositoryEntry]) -> Result<(), Stop> {
        let mut out = self.out();
        for (entry, outcome) in entries.iter().zip(fetch_all(self.world, &self.settings, entries, None)) {
            let unmanaged = entry.name.starts_with(UNMANAGED);
            let shown = without_passwords(if unmanaged { &entry.url } else { &entry.name });
            match outcome {
                Ok(fetched) => {
                    writeln!(out, "...Successfully got an update from the {shown:?} chart repository")?;
                    self.indexes.insert(entry.name.clone(), fetched.index);
                }
                Err(error) if unmanaged => {
                    writeln!(out, "...Unable to get an update from the {shown:?} chart repository:\n\t{error}")?;
                }
                Err(error) => writeln!(
                    out,
                    "...Unable to get an update from the {shown:?} chart repository ({}):\n\t{error}",
                    without_passwords(&entry.url)
                )?,
            }
        }
        Ok(())
    }

    fn index(&mut self, name: &str) -> Result<&Index, landfall_source::SourceError> {
        if !self.indexes.contains_key(name) {
            let index = cached_index(&self.settings.cache, name)?;
            self.indexes.insert(name.to_owned(), index);
        }
        Ok(&self.indexes[name])
    }

    /// The newest version that fits for each dependency (helm: `resolver.Resolve`).
    fn choose(&mut self, asked: &[Dependency], names: &BTreeMap<String, String>) -> Result<Vec<Dependency>, Stop> {
        let mut locked = Vec::new();
        let mut missing = Vec::new();
        for wanted in asked {
            let range = Constraint::parse(&wanted.version).map_err(|error| {
                let words = format!("dependency {:?} has an invalid version/constraint format: {error}", wanted.name);
                Stop::words(code::UNSETTLED_DEPENDENCIES, words)
            })?;
            let chosen = |version: &str| Dependency {
                name: wanted.name.clone(),
                version: version.to_owned(),
                repository: wanted.repository.clone(),
                ..Dependency::default()
            };
            let fits = |version: &str| Version::parse(version).is_ok_and(|version| range.check(&version));
            let absent =
                || format!("{:?} (repository {:?}, version {:?})", wanted.name, wanted.repository, wanted.version);
            if wanted.repository.is_empty() {
                self.local_path(&format!("charts/{}", wanted.name))?;
                locked.push(chosen(&wanted.version));
            } else if is_local(wanted) {
                let chart = self.local_chart(&wanted.repository)?;
                if fits(&chart.metadata.version) {
                    locked.push(chosen(&chart.metadata.version));
                } else {
                    missing.push(absent());
                }
            } else if is_registry(wanted) {
                if Version::parse(&wanted.version).is_ok() {
                    locked.push(chosen(&wanted.version));
                    continue;
                }
                let reference = Reference::child(&wanted.repository, &wanted.name, "")?;
                let registry = registry(self.world, self.flags);
                let versions = self.world.host.wait(registry.versions(&reference)).map_err(|error| {
                    let doing = format!("could not retrieve list of tags for repository {}", wanted.repository);
                    wrapped(&doing, &error)
                })?;
                match versions.iter().find(|version| fits(version)) {
                    Some(version) => locked.push(chosen(version)),
                    None => missing.push(absent()),
                }
            } else {
                let name = names.get(&wanted.name).map_or("", String::as_str);
                let index = self.index(name).map_err(|error| {
                    let doing = format!("no cached repository for {name} found. (try 'helm repo update')");
                    without_index(wanted, wrapped(&doing, &error))
                })?;
                let Some(versions) = index.versions(&wanted.name) else {
                    let words = format!("{} chart not found in repo {}", wanted.name, wanted.repository);
                    return Err(Stop::words(code::NO_SUCH_CHART, words));
                };
                match versions.iter().find(|entry| !entry.urls.is_empty() && fits(&entry.version)) {
                    Some(entry) => locked.push(chosen(&entry.version)),
                    None => missing.push(absent()),
                }
            }
        }
        if missing.is_empty() {
            return Ok(locked);
        }
        Err(Stop::words(
            code::NO_SUCH_CHART,
            format!(
                "can't get a valid version for {} subchart(s): {}. Make sure a matching chart version exists in the repo, or change the version constraint in Chart.yaml",
                missing.len(),
                missing.join(", ")
            ),
        ))
    }

    /// Fetches and packs everything into a directory of its own, then puts it where it belongs (helm: `downloadAll`).
    fn fetch(&mut self, locked: &mut [Dependency]) -> Result<(), Stop> {
        let charts = self.directory.join("charts");
        if charts.exists() && !charts.is_dir() {
            return Err(Stop::words(
                code::BAD_LINK,
                format!("{:?} is not a directory", format!("{}/charts", self.shown)),
            ));
        }
        fs::create_dir_all(&charts)?;
        writeln!(self.out(), "Saving {} charts", locked.len())?;
        let mut archives: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for dependency in locked.iter_mut() {
            if let Err(stop) = self.fetch_one(dependency, &charts, &mut archives, &mut seen) {
                if let Stop::Words { helm, .. } = &stop {
                    writeln!(self.out(), "Save error occurred:  {helm}")?;
                }
                return Err(stop);
            }
        }
        self.settle(locked, &charts, archives)
    }

    fn fetch_one(
        &mut self,
        dependency: &mut Dependency,
        charts: &Path,
        archives: &mut BTreeMap<String, Vec<u8>>,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), Stop> {
        let name = dependency.name.clone();
        if dependency.repository.is_empty() {
            writeln!(
                landfall_terminal::out(),
                "Dependency {name} did not declare a repository. Assuming it exists in the charts directory"
            )?;
            let path = charts.join(&name);
            let chart = place::load(self.world, &path, &format!("{}/charts/{name}", self.shown)).map_err(|stop| {
                let inner = stop.helm_words();
                Stop::words(code::NO_CHART, format!("unable to load chart '{}': {inner}", path.display()))
            })?;
            let version = &chart.metadata.version;
            if !landfall_chart::is_compatible(&dependency.version, version) {
                let words = format!(
                    "dependency {name} at version {version} does not satisfy the constraint {}",
                    dependency.version
                );
                return Err(Stop::words(code::UNSETTLED_DEPENDENCIES, words));
            }
            return Ok(());
        }
        if is_local(dependency) {
            let chart = self.local_chart(&dependency.repository)?;
            if !landfall_chart::is_compatible(&dependency.version, &chart.metadata.version) {
                return Err(Stop::words(
                    code::UNSETTLED_DEPENDENCIES,
                    format!("can't get a valid version for dependency {name}"),
                ));
            }
            let packed = package(&chart, PackageOptions::default())?;
            dependency.version.clone_from(&chart.metadata.version);
            archives.insert(packed.file_name, packed.bytes);
            return Ok(());
        }
        if is_registry(dependency) {
            let repository = &dependency.repository;
            if !seen.insert(format!("{repository}/{name}:{}", dependency.version)) {
                writeln!(self.out(), "Already downloaded {name} from repo {}", without_passwords(repository))?;
                return Ok(());
            }
            writeln!(self.out(), "Downloading {name} from repo {}", without_passwords(repository))?;
            let reference = Reference::child(repository, &name, &dependency.version)?;
            let doing = format!("could not download {repository}/{name}");
            let registry = Box::new(registry(self.world, self.flags));
            let fetched =
                pull(self.world, &registry, &reference, self.spoken()?).map_err(|stop| stop.behind(&doing))?;
            let remote = Remote::Registry { registry, reference };
            self.verify(&remote, &fetched).map_err(|stop| stop.behind(&doing))?;
            archives.insert(fetched.name, fetched.bytes);
            return Ok(());
        }
        let (url, entry, client) = self.find(dependency)?;
        let repository = &dependency.repository;
        if !seen.insert(url.clone()) {
            writeln!(self.out(), "Already downloaded {name} from repo {}", without_passwords(repository))?;
            return Ok(());
        }
        writeln!(self.out(), "Downloading {name} from repo {}", without_passwords(repository))?;
        let doing = format!("could not download {url}");
        let owner = repository.clone();
        let remote = Remote::Archive { url, owner, digest: entry.digest, client: Box::new(client) };
        let fetched = remote.fetch(self.world, self.spoken()?).map_err(|stop| stop.behind(&doing))?;
        self.verify(&remote, &fetched).map_err(|stop| stop.behind(&doing))?;
        archives.insert(fetched.name, fetched.bytes);
        Ok(())
    }

    /// Checks who signed an archive, where that was asked for: `build` takes what nobody signed, `update` does not.
    fn verify(&self, remote: &Remote, fetched: &Fetched) -> Result<(), Stop> {
        if !self.flags.is("verify") {
            return Ok(());
        }
        fetched.say_again(self.spoken()?)?;
        let signed = match (remote.signed(self.world, fetched), self.unsigned) {
            (Ok(signed), _) => signed,
            (Err(stop), Unsigned::Refused) => return Err(stop),
            (Err(stop), Unsigned::Told) => {
                let words = stop.helm_words();
                writeln!(
                    self.out(),
                    "WARNING: Verification not found for {}: {words}",
                    without_passwords(&remote.address())
                )?;
                return Ok(());
            }
        };
        provenance::verify_bytes(self.world, self.flags, &fetched.name, &fetched.bytes, &signed)?;
        Ok(())
    }

    /// The address of a chosen version (helm: `findChartURL`).
    fn find(&mut self, wanted: &Dependency) -> Result<(String, IndexEntry, HttpClient), Stop> {
        let lost = |why: &str| {
            // Helm names the address here, which it has not found.
            Stop::words(code::NO_SUCH_CHART, format!("could not find : {why}"))
        };
        let version = Version::parse(&wanted.version).ok();
        let same = |entry: &&IndexEntry| {
            !entry.urls.is_empty()
                && (wanted.version.is_empty()
                    || match (&version, Version::parse(&entry.version)) {
                        (Some(version), Ok(other)) => version.precedence(&other).is_eq(),
                        _ => entry.version == wanted.version,
                    })
        };
        let managed = self.repositories.iter().find(|known| same_url(&known.url, &wanted.repository)).cloned();
        let (name, access) = match managed {
            Some(entry) => (entry.name.clone(), entry.access()),
            None => {
                let key: String =
                    Sha256::digest(wanted.repository.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
                (format!("{UNMANAGED}{key}"), access(self.world, self.flags))
            }
        };
        let client = self.world.host.network.client(Access { patience: patience(&self.world.host.env), ..access });
        let index = self.index(&name).map_err(|error| without_index(wanted, wrapped("", &error)))?;
        let versions = index.versions(&wanted.name).ok_or_else(|| lost("entry not found"))?;
        let entry = versions.iter().find(same).cloned().ok_or_else(|| lost("no matching version"))?;
        let url = join_url(&wanted.repository, entry.urls.first().map_or("", String::as_str));
        Ok((url, entry, client))
    }

    /// Puts archives into `charts/` and takes out those that nothing asks for (helm: `safeMoveDeps`).
    fn settle(&self, locked: &[Dependency], charts: &Path, archives: BTreeMap<String, Vec<u8>>) -> Result<(), Stop> {
        let mut out = self.out();
        let before = place::names(charts);
        for (name, bytes) in &archives {
            if let Err(error) = Chart::load_archive(name, bytes) {
                write!(out, "Could not verify {name} for moving: {error} (Skipping)")?;
                continue;
            }
            write_whole(&charts.join(name), bytes)?;
        }
        writeln!(out, "Deleting outdated charts")?;
        for name in before {
            let path = charts.join(&name);
            if path.is_dir() || archives.contains_key(&name) {
                continue;
            }
            let shown = format!("{}/charts/{name}", self.shown);
            match place::load(self.world, &path, &shown) {
                Err(stop) => {
                    writeln!(out, "Could not verify {shown} for deletion: {} (Skipping)", stop.helm_words())?;
                }
                Ok(chart) if locked.iter().any(|it| it.repository.is_empty() && it.name == chart.name()) => {}
                Ok(_) => fs::remove_file(&path)?,
            }
        }
        Ok(())
    }

    /// Where a `file://` repository is (helm: `GetLocalPath`).
    fn local_path(&self, repository: &str) -> Result<PathBuf, Stop> {
        let path = repository.strip_prefix("file://").unwrap_or(repository);
        let absolute: PathBuf = self.directory.join(path).components().collect();
        if absolute.exists() {
            return Ok(absolute);
        }
        let shown = if path.starts_with('/') { path.to_owned() } else { go_join(&self.shown, path) };
        Err(Stop::words(code::NOT_IN_TREE, format!("directory {shown} not found")))
    }

    fn local_chart(&self, repository: &str) -> Result<Chart, Stop> {
        let path = self.local_path(repository)?;
        let shown = path.to_string_lossy().into_owned();
        place::load(self.world, &path, &shown)
    }
}

fn is_local(dependency: &Dependency) -> bool {
    dependency.repository.is_empty() || dependency.repository.starts_with("file://")
}

fn is_registry(dependency: &Dependency) -> bool {
    dependency.repository.starts_with("oci://")
}

/// Go's `filepath.Join`: `..` takes away what stands before it.
fn go_join(base: &str, path: &str) -> String {
    let rooted = base.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if rooted {
        format!("/{joined}")
    } else if joined.is_empty() {
        ".".to_owned()
    } else {
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::go_join;

    #[test]
    fn paths_are_joined_as_go_joins_them() {
        assert_eq!(go_join("parent", "../child"), "child");
        assert_eq!(go_join(".", "../child"), "../child");
        assert_eq!(go_join("/a/b", "../../../c"), "/c");
        assert_eq!(go_join(".", "charts/x"), "charts/x");
    }
}
