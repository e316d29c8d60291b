//! Paths within a tree.

use std::path::{Path, PathBuf};

use crate::error::SourceError;

/// A relative path without `.`, `..` or empty elements; `""` is the tree itself.
pub(crate) fn clean(path: &str) -> Result<String, SourceError> {
    let mut parts: Vec<&str> = Vec::new();
    if path.starts_with('/') || path.contains('\\') || path.contains('\0') {
        return Err(SourceError::Path(path.to_owned()));
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err(SourceError::Path(path.to_owned()));
                }
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
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
    }
}
