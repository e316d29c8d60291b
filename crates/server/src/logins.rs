//! A repository's login as a Secret in the form that Argo CD gives it: written for the server, read as it reads it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_apps::{AUTHORITIES, Connection, KNOWN_HOSTS, SECRET_TYPE, connection, trust};
use landfall_cluster::{Cluster, ListOptions, WriteOptions};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_source::{Account, Reach, Trust, repository_key};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Where Applications, and so their repositories' Secrets, live.
pub const NAMESPACE: &str = "argocd";
/// Who keeps an object, by the label that Kubernetes recommends.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const LANDFALL: &str = "landfall";

/// Who is asked as.
#[derive(Clone, PartialEq, Eq)]
pub enum Given {
    /// A user with a password or a token.
    Password {
        /// The user; servers that take tokens mostly do not look at it.
        username: String,
        /// The password or token.
        password: String,
    },
    /// A private key, in OpenSSH's or PEM's form.
    SshKey(String),
}

/// A login for a repository, or for all whose addresses begin so.
#[derive(Clone)]
pub struct Login {
    /// The repository's address, or how addresses begin.
    pub address: String,
    /// Which of both.
    pub reach: Reach,
    /// The only project that may use it.
    pub project: Option<String>,
    /// Who is asked as.
    pub given: Given,
}

/// What became of the Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// There was none.
    Created,
    /// There was another one of ours.
    Replaced,
    /// It says that already.
    Same,
}

impl Written {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Written::Created => "created",
            Written::Replaced => "replaced",
            Written::Same => "unchanged",
        }
    }
}

impl Login {
    /// The name of its Secret: short, and no other login's.
    fn name(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(repository_key(&self.address));
        hash.update([b'\n', self.reach as u8]);
        hash.update(self.project.as_deref().unwrap_or_default());
        let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        match self.reach {
            Reach::Repository => format!("landfall-repository-{hash}"),
            Reach::Beginning => format!("landfall-repo-creds-{hash}"),
        }
    }

    /// Its kind, as Argo CD's label says it.
    pub fn kind(&self) -> &'static str {
        kind(self.reach)
    }

    /// What is given, in a word.
    pub fn word(&self) -> &'static str {
        match self.given {
            Given::Password { .. } => "password",
            Given::SshKey(_) => "ssh key",
        }
    }

    fn fields(&self) -> BTreeMap<&'static str, String> {
        let of = if self.address.starts_with("oci://") { "oci" } else { "git" };
        let mut fields = BTreeMap::from([("type", of.to_owned()), ("url", self.address.clone())]);
        fields.extend(self.project.clone().map(|project| ("project", project)));
        match &self.given {
            Given::Password { username, password } => {
                fields.extend([("username", username.clone()), ("password", password.clone())]);
            }
            Given::SshKey(key) => {
                fields.insert("sshPrivateKey", key.clone());
            }
        }
        fields
    }

    /// The Secret; what of `found` is nobody's business here stays.
    fn secret(&self, found: Option<&Object>) -> Object {
        let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(NAMESPACE), self.name());
        let mut object = found.cloned().unwrap_or_else(|| Object::new(&key));
        let data: BTreeMap<_, _> =
            self.fields().into_iter().map(|(field, text)| (field, STANDARD.encode(text))).collect();
        if found.is_none() {
            object.map_mut().insert("type".to_owned(), json!("Opaque"));
        }
        // All of it: of a password that was there before, a key that takes its place leaves nothing.
        object.map_mut().insert("data".to_owned(), json!(data));
        let labels = object.metadata_mut().entry("labels").or_insert_with(|| json!({}));
        if !labels.is_object() {
            *labels = json!({});
        }
        labels[SECRET_TYPE] = json!(self.kind());
        labels[MANAGED_BY] = json!(LANDFALL);
        object
    }

    /// The account that the server makes of it.
    ///
    /// # Errors
    /// The server would not read it.
    pub fn account(&self) -> Result<Account, Diagnostic> {
        match connection(&self.secret(None)) {
            Some(Ok(Connection::Account(account, _))) => Ok(Account {
                name: match &self.given {
                    Given::Password { username, .. } => format!("user {username}"),
                    Given::SshKey(_) => "that key".to_owned(),
                },
                ..*account
            }),
            _ => Err(Diagnostic::error(code::BAD_ARGUMENTS, "that is no login as the server reads them")),
        }
    }

    /// Writes the Secret.
    ///
    /// # Errors
    /// Somebody else's Secret is for that address, or what the cluster refuses with.
    pub async fn write(&self, cluster: &Cluster) -> Result<(String, Written), Diagnostic> {
        let options = WriteOptions { field_manager: Some(LANDFALL.to_owned()), ..WriteOptions::default() };
        let failed = |error: landfall_cluster::Error| error.diagnose();
        let namespace = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, NAMESPACE);
        if cluster.get(&namespace).await.map_err(failed)?.is_none() {
            match cluster.create(&Object::new(&namespace), &options).await {
                Ok(_) => {}
                Err(error) if error.is_already_exists() => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let all = stored(cluster).await?;
        let same = all.into_iter().find(|one| one.is_for(&self.address, self.reach, self.project.as_deref()));
        let Some(same) = same else {
            let object = self.secret(None);
            cluster.create(&object, &options).await.map_err(failed)?;
            return Ok((self.name(), Written::Created));
        };
        if !same.is_ours() {
            let name = same.object.name();
            return Err(Diagnostic::refused(
                code::CREDENTIALS_TAKEN,
                format!("Secret {name} in {NAMESPACE} is the login for that address, and not Landfall's own"),
            )
            .note("nothing was changed")
            .help("change it where it comes from, or take it away first: landfall repo remove URL"));
        }
        let object = self.secret(Some(&same.object));
        let name = object.name().to_owned();
        if object == same.object {
            return Ok((name, Written::Same));
        }
        cluster.replace(&object, &options).await.map_err(failed)?;
        Ok((name, Written::Replaced))
    }
}

