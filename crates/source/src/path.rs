//! Paths within a tree.

use std::path::{Path, PathBuf};

use crate::error::SourceError;

/// A path as it is seen from a directory of the tree, without `.`, `..` or empty elements; `""` is the tree itself. Nothing
/// where it leads out of the tree, or begins at its root.
pub fn within(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A path of the tree as it is spelt plainly.
pub(crate) fn clean(path: &str) -> Result<String, SourceError> {
    let is_spelt = !path.contains(['\\', '\0']);
    let clean = within("", path).filter(|_| is_spelt);
    clean.ok_or_else(|| SourceError::Path(path.to_owned()))
}

/// A path on disk below a root.
pub(crate) fn below(root: &Path, path: &str) -> PathBuf {
    if path.is_empty() { root.to_owned() } else { root.join(path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_leave_its_tree() {
        assert_eq!(clean("a/./b/../c").expect("inside"), "a/c");
        assert!(clean("../a").is_err());
        assert!(clean("a/../../b").is_err());
        assert!(clean("/etc/passwd").is_err());
        assert!(clean("a\\..\\b").is_err());
        assert_eq!(within("a/b", "../c//./d").as_deref(), Some("a/c/d"));
        assert_eq!((within("a", "../.."), within("a", "/b")), (None, None));
    }
}
