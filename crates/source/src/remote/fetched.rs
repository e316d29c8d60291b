//! Where a fetched repository lies: in a directory of its own, which goes when nobody reads from it any more.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::private_file::{make_private_directory, private_options};

/// What the name of a lock ends with; the directory beside it has the same name without that.
const LOCK: &str = ".lock";

/// A repository that was fetched. No other fetch writes into its directory, and the directory goes with this value.
#[derive(Debug)]
pub struct Fetched {
    directory: PathBuf,
    lock: PathBuf,
    /// Held for as long as the directory is somebody's: what nobody holds was left by a process that died.
    _held: File,
}

impl Fetched {
    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.directory
    }

    /// A place of its own below a directory, which both are made before git makes them for everybody; what dead processes have
    /// left there goes.
    pub(super) fn place(below: &Path) -> io::Result<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        make_private_directory(below)?;
        sweep(below)?;
        loop {
            let name = format!("{}-{}", std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
            let lock = below.join(format!("{name}{LOCK}"));
            let held = match private_options().create_new(true).open(&lock) {
                Ok(held) => held,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            };
            // Who sweeps at this very moment may have taken it for a dead one's.
            let is_ours = !matches!(held.try_lock(), Err(TryLockError::WouldBlock)) && lock.exists();
            if is_ours {
                let fetched = Fetched { directory: below.join(name), lock, _held: held };
                make_private_directory(&fetched.directory)?;
                return Ok(fetched);
            }
        }
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        // What cannot be removed is nobody's from now on, and goes with the next fetch.
        let _left = fs::remove_dir_all(&self.directory);
        let _left = fs::remove_file(&self.lock);
    }
}

/// Removes what nobody holds, earlier versions' fetches among it; what cannot be removed does no harm.
fn sweep(below: &Path) -> io::Result<()> {
    for entry in fs::read_dir(below)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let lock = match name.ends_with(LOCK) {
            true => path.clone(),
            false => below.join(format!("{name}{LOCK}")),
        };
        let held = match File::options().write(true).open(&lock) {
            Ok(file) if file.try_lock().is_err() => continue,
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(_) => continue,
        };
        let _left = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        drop(held);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_its_own_and_goes_and_what_nobody_holds_goes_too() {
        let below = tempfile::tempdir().expect("a directory");
        let names = || -> Vec<String> {
            let mut names: Vec<String> = fs::read_dir(below.path())
                .expect("read")
                .map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        };
        // A bare repository as earlier versions left it here, and what a killed process left.
        fs::create_dir_all(below.path().join("objects/pack")).expect("made");
        fs::write(below.path().join("HEAD"), "ref: refs/heads/main\n").expect("written");
        fs::create_dir(below.path().join("1-0")).expect("made");
        fs::write(below.path().join("1-0.lock"), "").expect("written");
        let one = Fetched::place(below.path()).expect("a place");
        let two = Fetched::place(below.path()).expect("a place");
        assert_ne!(one.path(), two.path());
        #[cfg(unix)]
        for (path, mode) in [(one.path(), 0o700), (&one.lock, 0o600)] {
            let permissions = fs::metadata(path).expect("made").permissions();
            let found = std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777;
            assert_eq!(found, mode, "{}", path.display());
        }
        assert_eq!(names().len(), 4, "two places with their locks: {:?}", names());
        drop(one);
        assert_eq!(names().len(), 2, "{:?}", names());
        assert!(two.path().is_dir());
        drop(two);
        assert!(names().is_empty(), "{:?}", names());
    }
}
