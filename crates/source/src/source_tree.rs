use std::cell::LazyCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use landfall_chart::Tree;

use crate::path::clean;
use crate::reads::{Notebook, Question, ReadSet};
use crate::{CommitChanges, Fetched, Revision, SourceError, archive, git, revision::ContentDigest, worktree};

/// A tree of files that desired state is read from.
///
/// Any thread may read it; git's objects by a handle of its own. Reading waits for the disk and for nobody else, so that it is no
/// `async fn`; where it keeps a runtime that others use from its work, it goes [`crate::aside`].
#[derive(Debug)]
pub struct SourceTree {
    place: String,
    revision: Revision,
    files: Files,
    /// The address that the files are said to come from: a fetched commit does not know it.
    named: Option<String>,
    /// The commits that files in memory are said to have behind them.
    commits: Vec<CommitChanges>,
    /// The fetched repository that is read from; its directory goes with the tree.
    _fetched: Option<Arc<Fetched>>,
    /// What was asked of a commit.
    notebook: Notebook,
}

#[derive(Debug)]
enum Files {
    /// A directory on disk; its git repository, when it lies in one.
    Directory(worktree::Worktree),
    /// A commit, read from the object database.
    Commit(git::CommitTree),
    /// Files in memory: an archive.
    Memory(Tree),
}

impl SourceTree {
    /// The working tree that a directory belongs to: its git top level, else the directory itself.
    ///
    /// Tracked and unignored files count, as does what lies in a chart's `charts/` even when it is ignored:
    /// vendored dependencies are delivered whether or not they are committed.
    ///
    /// # Errors
    /// When the directory or its repository cannot be read.
    pub fn open_directory(directory: &Path) -> Result<Self, SourceError> {
        let worktree = worktree::Worktree::open(directory)?;
        Ok(SourceTree {
            place: worktree.root().display().to_string(),
            revision: worktree.revision()?,
            files: Files::Directory(worktree),
            named: None,
            commits: Vec::new(),
            _fetched: None,
            notebook: Notebook::default(),
        })
    }

    /// A commit of the repository that a directory belongs to.
    ///
    /// # Errors
    /// When there is no repository or no such revision.
    pub fn open_commit(directory: &Path, revision: &str) -> Result<Self, SourceError> {
        Ok(SourceTree::of_commit(git::CommitTree::open(directory, revision)?, None))
    }

    fn of_commit(tree: git::CommitTree, fetched: Option<Arc<Fetched>>) -> Self {
        SourceTree {
            place: format!("commit {}", &tree.sha()[..7]),
            revision: Revision::commit(tree.sha()),
            files: Files::Commit(tree),
            named: None,
            commits: Vec::new(),
            _fetched: fetched,
            notebook: Notebook::default(),
        }
    }

