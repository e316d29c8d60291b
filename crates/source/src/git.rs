use std::path::Path;

use gix::bstr::ByteSlice as _;

use landfall_chart::Tree;

use crate::SourceError;

/// Largest blob read from a repository, in bytes.
const MAX_BLOB: u64 = 100 * 1024 * 1024;

/// How deep directories and links may nest.
const MAX_DEPTH: usize = 64;

/// The repository that a directory lies in, when there is one: the nearest `.git` upwards.
///
/// A directory that merely looks like a bare repository is none, as with git's `safe.bareRepository=explicit`: a clone
/// may hold one, with a configuration that its author wrote.
pub(crate) fn discover(directory: &Path) -> Result<Option<gix::Repository>, SourceError> {
    let upwards = gix::discover::upwards::Options { dot_git_only: true, ..Default::default() };
    let trust = gix::sec::trust::Mapping { full: options(), reduced: options() };
    match gix::ThreadSafeRepository::discover_opts(directory, upwards, trust) {
        Ok(repository) => Ok(Some(repository.to_thread_local())),
        // A directory outside any repository is the usual case, a broken repository is told apart by its `.git`.
        Err(error) => {
            let broken = directory.ancestors().find(|dir| dir.join(".git").exists());
            match broken {
                None => Ok(None),
                Some(root) => Err(SourceError::Git { path: root.to_owned(), why: error.to_string() }),
            }
        }
    }
}

/// The repository that a directory lies in, or that somebody named it to be: a bare one.
fn named(directory: &Path) -> Result<gix::Repository, SourceError> {
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

/// How repositories are opened. Whoever wrote one wrote its configuration too, so nothing of that is believed but what
/// its format means; with it goes the question who owns the files. The user's own configuration counts.
fn options() -> gix::open::Options {
    gix::open::Options::default().strict_config(false).filter_config_section(is_the_users)
}

/// Whether a section of configuration is the user's or the machine's, not the repository's: the latter's filters,
/// monitors, hooks, helpers and ssh commands are programs that somebody else named.
fn is_the_users(section: &gix::config::file::Metadata) -> bool {
    section.source.kind() != gix::config::source::Kind::Repository
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
    repository: gix::Repository,
    commit: gix::ObjectId,
    tree: gix::ObjectId,
}

impl std::fmt::Debug for CommitTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitTree").field("commit", &self.commit).finish_non_exhaustive()
    }
}

impl CommitTree {
    pub(crate) fn open(directory: &Path, revision: &str) -> Result<Self, SourceError> {
        CommitTree::of(named(directory)?, revision)
    }

    pub(crate) fn of(repository: gix::Repository, revision: &str) -> Result<Self, SourceError> {
        let place = repository.path().to_owned();
        let failed = |why: String| SourceError::Git { path: place.clone(), why };
        let found = repository
            .rev_parse_single(revision)
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
        drop(commit);
        Ok(CommitTree { repository, commit: commit_id, tree })
    }

    pub(crate) fn sha(&self) -> String {
        self.commit.to_string()
    }

    pub(crate) fn origin(&self) -> Option<String> {
        origin(&self.repository)
    }

