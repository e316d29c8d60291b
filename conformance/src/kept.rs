//! Cases that a run has found: written to `conformance/cases` by that run, played first by every run after it, red until
//! they pass.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use landfall_chart::Dialect;

/// Where a suite's cases lie.
pub(crate) fn folder(root: &Path, suite: &str, dialect: Dialect) -> PathBuf {
    let dialect = match dialect {
        Dialect::V3 => "v3",
        Dialect::V4 => "v4",
    };
    root.join("conformance/cases").join(suite).join(dialect)
}

/// What lies in a folder, by name; nothing where no case was ever found.
///
/// # Errors
/// When the folder is there and cannot be read.
pub(crate) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

/// Writes a case.
///
/// # Errors
/// When it cannot be written: then the run must not pass over it.
pub(crate) fn write<'f>(place: &Path, files: impl IntoIterator<Item = (&'f str, &'f str)>) -> io::Result<()> {
    for (path, text) in files {
        let file = if path.is_empty() { place.to_owned() } else { place.join(path) };
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&file, text)?;
    }
    println!("  written to {}: every run plays it from now on", place.display());
    Ok(())
}
