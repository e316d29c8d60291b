//! Archives whose bytes follow from what is in them: sorted, of one time, of nobody.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::{Compression, GzBuilder};

/// What stands at a path of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A directory with its mode.
    Directory(u32),
    /// A file with its mode.
    File(u32, Vec<u8>),
    /// A symbolic link, and where it leads.
    Link(String),
}

/// A tree of files by path, without a slash in front; directories above them come by themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(pub(crate) BTreeMap<String, Entry>);

impl Files {
    /// Puts a file there, and the directories above it.
    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: impl Into<Vec<u8>>) {
        self.put(path, Entry::File(mode, bytes.into()));
    }

    /// Puts a link there.
    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.put(path, Entry::Link(target.to_owned()));
    }

    /// Puts anything there, and the directories above it where nothing is.
    pub(crate) fn put(&mut self, path: &str, entry: Entry) {
        for (at, _) in path.match_indices('/') {
            self.0.entry(path[..at].to_owned()).or_insert(Entry::Directory(0o755));
        }
        self.0.insert(path.to_owned(), entry);
    }

    /// The archive: entries in the order of their paths, all of `epoch` (seconds) and of user and group 0.
    pub(crate) fn tar(&self, epoch: u64) -> Result<Vec<u8>, String> {
        let mut archive = tar::Builder::new(Vec::new());
        archive.mode(tar::HeaderMode::Deterministic);
        for (path, entry) in &self.0 {
            let mut header = tar::Header::new_gnu();
            header.set_mtime(epoch);
            header.set_uid(0);
            header.set_gid(0);
            let written = match entry {
                Entry::Directory(mode) => {
                    header.set_entry_type(tar::EntryType::Directory);
                    header.set_mode(*mode);
                    header.set_size(0);
                    archive.append_data(&mut header, format!("{path}/"), std::io::empty())
                }
                Entry::File(mode, bytes) => {
                    header.set_entry_type(tar::EntryType::Regular);
                    header.set_mode(*mode);
                    header.set_size(bytes.len() as u64);
                    archive.append_data(&mut header, path, bytes.as_slice())
                }
                Entry::Link(target) => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    archive.append_link(&mut header, path, target)
                }
            };
            written.map_err(|cause| format!("{path} does not go into an archive: {cause}"))?;
        }
        archive.into_inner().map_err(|cause| format!("an archive cannot be ended: {cause}"))
    }

    /// The same, compressed; the compressed file's head names neither a file nor a time.
    pub(crate) fn tar_gz(&self, epoch: u64) -> Result<Vec<u8>, String> {
        compressed(&self.tar(epoch)?)
    }
}

/// Bytes compressed by gzip, always to the same ones.
pub(crate) fn compressed(bytes: &[u8]) -> Result<Vec<u8>, String> {
    // 255: no operating system is named, which would be that of the machine that builds.
    let mut packed = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    packed.write_all(bytes).and_then(|()| packed.finish()).map_err(|cause| format!("cannot compress: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::{Entry, Files};

    fn files(order: &[usize]) -> Files {
        let all = [("bin/b", "two"), ("bin/a", "one"), ("etc/c", "three")];
        let mut files = Files::default();
        order.iter().for_each(|at| files.file(all[*at].0, 0o644, all[*at].1));
        files.link("bin/d", "a");
        files
    }

    #[test]
    fn an_archive_does_not_tell_in_which_order_and_when_it_was_made() {
        let one = files(&[0, 1, 2]).tar_gz(1_700_000_000).expect("packed");
        let other = files(&[2, 0, 1]).tar_gz(1_700_000_000).expect("packed");
        assert_eq!(one, other);
        assert_ne!(one, files(&[0, 1, 2]).tar_gz(1_700_000_001).expect("packed"));
    }

    #[test]
    fn an_archive_holds_what_was_put_into_it_and_the_directories_above() {
        let bytes = files(&[0, 1, 2]).tar(7).expect("packed");
        let mut archive = tar::Archive::new(bytes.as_slice());
        let seen: Vec<(String, u64, u64)> = archive
            .entries()
            .expect("an archive")
            .map(|entry| {
                let entry = entry.expect("an entry");
                let header = entry.header();
                let path = entry.path().expect("a path").display().to_string();
                (path, header.mtime().expect("a time"), header.uid().expect("a user"))
            })
            .collect();
        let wanted = ["bin/", "bin/a", "bin/b", "bin/d", "etc/", "etc/c"].map(|path| (path.to_owned(), 7, 0));
        assert_eq!(seen, wanted);
        assert_eq!(files(&[]).0["bin"], Entry::Directory(0o755));
    }
}