    pub(crate) fn history(&self) -> (&gix::Repository, gix::ObjectId) {
        (&self.repository, self.commit)
    }

    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        match self.find(path, 0)? {
            Some((id, kind)) if kind.is_blob() => self.blob(id, path).map(Some),
            _ => Ok(None),
        }
    }

    pub(crate) fn is_directory(&self, path: &str) -> bool {
        matches!(self.find(path, 0), Ok(Some((_, kind))) if kind.is_tree())
    }

    pub(crate) fn entries(&self, path: &str) -> Result<Vec<String>, SourceError> {
        let Some((id, kind)) = self.find(path, 0)? else { return Ok(Vec::new()) };
        if !kind.is_tree() {
            return Ok(Vec::new());
        }
        let mut names = Vec::new();
        for (name, _, kind) in self.tree_entries(id)? {
            let at = join(path, &name);
            let directory = kind.is_tree() || (kind.is_link() && self.is_directory(&at));
            names.push(if directory { format!("{name}/") } else { name });
        }
        names.sort();
        Ok(names)
    }

    pub(crate) fn directory(&self, path: &str) -> Result<Tree, SourceError> {
        let mut tree = Tree::new();
        self.collect(path, "", 0, &mut tree)?;
        tree.sort();
        Ok(tree)
    }

    fn collect(&self, path: &str, inside: &str, depth: usize, tree: &mut Tree) -> Result<(), SourceError> {
        if depth > MAX_DEPTH {
            return Err(SourceError::Link { path: path.to_owned(), why: "nests too deep".to_owned() });
        }
        let Some((id, _)) = self.find(path, 0)? else { return Ok(()) };
        for (name, _, kind) in self.tree_entries(id)? {
            let at = join(path, &name);
            let within = join(inside, &name);
            if kind.is_commit() {
                continue;
            }
            match self.find(&at, 0)? {
                Some((_, kind)) if kind.is_tree() => self.collect(&at, &within, depth + 1, tree)?,
                Some((id, kind)) if kind.is_blob() => {
                    let bytes = self.blob(id, &at)?;
                    tree.insert(within, bytes).map_err(|_| SourceError::Path(at))?;
                }
                Some(_) => {}
                None => return Err(SourceError::Link { path: at, why: "points to nothing".to_owned() }),
            }
        }
        Ok(())
    }

    fn tree_entries(
        &self,
        id: gix::ObjectId,
    ) -> Result<Vec<(String, gix::ObjectId, gix::objs::tree::EntryMode)>, SourceError> {
        let failed = |why: String| SourceError::Git { path: self.repository.path().to_owned(), why };
        let object = self.repository.find_object(id).map_err(|error| failed(error.to_string()))?;
        let tree = object.try_into_tree().map_err(|error| failed(error.to_string()))?;
        let mut entries = Vec::new();
        for entry in tree.iter() {
            let entry = entry.map_err(|error| failed(error.to_string()))?;
            entries.push((entry.filename().to_string(), entry.object_id(), entry.mode()));
        }
        Ok(entries)
    }

    /// The object at a path, links followed inside the tree.
    fn find(
        &self,
        path: &str,
        links: usize,
    ) -> Result<Option<(gix::ObjectId, gix::objs::tree::EntryMode)>, SourceError> {
        if links > MAX_DEPTH {
            return Err(SourceError::Link { path: path.to_owned(), why: "leads in a circle".to_owned() });
        }
        let directory = gix::objs::tree::EntryMode::from(gix::objs::tree::EntryKind::Tree);
        let mut id = self.tree;
        let mut mode = directory;
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for (index, part) in parts.iter().enumerate() {
            if !mode.is_tree() {
                return Ok(None);
            }
            let Some((_, found, kind)) = self.tree_entries(id)?.into_iter().find(|(name, _, _)| name == part) else {
                return Ok(None);
            };
            if kind.is_link() {
                let target = String::from_utf8_lossy(&self.blob(found, path)?).into_owned();
                let from = parts[..index].join("/");
                let rest = parts[index + 1..].join("/");
                let aimed = join(&join(&from, &target), &rest);
                let aimed =
                    crate::source_tree::clean(&aimed).ok().filter(|_| !target.starts_with('/')).ok_or_else(|| {
                        SourceError::Link {
                            path: parts[..=index].join("/"),
                            why: format!("points out of the tree, to `{target}`"),
                        }
                    })?;
                return self.find(&aimed, links + 1);
            }
            id = found;
            mode = kind;
        }
        Ok(Some((id, mode)))
    }

    fn blob(&self, id: gix::ObjectId, path: &str) -> Result<Vec<u8>, SourceError> {
        let failed = |why: String| SourceError::Git { path: self.repository.path().to_owned(), why };
        let size = self.repository.find_header(id).map_err(|error| failed(error.to_string()))?.size();
        if size > MAX_BLOB {
            return Err(SourceError::TooLarge { path: path.to_owned(), size, limit: MAX_BLOB });
        }
        let mut object = self.repository.find_object(id).map_err(|error| failed(error.to_string()))?;
        Ok(std::mem::take(&mut object.data))
    }
}

fn join(a: &str, b: &str) -> String {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => b.to_owned(),
        (_, true) => a.to_owned(),
        _ => format!("{a}/{b}"),
    }
}

fn nearest_reference(repository: &gix::Repository, asked: &str) -> Option<String> {
    let references = repository.references().ok()?;
    let names: Vec<String> =
        references.all().ok()?.filter_map(Result::ok).map(|reference| reference.name().shorten().to_string()).collect();
    landfall_diag::nearest(asked, names.iter().map(String::as_str)).map(str::to_owned)
}