    /// A commit of a repository that was fetched, which goes with the tree.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn open_fetched(fetched: Fetched, revision: &str) -> Result<Self, SourceError> {
        SourceTree::open_shared(&Arc::new(fetched), revision)
    }

    /// A commit of a repository that was fetched and that others read, too; it goes with the last of them.
    ///
    /// # Errors
    /// When there is no such revision.
    pub fn open_shared(fetched: &Arc<Fetched>, revision: &str) -> Result<Self, SourceError> {
        let tree = git::CommitTree::open_own(fetched.path(), revision)?;
        Ok(SourceTree::of_commit(tree, Some(Arc::clone(fetched))))
    }

    /// An archive (`.tgz`, `.tar.gz`, `.tar`) held in memory.
    ///
    /// # Errors
    /// When it is broken, too large, or holds paths that leave it.
    pub fn open_archive(path: &Path) -> Result<Self, SourceError> {
        let failed = |source| SourceError::Read { path: path.to_owned(), source };
        let bytes = crate::read_bounded(path, archive::MAX_PACKED).map_err(failed)?;
        let tree = archive::read_archive(&path.display().to_string(), &bytes)?;
        Ok(SourceTree::from_tree(path.display().to_string(), tree))
    }

    /// Files in memory.
    pub fn from_tree(place: impl Into<String>, tree: Tree) -> Self {
        let mut digest = ContentDigest::default();
        for (path, bytes) in tree.iter() {
            digest.add(path, Some(bytes));
        }
        SourceTree {
            place: place.into(),
            revision: Revision::content(digest),
            files: Files::Memory(tree),
            named: None,
            commits: Vec::new(),
            _fetched: None,
            notebook: Notebook::default(),
        }
    }

    /// The revision delivered from here.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// What to call the tree in messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The directory on disk, when the tree is one.
    pub fn directory_on_disk(&self) -> Option<&Path> {
        match &self.files {
            Files::Directory(worktree) => Some(worktree.root()),
            Files::Commit(_) | Files::Memory(_) => None,
        }
    }

    /// Where a path of a commit lies in the working tree of its repository, whatever is there; nothing for other trees.
    pub fn in_working_tree(&self, path: &str) -> Option<PathBuf> {
        let Files::Commit(tree) = &self.files else { return None };
        let (repository, _) = tree.history()?;
        Some(repository.workdir()?.join(clean(path).ok()?))
    }

    /// The address of the repository's remote `origin`, when there is one.
    pub fn origin(&self) -> Option<String> {
        let own = || match &self.files {
            Files::Directory(worktree) => worktree.origin(),
            Files::Commit(tree) => tree.origin(),
            Files::Memory(_) => None,
        };
        self.named.clone().or_else(own)
    }

    /// The branch that a working tree is on, by its short name; nothing where its `HEAD` is on none.
    pub fn branch(&self) -> Option<String> {
        let Files::Directory(worktree) = &self.files else { return None };
        let (repository, _) = worktree.history()?;
        Some(repository.head_name().ok()??.shorten().to_string())
    }

    /// Whether a commit is among those that lead to another one, both named by their hashes or the beginnings of these;
    /// nothing where the repository does not have both.
    pub fn leads_to(&self, commit: &str, tip: &str) -> Option<bool> {
        let (repository, _) = self.history()?;
        let named = |text: &str| {
            let is_hash = text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash.then(|| repository.rev_parse_single(text).ok()).flatten().map(|id| id.detach())
        };
        let (commit, tip) = (named(commit)?, named(tip)?);
        let mut walk = repository.rev_walk([tip]).all().ok()?;
        Some(walk.any(|found| found.is_ok_and(|found| found.id == commit)))
    }

    /// The whole hash of a commit of which that or the beginning is named; nothing where the repository does not have it.
    pub fn full_hash(&self, commit: &str) -> Option<String> {
        let (repository, _) = self.history()?;
        let found = repository.rev_parse_single(commit).ok()?;
        let hash = found.to_string();
        hash.starts_with(&commit.to_lowercase()).then_some(hash)
    }

    /// Says which repository the files come from.
    #[must_use]
    pub fn named(mut self, origin: impl Into<String>) -> Self {
        self.named = Some(origin.into());
        self
    }

    /// Says which commits files in memory have behind them.
    #[must_use]
    pub fn with_commits(mut self, commits: Vec<CommitChanges>) -> Self {
        self.commits = commits;
        self
    }

    pub(crate) fn told_commits(&self) -> &[CommitChanges] {
        &self.commits
    }

    /// The repository and the commit that history is read from; a working tree's is its `HEAD`.
    pub(crate) fn history(&self) -> Option<(Rc<gix::Repository>, gix::ObjectId)> {
        if let Files::Commit(tree) = &self.files {
            self.notebook.note(Question::History, tree);
        }
        self.repository()
    }

    fn repository(&self) -> Option<(Rc<gix::Repository>, gix::ObjectId)> {
        match &self.files {
            Files::Directory(worktree) => worktree.history(),
            Files::Commit(tree) => tree.history(),
            Files::Memory(_) => None,
        }
    }

    /// What was read from here so far; nothing where the files are no commit's.
    pub fn reads(&self) -> Option<ReadSet> {
        matches!(self.files, Files::Commit(_)).then(|| self.notebook.reads())
    }

    /// Whether whoever has read that from another commit would read the same from this one.
    pub fn reads_alike(&self, reads: &ReadSet) -> bool {
        matches!(&self.files, Files::Commit(tree) if reads.holds_for(tree))
    }

    /// Whether both are states of one repository on disk, its working tree or a commit of it.
    pub fn is_of_the_same_repository(&self, other: &SourceTree) -> bool {
        let place = |tree: &SourceTree| tree.repository().map(|(repository, _)| repository.common_dir().to_owned());
        let (one, another) = (place(self), place(other));
        let real = |path: &Path| path.canonicalize().ok();
        one.as_deref().and_then(real).is_some_and(|one| another.as_deref().and_then(real) == Some(one))
    }

    /// A file's bytes, or `None` when there is no such file.
    ///
    /// # Errors
    /// When the path leaves the tree or the file cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let path = clean(path)?;
        match &self.files {
            Files::Directory(worktree) => worktree.read(&path),
            Files::Commit(tree) => {
                self.notebook.note(Question::File(path.clone()), tree);
                tree.read(&path)
            }
            Files::Memory(tree) => Ok(tree.get(&path).map(|bytes| bytes.to_vec())),
        }
    }

    /// Whether a path is a directory here.
    pub fn is_directory(&self, path: &str) -> bool {
        let Ok(path) = clean(path) else { return false };
        match &self.files {
            Files::Directory(worktree) => worktree.is_directory(&path),
            Files::Commit(tree) => {
                self.notebook.note(Question::IsDirectory(path.clone()), tree);
                tree.is_directory(&path)
            }
            Files::Memory(tree) => path.is_empty() || tree.has_dir(&path),
        }
    }

    /// All files below a directory.
    ///
    /// # Errors
    /// When the directory is missing, a link leaves the tree, or a file cannot be read.
    pub fn directory(&self, path: &str) -> Result<Tree, SourceError> {
        let path = clean(path)?;
        if !self.is_directory(&path) {
            return Err(SourceError::Missing { path, place: self.place.clone() });
        }
        match &self.files {
            Files::Directory(worktree) => worktree.directory(&path),
            Files::Commit(tree) => {
                self.notebook.note(Question::Directory(path.clone()), tree);
                tree.directory(&path)
            }
            Files::Memory(tree) => Ok(tree.subtree(&path)),
        }
    }

    /// The names directly inside a directory, sorted; directories end in `/`.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn entries(&self, path: &str) -> Result<Vec<String>, SourceError> {
        let path = clean(path)?;
        match &self.files {
            Files::Directory(worktree) => worktree.entries(&path),
            Files::Commit(tree) => {
                let names = tree.entries(&path);
                self.notebook.answered(Question::Entries(path), &names);
                names
            }
            Files::Memory(tree) => {
                let mut names: Vec<String> = tree
                    .subtree(&path)
                    .iter()
                    .map(|(file, _)| match file.split_once('/') {
                        Some((directory, _)) => format!("{directory}/"),
                        None => file.to_owned(),
                    })
                    .collect();
                names.sort();
                names.dedup();
                Ok(names)
            }
        }
    }

    /// The files that match a glob (`*` within a path element, `**` across), sorted.
    ///
    /// # Errors
    /// When the pattern is malformed or a directory cannot be read.
    pub fn glob(&self, pattern: &str) -> Result<Vec<String>, SourceError> {
        let pattern = clean(pattern)?;
        match &self.files {
            Files::Directory(worktree) => {
                globbed(&pattern, |path| worktree.read(path), |fixed, depth, visit| worktree.walk(fixed, depth, visit))
            }
            Files::Commit(tree) => {
                let found = glob_of_commit(tree, &pattern);
                self.notebook.answered(Question::Glob(pattern), &found);
                found
            }
            Files::Memory(tree) => {
                let read = |path: &str| Ok(tree.get(path).map(|bytes| bytes.to_vec()));
                globbed(&pattern, read, |fixed, depth, visit| {
                    let levels = |path: &str| path.matches('/').count();
                    let most = if fixed.is_empty() { depth } else { levels(fixed) + 1 + depth };
                    let inside = |path: &str| {
                        fixed.is_empty() || path.strip_prefix(fixed).is_some_and(|rest| rest.starts_with('/'))
                    };
                    let within = tree.iter().map(|(path, _)| path);
                    within.filter(|path| inside(path) && levels(path) < most).for_each(visit);
                    Ok(())
                })
            }
        }
    }
}

