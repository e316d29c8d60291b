//! Where a chart is: a directory, an archive, or nowhere.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

use landfall_chart::{
    Budget, Bytes, Chart, Dialect, IGNORE_FILE, Ignore, MAX_FILE_SIZE, PathKind, Spent, Tree, Warning,
};
use landfall_diag::{Diagnostic, code};
use landfall_source::{MAX_PACKED, is_mutant, read_bounded};

use super::dependency::Filling;
use super::flags::Flags;
use super::gourl::Reference;
use super::repositories::{self, Remote, Settings};
use super::{Stop, Voice, World, provenance};

/// Steps of a tree's budget that following a link takes.
const LINK: u64 = 16;

/// Finds what a chart argument names; what lies elsewhere is fetched into Helm's cache (helm: `LocateChart`).
pub(super) fn locate(world: &World<'_>, flags: &Flags, name: &str) -> Result<PathBuf, Stop> {
    let name = name.trim();
    // Collected again, a path has no `.` in it.
    let path: PathBuf = world.host.directory.join(name).components().collect();
    // Helm 4 looks for it here only where no repository is named.
    let elsewhere = flags.text("repo").is_some_and(|url| !url.is_empty());
    if path.exists() && !(elsewhere && super::dialect(world, flags)? == Dialect::V4) {
        if let Some(repository) = flags.text("repo").filter(|url| !url.is_empty()) {
            let _nobody_listens = writeln!(
                landfall_terminal::err(),
                "install.go:759: WARN local chart found in current working directory. repository url ignored chart={name} repository={repository}"
            );
        }
        if flags.is("verify") {
            provenance::verify(world, flags, &path.to_string_lossy())?;
        }
        return Ok(path);
    }
    let missing = |helm: String| {
        let mut diagnostic =
            Diagnostic::error(code::NO_CHART, format!("there is no chart {name}")).note(format!("helm: {helm}"));
        diagnostic = match nearest_entry(&path) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("name a chart's directory or .tgz"),
        };
        Stop::said(helm, diagnostic)
    };
    if name.starts_with('/') || name.starts_with('.') {
        return Err(missing(format!("path {name:?} not found")));
    }
    let settings = Settings::of(world, flags);
    let repository = flags.text("repo").filter(|url| !url.is_empty());
    if repository.is_none() && !name.contains("://") {
        let Some(reference) = Reference::parse(name) else {
            return Err(missing(format!("invalid chart URL format: {name}")));
        };
        let path = String::from_utf8_lossy(&reference.path);
        match path.split_once('/') {
            Some((known, _)) if settings.repositories()?.get(known).is_none() => {
                return Err(missing(format!("repo {known} not found")));
            }
            Some(_) => {}
            None => return Err(missing(not_absolute(&reference))),
        }
    }
    let remote = Remote::resolve(world, flags, &settings, name)?;
    let fetched = remote.fetch(world, landfall_terminal::err())?;
    fs::create_dir_all(&settings.cache)?;
    let path = settings.cache.join(&fetched.name);
    repositories::write_whole(&path, &fetched.bytes)?;
    if flags.is("verify") {
        fetched.say_again(landfall_terminal::err())?;
        let signed = remote.signed(world, &fetched)?;
        repositories::write_whole(&settings.cache.join(format!("{}.prov", fetched.name)), &signed)?;
        provenance::verify(world, flags, &path.to_string_lossy())?;
    }
    Ok(path)
}

/// What Helm says of a reference that names neither an address nor a repository's chart.
pub(super) fn not_absolute(reference: &Reference) -> String {
    format!("non-absolute URLs should be in form of repo_name/path_to_chart, got: {}", reference.written)
}

/// Loads a chart; with `--dependency-update`, charts that are declared and not there are fetched first.
pub(super) fn load_whole(world: &World<'_>, flags: &Flags, path: &Path, name: &str) -> Result<Chart, Stop> {
    load_filled(world, flags, path, name, |filling| filling)
}

/// As [`load_whole`] for `template`, which leaves standard output to the manifests as far as Helm does.
pub(super) fn load_for_template(world: &World<'_>, flags: &Flags, path: &Path, name: &str) -> Result<Chart, Stop> {
    load_filled(world, flags, path, name, Filling::aside)
}

