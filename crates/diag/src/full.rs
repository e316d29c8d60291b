//! A disk that is full, wherever it shows: the same words from every room that writes.

use std::io::ErrorKind;
use std::path::Path;

use crate::{Diagnostic, code};

/// Whether an error of the operating system says that there is no room: on the disk, in a quota, for a file of that
/// size.
pub fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// Says that the disk is full that holds a directory, and what to type.
pub fn disk_full(directory: &Path) -> Diagnostic {
    Diagnostic::error(code::DISK_FULL, disk_full_words(directory)).help(
        "make room there and type the same again; `landfall down` and `landfall cluster reset` free what this system holds",
    )
}

/// The same as a text, for an answer over the network.
pub fn disk_full_words(directory: &Path) -> String {
    format!("the disk that holds {} is full", directory.display())
}

/// The diagnostic for words that [`disk_full_words`] made, when they are in a text.
pub fn disk_full_in(text: &str) -> Option<Diagnostic> {
    let (_, rest) = text.split_once("the disk that holds ")?;
    let (directory, _) = rest.split_once(" is full")?;
    Some(disk_full(Path::new(directory)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_again_from_an_answer() {
        let directory = Path::new("/srv/a b/.landfall");
        let answer = format!("Internal error occurred: {}: nothing is taken", disk_full_words(directory));
        assert_eq!(disk_full_in(&answer), Some(disk_full(directory)));
        assert_eq!(disk_full_in("the disk is fine"), None);
    }

    #[test]
    fn quotas_and_limits_of_files_are_full_disks_too() {
        for number in [28, 122, 27] {
            assert!(is_full(std::io::Error::from_raw_os_error(number).kind()), "errno {number}");
        }
        assert!(!is_full(ErrorKind::PermissionDenied));
    }
}
