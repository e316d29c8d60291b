//! A commit made in a bare repository of ours: blobs, the trees above them, and what is said of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gix::objs::WriteTo as _;
use gix::objs::tree::{Entry, EntryKind};
use gix::{ObjectId, Repository};
use jiff::Timestamp;

use super::write::WriteError;
use crate::error::SourceError;
use crate::program::{Environment, Order};

/// Who is said to have made a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The address.
    pub email: String,
}

impl Default for Person {
    fn default() -> Self {
        Person { name: "landfall-bot".to_owned(), email: "landfall-bot@localhost".to_owned() }
    }
}

/// What a commit is signed with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Signing {
    /// Nothing.
    #[default]
    No,
    /// A key of SSH, by its file: `ssh-keygen` signs.
    Ssh(PathBuf),
    /// A key of OpenPGP, by its name: the user's `gpg` signs.
    OpenPgp(String),
}

/// A commit that is to be made.
pub(super) struct Draft<'a> {
    pub(super) parent: &'a str,
    pub(super) files: &'a BTreeMap<String, Vec<u8>>,
    pub(super) message: String,
    pub(super) author: &'a Person,
    pub(super) at: Timestamp,
}

impl Draft<'_> {
    /// The commit with its trees and blobs, of which all but the commit itself is written.
    pub(super) fn build(&self, directory: &Path) -> Result<gix::objs::Commit, WriteError> {
        let failed = |error: &dyn std::fmt::Display| {
            WriteError::from(SourceError::Git { path: directory.to_owned(), why: error.to_string() })
        };
        let repository = crate::git::own(directory)?;
        let parent = ObjectId::from_hex(self.parent.as_bytes()).map_err(|error| failed(&error))?;
        let commit = repository.find_commit(parent).map_err(|error| failed(&error))?;
        let mut tree = commit.tree_id().map_err(|error| failed(&error))?.detach();
        for (path, bytes) in self.files {
            let blob = repository.write_blob(bytes).map_err(|error| failed(&error))?.detach();
            let parts: Vec<&str> = path.split('/').collect();
            tree = with_file(&repository, Some(tree), &parts, blob, path)?;
        }
        let time = gix::date::Time::new(self.at.as_second(), 0);
        let signature = gix::actor::Signature {
            name: one_line(&self.author.name).into(),
            email: one_line(&self.author.email).into(),
            time,
        };
        Ok(gix::objs::Commit {
            tree,
            parents: std::iter::once(parent).collect(),
            author: signature.clone(),
            committer: signature,
            encoding: None,
            message: self.message.as_str().into(),
            extra_headers: Vec::new(),
        })
    }
}

/// Writes a commit; gives its hash.
pub(super) fn write(directory: &Path, commit: &gix::objs::Commit) -> Result<String, WriteError> {
    let failed = |why: String| WriteError::from(SourceError::Git { path: directory.to_owned(), why });
    let repository = crate::git::own(directory)?;
    let id = repository.write_object(commit).map_err(|error| failed(error.to_string()))?;
    Ok(id.detach().to_string())
}

/// The message of a commit that a directory of ours has.
pub(super) fn message(directory: &Path, commit: &str) -> Option<String> {
    let repository = crate::git::own(directory).ok()?;
    let commit = repository.find_commit(ObjectId::from_hex(commit.as_bytes()).ok()?).ok()?;
    Some(commit.message_raw().ok()?.to_string())
}

/// A commit's parents and its files, by which two that say the same are one.
pub(super) fn content(directory: &Path, commit: &str) -> Option<(Vec<ObjectId>, ObjectId)> {
    let repository = crate::git::own(directory).ok()?;
    let commit = repository.find_commit(ObjectId::from_hex(commit.as_bytes()).ok()?).ok()?;
    Some((commit.parent_ids().map(gix::Id::detach).collect(), commit.tree_id().ok()?.detach()))
}

/// A commit that lies on a branch.
pub(super) struct Lying {
    id: String,
    author: String,
    pub(super) message: String,
}

impl Lying {
    /// For people: the beginning of its hash, who made it, its first line.
    pub(super) fn shown(&self) -> String {
        let first = one_line(self.message.lines().next().unwrap_or_default());
        let first = landfall_diag::beginning(&first, LONGEST_SHOWN);
        format!("{} by {}: {first}", &self.id[..10], one_line(&self.author))
    }
}

/// Most characters of a commit's first line that are shown.
const LONGEST_SHOWN: usize = 100;
/// Commits that are told of a branch.
const MOST_LYING: usize = 200;