fn load_filled<'w>(
    world: &'w World<'w>,
    flags: &'w Flags,
    path: &Path,
    name: &str,
    told: fn(Filling<'w>) -> Filling<'w>,
) -> Result<Chart, Stop> {
    let dialect = super::dialect(world, flags)?;
    let chart = load_as(world, path, name, dialect)?;
    if !flags.is("dependency-update") || !path.is_dir() || chart.missing_dependencies().is_empty() {
        return Ok(chart);
    }
    told(Filling::new(world, flags, name)?).update()?;
    load_as(world, path, name, dialect)
}

/// The names in a directory, sorted; none when it cannot be read.
pub(super) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .map(|entries| entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

fn nearest_entry(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let names: Vec<String> =
        fs::read_dir(path.parent()?).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    landfall_diag::nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

/// Loads a chart from a directory or an archive; `name` is how it was typed.
pub(super) fn load(world: &World<'_>, path: &Path, name: &str) -> Result<Chart, Stop> {
    load_as(world, path, name, Dialect::V3)
}

/// As [`load`], as that Helm does.
pub(super) fn load_as(world: &World<'_>, path: &Path, name: &str, dialect: Dialect) -> Result<Chart, Stop> {
    if path.is_dir() {
        let tree = read_directory(world, path)?;
        if dialect == Dialect::V4 && tree.get("Chart.yaml").is_none() {
            let file = path.join("Chart.yaml").display().to_string();
            let words = format!("unable to detect chart at {file}: open {file}: no such file or directory");
            return Err(Stop::words(code::NO_CHART, words));
        }
        return Ok(Chart::load_as(&tree, &shown(name), dialect)?);
    }
    let absolute = path.to_string_lossy();
    let bytes = read_bounded(path, MAX_PACKED)
        .map_err(|error| Stop::words(code::NO_CHART, go_words("open", &absolute, &error)))?;
    let called = if world.voice == Voice::Helm { &*absolute } else { name };
    Ok(Chart::load_archive_as(called, &bytes, dialect)?)
}

/// The directory as places in errors begin: without `./` and a trailing slash.
pub(super) fn shown(name: &str) -> String {
    let name = name.trim_end_matches('/');
    let name = name.strip_prefix("./").unwrap_or(name);
    if name == "." { String::new() } else { name.to_owned() }
}

/// Go's words for what the operating system says.
pub(super) fn go_words(operation: &str, path: &str, error: &std::io::Error) -> String {
    let what = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        std::io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        _ => error.to_string(),
    };
    if error.kind() == std::io::ErrorKind::IsADirectory {
        return format!("read {path}: {what}");
    }
    format!("{operation} {path}: {what}")
}

/// Makes the directories of a path, which is shown so; what cannot be made is told in Go's words, with the first that is
/// none yet (os: `MkdirAll`).
pub(super) fn make_directories(path: &Path, shown: &Path) -> Result<(), Stop> {
    let mut pairs: Vec<(&Path, &Path)> = path.ancestors().zip(shown.ancestors()).collect();
    pairs.reverse();
    let missing =
        pairs.iter().find(|(path, _)| !path.is_dir()).map_or(shown, |(_, shown)| *shown).display().to_string();
    std::fs::create_dir_all(path).map_err(|error| unwritten("mkdir", &missing, error))
}

/// Writes a file that is shown so, or says in Go's words that it cannot be.
pub(super) fn write_file(path: &Path, shown: &str, bytes: &[u8]) -> Result<(), Stop> {
    std::fs::write(path, bytes).map_err(|error| unwritten("open", shown, error))
}

/// Why something could not be written.
pub(super) fn unwritten(operation: &str, shown: &str, error: std::io::Error) -> Stop {
    // Where there is no room, no other name would do.
    if landfall_diag::is_full(error.kind()) {
        return Stop::from(error);
    }
    Stop::words(code::FILES, go_words(operation, shown, &error))
}

/// A path without `.` and `..`, as Go's `filepath.Abs` writes it: links on the way are not looked at.
fn cleaned(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(clean.pop()),
            part => clean.push(part),
        }
    }
    clean
}

