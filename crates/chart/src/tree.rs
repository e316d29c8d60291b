//! A directory in memory, written by somebody else: what a chart is loaded from.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::budget::{Budget, Spent};

/// A file's bytes, cheap to clone.
pub type Bytes = Arc<[u8]>;

/// Largest single file a chart may hold, in bytes (helm: `MaxDecompressedFileSize`).
pub const MAX_FILE_SIZE: u64 = 5 * 1024 * 1024;

/// Largest sum of a chart's files, in bytes (helm: `MaxDecompressedChartSize`).
pub const MAX_CHART_SIZE: u64 = 100 * 1024 * 1024;

/// The files of a directory by their path relative to it, `/` between elements.
///
/// Paths are clean by construction (no empty, `.` or `..` elements, never absolute), so nothing in a tree can
/// point outside it. The order is the order of insertion; [`Tree::sort`] puts it into the order of a directory walk
/// (names sorted within each directory), which is what readers of real directories hand in.
///
/// Whoever wrote a tree is a stranger: what is read into it counts against its [`Budget`], and archives that lie in it
/// are unpacked with what is left of that.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    files: IndexMap<String, Bytes>,
    budget: Budget,
}

impl PartialEq for Tree {
    /// Trees of the same files are equal, however much was read to find them.
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for Tree {}

/// Why a file could not be put into a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The path is empty, absolute, or leaves the tree.
    #[error("path {0:?} does not stay inside the tree")]
    Path(String),
    /// It was one file too many, or too large a one.
    #[error(transparent)]
    Spent(#[from] Spent),
}

impl Tree {
    /// An empty tree.
    pub fn new() -> Self {
        Tree::default()
    }

    /// An empty tree that may still take what another reading has left.
    pub fn within(budget: Budget) -> Self {
        Tree { files: IndexMap::new(), budget }
    }

    /// What reading may still take, for those who read.
    pub fn budget(&mut self) -> &mut Budget {
        &mut self.budget
    }

    /// What reading may still take.
    pub fn left(&self) -> Budget {
        self.budget
    }

    /// Adds a file or replaces the one of the same path, and counts it.
    ///
    /// # Errors
    /// [`TreeError::Path`] when the path is not clean and relative, [`TreeError::Spent`] when it is too much.
    pub fn insert(&mut self, path: impl Into<String>, bytes: impl Into<Bytes>) -> Result<(), TreeError> {
        let path = path.into();
        if path.is_empty() || path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(TreeError::Path(path));
        }
        let bytes = bytes.into();
        self.budget.file(&path, bytes.len() as u64)?;
        self.files.insert(path, bytes);
        Ok(())
    }

    /// A file's bytes.
    pub fn get(&self, path: &str) -> Option<&Bytes> {
        self.files.get(path)
    }

    /// Takes a file out.
    pub fn remove(&mut self, path: &str) -> Option<Bytes> {
        self.files.shift_remove(path)
    }

    /// The files in the tree's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The sum of all files' sizes in bytes.
    pub fn size(&self) -> u64 {
        self.files.values().map(|bytes| bytes.len() as u64).sum()
    }

    /// Whether a directory of this path exists, that is, whether some file lies below it.
    pub fn has_dir(&self, path: &str) -> bool {
        self.files
            .keys()
            .any(|file| file.strip_prefix(path).is_some_and(|rest| path.is_empty() || rest.starts_with('/')))
    }

    /// The files below a directory as a tree of their own; `""` and `"."` give the whole tree.
    #[must_use]
    pub fn subtree(&self, dir: &str) -> Tree {
        let dir = dir.trim_end_matches('/');
        if dir.is_empty() || dir == "." {
            return self.clone();
        }
        let files = self
            .files
            .iter()
            .filter_map(|(path, bytes)| {
                let rest = path.strip_prefix(dir)?.strip_prefix('/')?;
                Some((rest.to_owned(), bytes.clone()))
            })
            .collect();
        Tree { files, budget: self.budget }
    }

    /// Puts the files into the order of a directory walk: names sorted bytewise within each directory.
    pub fn sort(&mut self) {
        self.files.sort_by(|a, _, b, _| walk_order(a, b));
    }
}

/// Compares two paths as a walk over sorted directories would meet them: `a/b` before `a-b`.
pub fn walk_order(a: &str, b: &str) -> std::cmp::Ordering {
    let differ = a.bytes().zip(b.bytes()).find(|(a, b)| a != b);
    // A separator ends a name, and so comes before anything that could go on with it.
    let rank = |byte: u8| if byte == b'/' { 0 } else { u16::from(byte) + 1 };
    differ.map_or_else(|| a.len().cmp(&b.len()), |(a, b)| rank(a).cmp(&rank(b)))
}

impl<P: Into<String>, B: Into<Bytes>> FromIterator<(P, B)> for Tree {
    /// Collects files in walk order; what is not a clean relative path, or too much, is left out.
    fn from_iter<I: IntoIterator<Item = (P, B)>>(files: I) -> Self {
        let mut tree = Tree::new();
        for (path, bytes) in files {
            let _outside_is_left_out = tree.insert(path, bytes);
        }
        tree.sort();
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_tree_is_refused() {
        let mut tree = Tree::new();
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a"] {
            assert!(tree.insert(path, &b""[..]).is_err(), "{path}");
        }
        assert!(tree.is_empty());
    }

    #[test]
    fn files_are_met_as_a_directory_walk_meets_them() {
        let tree: Tree = ["a-b", "a/z", "a/b/c", "a.x", "B"].into_iter().map(|path| (path, &b""[..])).collect();
        let paths: Vec<&str> = tree.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, ["B", "a/b/c", "a/z", "a-b", "a.x"]);
    }
}
