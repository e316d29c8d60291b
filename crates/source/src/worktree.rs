use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use landfall_chart::{Budget, Spent, Tree, TreeError};

use crate::is_mutant;
use crate::path::{below, clean};
use crate::repository_handle::{RepositoryHandle, Way};
use crate::revision::ContentDigest;
use crate::{Revision, SourceError};

/// Largest single file read from a working tree, in bytes.
const MAX_FILE: u64 = 100 * 1024 * 1024;

/// How many links to directories may lie in one another.
const MAX_LINKS: usize = 40;

/// Steps that following a link takes.
const LINK: u64 = 16;

/// A directory on disk and the repository it lies in.
pub(crate) struct Worktree {
    root: PathBuf,
    repository: Option<RepositoryHandle>,
}

impl std::fmt::Debug for Worktree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worktree").field("root", &self.root).finish_non_exhaustive()
    }
}

/// How much of files that differ from the commit, or of a tree without git, is read to tell revisions apart.
const MAX_DIGESTED: u64 = 1 << 30;

impl Worktree {
    pub(crate) fn open(directory: &Path) -> Result<Self, SourceError> {
        let directory =
            directory.canonicalize().map_err(|source| SourceError::Read { path: directory.to_owned(), source })?;
        let repository = crate::git::discover(&directory)?;
        let root = repository
            .as_ref()
            .and_then(|repository| repository.workdir())
            .and_then(|path| path.canonicalize().ok())
            .filter(|root| directory.starts_with(root));
        // A bare repository has no working tree: the directory is then taken as it lies.
        let repository = if root.is_some() { repository } else { None };
        let handle = |repository| RepositoryHandle::of(repository, &directory, Way::Around);
        let repository = repository.map(handle);
        let root = root.unwrap_or(directory);
        Ok(Worktree { root, repository })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn origin(&self) -> Option<String> {
        crate::git::origin(&*self.repository.as_ref()?.here().ok()?)
    }

    /// The repository and its `HEAD`.
    pub(crate) fn history(&self) -> Option<(Rc<gix::Repository>, gix::ObjectId)> {
        let repository = self.repository.as_ref()?.here().ok()?;
        let head = repository.head_id().ok()?.detach();
        Some((repository, head))
    }

    /// The commit checked out, with a digest of what differs from it; without git a digest of all files.
    pub(crate) fn revision(&self) -> Result<Revision, SourceError> {
        let Some(repository) = &self.repository else {
            return self.revision_without_git();
        };
        let repository = repository.here()?;
        let changed = self.changed(&repository)?;
        let head = repository.head_id().ok().map(|id| id.to_string());
        if changed.is_empty() {
            return Ok(match head {
                Some(sha) => Revision::commit(sha),
                None => Revision::content(ContentDigest::default()),
            });
        }
        let (mut digest, mut left) = (ContentDigest::default(), MAX_DIGESTED);
        for path in &changed {
            self.add(path, &mut digest, &mut left);
        }
        Ok(match head {
            Some(sha) => Revision::dirty(sha, digest),
            None => Revision::content(digest),
        })
    }

    fn revision_without_git(&self) -> Result<Revision, SourceError> {
        let (mut digest, mut left) = (ContentDigest::default(), MAX_DIGESTED);
        for (path, _) in self.list("", &mut Budget::default())? {
            self.add(&path, &mut digest, &mut left);
        }
        Ok(Revision::content(digest))
    }

    /// Adds a file to a digest, or a link by what stands in it: what that leads to has a path of its own, or is none of
    /// the tree's. A file that passes what is left to be read counts by its size and when it was written: it is no part
    /// of what is rendered, which has a smaller measure.
    fn add(&self, path: &str, digest: &mut ContentDigest, left: &mut u64) {
        let at = below(&self.root, path);
        match at.symlink_metadata() {
            Ok(meta) if meta.is_file() && meta.len() > *left => {
                let written = meta.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
                let written = written.unwrap_or_default().as_nanos().to_be_bytes();
                digest.add_from(path, meta.len(), &written[..]);
            }
            Ok(meta) if meta.is_file() => match std::fs::File::open(&at) {
                Ok(file) => {
                    *left -= meta.len();
                    // It may have grown since it was asked for its size.
                    digest.add_from(path, meta.len(), file.take(meta.len()));
                }
                Err(_) => digest.add(path, None),
            },
            Ok(meta) if meta.is_symlink() => {
                let target = std::fs::read_link(&at).unwrap_or_default();
                digest.add(path, Some(target.as_os_str().as_encoded_bytes()));
            }
            _ => digest.add(path, None),
        }
    }

    /// The paths that differ from the commit checked out, untracked ones included, ignored ones not.
    fn changed(&self, repository: &gix::Repository) -> Result<BTreeSet<String>, SourceError> {
        let failed = |why: String| SourceError::Git { path: self.root.clone(), why };
        let status = repository
            .status(gix::progress::Discard)
            .map_err(|error| failed(error.to_string()))?
            .untracked_files(gix::status::UntrackedFiles::Files)
            .index_worktree_rewrites(None);
        let mut changed = BTreeSet::new();
        let mut add = |path: String| {
            if !path.split('/').next().is_some_and(is_kept_beside) {
                changed.insert(path);
            }
        };
        if is_index_of_head(repository) {
            for item in status.into_index_worktree_iter(Vec::new()).map_err(|error| failed(error.to_string()))? {
                add(item.map_err(|error| failed(error.to_string()))?.rela_path().to_string());
            }
        } else {
            // The index is held against the commit entry by entry, those of a subtree as often as that is there.
            crate::git::check_head(repository)?;
            for item in status.into_iter(Vec::new()).map_err(|error| failed(error.to_string()))? {
                add(item.map_err(|error| failed(error.to_string()))?.location().to_string());
            }
        }
        Ok(changed)
    }

    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let Some(real) = self.resolve(path)? else { return Ok(None) };
        if !real.is_file() {
            return Ok(None);
        }
        self.read_file(&real, path).map(Some)
    }

