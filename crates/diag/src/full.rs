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

/// How a process ends that another one has started, and whose disk is full (`ENOSPC`'s number).
pub const DISK_FULL_EXIT: u8 = 28;

/// The reason of a cause in an answer over the network whose message is the directory on the disk that is full.
pub const DISK_FULL_CAUSE: &str = "DiskFull";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_and_limits_of_files_are_full_disks_too() {
        for number in [28, 122, 27] {
            assert!(is_full(std::io::Error::from_raw_os_error(number).kind()), "errno {number}");
        }
        assert!(!is_full(ErrorKind::PermissionDenied));
    }
}
