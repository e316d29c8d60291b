//! Asking a repository's server as an account: what gix is told of login, certificates and keys, and nothing of the
//! user's own configuration, agents or helpers.

use std::error::Error;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gix::NestedProgress as _;
use gix::credentials::helper::Action;
use gix::protocol::handshake::Ref;
use gix::protocol::transport::client::blocking_io::http;
use gix::remote::Direction;
use gix::remote::fetch::{Shallow, Tags};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Certificate, Identity};

use super::gauge::Gauge;
use super::{LONGEST, RemoteRef, causes, ending};
use crate::access::CertificateCheck;
use crate::account::{GitRemote, Login, is_same_server};
use crate::address::is_loopback;
use crate::error::SourceError;

use crate::network::Network;

/// What is said of a token's user where nobody says another: servers do not look at it.
const TOKEN_USER: &str = "x-access-token";

/// What is wanted of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// What its references are.
    References,
    /// Commits, each without those before it.
    Tips,
    /// Commits with all before them.
    Histories,
}

/// Who has asked for a login.
#[derive(Debug, Clone, Default)]
struct Asked {
    /// The server of the address.
    by_itself: Arc<AtomicBool>,
    /// One that it has sent us on to.
    by_another: Arc<AtomicBool>,
}

/// A repository's server, and how it is asked this time.
#[derive(Clone)]
pub(super) struct Asking {
    pub(super) remote: GitRemote,
    /// A user and a password, given where they are asked for.
    pub(super) login: Option<(String, String)>,
    /// What each request bears: a token, or a login that goes without TLS. Nothing is followed with it.
    pub(super) header: Option<HeaderValue>,
    pub(super) patience: Duration,
}

impl Asking {
    /// How a server is asked; an App's token is fetched first.
    ///
    /// # Errors
    /// An account that does not fit the address, or an App that is given no token.
    pub(super) async fn new(network: &Network, remote: &GitRemote, patience: Duration) -> Result<Self, SourceError> {
        let mut asking = Asking { remote: remote.clone(), login: None, header: None, patience };
        let url = &remote.address;
        let shown = asking.shown();
        let refuse = |why: &str| Err(SourceError::Fetch { url: shown.clone(), why: why.to_owned() });
        if RemoteRef::parse(url).is_none() {
            return refuse("it is no repository's address");
        }
        let pair = match &remote.account.login {
            Login::Nobody | Login::Person => None,
            Login::SshKey(_) if is_ssh(url) => None,
            Login::SshKey(_) => return refuse("its account has a key for SSH, and the address is another one"),
            Login::Password { .. } | Login::Bearer(_) | Login::App(_) if is_ssh(url) => {
                return refuse("its account has no key for SSH (sshPrivateKey)");
            }
            Login::Password { username, password } => {
                let username = if username.is_empty() { TOKEN_USER } else { username };
                Some((username.to_owned(), password.clone()))
            }
            Login::Bearer(token) => {
                asking.header = HeaderValue::from_str(&format!("Bearer {token}")).ok();
                None
            }
            Login::App(app) => {
                let authorities = remote.authorities.clone();
                Some((TOKEN_USER.to_owned(), app.token(network, url, authorities, Some(patience)).await?))
            }
        };
        if is_ssh(url) && !matches!(remote.account.login, Login::SshKey(_) | Login::Person) {
            return refuse("there is no account with a key for it (sshPrivateKey)");
        }
        match pair {
            Some((username, password)) if url.starts_with("http://") => {
                asking.header = Some(crate::http::basic(&username, &password));
            }
            pair => asking.login = pair,
        }
        if let Some(header) = &mut asking.header {
            header.set_sensitive(true);
        }
        Ok(asking)
    }

    /// The address for people.
    pub(super) fn shown(&self) -> String {
        RemoteRef { url: self.remote.address.clone(), revision: None }.shown()
    }

