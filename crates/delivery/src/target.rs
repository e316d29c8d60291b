use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_apps::DirectorySource;
use landfall_diag::{Diagnose, Diagnostic, Place, code};
use landfall_project::ProjectFile;
use landfall_source::{Network, RemoteRef, SourceTree, fetch_repository};

use crate::application::KUSTOMIZATIONS;
use crate::viewpoint::{Viewpoint, slashed};

/// What was asked to be delivered, before anything is read from it.
#[derive(Debug, Clone, Default)]
pub struct TargetQuery {
    /// The argument as typed; the working directory when absent.
    pub target: Option<String>,
    /// The directory that relative paths start from.
    pub working_directory: PathBuf,
    /// The commit, branch or tag wanted instead of the working tree.
    pub reference: Option<String>,
    /// Below which repositories are fetched, each fetch into a directory of its own.
    pub cache: PathBuf,
    /// How long a server of one may be silent; the usual when not said.
    pub patience: Option<Duration>,
    /// What they are fetched with.
    pub network: Network,
    /// Which files take part where a directory holds plain manifests.
    pub directory: DirectorySource,
    /// The command that asks for it, for advice.
    pub command: Typed,
}

/// A command as it was typed, as far as advice repeats it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// The verb: `plan`, `secrets check`.
    pub verb: String,
    /// The directory that `-C` named.
    pub elsewhere: Option<String>,
}

impl Typed {
    /// The same command in a directory that is seen from where it works; every verb takes it so.
    pub fn in_directory(&self, directory: &str) -> String {
        let directory = match &self.elsewhere {
            Some(elsewhere) if !directory.starts_with('/') => {
                format!("{}/{directory}", elsewhere.trim_end_matches('/'))
            }
            _ => directory.to_owned(),
        };
        let is_plain = directory.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./+@%:,=".contains(&byte));
        let directory = if is_plain { directory } else { format!("'{}'", directory.replace('\'', "'\\''")) };
        format!("landfall -C {directory} {}", self.verb).trim_end().to_owned()
    }
}

/// What is delivered, read and recognised.
#[derive(Debug)]
pub struct Target {
    /// The files.
    pub source: SourceTree,
    /// The directory within the files that paths of the target start from.
    pub directory: String,
    /// From where a person reads the files' paths: the working directory for a working tree, their top for commits and
    /// archives.
    pub viewpoint: Viewpoint,
    /// What it is.
    pub kind: TargetKind,
}

/// What kind of thing is delivered.
#[derive(Debug)]
pub enum TargetKind {
    /// A system with a `landfall.yaml`.
    System(Box<ProjectFile>),
    /// A bare chart.
    Chart,
    /// Argo `Application` manifests: paths within the files.
    Applications(Vec<String>),
    /// Plain manifests, or a kustomization: the directory, and which of its files take part.
    Manifests(DirectorySource),
}

/// Where a target lies on disk, before it is read; state and configuration are found from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetPlace {
    /// A directory, and what stands in it.
    Directory(PathBuf),
    /// A chart's or project's archive.
    Archive(PathBuf),
    /// A manifest file, or a `landfall.yaml` named itself.
    Manifest(PathBuf),
    /// A repository by address.
    Remote(RemoteRef),
}

