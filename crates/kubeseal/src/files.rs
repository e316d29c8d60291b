//! Files that are read, and files that are replaced whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::Stop;

/// Names that are tried for a file that is to replace another.
const TRIES: u32 = 1_000;

/// An error of the system in Go's words.
pub(crate) fn go_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        _ => error.to_string(),
    }
}

/// What a file holds; `shown` is how it was named.
pub(crate) fn read(path: &Path, shown: &str) -> Result<Vec<u8>, Stop> {
    fs::read(path).map_err(|error| {
        let verb = if error.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" };
        Stop::failed(format!("{verb} {shown}: {}", go_words(&error)))
    })
}

/// A file that is to stand where another one does: its owner's alone until it has that one's mode.
pub(crate) struct Replacement {
    path: PathBuf,
    beside: PathBuf,
    file: Option<File>,
}

impl Replacement {
    /// Makes a file beside the one that it is to replace.
    pub(crate) fn begin(path: &Path) -> Result<Self, Stop> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut last = None;
        for number in 0..TRIES {
            let beside = directory.join(format!(".{name}.{}.{number}", std::process::id()));
            match landfall_source::private_options().create_new(true).open(&beside) {
                Ok(file) => return Ok(Self { path: path.to_owned(), beside, file: Some(file) }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = Some((beside, error)),
                Err(error) => {
                    return Err(Stop::failed(format!("open {}: {}", beside.display(), go_words(&error))));
                }
            }
        }
        Err(Stop::failed(last.map_or_else(String::new, |(path, error)| format!("open {}: {error}", path.display()))))
    }

    /// Writes it and puts it into the other's place.
    pub(crate) fn end(mut self, content: &[u8]) -> Result<(), Stop> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        file.write_all(content)?;
        // A new file is its owner's alone, as kubeseal makes it.
        if let Ok(known) = fs::metadata(&self.path) {
            file.set_permissions(fs::Permissions::from_mode(known.permissions().mode() & 0o777))?;
        }
        file.sync_all()?;
        drop(file);
        Ok(fs::rename(&self.beside, &self.path)?)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // Where it was put into the other's place there is nothing left of it.
        let _gone_already = fs::remove_file(&self.beside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode_or_stays_as_it_was() {
        let directory = tempfile::tempdir().expect("made");
        let path = directory.path().join("a.yaml");
        fs::write(&path, "before").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        drop(Replacement::begin(&path).expect("begun"));
        assert_eq!(fs::read_to_string(&path).expect("read"), "before");
        Replacement::begin(&path).expect("begun").end(b"after").expect("ended");
        assert_eq!(fs::read_to_string(&path).expect("read"), "after");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o640);
        let new = directory.path().join("b.yaml");
        Replacement::begin(&new).expect("begun").end(b"x").expect("ended");
        assert_eq!(fs::metadata(&new).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).expect("read").count(), 2, "nothing else is left");
        assert!(Replacement::begin(&directory.path().join("none/c")).is_err());
    }
}
