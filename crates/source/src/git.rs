use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use gix::bstr::ByteSlice as _;

use landfall_chart::{Budget, MAX_TREE_DEPTH, MAX_TREE_STEPS, Spent, Tree, TreeError};

use crate::reads::Print;
use crate::repository_handle::{RepositoryHandle, Way};
use crate::{SourceError, is_mutant};

/// Largest object read from a repository, in bytes: what deltas are made to and from, as well.
pub(crate) const MAX_OBJECT: u64 = 100 * 1024 * 1024;

/// How many links may lead to one another.
const MAX_LINKS: usize = 40;

/// Longest path that a link may lead to, in bytes.
const MAX_PATH: usize = 4096;

/// Memory for trees and links that were read, in bytes: a tree that leads to itself again and again is read once.
const CACHE: usize = 4 * 1024 * 1024;

/// Steps that looking up one part of a link's path takes.
const LINK: u64 = 8;

/// The repository that a directory lies in, when there is one: the nearest `.git` upwards.
///
/// A directory that merely looks like a bare repository is none, as with git's `safe.bareRepository=explicit`: a clone
/// may hold one, with a configuration that its author wrote.
pub(crate) fn discover(directory: &Path) -> Result<Option<gix::Repository>, SourceError> {
    let upwards = gix::discover::upwards::Options { dot_git_only: !is_mutant("lures"), ..Default::default() };
    let trust = gix::sec::trust::Mapping { full: options(), reduced: options() };
    match gix::ThreadSafeRepository::discover_opts(directory, upwards, trust) {
        Ok(repository) => Ok(Some(repository.to_thread_local())),
        // A directory outside any repository is the usual case, a broken repository is told apart by its `.git`.
        Err(error) => {
            // What stands before a `..` lies beside the directory, and not above it.
            let real = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
            match real.ancestors().find(|dir| dir.join(".git").exists()) {
                None => Ok(None),
                Some(root) => Err(SourceError::Git { path: root.to_owned(), why: error.to_string() }),
            }
        }
    }
}

/// The repository that a directory lies in, or that somebody named it to be: a bare one.
pub(crate) fn named(directory: &Path) -> Result<gix::Repository, SourceError> {
    if let Some(repository) = discover(directory)? {
        return Ok(repository);
    }
    match gix::ThreadSafeRepository::open_opts(directory, options().open_path_as_is(true)) {
        Ok(repository) => Ok(repository.to_thread_local()),
        Err(_) => {
            Err(SourceError::Git { path: directory.to_owned(), why: "there is no git repository here".to_owned() })
        }
    }
}

/// The repository that a commit is read from, with room for what is read again and again.
pub(crate) fn cached(directory: &Path) -> Result<gix::Repository, SourceError> {
    let mut repository = named(directory)?;
    repository.object_cache_size_if_unset(CACHE);
    Ok(repository)
}

/// The bare repository that a directory of ours is, with room for what is read again and again.
pub(crate) fn own(directory: &Path) -> Result<gix::Repository, SourceError> {
    let failed = |error: gix::Error| SourceError::Git { path: directory.to_owned(), why: error.to_string() };
    let repository = gix::ThreadSafeRepository::open_opts(directory, options().open_path_as_is(true));
    let mut repository = repository.map_err(failed)?.to_thread_local();
    repository.object_cache_size_if_unset(CACHE);
    Ok(repository)
}

/// Whether a commit of a repository of ours is another one, or among those that lead to it.
pub(crate) fn leads_to(directory: &Path, commit: &str, tip: &str) -> bool {
    let Ok(repository) = RepositoryHandle::new(directory, Way::Own).and_then(|handle| handle.here()) else {
        return false;
    };
    let (Ok(commit), Ok(tip)) = (gix::ObjectId::from_hex(commit.as_bytes()), gix::ObjectId::from_hex(tip.as_bytes()))
    else {
        return false;
    };
    let Ok(walk) = repository.rev_walk([tip]).all() else { return false };
    walk.flatten().any(|found| found.id == commit)
}

/// The repository that a directory lies in, which there must be.
pub(crate) fn around(directory: &Path) -> Result<gix::Repository, SourceError> {
    let none = || SourceError::Git { path: directory.to_owned(), why: "there is no git repository here".to_owned() };
    discover(directory)?.ok_or_else(none)
}

