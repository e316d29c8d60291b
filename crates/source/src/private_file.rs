//! Files that hold passwords.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Makes a directory that its owner alone may enter, with those above it that are not there.
///
/// # Errors
/// It cannot be made.
pub fn make_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file that its owner alone may read, with the folders above it: beside its place and renamed, so that nobody
/// ever reads half of it.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        make_private_directory(directory)?;
    }
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    private_options().create(true).truncate(true).open(&partial)?.write_all(text.as_bytes())?;
    fs::rename(&partial, path)
}

/// Writes a file that was not there, which its owner alone may read, and sees to it that it is on the disk.
///
/// # Errors
/// It is there already, or cannot be written.
pub fn write_new_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private_options().create_new(true).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file passes for a whole one, and would be in the next one's way.
        let _gone = fs::remove_file(path);
    }
    written
}

/// How a file is opened for writing that, if it is made, its owner alone may read.
pub fn private_options() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
