//! What git says of a path of a working tree: whether it came with the repository.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use gix::bstr::{BStr, BString, ByteSlice as _};

use crate::SourceError;

/// How much of an index is looked at at once, in bytes; more than the longest name.
const WINDOW: usize = 256 * 1024;

/// What git's index has at a path or below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracked {
    /// Nothing, or there is no repository around it.
    Nothing,
    /// Files are listed, and what stands in their places is not what git wrote there.
    Listed,
    /// A file stands there as git wrote it.
    CheckedOut,
}

/// What the index of the repository around a path has at that path or below it. The index alone is read.
///
/// A file counts as written by git where size, time and number are those that git noted when it wrote it: whoever has
/// replaced it since has another file.
///
/// # Errors
/// A repository or an index that cannot be read.
pub fn tracked(path: &Path) -> Result<Tracked, SourceError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Tracked::Nothing) };
    let Ok(parent) = parent.canonicalize() else { return Ok(Tracked::Nothing) };
    if !may_be_listed(&parent, name) {
        return Ok(Tracked::Nothing);
    }
    let Some(repository) = crate::git::discover(&parent)? else { return Ok(Tracked::Nothing) };
    let Some(root) = repository.workdir().and_then(|root| root.canonicalize().ok()) else {
        return Ok(Tracked::Nothing);
    };
    let Ok(inside) = parent.join(name).strip_prefix(&root).map(Path::to_owned) else { return Ok(Tracked::Nothing) };
    let Ok(inside) = gix::path::into_bstr(inside) else { return Ok(Tracked::Nothing) };
    let wanted: BString = gix::path::to_unix_separators_on_windows(inside).into_owned();
    let index =
        repository.index_or_empty().map_err(|error| SourceError::Git { path: root.clone(), why: error.to_string() })?;
    let mut found = Tracked::Nothing;
    let prefixed = if cfg!(any(windows, target_os = "macos")) {
        // Names that differ in case alone are one file there, and may stand anywhere in the order.
        index.entries()
    } else {
        index.prefixed_entries(wanted.as_bstr()).unwrap_or_default()
    };
    for entry in prefixed {
        let listed = entry.path(&index);
        if !is_at_or_below(listed, wanted.as_bstr()) {
            continue;
        }
        found = Tracked::Listed;
        let Ok(relative) = gix::path::from_bstr(listed) else { continue };
        if root.join(relative).symlink_metadata().is_ok_and(|meta| is_as_written(&meta, entry)) {
            return Ok(Tracked::CheckedOut);
        }
    }
    Ok(found)
}

/// Whether an index may list a name, by its bytes alone: opening a repository takes many times as long, and every command
/// asks. Only that it does not is certain.
fn may_be_listed(parent: &Path, name: &OsStr) -> bool {
    let Some(root) =
        parent.ancestors().find(|directory| directory.join(".git/HEAD").is_file() || directory.join(".git").is_file())
    else {
        return false;
    };
    let git = root.join(".git");
    if !git.is_dir() {
        // A linked working tree or a submodule has its index elsewhere.
        return true;
    }
    let mut index = match File::open(git.join("index")) {
        Ok(index) => index,
        Err(error) => return error.kind() != io::ErrorKind::NotFound,
    };
    // Later versions write only the end of a name that begins like the one before; a part of an index may lie in a file
    // beside it; and where case does not count, bytes do not tell.
    let mut head = [0; 8];
    let has_whole_names = index.read_exact(&mut head).is_ok() && matches!(&head, b"DIRC\0\0\0\x02" | b"DIRC\0\0\0\x03");
    if !has_whole_names || is_shared(&git) || cfg!(any(windows, target_os = "macos")) {
        return true;
    }
    contains(&mut index, name.as_encoded_bytes()).unwrap_or(true)
}

/// Whether a part of an index lies beside it.
fn is_shared(git: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(git) else { return true };
    entries.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"sharedindex."))
}

/// Whether bytes stand in what is read; an index of a hundred thousand files has ten megabytes, which are not kept.
fn contains(read: &mut impl Read, wanted: &[u8]) -> io::Result<bool> {
    let finder = gix::bstr::Finder::new(wanted);
    let mut window = vec![0; WINDOW];
    let mut kept = 0;
    loop {
        let count = match read.read(&mut window[kept..]) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let filled = kept + count;
        if finder.find(&window[..filled]).is_some() {
            return Ok(true);
        }
        // What was wanted may begin at the end of one window and end in the next.
        kept = filled.min(wanted.len().saturating_sub(1));
        window.copy_within(filled - kept..filled, 0);
    }
}

fn is_at_or_below(listed: &BStr, wanted: &BStr) -> bool {
    let Some(start) = listed.get(..wanted.len()) else { return false };
    let same = if cfg!(any(windows, target_os = "macos")) {
        start.eq_ignore_ascii_case(wanted)
    } else {
        start == wanted.as_bytes()
    };
    same && listed.get(wanted.len()).is_none_or(|next| *next == b'/')
}

/// Whether a file is the one that git wrote, by what the index notes of it; git cuts numbers to 32 bits, and some
/// implementations leave out all but time and size.
fn is_as_written(meta: &Metadata, entry: &gix::index::Entry) -> bool {
    if entry.mode.is_submodule() || entry.mode == gix::index::entry::Mode::DIR {
        return meta.is_dir();
    }
    let noted = &entry.stat;
    let Some(since) = meta.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok()) else {
        return true;
    };
    let same_time = noted.mtime.secs == since.as_secs() as u32
        && (noted.mtime.nsecs == 0 || noted.mtime.nsecs == since.subsec_nanos());
    same_time && (noted.size == 0 || noted.size == meta.len() as u32) && (noted.ino == 0 || noted.ino == number(meta))
}

#[cfg(unix)]
fn number(meta: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::ino(meta) as u32
}

#[cfg(not(unix))]
fn number(_meta: &Metadata) -> u32 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(into.len());
            into[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn a_name_is_found_wherever_a_window_ends() {
        for before in (0..40).chain(WINDOW - 12..WINDOW + 12) {
            let mut bytes = vec![b'.'; before];
            bytes.extend(b".landfall/token");
            for step in [1, 7, 4096, usize::MAX] {
                if step < 4096 && before > 100 {
                    continue;
                }
                assert!(contains(&mut Dripping(&bytes, step), b".landfall").expect("read"), "{before}, {step}");
                assert!(!contains(&mut Dripping(&bytes, step), b".landfell").expect("read"), "{before}, {step}");
            }
        }
    }
}
