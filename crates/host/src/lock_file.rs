//! Files that are locked by whoever works: held for as long as a process lives, however it ends.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

/// The flag with which a link in the place of a file is not followed.
#[cfg(unix)]
pub(crate) const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// Locks a file, making it when it is not there; `None` when another process holds it.
///
/// The file locked is the one that stands there: its owner may have removed it before letting go, and a lock on a file
/// that nobody else can find excludes nobody.
pub fn hold(path: &Path) -> io::Result<Option<File>> {
    loop {
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600).custom_flags(NO_LINK);
        }
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if stands_at(&file, path) {
            return Ok(Some(file));
        }
    }
}

/// Whether somebody holds a file's lock; nobody does where there is no such file. Nothing is made.
pub(crate) fn is_held(path: &Path) -> bool {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, NO_LINK);
    let Ok(file) = options.open(path) else { return false };
    // Shared, so that two who look do not take each other for the holder.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Locks a directory, waiting for whoever has it; `None` where there is none, or a link.
#[cfg(unix)]
pub(crate) fn hold_directory(path: &Path) -> io::Result<Option<File>> {
    let mut options = File::options();
    options.read(true);
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::DIRECTORY;
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    let Ok(directory) = options.open(path) else { return Ok(None) };
    directory.lock()?;
    Ok(Some(directory))
}

/// Locks a directory: they cannot be here.
#[cfg(not(unix))]
pub(crate) fn hold_directory(_path: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Whether an open file is the one that a path leads to.
#[cfg(unix)]
pub(crate) fn stands_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(held) = file.metadata() else { return false };
    fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino()))
}

/// Whether an open file is the one that a path leads to: what is open cannot be removed here.
#[cfg(not(unix))]
pub(crate) fn stands_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_goes_with_its_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.lock");
        assert!(!is_held(&path), "there is none");
        let held = hold(&path).expect("locks").expect("is free");
        assert!(hold(&path).expect("asks").is_none());
        assert!(is_held(&path));
        fs::remove_file(&path).expect("removes");
        assert!(!is_held(&path));
        let next = hold(&path).expect("locks").expect("is another file");
        assert!(!stands_at(&held, &path));
        assert!(stands_at(&next, &path));
    }
}
