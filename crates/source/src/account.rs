//! Who servers of repositories are asked as, on behalf of somebody: each account for its own addresses.
//!
//! ```text
//! Accounts ── of_project(name) ─► what a project may use ── remote(address) ─► GitRemote: address, account, trust
//! ```
//!
//! An account belongs to the server of its address, scheme, host and port alike, and is given to no other one. Of accounts
//! for one repository that of the project comes first, and one of the repository itself before one of a longer and then a
//! shorter beginning of its address, which must hold the whole host.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::access::{Access, CertificateCheck};
use crate::github_app::GithubApp;

/// Who is asked as, and for which addresses.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// What it is called where it was declared; for messages.
    pub name: String,
    /// A repository's address, or how the addresses of several begin.
    pub address: String,
    /// Which of both.
    pub reach: Reach,
    /// The only project that may use it; all may where none is named.
    pub project: Option<String>,
    /// Who asks.
    pub login: Login,
    /// Whether the server must prove who it is, by certificate or by host key.
    pub certificates: CertificateCheck,
    /// The client's certificate and key, PEM.
    pub identity: Option<Vec<u8>>,
    /// Whether a registry is asked without TLS.
    pub transport: Transport,
}

/// Which addresses an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// The repository of its address.
    #[default]
    Repository,
    /// All whose addresses begin with its own.
    Beginning,
}

/// Whether a registry is asked over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// It is.
    #[default]
    Secured,
    /// It is not, by its owner's own word.
    Plain,
}

/// Who asks.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// Nobody.
    #[default]
    Nobody,
    /// Whoever sits at this machine, as their own ssh and its agent know them; nobody where it is not asked by SSH.
    Person,
    /// A user with a password or a token.
    Password {
        /// The user; servers that take tokens mostly do not look at it.
        username: String,
        /// The password.
        password: String,
    },
    /// Whoever has this token.
    Bearer(String),
    /// Whoever has this key, in OpenSSH's or PEM's form.
    SshKey(String),
    /// A GitHub App, which is given tokens that live an hour.
    App(Box<GithubApp>),
}

impl Login {
    /// What of it nobody else should read.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        match self {
            Login::Nobody | Login::Person => Vec::new(),
            Login::Password { password, .. } => vec![password],
            Login::Bearer(token) => vec![token],
            Login::SshKey(key) => vec![key],
            Login::App(app) => vec![app.private_key()],
        }
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Login::Nobody => "Nobody",
            Login::Person => "Person",
            Login::Password { .. } => "Password",
            Login::Bearer(_) => "Bearer",
            Login::SshKey(_) => "SshKey",
            Login::App(_) => "App",
        })
    }
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("reach", &self.reach)
            .field("project", &self.project)
            .field("login", &self.login)
            .finish_non_exhaustive()
    }
}

/// All accounts that somebody may use, and whom servers are believed to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    all: Arc<Vec<Account>>,
    trust: Arc<Trust>,
    /// Whose they are looked at as; nobody's sees those without a project alone.
    project: String,
}

/// Whom servers are believed to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// Keys of SSH servers, in the form of `known_hosts`.
    pub known_hosts: String,
    /// Authorities to trust instead of the system's, PEM, by the server's host name.
    pub authorities: BTreeMap<String, String>,
}

/// A repository of git elsewhere, and how its server is asked.
#[derive(Debug, Clone)]
pub struct GitRemote {
    /// The address.
    pub address: String,
    /// Who asks.
    pub account: Account,
    /// Authorities to trust instead of the system's, PEM.
    pub(crate) authorities: Option<Vec<u8>>,
    /// Keys of SSH servers, in the form of `known_hosts`.
    pub(crate) known_hosts: String,
}

/// An address taken apart, in the one form by which two are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    scheme: String,
    /// With the port, where it is not the usual one.
    host: String,
    path: String,
}

