//! Whose a state directory is: ours where we made it in this very place, which a marker in it says.
//!
//! The marker names the directory by its number and by the moment at which it was born. Neither can be shipped: whoever
//! clones, unpacks or copies a directory makes another one. Where the file system keeps no time of birth, its device
//! stands for it (the devices of others are numbered anew at every start of the machine).

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::UNIX_EPOCH;

use landfall_source::Tracked;
use serde::{Deserialize, Serialize};

use super::contents::{self, ALL, IGNORE, MARKER};
use crate::lock_file;

/// Who chose where a state directory lies, and so whether a stranger may have put something there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// It is `.landfall` in a tree that anybody may have written.
    ByTree,
    /// The user named it, or it lies with the user's own files.
    ByUser,
}

/// What stands in the place of a state directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nothing.
    Absent,
    /// A directory with nothing in it.
    Empty,
    /// What this user's Landfall made or was given here.
    Ours,
    /// What an older version made here, which left no marker.
    Older,
    /// What was made elsewhere and copied or restored here.
    Copied,
    /// Something else.
    Unknown,
    /// A link, in a tree.
    Link,
    /// A file.
    File,
    /// Another user's.
    Others,
    /// What came with the repository.
    Tracked,
}

impl Origin {
    /// Why it is not ours.
    pub(super) fn why(self) -> &'static str {
        match self {
            Origin::Copied => "it was made elsewhere, and copied or restored here",
            Origin::Link => "it is a link",
            Origin::File => "it is no directory",
            Origin::Others => "it belongs to another user",
            Origin::Tracked => "git tracks it: it came with the repository",
            _ => "something else has made it",
        }
    }

    /// What stands at a path.
    pub(super) fn of(path: &Path, chosen: Chosen) -> Origin {
        let Ok(named) = path.symlink_metadata() else { return Origin::Absent };
        // Where git cannot say it, what we did not mark may have come with it.
        let tracked = landfall_source::tracked(path).unwrap_or(Tracked::Listed);
        if tracked == Tracked::CheckedOut {
            return Origin::Tracked;
        }
        if named.is_symlink() && chosen == Chosen::ByTree {
            return Origin::Link;
        }
        let Ok(meta) = path.metadata() else { return Origin::Link };
        if !meta.is_dir() {
            return Origin::File;
        }
        let marker = Marker::read(path);
        let is_users = is_users(path, &meta, chosen);
        if marker.as_ref().is_some_and(|marker| marker.names(&meta)) {
            return if is_users { Origin::Ours } else { Origin::Others };
        }
        let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        match (is_users, is_empty) {
            // What the user names may be anybody's as long as nothing is in it: a volume, mostly.
            (true, true) => return Origin::Empty,
            (false, true) if chosen == Chosen::ByUser => return Origin::Empty,
            (false, _) => return Origin::Others,
            (true, false) => {}
        }
        if tracked == Tracked::Listed {
            return Origin::Tracked;
        }
        if !holds_plain_files(path) {
            return Origin::Unknown;
        }
        match marker {
            Some(_) => Origin::Copied,
            None if is_of_an_older_version(path, &meta, chosen) => Origin::Older,
            None => Origin::Unknown,
        }
    }
}

/// What Landfall writes down of a state directory that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    /// The directory's number.
    inode: u64,
    /// The number of its device.
    device: u64,
    /// When it was born, in nanoseconds since 1970, where the file system knows that.
    born: Option<u64>,
    /// Who made the directory.
    pub(super) directory: Maker,
}

/// Who made a state directory, and so who may change its mode and remove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Maker {
    /// Landfall.
    Landfall,
    /// It was there before.
    SomebodyElse,
}

impl Marker {
    /// The marker of a directory.
    pub(super) fn of(meta: &Metadata, directory: Maker) -> Marker {
        let (inode, device) = numbers(meta);
        let born = meta.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Marker { inode, device, born: born.and_then(|since| u64::try_from(since.as_nanos()).ok()), directory }
    }

    /// The marker that stands in a directory, whichever directory it names.
    pub(super) fn read(directory: &Path) -> Option<Marker> {
        let path = directory.join(MARKER);
        if !path.symlink_metadata().ok()?.is_file() {
            return None;
        }
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// The marker of a directory, where it stands in it and names it.
    pub(super) fn here(directory: &Path) -> Option<Marker> {
        let marker = Marker::read(directory)?;
        marker.names(&directory.metadata().ok()?).then_some(marker)
    }

    /// Whether a directory is the one that is meant.
    fn names(&self, meta: &Metadata) -> bool {
        let there = Marker::of(meta, self.directory);
        self.inode == there.inode
            && match (self.born, there.born) {
                (Some(then), Some(now)) => then == now,
                (None, None) => self.device == there.device,
                _ => false,
            }
    }
}

#[cfg(unix)]
fn numbers(meta: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (meta.ino(), meta.dev())
}

/// A file's number cannot be asked for here; its time of birth tells directories apart.
#[cfg(not(unix))]
fn numbers(_meta: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// Whether a directory is this user's. The superuser may take what it names for its own, and in a tree what belongs to the
/// tree's owner: whoever may make a directory there may write all of it. In a directory that all share he may not.
#[cfg(unix)]
fn is_users(path: &Path, meta: &Metadata, chosen: Chosen) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid();
    let is_trees = || path.parent().and_then(|tree| tree.metadata().ok()).is_some_and(|tree| tree.uid() == meta.uid());
    meta.uid() == user.as_raw() || (user.is_root() && (chosen == Chosen::ByUser || is_trees()))
}

#[cfg(not(unix))]
fn is_users(_path: &Path, _meta: &Metadata, _chosen: Chosen) -> bool {
    true
}

/// Whether what bears a name of ours is a file or directory of its own: no link, and no second name of another file.
fn holds_plain_files(directory: &Path) -> bool {
    let Ok((own, _)) = contents::sorted(directory) else { return false };
    own.iter().all(|name| {
        let Ok(meta) = directory.join(name).symlink_metadata() else { return false };
        let is_directory = name.to_str() == Some(contents::CACHE);
        if is_directory { meta.is_dir() } else { meta.is_file() && has_one_name(&meta) }
    })
}

#[cfg(unix)]
fn has_one_name(meta: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(meta) == 1
}

#[cfg(not(unix))]
fn has_one_name(_meta: &Metadata) -> bool {
    true
}

/// Whether a directory without a marker is as older versions left it: closed to others, kept from git, and either named by
/// the user, or in use, or with files that were written after they were born, which those of an unpacked archive were not.
fn is_of_an_older_version(directory: &Path, meta: &Metadata, chosen: Chosen) -> bool {
    let is_kept_from_git = fs::read(directory.join(IGNORE)).is_ok_and(|text| text == ALL);
    if !is_kept_from_git || !is_private(meta) {
        return false;
    }
    if chosen == Chosen::ByUser || lock_file::is_held(&directory.join("lock")) {
        return true;
    }
    let Ok((own, _)) = contents::sorted(directory) else { return false };
    own.iter().all(|name| directory.join(name).symlink_metadata().is_ok_and(|meta| was_written_here(&meta)))
}

/// Whether a file was last written after it was born; so it seems where a file system knows no births.
fn was_written_here(meta: &Metadata) -> bool {
    match (meta.created(), meta.modified()) {
        (Ok(born), Ok(written)) => written >= born,
        _ => true,
    }
}

#[cfg(unix)]
fn is_private(meta: &Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_meta: &Metadata) -> bool {
    true
}