/// The files of a commit that match a glob, sorted.
pub(crate) fn glob_of_commit(tree: &git::CommitTree, pattern: &str) -> Result<Vec<String>, SourceError> {
    globbed(pattern, |path| tree.read(path), |fixed, depth, visit| tree.walk(fixed, depth, visit))
}

/// The files that match a glob, sorted: by how one is read, and how those below a directory are visited, so many levels deep.
fn globbed(
    pattern: &str,
    read: impl Fn(&str) -> Result<Option<Vec<u8>>, SourceError>,
    walk: impl FnOnce(&str, usize, &mut dyn FnMut(&str)) -> Result<(), SourceError>,
) -> Result<Vec<String>, SourceError> {
    let glob = globset::GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|_| SourceError::Path(pattern.to_owned()))?;
    // Where nothing lies that could match, nothing is compiled.
    let matcher = LazyCell::new(|| glob.compile_matcher());
    let fixed = pattern.split('/').take_while(|part| !part.contains(['*', '?', '[', '{'])).collect::<Vec<_>>();
    let deep = pattern.split('/').count() - fixed.len();
    if deep == 0 {
        return Ok(if read(pattern)?.is_some() { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let depth = if pattern.contains("**") { 32 } else { deep };
    let mut found = Vec::new();
    let mut visit = |path: &str| {
        if matcher.is_match(path) {
            found.push(path.to_owned());
        }
    };
    walk(&fixed.join("/"), depth, &mut visit)?;
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_within_path_elements() {
        let tree: Tree = ["apps/a.yaml", "apps/b.yaml", "apps/deep/c.yaml", "x.yaml"]
            .into_iter()
            .map(|path| (path, &b"x"[..]))
            .collect();
        let tree = SourceTree::from_tree("memory", tree);
        assert_eq!(tree.glob("apps/*.yaml").expect("matched"), ["apps/a.yaml", "apps/b.yaml"]);
        assert_eq!(tree.glob("apps/**/*.yaml").expect("matched").len(), 3);
        assert_eq!(tree.glob("*/*/*.yaml").expect("matched"), ["apps/deep/c.yaml"]);
        assert_eq!(tree.glob("*.yaml").expect("matched"), ["x.yaml"]);
        assert_eq!(tree.glob("x.yaml").expect("matched"), ["x.yaml"]);
    }
}
