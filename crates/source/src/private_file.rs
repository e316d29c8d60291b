//! Files that hold passwords.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Writes a file that its owner alone may read, with the folders above it: beside its place and renamed, so that nobody
/// ever reads half of it.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(&partial)?.write_all(text.as_bytes())?;
    fs::rename(&partial, path)
}