impl Address {
    /// Reads `scheme://[user@]host[:port]/path`, `user@host:path`, and `host/path` as registries are written.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_lowercase(), rest.to_owned()),
            None => match text.split_once(':') {
                Some((host, path)) if host.contains('@') && !host.contains('/') => {
                    ("ssh".to_owned(), format!("{host}/{}", path.trim_start_matches('/')))
                }
                _ => ("oci".to_owned(), text.to_owned()),
            },
        };
        let (authority, path) = rest.split_once('/').unwrap_or((&rest, ""));
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_lowercase();
        let usual = match scheme.as_str() {
            "https" => ":443",
            "http" => ":80",
            "ssh" => ":22",
            _ => "",
        };
        let host = host.strip_suffix(usual).filter(|_| !usual.is_empty()).unwrap_or(&host).to_owned();
        let path = path.trim_end_matches('/').trim_end_matches(".git").to_lowercase();
        (!host.is_empty()).then_some(Address { scheme, host, path })
    }

    fn is_of_one_server(&self, other: &Address) -> bool {
        self.scheme == other.scheme && self.host == other.host
    }

    /// The host's name alone.
    fn host_name(&self) -> &str {
        match self.host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or(rest),
            None => self.host.split(':').next().unwrap_or(&self.host),
        }
    }
}

/// Whether two addresses are of one server: scheme, host and port.
pub(crate) fn is_same_server(a: &str, b: &str) -> bool {
    matches!((Address::read(a), Address::read(b)), (Some(a), Some(b)) if a.is_of_one_server(&b))
}

impl Accounts {
    /// All there are, as nobody's project sees them.
    pub fn new(all: Vec<Account>, trust: Trust) -> Self {
        Accounts { all: Arc::new(all), trust: Arc::new(trust), project: String::new() }
    }

    /// The same as a project sees them.
    #[must_use]
    pub fn of_project(&self, project: &str) -> Self {
        Accounts { project: project.to_owned(), ..self.clone() }
    }

    /// Who an address is asked as; nobody where no account is for it.
    ///
    /// As in Argo CD a repository's own account that names nobody takes the login of one whose address is a beginning.
    pub fn of(&self, address: &str) -> Account {
        let Some(wanted) = Address::read(address) else { return Account::default() };
        let usable = |account: &&Account| account.project.as_ref().is_none_or(|project| *project == self.project);
        let fitting = self.all.iter().filter(usable).filter_map(|account| {
            let own = Address::read(&account.address)?;
            let fits = own.is_of_one_server(&wanted)
                && match account.reach {
                    Reach::Repository => own.path == wanted.path,
                    Reach::Beginning => wanted.path.starts_with(&own.path),
                };
            fits.then_some((own.path.len(), account))
        });
        let mut fitting: Vec<(usize, &Account)> = fitting.collect();
        fitting.sort_by_key(|(length, account)| {
            (account.reach == Reach::Beginning, account.project.is_none(), std::cmp::Reverse(*length))
        });
        let mut fitting = fitting.into_iter().map(|(_, account)| account);
        let Some(first) = fitting.next() else { return Account::default() };
        let mut chosen = first.clone();
        if chosen.login == Login::Nobody
            && chosen.identity.is_none()
            && let Some(general) = fitting.find(|account| account.reach == Reach::Beginning)
        {
            (chosen.login, chosen.identity) = (general.login.clone(), general.identity.clone());
        }
        chosen
    }

    /// Authorities that the server of an address is checked with instead of the system's, PEM.
    pub fn authorities(&self, address: &str) -> Option<&str> {
        let address = Address::read(address)?;
        self.trust.authorities.get(address.host_name()).map(String::as_str)
    }

    /// A repository of git, and how its server is asked.
    pub fn remote(&self, address: &str) -> GitRemote {
        GitRemote {
            address: address.to_owned(),
            account: self.of(address),
            authorities: self.authorities(address).map(|pem| pem.as_bytes().to_vec()),
            known_hosts: self.trust.known_hosts.clone(),
        }
    }