/// Reads a chart's directory, leaving out what its `.helmignore` names; says on standard error which links it followed,
/// as Helm 3 does.
fn read_directory(world: &World<'_>, root: &Path) -> Result<Tree, Stop> {
    let mut links = Vec::new();
    let tree = read_with_links(world, root, &mut links);
    if world.voice == Voice::Helm && world.env("LANDFALL_HELM_DIALECT").as_deref() != Some("v4") {
        super::log(&links);
    }
    tree
}

/// Reads a chart's directory and gives what Helm 3 says of the links in it.
///
/// Links are followed as Helm follows them; in our own voice only where they stay in the repository around the chart, and
/// in neither voice into `.git` or `.landfall`.
pub(super) fn read_with_links(world: &World<'_>, root: &Path, links: &mut Vec<Warning>) -> Result<Tree, Stop> {
    let ignore = match read_bounded(&root.join(IGNORE_FILE), MAX_FILE_SIZE) {
        // What is wrong with the rules is said when the chart is loaded.
        Ok(bytes) => Ignore::parse(&String::from_utf8_lossy(&bytes)).unwrap_or_else(|_| Ignore::defaults()),
        Err(_) => Ignore::defaults(),
    };
    let real = fs::canonicalize(root)?;
    let home = repository_of(&real);
    let fence = match world.voice {
        Voice::Helm => None,
        Voice::Landfall => Some(home.clone()),
    };
    let mut walk =
        Walk { ignore, fence, home, root: cleaned(root), links, found: Vec::new(), budget: Budget::default() };
    walk.directory(&real, "", &mut Vec::new())?;
    let mut tree = Tree::new();
    for (found, content) in walk.found.iter().zip(read_all(&walk.found)) {
        let content = content.map_err(|error| {
            let words = go_words("open", &found.real.to_string_lossy(), &error);
            Stop::words(code::NO_CHART, format!("error reading {}: {words}", found.path))
        })?;
        tree.insert(found.path.as_str(), content)
            .map_err(|error| Stop::words(code::LIMIT, format!("error reading {}: {error}", found.path)))?;
    }
    tree.sort();
    Ok(tree)
}

/// The repository around a directory, or the directory itself.
fn repository_of(real: &Path) -> PathBuf {
    real.ancestors().find(|path| path.join(".git").exists()).unwrap_or(real).to_path_buf()
}

/// Whether a file is one of those that git and Landfall keep beside a tree's own, seen from a repository.
fn is_private(file: &Path, home: &Path) -> bool {
    file.strip_prefix(home).unwrap_or(file).iter().any(|part| part == ".git" || part == ".landfall")
}

struct Walk<'l> {
    ignore: Ignore,
    fence: Option<PathBuf>,
    /// The repository around the chart, or the chart's directory.
    home: PathBuf,
    /// The directory as it was named.
    root: PathBuf,
    links: &'l mut Vec<Warning>,
    found: Vec<Found>,
    budget: Budget,
}

/// A file of a chart.
struct Found {
    /// Its path in the chart.
    path: String,
    /// Where it is.
    real: PathBuf,
    /// Its size in bytes when it was found.
    size: u64,
}

/// Fewer files than this are read sooner than a thread is started.
const WORTH_A_THREAD: usize = 128;

/// The files' contents in their order.
fn read_all(files: &[Found]) -> Vec<io::Result<Bytes>> {
    let read = |file: &Found| read_whole(&file.real, file.size).map(Bytes::from);
    if files.len() < WORTH_A_THREAD {
        return files.iter().map(read).collect();
    }
    let (here, there) = files.split_at(files.len() / 2);
    std::thread::scope(|scope| {
        let beside = std::thread::Builder::new().spawn_scoped(scope, || there.iter().map(read).collect::<Vec<_>>());
        let mut all: Vec<_> = here.iter().map(read).collect();
        match beside.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(rest)) => all.extend(rest),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // The system gives no further thread.
            Err(_) => all.extend(there.iter().map(read)),
        }
        all
    })
}