/// A login's kind, as Argo CD's label says it.
pub fn kind(reach: Reach) -> &'static str {
    match reach {
        Reach::Repository => "repository",
        Reach::Beginning => "repo-creds",
    }
}

/// A login that is there.
pub struct Stored {
    /// Its Secret.
    pub object: Object,
    /// What it says, or why it cannot be read.
    pub account: Result<Account, String>,
}

impl Stored {
    /// Whether it was written by us.
    pub fn is_ours(&self) -> bool {
        self.object.label(MANAGED_BY) == Some(LANDFALL) || self.object.name().starts_with("landfall-repository-")
    }

    /// Whether it is for just that.
    pub fn is_for(&self, address: &str, reach: Reach, project: Option<&str>) -> bool {
        self.account.as_ref().is_ok_and(|account| {
            account.reach == reach
                && account.project.as_deref() == project
                && repository_key(&account.address) == repository_key(address)
        })
    }
}

/// The logins that are there, by the names of their Secrets.
///
/// # Errors
/// The cluster does not let them be read.
pub async fn stored(cluster: &Cluster) -> Result<Vec<Stored>, Diagnostic> {
    let options = ListOptions {
        namespace: Some(NAMESPACE.to_owned()),
        label_selector: Some(format!("{SECRET_TYPE} in (repository,repo-creds)")),
        ..ListOptions::default()
    };
    let mut found = Vec::new();
    for object in cluster.list(&Gvk::new("", "v1", "Secret"), &options).await.map_err(|error| error.diagnose())? {
        let account = match connection(&object) {
            Some(Ok(Connection::Account(account, _))) => Ok(*account),
            Some(Err(why)) => Err(why),
            Some(Ok(Connection::Cluster(_))) | None => continue,
        };
        found.push(Stored { object, account });
    }
    found.sort_by(|one, other| one.object.name().cmp(other.object.name()));
    Ok(found)
}

/// Whom servers are believed to be, as the cluster says.
///
/// # Errors
/// The cluster does not let it be read.
pub async fn believed(cluster: &Cluster) -> Result<Trust, Diagnostic> {
    let mut found = Vec::new();
    for name in [KNOWN_HOSTS, AUTHORITIES] {
        let key = ObjectKey::new(Gvk::new("", "v1", "ConfigMap"), Some(NAMESPACE), name);
        found.extend(cluster.get(&key).await.map_err(|error| error.diagnose())?);
    }
    Ok(trust(&found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(address: &str, given: Given) -> Login {
        Login { address: address.to_owned(), reach: Reach::Repository, project: None, given }
    }

    #[test]
    fn a_secret_has_a_name_that_kubernetes_takes_and_that_no_other_login_has() {
        let long = format!("https://git.example.com/{}", "a_team/".repeat(40));
        let password = || Given::Password { username: "deploy".into(), password: "x".into() };
        let mut names = Vec::new();
        for address in ["https://git.example.com/Team_1/shop.git", &format!("{long}a"), &format!("{long}b")] {
            let mut one = login(address, password());
            names.push(one.name());
            one.project = Some("shop".to_owned());
            names.push(one.name());
            one.reach = Reach::Beginning;
            names.push(one.name());
        }
        for name in &names {
            let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
            assert!(is_plain && name.len() <= 63, "{name}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 9, "{names:?}");
        let one = login("https://git.example.com/shop", password()).name();
        assert_eq!(one, login("https://git.example.com/shop.git", password()).name(), "one repository");
    }

    #[test]
    fn a_key_that_takes_the_place_of_a_password_leaves_nothing_of_it_and_labels_stay() {
        let mut first = login(
            "git@git.example.com:shop.git",
            Given::Password { username: "deploy".into(), password: "hunter2".into() },
        )
        .secret(None);
        first.metadata_mut().insert("annotations".to_owned(), json!({"note": "mine"}));
        let second = login("git@git.example.com:shop.git", Given::SshKey("KEY".into())).secret(Some(&first));
        let data = second.at("/data").and_then(|it| it.as_object()).expect("data");
        assert_eq!(data.keys().collect::<Vec<_>>(), ["sshPrivateKey", "type", "url"]);
        assert_eq!(second.str_at("/metadata/annotations/note"), Some("mine"));
        assert_eq!(second.label(SECRET_TYPE), Some("repository"));
    }
}