/// How repositories are opened. Whoever wrote one wrote its configuration too, so nothing of that is believed but what
/// its format means; with it goes the question who owns the files. The user's own configuration counts.
fn options() -> gix::open::Options {
    gix::open::Options::default()
        .strict_config(false)
        .filter_config_section(is_the_users)
        .config_overrides([alloc_limit()])
}

/// The setting by which no object takes more memory than [`MAX_OBJECT`].
pub(crate) fn alloc_limit() -> String {
    format!("gitoxide.objects.allocLimit={MAX_OBJECT}")
}

/// Fails where the tree of `HEAD` has more in it than is read of one, before anything goes through it entry by entry.
///
/// Subtrees are counted by what was found in the same one before, so that this takes as long as there are different ones.
pub(crate) fn check_head(repository: &gix::Repository) -> Result<(), SourceError> {
    let path = || repository.workdir().unwrap_or_else(|| repository.path()).to_owned();
    let failed = |why: String| SourceError::Git { path: path(), why };
    let Ok(head) = repository.head_tree_id() else { return Ok(()) };
    let mut known = HashMap::new();
    let entries = count(repository, head.detach(), 0, &mut known).map_err(failed)?;
    match entries {
        Some(entries) if entries <= MAX_TREE_STEPS => Ok(()),
        Some(_) => Err(SourceError::Spent { path: path().display().to_string(), spent: Spent::Steps }),
        None => Err(SourceError::Spent { path: path().display().to_string(), spent: Spent::Depth }),
    }
}

/// How many entries lie below a tree; `None` where they lie too deep.
fn count(
    repository: &gix::Repository,
    tree: gix::ObjectId,
    depth: usize,
    known: &mut HashMap<gix::ObjectId, u64>,
) -> Result<Option<u64>, String> {
    if depth > MAX_TREE_DEPTH {
        return Ok(None);
    }
    if let Some(known) = known.get(&tree) {
        return Ok(Some(*known));
    }
    let data = repository.find_object(tree).map_err(|error| error.to_string())?.detach().data;
    let mut entries = 0u64;
    for entry in gix::objs::TreeRefIter::from_bytes(&data, repository.object_hash()).flatten() {
        let below = match entry.mode.is_tree() {
            true => count(repository, entry.oid.to_owned(), depth + 1, known)?,
            false => Some(0),
        };
        let Some(below) = below else { return Ok(None) };
        entries = entries.saturating_add(1).saturating_add(below);
    }
    known.insert(tree, entries);
    Ok(Some(entries))
}

/// Whether a section of configuration is the user's or the machine's, not the repository's: the latter's filters,
/// monitors, hooks, helpers and ssh commands are programs that somebody else named.
fn is_the_users(section: &gix::config::file::Metadata) -> bool {
    section.source.kind() != gix::config::source::Kind::Repository || is_mutant("git-configuration")
}

/// The address of the remote `origin`, in the user's own spelling where that rewrites addresses: the one thing that is
/// taken from the repository's configuration.
pub(crate) fn origin(repository: &gix::Repository) -> Option<String> {
    let configuration = repository.config_snapshot();
    let url = configuration.plumbing().string("remote.origin.url")?;
    let remote = repository.remote_at(url.as_bstr()).ok();
    let rewritten = remote.as_ref().and_then(|remote| remote.url(gix::remote::Direction::Fetch));
    Some(rewritten.map_or_else(|| url.to_string(), |url| url.to_bstring().to_string()))
}

/// A commit's tree, read from the object database.
pub(crate) struct CommitTree {
    repository: RepositoryHandle,
    commit: gix::ObjectId,
    tree: gix::ObjectId,
}

impl std::fmt::Debug for CommitTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitTree").field("commit", &self.commit).finish_non_exhaustive()
    }
}

/// Something in a commit's tree.
struct Found {
    id: gix::ObjectId,
    mode: gix::objs::tree::EntryMode,
    /// Where it lies, all links followed.
    path: String,
}

impl CommitTree {
    pub(crate) fn open(directory: &Path, revision: &str) -> Result<Self, SourceError> {
        CommitTree::open_by(directory, revision, Way::Named)
    }