/// Reads a file of about that size in one go; charts have many files, and asking first what is known costs more than
/// reading them.
fn read_whole(path: &Path, size: u64) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    let expected = usize::try_from(size).unwrap_or(usize::MAX);
    // One more, so that a file that has grown since it was looked at is noticed.
    let mut content = vec![0; expected.saturating_add(1)];
    let mut filled = 0;
    while filled < expected {
        match file.read(&mut content[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    content.truncate(filled);
    if filled > expected {
        file.take(MAX_FILE_SIZE).read_to_end(&mut content)?;
    }
    Ok(content)
}

impl Walk<'_> {
    fn directory(&mut self, dir: &Path, prefix: &str, above: &mut Vec<PathBuf>) -> Result<(), Stop> {
        let limit = |spent: Spent| {
            Stop::words(
                code::LIMIT,
                format!("{}: {spent}: too much for a chart; leave files out with .helmignore", dir.display()),
            )
        };
        self.budget.directory(above.len()).map_err(limit)?;
        let entries = fs::read_dir(dir)
            .map_err(|error| Stop::words(code::NO_CHART, go_words("open", &dir.to_string_lossy(), &error)))?;
        let mut names: Vec<std::ffi::OsString> =
            entries.filter_map(|entry| entry.ok().map(|entry| entry.file_name())).collect();
        names.sort();
        self.budget.steps(names.len() as u64).map_err(limit)?;
        for name in names {
            let text = name.to_string_lossy();
            let path = if prefix.is_empty() { text.into_owned() } else { format!("{prefix}/{text}") };
            let mut real = dir.join(&name);
            let mut kind = fs::symlink_metadata(&real)?;
            if kind.is_symlink() {
                self.budget.steps(LINK).map_err(limit)?;
                let named = self.root.join(&path);
                let target = fs::canonicalize(&real).map_err(|error| {
                    let leads = fs::read_link(&real).map_or(named.clone(), |leads| cleaned(&dir.join(leads)));
                    let words = format!(
                        "error evaluating symlink {}: {}",
                        named.display(),
                        go_words("lstat", &leads.to_string_lossy(), &error)
                    );
                    Stop::said(words, Diagnostic::error(code::BAD_LINK, format!("{path} is a link that leads nowhere")))
                })?;
                if self.fence.as_ref().is_some_and(|fence| !target.starts_with(fence)) && !is_mutant("chart-links") {
                    let diagnostic =
                        Diagnostic::error(code::BAD_LINK, format!("{path} is a link that leads out of the repository"))
                            .note(format!("it leads to {}", target.display()))
                            .help("put the file into the chart; `landfall helm …` follows such links as Helm does");
                    return Err(Stop::said(diagnostic.message.clone(), diagnostic));
                }
                if is_private(&target, &self.home) && !is_mutant("private-files") {
                    let diagnostic = Diagnostic::error(
                        code::BAD_LINK,
                        format!("{path} is a link to what git or Landfall keeps for itself"),
                    )
                    .note(format!("it leads to {}", target.display()))
                    .note("credentials lie there, and a template could print them")
                    .help("put the file into the chart");
                    return Err(Stop::said(diagnostic.message.clone(), diagnostic));
                }
                self.links.push(Warning {
                    place: "walk.go:75",
                    text: format!(
                        "found symbolic link in path: {} resolves to {}. Contents of linked file included and used",
                        named.display(),
                        target.display()
                    ),
                });
                kind = fs::metadata(&target)?;
                real = target;
            }
            if kind.is_dir() {
                if self.ignore.ignores(&path, PathKind::Directory) {
                    continue;
                }
                if above.contains(&real) {
                    return Err(Stop::words(
                        code::BAD_LINK,
                        format!("{path} is a link that leads back to a directory above it"),
                    ));
                }
                above.push(real.clone());
                self.directory(&real, &path, above)?;
                above.pop();
                continue;
            }
            if self.ignore.ignores(&path, PathKind::File) {
                continue;
            }
            if !kind.is_file() {
                let shown = dir.join(&name);
                return Err(Stop::words(
                    code::BAD_LINK,
                    format!("cannot load irregular file {} as it has file mode type bits set", shown.display()),
                ));
            }
            if kind.len() > MAX_FILE_SIZE {
                let name = name.to_string_lossy();
                return Err(Stop::words(
                    code::LIMIT,
                    format!("chart file {name:?} is larger than the maximum file size {MAX_FILE_SIZE}"),
                ));
            }
            self.budget.file(&path, kind.len()).map_err(limit)?;
            self.found.push(Found { path, real, size: kind.len() });
        }
        Ok(())
    }
}
