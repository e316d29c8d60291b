//! Whether references of a repository on disk have moved, without reading them.

use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use crate::SourceError;
use crate::repository_handle::{RepositoryHandle, Way};

/// References that are looked at one by one; what is packed counts as one.
const MOST: usize = 100_000;

/// What names, sizes, times and places of a repository's references come to: another one after any of them has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RefsMark(u64);

/// Where a repository keeps its references: known once, and looked at as often as one likes.
#[derive(Debug, Clone)]
pub struct RefsPlace {
    /// A working tree has a HEAD of its own; everything else lies in common.
    own: PathBuf,
    common: PathBuf,
}

impl RefsPlace {
    /// That of the repository that a directory belongs to, bare or checked out.
    ///
    /// # Errors
    /// There is no repository.
    pub fn of(directory: &Path) -> Result<Self, SourceError> {
        let repository = RepositoryHandle::new(directory, Way::Named)?.here()?;
        Ok(RefsPlace { own: repository.git_dir().to_owned(), common: repository.common_dir().to_owned() })
    }

    /// How its references are now; nothing once it is gone.
    pub fn mark(&self) -> Option<RefsMark> {
        let head = self.own.join("HEAD");
        let mut mark = DefaultHasher::new();
        note_as(&head, &fs::symlink_metadata(&head).ok()?, &mut mark);
        for name in ["HEAD", "packed-refs", "reftable/tables.list"] {
            note(&self.common.join(name), &mut mark);
        }
        let mut left = MOST;
        below(&self.common.join("refs"), &mut left, &mut mark);
        Some(RefsMark(mark.finish()))
    }
}

/// Whether a name is a tag's of the repository that a directory belongs to, and no branch's; `false` where that cannot be read.
pub fn is_tag(directory: &Path, name: &str) -> bool {
    let Ok(repository) = RepositoryHandle::new(directory, Way::Named).and_then(|handle| handle.here()) else {
        return false;
    };
    let short = name.strip_prefix("refs/tags/").unwrap_or(name);
    let has = |name: String| matches!(repository.try_find_reference(name.as_str()), Ok(Some(_)));
    has(format!("refs/tags/{short}")) && (short != name || !has(format!("refs/heads/{short}")))
}

fn below(directory: &Path, left: &mut usize, mark: &mut DefaultHasher) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return;
        }
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_dir() => below(&path, left, mark),
            // A reference that is about to be written is none yet.
            Ok(_) if path.extension().is_some_and(|ending| ending == "lock") => {}
            Ok(there) => note_as(&path, &there, mark),
            Err(_) => {}
        }
    }
}

fn note(path: &Path, mark: &mut DefaultHasher) {
    if let Ok(there) = fs::symlink_metadata(path) {
        note_as(path, &there, mark);
    }
}

fn note_as(path: &Path, there: &Metadata, mark: &mut DefaultHasher) {
    path.hash(mark);
    there.len().hash(mark);
    there.modified().ok().hash(mark);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // A reference is written anew and put in the old one's place.
        there.ino().hash(mark);
    }
}