impl TargetPlace {
    /// Recognises an argument; with none, the nearest directory upwards that holds a `landfall.yaml`, else the
    /// working directory.
    ///
    /// # Errors
    /// When the argument is neither an address nor an existing file or directory.
    pub fn of(query: &TargetQuery) -> Result<Self, Diagnostic> {
        let Some(text) = &query.target else {
            return Ok(TargetPlace::Directory(upwards(&query.working_directory)));
        };
        // A variable of a script that is not set: what all of it is meant for stands there without a word.
        if text.is_empty() {
            return Err(Diagnostic::error(code::NO_TARGET, "a target cannot be an empty word")
                .help("leave it out for the system of this directory, or write `.`"));
        }
        if let Some(remote) = RemoteRef::parse(text) {
            return Ok(TargetPlace::Remote(remote));
        }
        let path = query.working_directory.join(text);
        if path.is_dir() {
            return Ok(TargetPlace::Directory(path));
        }
        if path.is_file() {
            let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
            return match name.rsplit('.').next() {
                Some("yaml" | "yml" | "json") => Ok(TargetPlace::Manifest(path)),
                Some("tgz" | "gz" | "tar") => Ok(TargetPlace::Archive(path)),
                _ => Err(Diagnostic::error(
                    code::NO_KIND_OF_TARGET,
                    format!("`{text}` is neither a chart, an archive nor a manifest"),
                )
                .help("give a directory with `landfall.yaml` or `Chart.yaml`, a `.tgz`, or Application manifests")),
            };
        }
        // What is not checked out may lie in the revision that is asked for.
        if let Some(reference) = &query.reference {
            let (commit, inside) = at_revision(&path, reference)?;
            if commit.is_directory(&inside) {
                return Ok(TargetPlace::Directory(path));
            }
            if matches!(commit.read(&inside), Ok(Some(_))) && !inside.ends_with(".tgz") {
                return Ok(TargetPlace::Manifest(path));
            }
        }
        let mut diagnostic = Diagnostic::error(code::NO_TARGET, format!("there is no `{text}`"))
            .note(format!("looked in {}", query.working_directory.display()));
        if let Some(reference) = &query.reference {
            diagnostic = diagnostic.note(format!("nor does {reference} have it"));
        }
        diagnostic = diagnostic.did_you_mean(nearest_entry(&path));
        Err(diagnostic)
    }

    /// The directory that it lies in, without links; none for what is only known by address.
    pub fn directory(&self) -> Option<PathBuf> {
        let directory = match self {
            TargetPlace::Directory(directory) => directory.clone(),
            TargetPlace::Archive(file) | TargetPlace::Manifest(file) => file.parent()?.to_owned(),
            TargetPlace::Remote(_) => return None,
        };
        Some(directory.canonicalize().unwrap_or(directory))
    }

    /// The root of its system: the directory with the `landfall.yaml`, else the top of the git working tree.
    pub fn root(&self) -> Option<PathBuf> {
        let directory = self.directory()?;
        if directory.join(landfall_project::FILE_NAME).is_file() {
            return Some(directory);
        }
        directory.ancestors().find(|dir| dir.join(".git").exists()).map(Path::to_owned)
    }
}

impl Target {
    /// Reads what a place holds.
    ///
    /// # Errors
    /// When it cannot be fetched or read, or holds nothing that can be delivered.
    #[boxed]
    pub async fn load(place: &TargetPlace, query: &TargetQuery) -> Result<Self, Vec<Diagnostic>> {
        match place {
            TargetPlace::Directory(directory) => Target::from_directory(directory, query),
            TargetPlace::Manifest(file) => {
                if file.file_name().is_some_and(|name| name == landfall_project::FILE_NAME) {
                    let directory = file.parent().unwrap_or(Path::new("."));
                    return Target::from_directory(directory, query);
                }
                let directory = file.parent().unwrap_or(Path::new("."));
                if file.file_name().is_some_and(|name| name == CALLED_OTHERWISE) {
                    check_called(directory).map_err(one)?;
                }
                let (source, inside) = open(directory, query).map_err(one)?;
                let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let path = join(&inside, &name);
                let text = read_text(&source, &path).map_err(one)?;
                let kind = if holds_applications(&text) {
                    TargetKind::Applications(vec![path])
                } else if holds_objects(&text) {
                    // One file of a directory, and none beside it.
                    TargetKind::Manifests(DirectorySource { include: globset::escape(&name), ..Default::default() })
                } else {
                    return Err(one(Diagnostic::error(
                        code::NO_APPLICATION,
                        format!("`{}` holds no object of Kubernetes", file.display()),
                    )
                    .help("`landfall up` takes charts, systems with a landfall.yaml, Applications and manifests")));
                };
                let viewpoint = viewpoint(&source, query);
                Ok(Target { source, directory: inside, viewpoint, kind })
            }
            TargetPlace::Archive(file) => {
                let source = SourceTree::open_archive(file).map_err(|error| one(error.diagnose()))?;
                Target::recognise(source, String::new(), &file.display().to_string(), &query.directory, None)
            }
            TargetPlace::Remote(remote) => {
                let below = query.cache.join("git").join(slug(&remote.shown()));
                let fetched = fetch_repository(&query.network, remote, &below, query.patience).await;
                let fetched = fetched.map_err(|error| one(error.diagnose()))?;
                let revision = remote.revision.as_deref().or(query.reference.as_deref()).unwrap_or("HEAD");
                let source = SourceTree::open_fetched(fetched, revision).map_err(|error| one(error.diagnose()))?;
                Target::recognise(source, String::new(), &remote.shown(), &query.directory, None)
            }
        }
    }

