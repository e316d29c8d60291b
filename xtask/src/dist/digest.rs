//! SHA-256, and the file of checksums.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// The digest, in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        let _written = write!(text, "{byte:02x}");
        text
    })
}

/// The file that `sha256sum --check` reads: a line a file, in the order of their names.
pub(crate) fn sums(files: &BTreeMap<String, Vec<u8>>) -> String {
    files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256(bytes))).collect()
}

#[cfg(test)]
mod tests {
    use super::{sha256, sums};

    #[test]
    fn sums_are_what_sha256sum_reads() {
        let files = [("b".to_owned(), b"x".to_vec()), ("a".to_owned(), Vec::new())].into();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
        assert!(sums(&files).starts_with(&format!("{empty}  a\n2d711642")));
    }
}