    /// How the server of a chart repository is talked to; nothing where no account is for it and the system's authorities
    /// are trusted.
    pub(crate) fn access(&self, address: &str) -> Option<Access> {
        let account = self.of(address);
        let authorities = self.authorities(address).map(|pem| pem.as_bytes().to_vec());
        if account == Account::default() && authorities.is_none() {
            return None;
        }
        let (username, password) = match account.login {
            Login::Password { username, password } => (username, password),
            _ => Default::default(),
        };
        Some(Access {
            username,
            password,
            authorities,
            identity: account.identity,
            certificates: account.certificates,
            ..Access::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, address: &str, reach: Reach, project: Option<&str>) -> Account {
        let login = Login::Password { username: "u".into(), password: format!("secret of {name}") };
        let project = project.map(str::to_owned);
        Account { name: name.into(), address: address.into(), reach, project, login, ..Account::default() }
    }

    fn accounts() -> Accounts {
        let all = vec![
            account("host", "https://git.example.com", Reach::Beginning, None),
            account("team", "https://git.example.com/team", Reach::Beginning, None),
            account("shop", "https://git.example.com/team/shop.git", Reach::Repository, None),
            account("shop-a", "https://git.example.com/team/shop", Reach::Repository, Some("a")),
            account("key", "git@git.example.com:team", Reach::Beginning, None),
            account("charts", "registry.example.com/charts", Reach::Repository, None),
        ];
        Accounts::new(all, Trust::default())
    }

    #[test]
    fn the_nearest_account_of_the_project_is_asked_as() {
        let accounts = accounts();
        for (project, address, name) in [
            ("b", "https://git.example.com/team/shop.git", "shop"),
            ("a", "https://git.example.com/Team/Shop/", "shop-a"),
            ("a", "https://me@git.example.com:443/team/other", "team"),
            ("b", "https://git.example.com/else/other", "host"),
            ("b", "ssh://git@git.example.com:22/team/shop", "key"),
            ("b", "registry.example.com/charts", "charts"),
            ("b", "oci://registry.example.com/charts", "charts"),
        ] {
            assert_eq!(accounts.of_project(project).of(address).name, name, "{address}");
        }
    }

    #[test]
    fn an_account_is_given_to_no_other_server_or_scheme_or_port() {
        let accounts = accounts();
        for address in [
            "https://git.example.com.evil.example/team/shop",
            "https://evil.example/git.example.com/team/shop",
            "https://git.example.com@evil.example/team/shop",
            "https://git.example.com:8443/team/shop",
            "http://git.example.com/team/shop",
            "git://git.example.com/team/shop",
            "git.example.com/team/shop",
            "",
        ] {
            assert_eq!(accounts.of_project("a").of(address), Account::default(), "{address}");
        }
    }

    #[test]
    fn a_repository_that_names_nobody_takes_the_login_of_a_beginning_and_keeps_its_own_checks() {
        let own = Account {
            name: "own".into(),
            address: "https://git.example.com/team/bare".into(),
            certificates: CertificateCheck::Skip,
            ..Account::default()
        };
        let mut all = vec![own];
        all.extend(accounts().all.iter().cloned());
        let found = Accounts::new(all, Trust::default()).of("https://git.example.com/team/bare.git");
        assert_eq!((found.name.as_str(), found.certificates), ("own", CertificateCheck::Skip));
        let login = Login::Password { username: "u".into(), password: "secret of team".into() };
        assert_eq!(found.login, login);
    }

    #[test]
    fn what_is_shown_of_an_account_is_no_secret() {
        let accounts = accounts();
        let shown = format!("{accounts:?} {:?}", accounts.remote("https://git.example.com/team/shop"));
        assert!(!shown.contains("secret of"), "{shown}");
    }

    #[test]
    fn authorities_are_those_of_the_host_whatever_its_port() {
        let authorities = BTreeMap::from([("git.example.com".to_owned(), "PEM".to_owned())]);
        let accounts = Accounts::new(Vec::new(), Trust { authorities, ..Trust::default() });
        assert_eq!(accounts.authorities("https://git.example.com:8443/a"), Some("PEM"));
        assert_eq!(accounts.authorities("https://other.example.com/a"), None);
    }
}