    /// One of a repository of ours: what lies around its directory is not looked for.
    pub(crate) fn open_own(directory: &Path, revision: &str) -> Result<Self, SourceError> {
        CommitTree::open_by(directory, revision, Way::Own)
    }

    fn open_by(directory: &Path, revision: &str, way: Way) -> Result<Self, SourceError> {
        let handle = RepositoryHandle::new(directory, way)?;
        let repository = handle.here()?;
        let place = repository.path().to_owned();
        let failed = |why: String| SourceError::Git { path: place.clone(), why };
        let found = repository
            .rev_parse_single(newest_tag(&repository, revision).as_deref().unwrap_or(revision))
            .or_else(|_| repository.rev_parse_single(format!("refs/remotes/origin/{revision}").as_str()))
            .ok()
            .map(|id| id.detach());
        let Some(id) = found else {
            return Err(SourceError::Revision {
                revision: revision.to_owned(),
                nearest: nearest_reference(&repository, revision),
                shallow: repository.is_shallow().unwrap_or(false),
            });
        };
        let commit = repository
            .find_object(id)
            .map_err(|error| failed(error.to_string()))?
            .peel_to_commit()
            .map_err(|error| failed(error.to_string()))?;
        let commit_id = commit.id;
        let tree = commit.tree_id().map_err(|error| failed(error.to_string()))?.detach();
        Ok(CommitTree { repository: handle, commit: commit_id, tree })
    }

    pub(crate) fn sha(&self) -> String {
        self.commit.to_string()
    }

    pub(crate) fn origin(&self) -> Option<String> {
        origin(&*self.repository.here().ok()?)
    }