    /// Asks, with a bare repository of ours at hand, and gives the server's references that the specifications fit. Waits
    /// for the server on this thread.
    pub(super) fn ask(
        &self,
        directory: &Path,
        specifications: &[String],
        wanted: Wanted,
        mut progress: Gauge,
        interrupted: &AtomicBool,
    ) -> Result<Vec<Ref>, SourceError> {
        let keys = self.keys(directory)?;
        let asked = Asked::default();
        let failed = |error: &dyn Error| self.failed(error, &asked);
        let mut overrides = vec![crate::git::alloc_limit(), "gc.auto=0".to_owned()];
        if let Some(keys) = &keys {
            overrides.push(format!("core.sshCommand={}", keys.command(self.patience)));
            overrides.push("ssh.variant=ssh".to_owned());
        }
        let options = gix::open::Options::isolated().open_path_as_is(true).config_overrides(overrides);
        let repository = gix::ThreadSafeRepository::open_opts(directory, options).map_err(|error| failed(&error))?;
        let repository = repository.to_thread_local();
        let url = gix::Url::try_from(self.remote.address.as_str()).map_err(|error| failed(&error))?;
        let specs = specifications.iter().map(String::as_str);
        let remote = repository
            .remote_at_without_url_rewrite(url)
            .map_err(|error| failed(&error))?
            .with_fetch_tags(Tags::None)
            .with_refspecs(specs, Direction::Fetch)
            .map_err(|error| failed(&error))?;
        let connection = remote.connect(Direction::Fetch).map_err(|error| failed(&error))?;
        let mut connection = connection.with_credentials(self.helper(asked.clone()));
        if self.remote.address.starts_with("http") {
            connection.set_transport_options(Box::new(self.http_options()?));
        }
        if wanted == Wanted::References {
            let (map, _) = connection.ref_map(progress, Default::default()).map_err(|error| failed(&error))?;
            return Ok(map.remote_refs);
        }
        let prepared = connection.prepare_fetch(progress.add_child("references"), Default::default());
        let mut prepared = prepared.map_err(|error| failed(&error))?;
        if wanted == Wanted::Tips {
            prepared = prepared.with_shallow(Shallow::DepthAtRemote(NonZeroU32::MIN));
        }
        let outcome = prepared.receive(progress, interrupted).map_err(|error| failed(&error))?;
        Ok(outcome.ref_map.remote_refs)
    }

