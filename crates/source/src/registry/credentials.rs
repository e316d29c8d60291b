//! Who a registry is asked as: what was given, Helm's own file, Docker's file, Docker's helpers.

use std::fs;
use std::path::{Path, PathBuf};

use async_recursion::async_recursion as boxed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::error::SourceError;
use crate::private_file::write_private;
use crate::program::Order;

/// What a registry is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A user and a password.
    Password {
        /// The user.
        username: String,
        /// The password.
        password: String,
    },
    /// A token that is exchanged for others.
    Refresh(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Credential::Password { username, .. } => write!(f, "Password({username:?})"),
            Credential::Refresh(_) => f.write_str("Refresh"),
        }
    }
}

/// Where credentials are kept, the first file first; the first is the one that is written.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// What was given for this call alone.
    pub given: Option<(String, String)>,
    /// Files in the form of Docker's `config.json`.
    pub files: Vec<PathBuf>,
}

impl Credentials {
    /// What is known for a registry's host.
    #[boxed]
    pub async fn find(&self, host: &str) -> Option<Credential> {
        if let Some((username, password)) = self.given.clone().filter(|(username, _)| !username.is_empty()) {
            return Some(Credential::Password { username, password });
        }
        for path in &self.files {
            let Ok(config) = read(path) else { continue };
            if let Some(found) = in_file(&config, host).await {
                return Some(found);
            }
        }
        None
    }

    /// Keeps a credential for a host: with the helper that the file names, else in the file.
    ///
    /// # Errors
    /// A file that cannot be written, a helper that refuses.
    #[boxed]
    pub async fn keep(&self, host: &str, username: &str, password: &str) -> Result<(), SourceError> {
        let Some(path) = self.files.first() else { return Ok(()) };
        let mut config = read(path)?;
        let key = key_of(host);
        if let Some(helper) = helper_of(&config, &key) {
            let (key_text, username, password) = (json!(key), json!(username), json!(password));
            let said = format!("{{\"ServerURL\":{key_text},\"Username\":{username},\"Secret\":{password}}}\n");
            return match helped(&helper, "store", &said).await {
                Some(_) => Ok(()),
                None => Err(SourceError::Index(format!("docker-credential-{helper} cannot keep the credentials"))),
            };
        }
        let auth = STANDARD.encode(format!("{username}:{password}"));
        if let Value::Object(auths) = config.entry("auths").or_insert_with(|| Value::Object(Map::new())) {
            auths.insert(key, json!({"auth": auth}));
        }
        write(path, &config)
    }

    /// Forgets what is known for a host.
    ///
    /// # Errors
    /// A file that cannot be written.
    #[boxed]
    pub async fn forget(&self, host: &str) -> Result<(), SourceError> {
        let Some(path) = self.files.first().filter(|path| path.exists()) else { return Ok(()) };
        let mut config = read(path)?;
        let key = key_of(host);
        if let Some(helper) = helper_of(&config, &key) {
            let _not_there = helped(&helper, "erase", &key).await;
        }
        let forgotten = config.get_mut("auths").and_then(Value::as_object_mut).and_then(|auths| auths.remove(&key));
        if forgotten.is_some() { write(path, &config) } else { Ok(()) }
    }
}

/// The name under which Docker keeps a host's credentials.
fn key_of(host: &str) -> String {
    match host {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => "https://index.docker.io/v1/".to_owned(),
        host => host.to_owned(),
    }
}

fn read(path: &Path) -> Result<Map<String, Value>, SourceError> {
    match fs::read(path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|error| SourceError::Index(format!("{}: {error}", path.display())))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Map::new()),
        Err(source) => Err(SourceError::Read { path: path.to_owned(), source }),
    }
}

fn write(path: &Path, config: &Map<String, Value>) -> Result<(), SourceError> {
    let text = serde_json::to_string_pretty(config).unwrap_or_default().replace("  ", "\t");
    write_private(path, &text).map_err(|source| SourceError::Read { path: path.to_owned(), source })
}

fn helper_of(config: &Map<String, Value>, key: &str) -> Option<String> {
    let own = config.get("credHelpers").and_then(|helpers| helpers.get(key));
    let name = own.or_else(|| config.get("credsStore"))?.as_str()?;
    // The name becomes a program's: nothing that leads elsewhere.
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    plain.then(|| name.to_owned())
}

async fn in_file(config: &Map<String, Value>, host: &str) -> Option<Credential> {
    let key = key_of(host);
    if let Some(helper) = helper_of(config, &key)
        && let Some(answer) = helped(&helper, "get", &key).await
    {
        let answer: Value = serde_json::from_slice(&answer).ok()?;
        let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (username, password) = (text("Username"), text("Secret"));
        return match username.as_str() {
            "<token>" => Some(Credential::Refresh(password)),
            _ => Some(Credential::Password { username, password }),
        };
    }
    let auths = config.get("auths")?.as_object()?;
    let entry = auths.get(&key).or_else(|| auths.get(&format!("https://{host}")))?;
    if let Some(token) = entry.get("identitytoken").and_then(Value::as_str).filter(|token| !token.is_empty()) {
        return Some(Credential::Refresh(token.to_owned()));
    }
    let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
    let pair = match text("auth").filter(|auth| !auth.is_empty()) {
        Some(auth) => {
            let decoded = String::from_utf8(STANDARD.decode(auth).ok()?).ok()?;
            let (username, password) = decoded.split_once(':')?;
            (username.to_owned(), password.trim_end_matches('\0').to_owned())
        }
        None => (text("username")?, text("password")?),
    };
    Some(Credential::Password { username: pair.0, password: pair.1 })
}

/// What a helper of Docker's answers; `None` when it is not there or refuses.
async fn helped(helper: &str, verb: &str, said: &str) -> Option<Vec<u8>> {
    let order = Order::new(format!("docker-credential-{helper}"), [verb]).with_input(said);
    let ended = order.run().await.ok()?;
    ended.is_success().then_some(ended.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_found_and_forgotten() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("registry/config.json");
        let credentials = Credentials { given: None, files: vec![path.clone()] };
        assert_eq!(credentials.find("h:5000").await, None);
        credentials.keep("h:5000", "u", "p:w").await.expect("kept");
        let expected = Credential::Password { username: "u".into(), password: "p:w".into() };
        assert_eq!(credentials.find("h:5000").await, Some(expected));
        assert_eq!(credentials.find("h").await, None);
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).expect("there").permissions());
        assert_eq!(mode & 0o777, 0o600);
        credentials.forget("h:5000").await.expect("forgotten");
        assert_eq!(credentials.find("h:5000").await, None);
    }

    #[tokio::test]
    async fn the_file_of_docker_is_asked_when_helms_own_knows_nothing() {
        let directory = tempfile::tempdir().expect("a directory");
        let docker = directory.path().join("config.json");
        fs::write(
            &docker,
            r#"{"auths":{"https://index.docker.io/v1/":{"identitytoken":"t"},"h":{"username":"u","password":"p"}}}"#,
        )
        .expect("written");
        let credentials = Credentials { given: None, files: vec![directory.path().join("none.json"), docker] };
        assert_eq!(credentials.find("docker.io").await, Some(Credential::Refresh("t".into())));
        assert_eq!(
            credentials.find("h").await,
            Some(Credential::Password { username: "u".into(), password: "p".into() })
        );
        assert!(helper_of(&Map::from_iter([("credsStore".to_owned(), json!("../x"))]), "h").is_none());
    }
}