    pub(crate) fn history(&self) -> Option<(Rc<gix::Repository>, gix::ObjectId)> {
        Some((self.repository.here().ok()?, self.commit))
    }

    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        match self.find(path, 0)? {
            Some(found) if found.mode.is_blob() => self.blob(found.id, path).map(Some),
            _ => Ok(None),
        }
    }

    /// The id of the file at a path; nothing where there is none.
    pub(crate) fn file_id(&self, path: &str) -> Result<Option<gix::ObjectId>, SourceError> {
        Ok(self.find(path, 0)?.filter(|found| found.mode.is_blob()).map(|found| found.id))
    }

    /// The id of the directory at a path; nothing where there is none.
    pub(crate) fn directory_id(&self, path: &str) -> Result<Option<gix::ObjectId>, SourceError> {
        Ok(self.find(path, 0)?.filter(|found| found.mode.is_tree()).map(|found| found.id))
    }

    /// What all files below a directory come to.
    pub(crate) fn directory_print(&self, path: &str) -> Result<Print, SourceError> {
        let Some(id) = self.directory_id(path)? else { return Ok(Print::Object(None)) };
        Ok(match self.has_links(id, 0, &mut Budget::default())? {
            true => Print::Linked(id, self.tree),
            false => Print::Object(Some(id)),
        })
    }

    fn has_links(&self, directory: gix::ObjectId, depth: usize, budget: &mut Budget) -> Result<bool, SourceError> {
        let spent = |spent: Spent| SourceError::Spent { path: String::new(), spent };
        budget.directory(depth).map_err(spent)?;
        for (_, id, mode) in self.tree_entries(directory)? {
            budget.steps(1).map_err(spent)?;
            if mode.is_link() || (mode.is_tree() && self.has_links(id, depth + 1, budget)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) fn is_directory(&self, path: &str) -> bool {
        matches!(self.find(path, 0), Ok(Some(found)) if found.mode.is_tree())
    }

    pub(crate) fn entries(&self, path: &str) -> Result<Vec<String>, SourceError> {
        let Some(found) = self.find(path, 0)?.filter(|found| found.mode.is_tree()) else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for (name, _, mode) in self.tree_entries(found.id)? {
            let directory = mode.is_tree() || (mode.is_link() && self.is_directory(&join(&found.path, &name)));
            names.push(if directory { format!("{name}/") } else { name });
        }
        names.sort();
        Ok(names)
    }

    pub(crate) fn directory(&self, path: &str) -> Result<Tree, SourceError> {
        let mut tree = Tree::new();
        if let Some(found) = self.find(path, 0)?.filter(|found| found.mode.is_tree()) {
            self.collect(&found, "", 0, &mut tree)?;
        }
        tree.sort();
        Ok(tree)
    }

    fn collect(&self, directory: &Found, inside: &str, depth: usize, tree: &mut Tree) -> Result<(), SourceError> {
        let spent = |spent: Spent| SourceError::Spent { path: directory.path.clone(), spent };
        tree.budget().directory(depth).map_err(spent)?;
        for (name, id, mode) in self.tree_entries(directory.id)? {
            tree.budget().steps(1).map_err(spent)?;
            if mode.is_commit() {
                continue;
            }
            let within = join(inside, &name);
            let mut found = Found { id, mode, path: join(&directory.path, &name) };
            if mode.is_link() {
                found = self.behind(&found.path, tree.budget())?;
            }
            if found.mode.is_tree() {
                self.collect(&found, &within, depth + 1, tree)?;
            } else if found.mode.is_blob() {
                let left = tree.left();
                let bytes = self.blob_within(found.id, &found.path, left)?;
                tree.insert(within, bytes).map_err(|error| match error {
                    TreeError::Path(_) => SourceError::Path(found.path),
                    TreeError::Spent(what) => SourceError::Spent { path: found.path, spent: what },
                })?;
            }
        }
        Ok(())
    }

    /// What a link leads to.
    fn behind(&self, at: &str, budget: &mut Budget) -> Result<Found, SourceError> {
        // Each part of the path is looked up, and what it leads to may be longer.
        let parts = at.matches('/').count() as u64 + 1;
        budget.steps(LINK * parts).map_err(|spent| SourceError::Spent { path: at.to_owned(), spent })?;
        self.find(at, 0)?.ok_or_else(|| SourceError::Link { path: at.to_owned(), why: "points to nothing".to_owned() })
    }

    /// Calls with the path of every file below a directory, links followed, no more than so many levels deep.
    pub(crate) fn walk(&self, directory: &str, levels: usize, visit: &mut dyn FnMut(&str)) -> Result<(), SourceError> {
        let Some(found) = self.find(directory, 0)?.filter(|found| found.mode.is_tree()) else { return Ok(()) };
        self.walk_below(&found, directory, levels, &mut Budget::default(), visit)
    }

    fn walk_below(
        &self,
        directory: &Found,
        shown: &str,
        levels: usize,
        budget: &mut Budget,
        visit: &mut dyn FnMut(&str),
    ) -> Result<(), SourceError> {
        if levels == 0 {
            return Ok(());
        }
        let spent = |spent: Spent| SourceError::Spent { path: shown.to_owned(), spent };
        budget.directory(0).map_err(spent)?;
        for (name, id, mode) in self.tree_entries(directory.id)? {
            budget.steps(1).map_err(spent)?;
            let mut found = Found { id, mode, path: join(&directory.path, &name) };
            if mode.is_link() {
                match self.behind(&found.path, budget) {
                    Ok(behind) => found = behind,
                    Err(error @ SourceError::Spent { .. }) => return Err(error),
                    // A link that leads nowhere is a name like any other here.
                    Err(_) => {}
                }
            }
            let at = join(shown, &name);
            budget.path(at.len()).map_err(spent)?;
            match found.mode.is_tree() {
                true => self.walk_below(&found, &at, levels - 1, budget, visit)?,
                false => visit(&at),
            }
        }
        Ok(())
    }

    fn tree_entries(
        &self,
        id: gix::ObjectId,
    ) -> Result<Vec<(String, gix::ObjectId, gix::objs::tree::EntryMode)>, SourceError> {
        let repository = self.repository.here()?;
        let failed = |why: String| SourceError::Git { path: repository.path().to_owned(), why };
        let object = repository.find_object(id).map_err(|error| failed(error.to_string()))?;
        let tree = object.try_into_tree().map_err(|error| failed(error.to_string()))?;
        let mut entries = Vec::new();
        for entry in tree.iter() {
            let entry = entry.map_err(|error| failed(error.to_string()))?;
            entries.push((entry.filename().to_string(), entry.object_id(), entry.mode()));
        }
        Ok(entries)
    }

    /// The entry of a tree by its name.
    fn entry(
        &self,
        id: gix::ObjectId,
        name: &str,
    ) -> Result<Option<(gix::ObjectId, gix::objs::tree::EntryMode)>, SourceError> {
        let repository = self.repository.here()?;
        let failed = |why: String| SourceError::Git { path: repository.path().to_owned(), why };
        let object = repository.find_object(id).map_err(|error| failed(error.to_string()))?;
        let tree = object.try_into_tree().map_err(|error| failed(error.to_string()))?;
        for entry in tree.iter() {
            let entry = entry.map_err(|error| failed(error.to_string()))?;
            if entry.filename() == name {
                return Ok(Some((entry.object_id(), entry.mode())));
            }
        }
        Ok(None)
    }

    /// The object at a path, links followed inside the tree.
    fn find(&self, path: &str, links: usize) -> Result<Option<Found>, SourceError> {
        if links > MAX_LINKS {
            return Err(SourceError::Link { path: path.to_owned(), why: "leads in a circle".to_owned() });
        }
        let mode = gix::objs::tree::EntryMode::from(gix::objs::tree::EntryKind::Tree);
        let mut found = Found { id: self.tree, mode, path: String::new() };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for (index, part) in parts.iter().enumerate() {
            if !found.mode.is_tree() {
                return Ok(None);
            }
            let Some((id, mode)) = self.entry(found.id, part)? else { return Ok(None) };
            if mode.is_link() {
                let target = String::from_utf8_lossy(&self.blob(id, path)?).into_owned();
                let rest = parts[index + 1..].join("/");
                let aimed = join(&join(&found.path, &target), &rest);
                let aimed = crate::path::clean(&aimed)
                    .ok()
                    .filter(|aimed| !target.starts_with('/') && aimed.len() <= MAX_PATH)
                    .ok_or_else(|| SourceError::Link {
                        path: parts[..=index].join("/"),
                        why: format!("points out of the tree, to `{}`", shortened(&target)),
                    })?;
                return self.find(&aimed, links + 1);
            }
            found = Found { id, mode, path: join(&found.path, part) };
        }
        Ok(Some(found))
    }

    fn blob(&self, id: gix::ObjectId, path: &str) -> Result<Vec<u8>, SourceError> {
        self.blob_within(id, path, Budget::default())
    }

    /// A blob's bytes; its size is looked at before.
    fn blob_within(&self, id: gix::ObjectId, path: &str, budget: Budget) -> Result<Vec<u8>, SourceError> {
        let repository = self.repository.here()?;
        let failed = |why: String| SourceError::Git { path: repository.path().to_owned(), why };
        let size = repository.find_header(id).map_err(|error| failed(error.to_string()))?.size();
        if size > MAX_OBJECT {
            return Err(SourceError::TooLarge { path: path.to_owned(), size, limit: MAX_OBJECT });
        }
        if size > budget.bytes_left() {
            return Err(SourceError::Spent { path: path.to_owned(), spent: Spent::Bytes });
        }
        let mut object = repository.find_object(id).map_err(|error| failed(error.to_string()))?;
        Ok(std::mem::take(&mut object.data))
    }
}

/// The beginning of a text, for people.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

fn join(a: &str, b: &str) -> String {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b.to_owned(),
        (_, true) => a.to_owned(),
        _ => format!("{a}/{b}"),
    }
}

/// The newest tag of a range, as a revision; nothing where a revision is none.
fn newest_tag(repository: &gix::Repository, revision: &str) -> Option<String> {
    // Names are no ranges: of nearly all revisions no reference is read.
    landfall_chart::is_constraint(revision).then_some(())?;
    let references = repository.references().ok()?;
    let names: Vec<String> = references.tags().ok()?.flatten().map(|tag| tag.name().shorten().to_string()).collect();
    let tags = names.iter().map(|name| (name.as_str(), name));
    crate::remote::newest_of(revision, tags).map(|name| format!("refs/tags/{name}"))
}

fn nearest_reference(repository: &gix::Repository, asked: &str) -> Option<String> {
    let references = repository.references().ok()?;
    let names: Vec<String> =
        references.all().ok()?.filter_map(Result::ok).map(|reference| reference.name().shorten().to_string()).collect();
    landfall_diag::nearest(asked, names.iter().map(String::as_str)).map(str::to_owned)
}
