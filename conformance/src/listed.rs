//! Lists that people keep in TOML beside the suites: what leaves a comparison, and what they have said to findings.

use std::fs;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

/// Reads a list; empty when there is no file.
pub(crate) fn load<L: Default + DeserializeOwned>(path: &Path) -> io::Result<L> {
    match fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(L::default()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_list_without_a_file_is_empty_and_a_damaged_one_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("list.toml");
        assert_eq!(load::<BTreeMap<String, String>>(&file).expect("none").len(), 0);
        fs::write(&file, "a = \"b\"\n").expect("written");
        assert_eq!(load::<BTreeMap<String, String>>(&file).expect("read")["a"], "b");
        fs::write(&file, "a = \n").expect("written");
        assert!(load::<BTreeMap<String, String>>(&file).is_err());
    }
}
