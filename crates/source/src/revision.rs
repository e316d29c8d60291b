use sha2::{Digest, Sha256};

/// Which state of the sources is delivered.
///
/// Printed as `<sha>`, `<sha>+dirty.<8 hex>` (changes that are not committed) or `none+<8 hex>` (no git).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision {
    commit: Option<String>,
    content: Option<String>,
}

impl Revision {
    /// A commit as it is.
    pub fn commit(sha: impl Into<String>) -> Self {
        Revision { commit: Some(sha.into()), content: None }
    }

    /// A commit with changes on top; `changes` is a digest of their content.
    pub fn dirty(sha: impl Into<String>, changes: ContentDigest) -> Self {
        Revision { commit: Some(sha.into()), content: Some(changes.short()) }
    }

    /// Content that no git knows.
    pub fn content(content: ContentDigest) -> Self {
        Revision { commit: None, content: Some(content.short()) }
    }

    /// The commit's full hash, when there is one.
    pub fn sha(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// Whether something is delivered that is not committed.
    pub fn is_dirty(&self) -> bool {
        self.content.is_some()
    }

    /// The revision with its commit shortened to seven characters, for people.
    pub fn short(&self) -> String {
        let commit = self.commit.as_deref().map(|sha| &sha[..sha.len().min(7)]);
        self.text(commit)
    }

    fn text(&self, commit: Option<&str>) -> String {
        match (commit, &self.content) {
            (Some(commit), None) => commit.to_owned(),
            (Some(commit), Some(content)) => format!("{commit}+dirty.{content}"),
            (None, Some(content)) => format!("none+{content}"),
            (None, None) => "none".to_owned(),
        }
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text(self.commit.as_deref()))
    }
}

/// A digest over named contents, independent of how they are stored.
#[derive(Debug, Clone, Default)]
pub struct ContentDigest {
    hash: Sha256,
}

/// As many bytes of a file are digested at once.
const LARGEST_PIECE: usize = 64 * 1024;

impl ContentDigest {
    /// Adds a file; the order of the calls counts.
    pub fn add(&mut self, path: &str, content: Option<&[u8]>) {
        self.hash.update((path.len() as u64).to_be_bytes());
        self.hash.update(path.as_bytes());
        match content {
            Some(bytes) => {
                self.hash.update([1]);
                self.hash.update((bytes.len() as u64).to_be_bytes());
                self.hash.update(bytes);
            }
            None => self.hash.update([0]),
        }
    }

    /// Adds a file of that size piece by piece, as [`ContentDigest::add`] adds one that is in memory.
    pub(crate) fn add_from(&mut self, path: &str, size: u64, mut content: impl std::io::Read) {
        self.hash.update((path.len() as u64).to_be_bytes());
        self.hash.update(path.as_bytes());
        self.hash.update([1]);
        self.hash.update(size.to_be_bytes());
        // No larger than the file: most are small, and there are many.
        let mut piece = vec![0; usize::try_from(size).unwrap_or(LARGEST_PIECE).clamp(1, LARGEST_PIECE)];
        // What cannot be read to its end is another content than what can.
        while let Ok(count @ 1..) = content.read(&mut piece) {
            self.hash.update(&piece[..count]);
        }
    }

    fn short(self) -> String {
        self.hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_digest_however_it_is_read() {
        let (mut whole, mut pieces) = (ContentDigest::default(), ContentDigest::default());
        whole.add("a", Some(&[7; 100_000]));
        pieces.add_from("a", 100_000, &[7; 100_000][..]);
        assert_eq!(whole.short(), pieces.short());
    }

    #[test]
    fn a_revision_says_whether_it_is_committed() {
        let mut digest = ContentDigest::default();
        digest.add("a", Some(b"1"));
        let sha = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(Revision::commit(sha).short(), "0123456");
        let dirty = Revision::dirty(sha, digest.clone());
        assert!(dirty.is_dirty());
        assert!(dirty.to_string().starts_with(&format!("{sha}+dirty.")));
        assert_eq!(dirty.to_string().len(), 40 + "+dirty.".len() + 8);
        assert!(Revision::content(digest).to_string().starts_with("none+"));
    }
}