    /// Reads no more of a place than its `landfall.yaml`: what commands need that look at what is delivered and render
    /// nothing. A place without one is an empty list of Applications.
    ///
    /// # Errors
    /// When the `landfall.yaml` cannot be read, or the place has to be fetched and cannot be.
    #[boxed]
    pub async fn declared(place: &TargetPlace, query: &TargetQuery) -> Result<Self, Vec<Diagnostic>> {
        let directory = match place {
            _ if query.reference.is_some() => return Target::load(place, query).await,
            TargetPlace::Remote(_) => return Target::load(place, query).await,
            TargetPlace::Directory(directory) => Some(directory.as_path()),
            TargetPlace::Archive(file) | TargetPlace::Manifest(file) => file.parent(),
        };
        let file = directory.unwrap_or(Path::new(".")).join(landfall_project::FILE_NAME);
        let most = landfall_project::MOST_BYTES as u64 + 1;
        let mut bytes = Vec::new();
        let kind = match std::fs::File::open(&file).and_then(|file| file.take(most).read_to_end(&mut bytes)) {
            Ok(_) => TargetKind::System(Box::new(landfall_project::parse_bytes(landfall_project::FILE_NAME, &bytes)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                check_called(directory.unwrap_or(Path::new("."))).map_err(one)?;
                TargetKind::Applications(Vec::new())
            }
            Err(error) => {
                return Err(one(Diagnostic::error(code::NO_TARGET, format!("`{}` cannot be read", file.display()))
                    .note(error.to_string())));
            }
        };
        let source = SourceTree::from_tree("declared", landfall_chart::Tree::new());
        Ok(Target { source, directory: String::new(), viewpoint: Viewpoint::Top, kind })
    }

    /// A target without files: of what an object names, everything comes from elsewhere.
    pub(crate) fn nowhere() -> Self {
        Target {
            source: SourceTree::from_tree("nowhere", landfall_chart::Tree::new()),
            directory: String::new(),
            viewpoint: Viewpoint::Top,
            kind: TargetKind::Applications(Vec::new()),
        }
    }

    fn from_directory(directory: &Path, query: &TargetQuery) -> Result<Self, Vec<Diagnostic>> {
        check_called(directory).map_err(one)?;
        let (source, inside) = open(directory, query).map_err(one)?;
        let viewpoint = viewpoint(&source, query);
        let way = Viewpoint::of(&query.working_directory, directory).shown("");
        let command = |below: &str| query.command.in_directory(&join(&way, below));
        let name = directory.display().to_string();
        let target = Target::recognise(source, inside, &name, &query.directory, Some(&command))?;
        Ok(Target { viewpoint, ..target })
    }

    /// A chart of that name, wherever it lies in the revision that is asked for: it may have been moved since.
    ///
    /// Nothing where there is none, or more than one.
    pub fn chart_named(name: &str, place: &TargetPlace, query: &TargetQuery) -> Option<Self> {
        let TargetPlace::Directory(directory) = place else { return None };
        let (source, _) = open(directory, query).ok()?;
        let is_it = |path: &&String| {
            let text = source.read(path).ok().flatten().unwrap_or_default();
            let chart = landfall_yaml::to_json(&String::from_utf8_lossy(&text)).unwrap_or_default();
            chart["name"] == name
        };
        let files = source.glob("**/Chart.yaml").unwrap_or_default();
        let mut named = files.iter().filter(|path| !path.contains("/charts/")).filter(is_it);
        let (found, other) = (named.next()?, named.next());
        let directory = found.strip_suffix("Chart.yaml")?.trim_end_matches('/').to_owned();
        other.is_none().then_some(Target { source, directory, viewpoint: Viewpoint::Top, kind: TargetKind::Chart })
    }

    fn recognise(
        source: SourceTree,
        directory: String,
        name: &str,
        rules: &DirectorySource,
        command: Option<&dyn Fn(&str) -> String>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let project = join(&directory, landfall_project::FILE_NAME);
        if let Some(text) = source.read(&project).map_err(|error| one(error.diagnose()))? {
            let file = landfall_project::parse_bytes(landfall_project::FILE_NAME, &text)?;
            return Ok(Target {
                source,
                directory,
                viewpoint: Viewpoint::Top,
                kind: TargetKind::System(Box::new(file)),
            });
        }
        if source.read(&join(&directory, "Chart.yaml")).map_err(|error| one(error.diagnose()))?.is_some() {
            return Ok(Target { source, directory, viewpoint: Viewpoint::Top, kind: TargetKind::Chart });
        }
        let is_told = *rules != DirectorySource::default();
        let manifests = |source, directory| {
            let kind = TargetKind::Manifests(rules.clone());
            Ok(Target { source, directory, viewpoint: Viewpoint::Top, kind })
        };
        if !is_told && is_kustomization(&source, &directory).map_err(one)? {
            return manifests(source, directory);
        }
        let applications = applications_in(&source, &directory).map_err(one)?;
        if !applications.is_empty() {
            return Ok(Target {
                source,
                directory,
                viewpoint: Viewpoint::Top,
                kind: TargetKind::Applications(applications),
            });
        }
        let depth = if rules.recurse { "**/*" } else { "*" };
        if holds_manifests(&source, &join(&globset::escape(&directory), depth)).map_err(one)? {
            return manifests(source, directory);
        }
        let mut diagnostic = Diagnostic::error(
            code::NOTHING_TO_DELIVER,
            format!(
                "`{name}` holds nothing to deliver: no landfall.yaml, Chart.yaml or kustomization.yaml, no Argo Application \
                 and no manifest"
            ),
        );
        let charts = charts_below(&source, &directory);
        diagnostic = match charts.first() {
            Some(first) => {
                let told = diagnostic.note(format!("charts below it: {}", charts.join(", ")));
                match command {
                    Some(command) if charts.len() > 1 => told
                        .help(command(first))
                        .help("or all of them: `landfall init` writes a landfall.yaml that names them"),
                    Some(command) => told.help(command(first)),
                    None => told,
                }
            }
            None if holds_manifests(&source, &join(&globset::escape(&directory), "**/*")).unwrap_or_default() => {
                diagnostic.help("manifests lie in the directories below it: `--recurse` takes them, too")
            }
            None => diagnostic.help("`landfall create NAME` makes a chart to begin with"),
        };
        Err(vec![diagnostic])
    }

    /// A path within the files as a person at the terminal would type it.
    pub fn shown(&self, path: &str) -> String {
        self.viewpoint.shown(path)
    }

    /// A path of the target as a path within its files.
    pub fn path(&self, path: &str) -> String {
        join(&self.directory, path)
    }
}

fn one(diagnostic: Diagnostic) -> Vec<Diagnostic> {
    vec![diagnostic]
}

/// The files that a directory belongs to as they are on disk, and where in them the directory lies.
pub(crate) fn working_tree(directory: &Path) -> Result<(SourceTree, String), Diagnostic> {
    let working = SourceTree::open_directory(directory).map_err(|error| error.diagnose())?;
    let root = working.directory_on_disk().map(Path::to_owned).unwrap_or_default();
    let real = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let inside = real.strip_prefix(&root).map(slashed).unwrap_or_default();
    Ok((working, inside))
}

/// From where the files that were asked for are seen.
fn viewpoint(source: &SourceTree, query: &TargetQuery) -> Viewpoint {
    match (&query.reference, source.directory_on_disk()) {
        (None, Some(top)) => Viewpoint::of(&query.working_directory, top),
        _ => Viewpoint::Top,
    }
}

/// Opens the files that a directory belongs to, and says where in them the directory lies.
fn open(directory: &Path, query: &TargetQuery) -> Result<(SourceTree, String), Diagnostic> {
    match &query.reference {
        None => working_tree(directory),
        Some(reference) => at_revision(directory, reference),
    }
}

/// A commit of the repository that a path belongs to, and where in it the path lies, checked out or not.
pub(crate) fn at_revision(path: &Path, reference: &str) -> Result<(SourceTree, String), Diagnostic> {
    let there = path.ancestors().find(|it| it.is_dir()).unwrap_or(Path::new("."));
    let commit = SourceTree::open_commit(there, reference).map_err(|error| error.diagnose())?;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
    // A bare repository has no working tree: its own directory stands for it.
    let top = commit.in_working_tree("").map_or_else(|| real(there), |top| real(&top));
    let whole = real(there).join(rest);
    let within = whole.strip_prefix(&top).unwrap_or(Path::new(""));
    let mut parts: Vec<String> = Vec::new();
    for part in within.components() {
        match part {
            Component::ParentDir => drop(parts.pop()),
            Component::CurDir => {}
            part => parts.push(part.as_os_str().to_string_lossy().into_owned()),
        }
    }
    Ok((commit, parts.join("/")))
}

/// What people call a `landfall.yaml` that is not read.
const CALLED_OTHERWISE: &str = "landfall.yml";

/// Refuses a directory whose `landfall.yaml` is called otherwise: it would be passed over, and with it what it says.
fn check_called(directory: &Path) -> Result<(), Diagnostic> {
    let is_there = |name: &str| directory.join(name).is_file();
    if is_there(landfall_project::FILE_NAME) || !is_there(CALLED_OTHERWISE) {
        return Ok(());
    }
    let text = format!("`{CALLED_OTHERWISE}` is not read: the file must be called {}", landfall_project::FILE_NAME);
    let place = Place::line(CALLED_OTHERWISE, 1);
    Err(Diagnostic::error(code::NO_TARGET, text)
        .primary(place, "this one")
        .help(format!("mv {CALLED_OTHERWISE} {}", landfall_project::FILE_NAME)))
}

fn upwards(directory: &Path) -> PathBuf {
    let has = |dir: &Path| dir.join(landfall_project::FILE_NAME).is_file();
    if has(directory) || directory.join("Chart.yaml").is_file() {
        return directory.to_owned();
    }
    for parent in directory.ancestors().skip(1) {
        if has(parent) {
            return parent.to_owned();
        }
        if parent.join(".git").exists() {
            break;
        }
    }
    directory.to_owned()
}

fn nearest_entry(path: &Path) -> Option<String> {
    let parent = path.parent()?;
    let wanted = path.file_name()?.to_string_lossy().into_owned();
    let names: Vec<String> =
        std::fs::read_dir(parent).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    landfall_diag::nearest(&wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

fn read_text(source: &SourceTree, path: &str) -> Result<String, Diagnostic> {
    match source.read(path).map_err(|error| error.diagnose())? {
        Some(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        None => Err(Diagnostic::error(code::NO_TARGET, format!("there is no `{path}` in {}", source.place()))),
    }
}

/// The manifests of a directory of Applications, those that hold some first; none where none does. What stands beside them is looked at,
/// too: projects bound them, and of what nothing becomes somebody is told.
fn applications_in(source: &SourceTree, directory: &str) -> Result<Vec<String>, Diagnostic> {
    let (mut found, mut beside) = (Vec::new(), Vec::new());
    for name in source.entries(directory).map_err(|error| error.diagnose())? {
        if ![".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending)) {
            continue;
        }
        let path = join(directory, &name);
        let text = read_text(source, &path)?;
        if holds_applications(&text) { found.push(path) } else { beside.push(path) }
    }
    if !found.is_empty() {
        found.append(&mut beside);
    }
    Ok(found)
}

/// Whether a manifest holds Applications, or what generates them.
pub(crate) fn holds_applications(text: &str) -> bool {
    holds(text, "Application") || holds(text, "ApplicationSet")
}

/// Whether a file holds an object of Kubernetes; what is no YAML holds none.
fn holds_objects(text: &str) -> bool {
    let documents = landfall_yaml::to_json_all(text).unwrap_or_default();
    documents.iter().any(|document| document["kind"].is_string() && document["apiVersion"].is_string())
}

/// Whether a manifest lies among the files that a pattern fits.
fn holds_manifests(source: &SourceTree, pattern: &str) -> Result<bool, Diagnostic> {
    for path in source.glob(pattern).map_err(|error| error.diagnose())? {
        let is_manifest = [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending));
        if is_manifest && holds_objects(&read_text(source, &path)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a directory is one for Kustomize.
fn is_kustomization(source: &SourceTree, directory: &str) -> Result<bool, Diagnostic> {
    let entries = source.entries(directory).map_err(|error| error.diagnose())?;
    Ok(entries.iter().any(|entry| KUSTOMIZATIONS.contains(&entry.as_str())))
}

/// Whether a manifest holds an object of Argo CD of that kind; what is no YAML holds none.
fn holds(text: &str, kind: &str) -> bool {
    landfall_yaml::to_json_all(text).unwrap_or_default().iter().any(|document| {
        document["kind"] == kind
            && document["apiVersion"].as_str().is_some_and(|version| version.starts_with("argoproj.io/"))
    })
}

fn charts_below(source: &SourceTree, directory: &str) -> Vec<String> {
    let pattern = join(directory, "**/Chart.yaml");
    let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
    source
        .glob(&pattern)
        .unwrap_or_default()
        .iter()
        .filter_map(|path| path.strip_prefix(&prefix)?.strip_suffix("/Chart.yaml"))
        .filter(|path| !path.contains("/charts/"))
        .map(str::to_owned)
        .take(8)
        .collect()
}

pub(crate) fn join(a: &str, b: &str) -> String {
    let plain = if a.is_empty() { b.to_owned() } else { format!("{a}/{b}") };
    // One file has one name, by which it is read, shown and written; what leads out is refused where it is read.
    match plain.split('/').any(|part| matches!(part, "." | "..")) {
        true => landfall_source::within("", &plain).unwrap_or(plain),
        false => plain,
    }
}

/// An address as a directory's name.
pub fn slug(url: &str) -> String {
    let name: String =
        url.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '_' }).collect();
    name.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(dir: &Path, target: Option<&str>) -> TargetQuery {
        TargetQuery {
            target: target.map(str::to_owned),
            working_directory: dir.to_owned(),
            reference: None,
            cache: dir.join("cache"),
            patience: None,
            network: Network::default(),
            directory: DirectorySource::default(),
            command: Typed { verb: "plan".to_owned(), elsewhere: None },
        }
    }

    #[test]
    fn a_command_is_repeated_as_it_was_typed() {
        let typed = |verb: &str, elsewhere: Option<&str>| Typed {
            verb: verb.to_owned(),
            elsewhere: elsewhere.map(str::to_owned),
        };
        assert_eq!(typed("up", None).in_directory("web"), "landfall -C web up");
        assert_eq!(
            typed("secrets check", Some("shop/")).in_directory("my web"),
            "landfall -C 'shop/my web' secrets check"
        );
        assert_eq!(typed("plan", Some("shop")).in_directory("/srv/web"), "landfall -C /srv/web plan");
    }

    #[test]
    fn a_target_that_is_not_there_suggests_the_nearest() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(dir.path().join("charts")).expect("made");
        let error = TargetPlace::of(&query(dir.path(), Some("chart"))).expect_err("not there");
        assert_eq!(error.helps, ["did you mean `charts`?"]);
    }

    #[tokio::test]
    async fn a_directory_without_anything_names_the_charts_below_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir_all(dir.path().join("deploy/web")).expect("made");
        std::fs::write(dir.path().join("deploy/web/Chart.yaml"), "name: web\n").expect("written");
        let query = query(dir.path(), None);
        let place = TargetPlace::of(&query).expect("the working directory");
        let findings = Target::load(&place, &query).await.expect_err("nothing here");
        assert_eq!(findings[0].helps, ["landfall -C deploy/web plan"]);
    }

    #[test]
    fn the_project_file_is_found_upwards_within_the_repository() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir_all(dir.path().join("apps/web")).expect("made");
        std::fs::create_dir(dir.path().join(".git")).expect("made");
        std::fs::write(dir.path().join("landfall.yaml"), "name: x\n").expect("written");
        let place = TargetPlace::of(&query(&dir.path().join("apps/web"), None)).expect("found");
        assert_eq!(place, TargetPlace::Directory(dir.path().to_owned()));
    }
}
