//! `repositories.yaml`: which repositories a person has added (helm: `pkg/repo/repo.go`).

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::SourceError;
use crate::private_file::write_private;

/// A repository that was added.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepositoryEntry {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// Who asks it.
    pub username: String,
    /// The password.
    pub password: String,
    /// The client's certificate.
    #[serde(rename = "certFile")]
    pub cert_file: String,
    /// The client's key.
    #[serde(rename = "keyFile")]
    pub key_file: String,
    /// The authorities to trust.
    #[serde(rename = "caFile")]
    pub ca_file: String,
    /// Whether its certificate is left unchecked.
    pub insecure_skip_tls_verify: bool,
    /// Whether other servers get the credentials too.
    pub pass_credentials_all: bool,
}

impl std::fmt::Debug for RepositoryEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RepositoryEntry").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RepositoryFile {
    /// Empty in files of today.
    pub api_version: String,
    /// When it was made, RFC 3339.
    pub generated: String,
    /// The repositories, in the order they were added.
    pub repositories: Vec<RepositoryEntry>,
}

impl Default for RepositoryFile {
    fn default() -> Self {
        RepositoryFile {
            api_version: String::new(),
            generated: "0001-01-01T00:00:00Z".to_owned(),
            repositories: Vec::new(),
        }
    }
}

impl RepositoryFile {
    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// A file that cannot be read or is none.
    pub fn load(path: &Path) -> Result<Option<Self>, SourceError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SourceError::Read { path: path.to_owned(), source }),
        };
        let told = |why: String| SourceError::Index(format!("{}: {why}", path.display()));
        let text = String::from_utf8_lossy(&bytes);
        let mut json = landfall_yaml::to_json(&text).map_err(|error| told(error.to_string()))?;
        if json.is_null() {
            return Ok(Some(RepositoryFile::default()));
        }
        drop_nulls(&mut json);
        serde_json::from_value(json).map(Some).map_err(|error| told(error.to_string()))
    }

    /// Writes it for its owner alone.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), SourceError> {
        let json = serde_json::to_value(self).unwrap_or_default();
        let text = landfall_yaml::emit(&json).unwrap_or_default();
        write_private(path, &text).map_err(|source| SourceError::Read { path: path.to_owned(), source })
    }

    /// The repository of that name.
    pub fn get(&self, name: &str) -> Option<&RepositoryEntry> {
        self.repositories.iter().find(|entry| entry.name == name)
    }

    /// Replaces the entry of that name in its place, or adds it behind the others.
    pub fn update(&mut self, entry: RepositoryEntry) {
        match self.repositories.iter_mut().find(|known| known.name == entry.name) {
            Some(known) => *known = entry,
            None => self.repositories.push(entry),
        }
    }

    /// Takes a repository out; whether it was there.
    pub fn remove(&mut self, name: &str) -> Option<RepositoryEntry> {
        let at = self.repositories.iter().position(|entry| entry.name == name)?;
        Some(self.repositories.remove(at))
    }
}

/// What is null counts as not said.
fn drop_nulls(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        serde_json::Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_written_as_helm_writes_it_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("helm/repositories.yaml");
        assert_eq!(RepositoryFile::load(&path).expect("absent"), None);
        let mut file = RepositoryFile::default();
        let entry = RepositoryEntry { name: "a".into(), url: "http://h/".into(), ..RepositoryEntry::default() };
        file.update(entry.clone());
        file.save(&path).expect("written");
        let text = fs::read_to_string(&path).expect("there");
        assert_eq!(
            text,
            "apiVersion: \"\"\ngenerated: \"0001-01-01T00:00:00Z\"\nrepositories:\n- caFile: \"\"\n  certFile: \"\"\n  insecure_skip_tls_verify: false\n  keyFile: \"\"\n  name: a\n  pass_credentials_all: false\n  password: \"\"\n  url: http://h/\n  username: \"\"\n"
        );
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(RepositoryFile::load(&path).expect("read"), Some(file.clone()));
        file.update(RepositoryEntry { url: "http://i/".into(), ..entry });
        assert_eq!(file.repositories.len(), 1);
        assert_eq!(file.remove("a").map(|entry| entry.url).as_deref(), Some("http://i/"));
        assert!(file.remove("a").is_none());
    }
}