    /// Gives the login where the server asks for one, and gives it to no other server that it was sent on to.
    fn helper(
        &self,
        asked: Asked,
    ) -> impl FnMut(Action) -> gix::Result<Option<gix::credentials::protocol::Outcome>> + 'static {
        let (login, address) = (self.login.clone(), self.remote.address.clone());
        move |action| {
            let Action::Get(mut context) = action else { return Ok(None) };
            let url = context.url.as_ref().map(ToString::to_string).unwrap_or_default();
            let by = if is_same_server(&url, &address) { &asked.by_itself } else { &asked.by_another };
            by.store(true, Ordering::Relaxed);
            let Some((username, password)) = login.clone().filter(|_| is_same_server(&url, &address)) else {
                return Ok(None);
            };
            let identity = gix::sec::identity::Account { username, password, oauth_refresh_token: None };
            // What comes next concerns helpers that keep passwords, and there is none.
            context.url = None;
            Ok(Some(gix::credentials::protocol::Outcome { identity, next: context.into() }))
        }
    }

    fn http_options(&self) -> Result<http::Options, SourceError> {
        let wrong = |why: String| SourceError::Fetch { url: self.shown(), why };
        let mut authorities = Vec::new();
        if let Some(pem) = &self.remote.authorities {
            authorities = Certificate::from_pem_bundle(pem).unwrap_or_default();
            if authorities.is_empty() {
                return Err(wrong("the certificates that are trusted for it are no PEM".to_owned()));
            }
        }
        let identity = match &self.remote.account.identity {
            // Nothing of the key is told, which the library's words might.
            Some(pem) => Some(
                Identity::from_pem(pem)
                    .map_err(|_| wrong("its account's client certificate and key are no PEM".to_owned()))?,
            ),
            None => None,
        };
        let skips = self.remote.account.certificates == CertificateCheck::Skip;
        let is_near =
            reqwest::Url::parse(&self.remote.address).is_ok_and(|url| url.host_str().is_some_and(is_loopback));
        let patience = self.patience;
        let mut backend = http::reqwest::Options {
            configure_client: Some(Box::new(move |_| {
                let mut builder = ending(LONGEST).connect_timeout(patience).tls_danger_accept_invalid_certs(skips);
                if !authorities.is_empty() {
                    builder = builder.tls_certs_only(authorities.clone());
                }
                if let Some(identity) = &identity {
                    builder = builder.identity(identity.clone());
                }
                Ok(if is_near { builder.no_proxy() } else { builder })
            })),
            configure_request: None,
        };
        if let Some(header) = self.header.clone() {
            let address = self.remote.address.clone();
            // gix follows no redirect of a request that somebody has changed.
            backend.configure_request = Some(Box::new(move |request| {
                if is_same_server(request.url().as_str(), &address) {
                    request.headers_mut().insert(AUTHORIZATION, header.clone());
                }
                Ok(())
            }));
        }
        Ok(http::Options { backend: Some(Arc::new(Mutex::new(backend))), ..http::Options::default() })
    }

    /// The key as a file for ssh, for as long as it is asked.
    pub(super) fn keys(&self, directory: &Path) -> Result<Option<Keys>, SourceError> {
        let Login::SshKey(key) = &self.remote.account.login else { return Ok(None) };
        let directory = directory.join("ssh");
        let keys = Keys {
            key: directory.join("key"),
            known_hosts: directory.join("known_hosts"),
            check: self.remote.account.certificates,
        };
        let key = format!("{}\n", key.trim_end());
        let written = crate::private_file::write_private(&keys.key, &key)
            .and_then(|()| crate::private_file::write_private(&keys.known_hosts, &self.remote.known_hosts));
        match written {
            Ok(()) => Ok(Some(keys)),
            Err(source) => Err(SourceError::Read { path: keys.key.clone(), source }),
        }
    }

    /// What has gone wrong, without anything of the account.
    fn failed(&self, error: &dyn Error, asked: &Asked) -> SourceError {
        let account = &self.remote.account;
        let has_login = self.login.is_some() || self.header.is_some();
        let is_asked = |by: &AtomicBool| by.load(Ordering::Relaxed);
        let said = causes(error);
        // gix has no type for the second.
        let sends = is_asked(&asked.by_another) || said.contains("refusing to follow redirect");
        if (sends || is_asked(&asked.by_itself)) && !has_login {
            return SourceError::NoLogin { url: self.shown() };
        }
        let why = if sends {
            format!("it sends elsewhere, where the login of {} does not go", account.name)
        } else if is_asked(&asked.by_itself) {
            format!("it does not take the login of {}", account.name)
        } else {
            self.without_secrets(said)
        };
        SourceError::Fetch { url: self.shown(), why }
    }

    /// What somebody said, without anything of the account.
    pub(super) fn without_secrets(&self, said: String) -> String {
        let shown = RemoteRef { url: self.remote.address.clone(), revision: None };
        let given = self.login.iter().map(|(_, password)| password.as_str());
        let secrets = self.remote.account.login.secrets().into_iter().chain(given).chain(shown.credentials());
        secrets.filter(|secret| !secret.is_empty()).fold(said, |said, secret| said.replace(secret, "***"))
    }
}

pub(super) fn is_ssh(address: &str) -> bool {
    address.starts_with("ssh://") || !address.contains("://")
}

/// Files that ssh reads; they go with this value.
pub(super) struct Keys {
    key: PathBuf,
    known_hosts: PathBuf,
    check: CertificateCheck,
}

impl Keys {
    /// What ssh is told: this key and no other, these hosts and no others, nothing of the user's. It ends with [`LONGEST`], however
    /// slowly the server goes on, where there is a program that sees to it.
    pub(super) fn command(&self, patience: Duration) -> String {
        let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
        let (check, hosts) = match self.check {
            CertificateCheck::Verify => ("yes", quoted(&self.known_hosts)),
            CertificateCheck::Skip => ("no", "/dev/null".to_owned()),
        };
        let seconds = patience.as_secs().max(1);
        let within = crate::find_program("timeout")
            .filter(|_| cfg!(unix))
            .map(|it| format!("{} {} ", quoted(&it), LONGEST.as_secs()));
        let within = within.unwrap_or_default();
        format!(
            "{within}ssh -F none -i {} -o IdentitiesOnly=yes -o IdentityAgent=none -o BatchMode=yes -o StrictHostKeyChecking={check} -o UserKnownHostsFile={hosts} -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout={seconds} -o ServerAliveInterval={seconds} -o ServerAliveCountMax=2",
            quoted(&self.key)
        )
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // What cannot be removed goes with the repository.
        let _left = std::fs::remove_dir_all(self.key.parent().unwrap_or(&self.key));
    }
}
