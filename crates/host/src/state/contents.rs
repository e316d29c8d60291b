//! What Landfall itself puts into a state directory, and how it is removed again: nothing else is.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

/// Files and directories by their names; a database has more of them beside it.
const NAMES: [&str; 18] = [
    "fleet",
    MARKER,
    IGNORE,
    "endpoint.json",
    "token",
    "kubeconfig",
    "server.log",
    "lock",
    "delivery.lock",
    "delivery.json",
    "made-cluster",
    "bootstrap.json",
    "serve.json",
    "webhook.json",
    "cluster.db",
    "store.db",
    "store.key",
    "tags.json",
];
/// What SQLite puts beside a database.
const BESIDE_DATABASES: [&str; 3] = ["-wal", "-shm", "-journal"];
/// What was fetched.
pub(super) const CACHE: &str = "cache";
/// Where the directory itself is named.
pub(super) const MARKER: &str = "made-here.json";
/// What keeps git away.
pub(super) const IGNORE: &str = ".gitignore";
/// What git is told in a directory that Landfall has made: nothing here is for it.
pub(super) const ALL: &[u8] = b"*\n";

/// Whether Landfall writes a file of that name.
pub(super) fn is_own(name: &str) -> bool {
    let database = BESIDE_DATABASES.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    let is_partial = name.strip_prefix('.').is_some_and(|rest| {
        let process =
            rest.strip_prefix("room.").or_else(|| rest.strip_suffix(".new")?.rsplit_once('.').map(|(_, it)| it));
        process.is_some_and(|process| !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit()))
    });
    name == CACHE || is_partial || NAMES.contains(&name) || (database.ends_with(".db") && NAMES.contains(&database))
}

/// Whether a file of that name is of the store, or says whose the directory is.
pub(super) fn is_of_book(name: &str) -> bool {
    let database = BESIDE_DATABASES.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
    [MARKER, IGNORE, "store.key", "tags.json"].contains(&name) || database == "store.db"
}

/// What git is told in a directory that was there before: whose other files it may keep.
pub(super) fn own_alone() -> Vec<u8> {
    let mut text = String::from("/cluster.db*\n/store.db*\n/cache/\n");
    for name in NAMES.iter().filter(|name| !name.ends_with(".db")) {
        text.push_str(&format!("/{name}\n"));
    }
    text.into_bytes()
}

/// The names in a directory: Landfall's, and all others.
pub(super) fn sorted(directory: &Path) -> io::Result<(Vec<OsString>, Vec<OsString>)> {
    let mut names = fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names.into_iter().partition(|name| name.to_str().is_some_and(is_own)))
}

/// Whether the file that keeps git away is as Landfall writes it.
pub(super) fn is_own_ignore(directory: &Path) -> bool {
    fs::read(directory.join(IGNORE)).is_ok_and(|text| text == ALL || text == own_alone())
}

/// Removes one entry, links as such.
pub(super) fn remove_entry(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Opens a file that its owner alone may read, made anew; a link is not followed.
pub(crate) fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600).custom_flags(crate::lock_file::NO_LINK);
    }
    options.open(path)
}

/// Takes what others may do with a file or directory away.
#[cfg(unix)]
pub(super) fn keep_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::symlink_metadata(path)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))
}

/// Takes what others may do with a file or directory away: there are no modes here.
#[cfg(not(unix))]
pub(super) fn keep_private(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_are_those_that_landfall_writes_and_no_others() {
        for name in [
            "cluster.db",
            "store.db-wal",
            "lock",
            "cache",
            "store.key",
            ".store.key.4711.new",
            ".endpoint.json.4711.new",
            ".room.12",
            ".gitignore",
        ] {
            assert!(is_own(name), "{name}");
        }
        for name in
            ["notes.txt", "lock-wal", "other.db", ".env.new", "aside", "token.bak", ".room.", "..new", ".a.b.new"]
        {
            assert!(!is_own(name), "{name}");
        }
    }
}
