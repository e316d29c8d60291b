//! The disk as the update sees it: the few operations that it is made of, so that a test can cut the power at each of them.
//!
//! ```text
//! carry, journal, archive ──► Disk ──┬─► RealDisk: the system's files
//!                                    └─► SimulatedDisk (tests): keeps only what was synced, in any order
//! ```
//!
//! Nothing survives a power cut but what was made to: the bytes of a file after [`Disk::sync_file`], the names in a directory after
//! [`Disk::sync_directory`]. Names move within one directory only, because no file system promises more.

mod real;
#[cfg(test)]
pub(crate) mod simulated;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use real::RealDisk;

/// What a new file may be used for by others of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Its owner reads and writes it: mode 0600.
    Private,
    /// Its owner also runs it: mode 0700.
    Program,
}

/// A file system, as far as the update needs one. Paths are absolute, or all relative to one place.
pub trait Disk {
    /// The whole file, if it is at most `longest` bytes long; a longer one is an error.
    fn read(&self, path: &Path, longest: u64) -> io::Result<Vec<u8>>;
    /// Up to `buffer.len()` bytes from `offset` on; zero at the end of the file.
    fn read_at(&self, path: &Path, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// How many bytes the file has, `None` where there is no such file. Links are not followed.
    fn length(&self, path: &Path) -> io::Result<Option<u64>>;
    /// An empty file with this name, whatever had it before.
    fn create(&self, path: &Path, mode: Mode) -> io::Result<()>;
    /// Writes behind what the file has.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file to so many bytes.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;
    /// A symbolic link `path` that says `target`.
    fn link(&self, target: &Path, path: &Path) -> io::Result<()>;
    /// A directory that only its owner enters. That it is there already is no error.
    fn make_directory(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted, with whether each is a directory; empty where there is no such directory.
    fn list(&self, path: &Path) -> io::Result<Vec<(PathBuf, bool)>>;
    /// Gives a file another name in the same directory, in one step, in place of what had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes away a file or link. That there is none is no error.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Takes away a directory that is empty. That there is none is no error.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Returns when the file's bytes are where a power cut leaves them.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Returns when the names in the directory are where a power cut leaves them.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// How many bytes may still be written.
    fn free(&self, path: &Path) -> io::Result<u64>;
}

/// What could not be done to which file, in words for a person.
#[derive(Debug)]
pub struct DiskError {
    /// What was being done, as "write".
    pub doing: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub cause: io::Error,
}

impl DiskError {
    /// Whether there was no room left: on the disk, in its table of files, or in what this user may have.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { doing, path, cause } = self;
        if self.is_full() {
            write!(formatter, "the disk is full: could not {doing} {}", path.display())
        } else {
            write!(formatter, "could not {doing} {}: {cause}", path.display())
        }
    }
}

impl std::error::Error for DiskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// Says of an operation what it was and on which file.
pub(crate) trait At<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, DiskError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, doing: &'static str, path: &Path) -> Result<T, DiskError> {
        self.map_err(|cause| DiskError { doing, path: path.to_owned(), cause })
    }
}

/// Puts a small file in place of another so that a power cut leaves the one or the other, whole.
///
/// # Errors
/// When a step fails; the file before is then still there.
pub fn replace(disk: &impl Disk, path: &Path, bytes: &[u8], mode: Mode) -> Result<(), DiskError> {
    let beside = path.with_extension("new");
    let directory = path.parent().unwrap_or(Path::new(""));
    disk.create(&beside, mode).at("make", &beside)?;
    let written = disk.append(&beside, bytes).at("write", &beside);
    if let Err(failed) = written {
        // What was begun takes room that is missed.
        let _ = disk.remove_file(&beside);
        return Err(failed);
    }
    disk.sync_file(&beside).at("sync", &beside)?;
    disk.rename(&beside, path).at("rename", &beside)?;
    disk.sync_directory(directory).at("sync", directory)
}

/// Takes away a directory with all that is in it; that there is none is no error. Links are taken away, never followed.
///
/// # Errors
/// When something in it cannot be taken away.
pub fn remove_tree(disk: &impl Disk, path: &Path) -> Result<(), DiskError> {
    for (name, is_directory) in disk.list(path).at("list", path)? {
        let entry = path.join(name);
        if is_directory {
            remove_tree(disk, &entry)?;
        } else {
            disk.remove_file(&entry).at("remove", &entry)?;
        }
    }
    disk.remove_directory(path).at("remove", path)
}