/// The commits that lead to one and not to another one, newest first: the first so many.
pub(super) fn beside(directory: &Path, tip: &str, base: &str) -> Result<Vec<Lying>, WriteError> {
    let failed = |error: &dyn std::fmt::Display| {
        WriteError::from(SourceError::Git { path: directory.to_owned(), why: error.to_string() })
    };
    let repository = crate::git::own(directory)?;
    let id = |text: &str| ObjectId::from_hex(text.as_bytes()).map_err(|error| failed(&error));
    let (tip, base) = (id(tip)?, id(base)?);
    let known: Result<std::collections::HashSet<ObjectId>, _> =
        repository.rev_walk([base]).all().map_err(|error| failed(&error))?.map(|it| it.map(|it| it.id)).collect();
    let known = known.map_err(|error| failed(&error))?;
    let mut found = Vec::new();
    for one in repository.rev_walk([tip]).all().map_err(|error| failed(&error))? {
        let one = one.map_err(|error| failed(&error))?;
        if known.contains(&one.id) {
            continue;
        }
        let commit = repository.find_commit(one.id).map_err(|error| failed(&error))?;
        let author = commit.author().map_err(|error| failed(&error))?.name.to_string();
        let message = commit.message_raw().map_err(|error| failed(&error))?.to_string();
        found.push(Lying { id: one.id.to_string(), author, message });
        if found.len() == MOST_LYING {
            break;
        }
    }
    Ok(found)
}

/// A tree with a file in it, put there or in the place of the one that was.
fn with_file(
    repository: &Repository,
    tree: Option<ObjectId>,
    path: &[&str],
    blob: ObjectId,
    whole: &str,
) -> Result<ObjectId, WriteError> {
    let outside = |why: &str| WriteError::Outside { path: whole.to_owned(), why: why.to_owned() };
    let failed = |error: &dyn std::fmt::Display| {
        WriteError::from(SourceError::Git { path: repository.path().to_owned(), why: error.to_string() })
    };
    let Some((name, below)) = path.split_first() else { return Err(outside("is no path")) };
    if name.is_empty() || *name == "." || *name == ".." {
        return Err(outside("is no path inside the repository"));
    }
    let mut here = match tree {
        Some(tree) => {
            let object = repository.find_object(tree).map_err(|error| failed(&error))?;
            gix::objs::TreeRef::from_bytes(&object.data, repository.object_hash())
                .map_err(|error| failed(&error))?
                .to_owned()
        }
        None => gix::objs::Tree::empty(),
    };
    let at = here.entries.iter().position(|entry| entry.filename == *name);
    let known = at.map(|at| (here.entries[at].mode.kind(), here.entries[at].oid));
    let (kind, oid) = if below.is_empty() {
        match known {
            None => (EntryKind::Blob, blob),
            Some((kind @ (EntryKind::Blob | EntryKind::BlobExecutable), _)) => (kind, blob),
            Some((EntryKind::Tree, _)) => return Err(outside("is a directory")),
            // What a link leads to may be anything, also outside what may be changed.
            Some((EntryKind::Link, _)) => return Err(outside("is a link")),
            Some((EntryKind::Commit, _)) => return Err(outside("is a submodule")),
        }
    } else {
        let sub = match known {
            None => None,
            Some((EntryKind::Tree, oid)) => Some(oid),
            Some((EntryKind::Link, _)) => return Err(outside("lies behind a link")),
            Some((EntryKind::Commit, _)) => return Err(outside("lies in a submodule")),
            Some(_) => return Err(outside("lies below a file")),
        };
        (EntryKind::Tree, with_file(repository, sub, below, blob, whole)?)
    };
    let entry = Entry { mode: kind.into(), filename: (*name).into(), oid };
    match at {
        Some(at) => here.entries[at] = entry,
        None => {
            here.entries.push(entry);
            here.entries.sort();
        }
    }
    Ok(repository.write_object(&here).map_err(|error| failed(&error))?.detach())
}

/// A name that ends no line of a commit and opens no address in it.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && !"<>".contains(*c)).collect()
}

/// A commit with its signature, where it is to have one.
pub(super) async fn signed(mut commit: gix::objs::Commit, signing: &Signing) -> Result<gix::objs::Commit, WriteError> {
    let words: Vec<String> = match signing {
        Signing::No => return Ok(commit),
        Signing::Ssh(key) => {
            let key = key.display().to_string();
            ["-Y", "sign", "-n", "git", "-f"].map(str::to_owned).into_iter().chain([key]).collect()
        }
        Signing::OpenPgp(key) => {
            let words = ["--batch", "--no-tty", "--armor", "--detach-sign", "--local-user"];
            words.map(str::to_owned).into_iter().chain([key.clone()]).collect()
        }
    };
    let program = if matches!(signing, Signing::Ssh(_)) { "ssh-keygen" } else { "gpg" };
    let mut bytes = Vec::new();
    commit.write_to(&mut bytes).map_err(|error| WriteError::Unsigned(error.to_string()))?;
    let order = Order::new(program, words).keeping(Environment::Tools).with_input(bytes);
    let signature = order.said().await.map_err(|refusal| WriteError::Unsigned(refusal.words))?;
    if !signature.contains("-----BEGIN ") {
        return Err(WriteError::Unsigned(format!("{program} gave no signature")));
    }
    commit.extra_headers.push(("gpgsig".into(), signature.trim_end().into()));
    Ok(commit)
}
