//! Files of a known name that somebody else may have put there: a link to what has no end, for one.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Reads a file of at most `limit` bytes; a device, a pipe or a directory is none.
///
/// # Errors
/// The file is not there, is no file, or is larger.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let meta = std::fs::metadata(path)?;
    if meta.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !meta.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len().min(limit)).unwrap_or(0));
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_not_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let (endless, file) = (directory.path().join("endless"), directory.path().join("file"));
        std::os::unix::fs::symlink("/dev/zero", &endless).expect("linked");
        std::fs::write(&file, "12345").expect("written");
        assert!(read_bounded(&endless, 10).is_err());
        assert!(read_bounded(&file, 4).is_err());
        assert!(read_bounded(directory.path(), 4).is_err());
        assert_eq!(read_bounded(&file, 5).expect("read"), b"12345");
    }
}