    pub(crate) fn is_directory(&self, path: &str) -> bool {
        matches!(self.resolve(path), Ok(Some(real)) if real.is_dir())
    }

    pub(crate) fn entries(&self, path: &str) -> Result<Vec<String>, SourceError> {
        let Some(real) = self.resolve(path)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in read_dir(&real)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_kept_beside(&name) {
                continue;
            }
            let is_dir = entry.path().metadata().map(|meta| meta.is_dir()).unwrap_or(false);
            names.push(if is_dir { format!("{name}/") } else { name });
        }
        names.sort();
        Ok(names)
    }

    pub(crate) fn directory(&self, path: &str) -> Result<Tree, SourceError> {
        let mut ignores = self.ignores();
        let mut tree = Tree::new();
        // What is ignored is listed, too, so that the list has a budget of its own.
        for (file, real) in self.list(path, &mut Budget::default())? {
            let inside = file.strip_prefix(path).unwrap_or(&file).trim_start_matches('/').to_owned();
            let vendored = inside.starts_with("charts/") || inside.contains("/charts/");
            if !vendored && ignores.as_mut().is_some_and(|ignores| ignores.matches(&file)) {
                continue;
            }
            let bytes = self.read_within(&real, &file, tree.left())?;
            tree.insert(inside, bytes).map_err(|error| match error {
                TreeError::Path(_) => SourceError::Path(file),
                TreeError::Spent(what) => SourceError::Spent { path: file, spent: what },
            })?;
        }
        tree.sort();
        Ok(tree)
    }

    /// The files below a directory and where they really lie, links followed inside the tree.
    fn list(&self, directory: &str, budget: &mut Budget) -> Result<Vec<(String, PathBuf)>, SourceError> {
        let mut files = Vec::new();
        if let Some(real) = self.resolve(directory)? {
            self.list_below(directory, &real, (0, 0), budget, &mut files)?;
        }
        Ok(files)
    }

    fn list_below(
        &self,
        directory: &str,
        real: &Path,
        (depth, links): (usize, usize),
        budget: &mut Budget,
        files: &mut Vec<(String, PathBuf)>,
    ) -> Result<(), SourceError> {
        let spent = |spent: Spent| SourceError::Spent { path: directory.to_owned(), spent };
        budget.directory(depth).map_err(spent)?;
        for entry in read_dir(real)? {
            budget.steps(1).map_err(spent)?;
            let name = entry.file_name();
            if name.to_str().is_some_and(is_kept_beside) {
                continue;
            }
            let Some(name) = name.to_str() else {
                return Err(SourceError::Path(entry.path().display().to_string()));
            };
            let path = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
            budget.path(path.len() + real.as_os_str().len()).map_err(spent)?;
            let kind = entry.file_type().map_err(|source| SourceError::Read { path: entry.path(), source })?;
            if kind.is_symlink() {
                budget.steps(LINK).map_err(spent)?;
                let Some(target) = self.inside(entry.path(), &path)? else {
                    return Err(SourceError::Link { path, why: "points to nothing".to_owned() });
                };
                if target.is_dir() {
                    if links >= MAX_LINKS || real.starts_with(&target) {
                        return Err(SourceError::Link { path, why: "leads back to its own directory".to_owned() });
                    }
                    self.list_below(&path, &target, (depth + 1, links + 1), budget, files)?;
                } else if target.is_file() {
                    files.push((path, target));
                }
            } else if kind.is_dir() {
                self.list_below(&path, &entry.path(), (depth + 1, links), budget, files)?;
            } else if kind.is_file() {
                files.push((path, entry.path()));
            }
        }
        Ok(())
    }

    /// Calls with the path of every file below a directory, links followed, no more than so many levels deep.
    pub(crate) fn walk(&self, directory: &str, levels: usize, visit: &mut dyn FnMut(&str)) -> Result<(), SourceError> {
        match self.resolve(directory)? {
            Some(real) if real.is_dir() => self.walk_below(directory, &real, levels, &mut Budget::default(), visit),
            _ => Ok(()),
        }
    }

    fn walk_below(
        &self,
        directory: &str,
        real: &Path,
        levels: usize,
        budget: &mut Budget,
        visit: &mut dyn FnMut(&str),
    ) -> Result<(), SourceError> {
        if levels == 0 {
            return Ok(());
        }
        let spent = |spent: Spent| SourceError::Spent { path: directory.to_owned(), spent };
        budget.directory(0).map_err(spent)?;
        for entry in read_dir(real)? {
            budget.steps(1).map_err(spent)?;
            let name = entry.file_name();
            if name == ".git" || name == ".landfall" {
                continue;
            }
            let name = name.to_string_lossy();
            let path = if directory.is_empty() { name.into_owned() } else { format!("{directory}/{name}") };
            budget.path(path.len()).map_err(spent)?;
            let kind = entry.file_type().map_err(|source| SourceError::Read { path: entry.path(), source })?;
            let below = match kind.is_symlink() {
                true => {
                    budget.steps(LINK).map_err(spent)?;
                    // A link that leads nowhere, or out of the tree, is a name like any other here.
                    self.inside(entry.path(), &path).ok().flatten().filter(|target| target.is_dir())
                }
                false => kind.is_dir().then(|| entry.path()),
            };
            match below {
                Some(below) => self.walk_below(&path, &below, levels - 1, budget, visit)?,
                None => visit(&path),
            }
        }
        Ok(())
    }

    /// Where a path of the tree really lies, links followed; an error when that is outside the tree.
    fn resolve(&self, path: &str) -> Result<Option<PathBuf>, SourceError> {
        let path = clean(path)?;
        self.inside(below(&self.root, &path), &path)
    }

    /// Where a place on disk, which the tree calls `path`, really lies.
    fn inside(&self, place: PathBuf, path: &str) -> Result<Option<PathBuf>, SourceError> {
        let path = path.to_owned();
        let real = match place.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => return Ok(None),
            // ELOOP has no stable name of its own; a link is the only thing that can lead in a circle.
            Err(error) if is_link_below(&self.root, &path) => {
                return Err(SourceError::Link { path, why: format!("cannot be followed: {error}") });
            }
            Err(source) => return Err(SourceError::Read { path: place, source }),
        };
        match real.strip_prefix(&self.root) {
            // Credentials lie there, and whoever may write a chart may print what it reads.
            _ if is_mutant("links") => Ok(Some(real)),
            Ok(inside) if inside.iter().filter_map(|part| part.to_str()).any(is_kept_beside) => {
                Err(SourceError::Link {
                    path,
                    why: format!("leads to `{}`, which is no file of the tree", inside.display()),
                })
            }
            Ok(_) => Ok(Some(real)),
            Err(_) => Err(SourceError::Link { path, why: format!("points out of the tree, to `{}`", real.display()) }),
        }
    }

    fn read_file(&self, real: &Path, path: &str) -> Result<Vec<u8>, SourceError> {
        self.read_within(real, path, Budget::default())
    }

    fn read_within(&self, real: &Path, path: &str, budget: Budget) -> Result<Vec<u8>, SourceError> {
        let failed = |source| SourceError::Read { path: real.to_owned(), source };
        let file = std::fs::File::open(real).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        if size > MAX_FILE {
            return Err(SourceError::TooLarge { path: path.to_owned(), size, limit: MAX_FILE });
        }
        if size > budget.bytes_left() {
            return Err(SourceError::Spent { path: path.to_owned(), spent: Spent::Bytes });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(MAX_FILE).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn ignores(&self) -> Option<Ignores> {
        let repository = self.repository.as_ref()?.here().ok()?;
        let index = repository.index_or_empty().ok()?;
        let stack = repository
            .excludes(&index, None, gix::worktree::stack::state::ignore::Source::WorktreeThenIdMappingIfNotSkipped)
            .ok()?
            .detach();
        Some(Ignores { repository, index, stack })
    }
}

/// Whether the index says itself that it is the tree of `HEAD`, as it does after a checkout and a commit.
fn is_index_of_head(repository: &gix::Repository) -> bool {
    let (Ok(index), Ok(head)) = (repository.index_or_empty(), repository.head_tree_id()) else { return false };
    let whole = |tree: &gix::index::extension::Tree| {
        tree.id == head && tree.num_entries.is_some_and(|count| count as usize == index.entries().len())
    };
    index.tree().is_some_and(whole)
}

/// What git ignores and does not track.
struct Ignores {
    repository: Rc<gix::Repository>,
    index: gix::worktree::Index,
    stack: gix::worktree::Stack,
}

impl Ignores {
    fn matches(&mut self, path: &str) -> bool {
        let name: &gix::bstr::BStr = path.into();
        if self.index.entry_by_path(name).is_some() {
            return false;
        }
        self.stack
            .at_entry(name, Some(gix::index::entry::Mode::FILE), &self.repository.objects)
            .map(|platform| platform.is_excluded())
            .unwrap_or(false)
    }
}

fn read_dir(path: &Path) -> Result<Vec<std::fs::DirEntry>, SourceError> {
    let failed = |source| SourceError::Read { path: path.to_owned(), source };
    let mut entries: Vec<std::fs::DirEntry> =
        std::fs::read_dir(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    Ok(entries)
}

/// Whether a name is one of those that git and Landfall keep beside a tree's own files; a state directory that is being
/// made or removed has another one for a moment.
fn is_kept_beside(name: &str) -> bool {
    let passing = |rest: &str| rest.starts_with("new.") || rest.starts_with("gone.");
    name == ".git" || name == ".landfall" || name.strip_prefix(".landfall.").is_some_and(passing)
}

/// Whether some element of a path below a root is a symbolic link.
fn is_link_below(root: &Path, path: &str) -> bool {
    let mut at = root.to_owned();
    path.split('/').any(|part| {
        at.push(part);
        at.symlink_metadata().is_ok_and(|meta| meta.is_symlink())
    })
}
