mod asking;
mod errand;
mod fetched;
mod gauge;
mod mirror;
mod push;
mod references;

use std::error::Error;
use std::io::IsTerminal as _;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_recursion::async_recursion as boxed;
use gix::bstr::ByteSlice as _;
use gix::protocol::transport::client::blocking_io::http;

use crate::access::PATIENCE;
use crate::aside::{Interrupt, aside, aside_until};
use crate::error::SourceError;
use crate::is_mutant;
use crate::network::Network;
pub use fetched::Fetched;
use gauge::{Ending, Gauge, MAX_FETCHED, Progress, Watch};
pub use mirror::Mirror;
pub(crate) use push::Sent;
pub use references::References;
pub(crate) use references::newest_of;

/// A repository's address with the revision wanted: `URL#REF`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRef {
    /// The address.
    pub url: String,
    /// The branch, tag or commit; the remote's own default when absent.
    pub revision: Option<String>,
}

impl RemoteRef {
    /// Reads `URL#REF`; `None` when the text is not an address of a repository.
    ///
    /// Addresses have a scheme (`https:`, `http:`, `ssh:`, `git:`, `file:`) or the short form `user@host:path`.
    pub fn parse(text: &str) -> Option<Self> {
        let (url, revision) = match text.split_once('#') {
            Some((url, revision)) => (url, Some(revision.to_owned()).filter(|revision| !revision.is_empty())),
            None => (text, None),
        };
        let scheme = ["https://", "http://", "ssh://", "git://", "file://"].iter().any(|it| url.starts_with(it));
        let short = url.split_once(':').is_some_and(|(host, path)| {
            host.contains('@') && !host.contains('/') && !path.starts_with("//") && !path.is_empty()
        });
        (scheme || short)
            .then_some(())
            .filter(|()| !is_option(url) || is_mutant("address-options"))
            .map(|()| RemoteRef { url: url.to_owned(), revision })
    }

    /// The address for people, logs and names of directories: without a password, and over HTTP without the user, who
    /// may be a token.
    pub fn shown(&self) -> String {
        match self.credentials() {
            Some(secret) => self.url.replacen(secret, "", 1),
            None => self.url.clone(),
        }
    }

    /// What of the address nobody else should read, with its separator.
    fn credentials(&self) -> Option<&str> {
        let (scheme, rest) = self.url.split_once("://")?;
        let authority = &rest[..rest.find('/').unwrap_or(rest.len())];
        let user = &authority[..=authority.rfind('@')?];
        match scheme {
            "http" | "https" => Some(user),
            _ => user.find(':').map(|colon| &user[colon..user.len() - 1]),
        }
    }
}

/// Whether a part of an address would be taken for an option by the program that it is given to.
fn is_option(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or(rest);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    rest.starts_with('-') || host.starts_with('-')
}

/// A repository's address in the one form by which two are the same: without scheme, user, the scheme's own port, `.git` and trailing
/// slash. The colon of `user@host:path` is a slash (`NormalizeGitURL` of Argo CD); that of a port is none, or another repository of the
/// same host would be the same.
pub fn repository_key(address: &str) -> String {
    let address = address.trim().trim_end_matches('/').trim_end_matches(".git").to_lowercase();
    let Some((scheme, rest)) = address.split_once("://") else {
        let address = address.rsplit_once('@').map_or(address.as_str(), |(_, rest)| rest);
        return address.replacen(':', "/", 1);
    };
    let (authority, path) = rest.split_once('/').map_or((rest, None), |(authority, path)| (authority, Some(path)));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let usual = match scheme {
        "ssh" | "git+ssh" => ":22",
        "https" => ":443",
        "http" => ":80",
        "git" => ":9418",
        _ => "",
    };
    let host = host.strip_suffix(usual).unwrap_or(host);
    path.map_or_else(|| host.to_owned(), |path| format!("{host}/{path}"))
}

/// How long a repository may take to be fetched.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// How long a repository may keep a person busy before anything of it comes: a password, a key's passphrase.
const GREETING: Duration = Duration::from_secs(60);
/// How long a server may take to accept a connection, where nobody says otherwise: git's own library's patience.
const CONNECTING: Duration = Duration::from_secs(20);
/// How often it is looked whether more has come.
const LOOK: Duration = Duration::from_millis(100);

/// Fetches a repository, its newest commit only, into a bare repository of its own below a directory: it goes when
/// [`Fetched`] does, and one that fails leaves nothing. gix works at it with its own blocking transport, aside; who drops
/// the future interrupts it.
///
/// `patience`: how long the server may be silent, or as good as silent; [`PATIENCE`] where nobody says.
///
/// # Errors
/// When the address is malformed, the repository cannot be reached, does not go on coming, or is too large.
#[boxed]
pub async fn fetch_repository(
    network: &Network,
    remote: &RemoteRef,
    below: &Path,
    patience: Option<Duration>,
) -> Result<Fetched, SourceError> {
    let fetched = fetched_aside(below).await?;
    let patience = patience.unwrap_or(PATIENCE);
    let greeting = if std::io::stdin().is_terminal() { GREETING } else { patience };
    let (from, to) = (remote.clone(), fetched.path().to_owned());
    let work = move |gauge, interrupted: &AtomicBool| {
        let result = fetch(&from, &to, gauge, interrupted);
        if interrupted.load(std::sync::atomic::Ordering::Relaxed) {
            // Whose place it was has removed it, perhaps before the last of it was written.
            let _still_there = std::fs::remove_dir_all(&to);
        }
        result
    };
    watched(network, remote.shown(), patience, greeting, work).await?;
    Ok(fetched)
}

/// A place of its own below a directory.
async fn fetched_aside(below: &Path) -> Result<Fetched, SourceError> {
    let place = below.to_owned();
    let made = aside(move || Fetched::place(&place)).await?;
    made.map_err(|source| SourceError::Read { path: below.to_owned(), source })
}

/// Has gix work with a server, aside, for as long as something comes; `greeting`: how long until anything does.
async fn watched<T: Send + 'static>(
    network: &Network,
    shown: String,
    patience: Duration,
    greeting: Duration,
    work: impl FnOnce(Gauge, &AtomicBool) -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let _turn = network.repository().await;
    let Some(held) = network.thread() else {
        let why = "too many servers that were asked before hold on to the connection".to_owned();
        return Err(SourceError::Fetch { url: shown, why });
    };
    let (progress, interrupt) = (Progress::default(), Interrupt::default());
    let (gauge, stop) = (progress.gauge(), interrupt.clone());
    // A server that takes the connection and says nothing would be read from for ever.
    let fetching = aside_until(&interrupt, move || {
        let _held = held;
        work(gauge, stop.flag())
    });
    tokio::pin!(fetching);
    let began = Instant::now();
    let mut watch = Watch::new(progress, patience, greeting, began);
    let why = loop {
        tokio::select! {
            fetched = &mut fetching => match fetched {
                Ok(result) => return result,
                Err(_) => break "the thread that fetched it broke".to_owned(),
            },
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = Instant::now();
        match watch.look(now) {
            Some(Ending::Silent) => {
                break format!("nothing came for {} s, or next to nothing", patience.as_secs_f32().round().max(1.0));
            }
            Some(Ending::TooLarge) => break format!("it is larger than {} GiB", MAX_FETCHED >> 30),
            None if now.duration_since(began) > LONGEST => {
                break format!("it was not fetched within {} minutes", LONGEST.as_secs() / 60);
            }
            None => {}
        }
    };
    interrupt.set();
    // One that unpacks ends at once; gix's transport looks at nothing, so that one that reads ends with its server.
    let _ended = tokio::time::timeout(LOOK, &mut fetching).await;
    Err(SourceError::Fetch { url: shown, why })
}

fn fetch(
    remote: &RemoteRef,
    into: &Path,
    progress: impl gix::NestedProgress<SubProgress: 'static>,
    interrupted: &AtomicBool,
) -> Result<(), SourceError> {
    let failed = |error: &dyn Error| {
        let mut why = causes(error);
        if let Some(secret) = remote.credentials() {
            why = why.replace(secret, "");
        }
        SourceError::Fetch { url: remote.shown(), why }
    };
    let url = gix::Url::try_from(remote.url.as_str()).map_err(|error| failed(&error))?;
    let is_commit = remote
        .revision
        .as_deref()
        .is_some_and(|revision| revision.len() >= 7 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let mut prepare = gix::prepare_clone_bare(url, into)
        .map_err(|error| failed(&error))?
        .with_in_memory_config_overrides([crate::git::alloc_limit()]);
    if !is_commit {
        // A commit's hash may lie anywhere in the history; a name is at its tip.
        let depth = NonZeroU32::MIN;
        prepare = prepare.with_shallow(gix::remote::fetch::Shallow::DepthAtRemote(depth));
    }
    if let Some(revision) = remote.revision.as_deref().filter(|_| !is_commit) {
        prepare = prepare.with_ref_name(Some(revision)).map_err(|error| failed(&error))?;
    }
    prepare = prepare.configure_connection(|connection| {
        let remote = connection.remote();
        let Some(url) = remote.url(gix::remote::Direction::Fetch) else { return Ok(()) };
        let Some(options) = remote.repo().transport_options(url.to_bstring().as_bstr(), None)? else { return Ok(()) };
        if let Ok(mut options) = options.downcast::<http::Options>() {
            let backend = http::reqwest::Options {
                configure_client: Some(Box::new(|_| Ok(ending(LONGEST)))),
                configure_request: None,
            };
            options.backend = Some(Arc::new(Mutex::new(backend)));
            connection.set_transport_options(options);
        }
        Ok(())
    });
    prepare.fetch_only(progress, interrupted).map_err(|error| failed(&error))?;
    Ok(())
}

/// A client whose every exchange ends, however slowly the server goes on: gix's transport looks at nothing while it reads, so that
/// the thread of one that was given up ends with the exchange.
fn ending(longest: Duration) -> reqwest::blocking::ClientBuilder {
    let client = reqwest::Client::builder().http1_title_case_headers().connect_timeout(CONNECTING).timeout(longest);
    client.into()
}

/// What an error says, and what lies at its root.
fn causes(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    let (first, last) = (error.to_string(), root.to_string());
    if first.contains(&last) { first } else { format!("{first}: {last}") }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[test]
    fn an_exchange_ends_however_slowly_the_server_goes_on() {
        let _already_there = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = server.local_addr().expect("its address");
        let dripping = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().expect("a connection");
            let _asked = stream.read(&mut [0; 1024]);
            let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while sent.is_ok() {
                std::thread::sleep(Duration::from_millis(10));
                sent = stream.write_all(b".");
            }
        });
        let client = ending(Duration::from_millis(300)).no_proxy().build().expect("a client");
        let answer = client.get(format!("http://{address}/")).send().and_then(reqwest::blocking::Response::bytes);
        assert!(answer.is_err_and(|error| error.is_timeout()), "its time is over");
        dripping.join().expect("it was let go");
    }

    #[test]
    fn addresses_of_one_repository_are_the_same_in_every_form() {
        let wanted = repository_key("https://git.example.com/shop/shop.git");
        for form in [
            "git@git.example.com:shop/shop.git",
            "ssh://git@git.example.com/shop/shop",
            "https://git.example.com/shop/shop/",
            "git@git.example.com/shop/shop",
            "ssh://git@git.example.com:22/shop/shop.git",
            "https://me:p%40ss@git.example.com:443/Shop/shop",
        ] {
            assert_eq!(repository_key(form), wanted, "{form}");
        }
    }

    #[test]
    fn a_port_is_no_part_of_a_path() {
        let forms = [
            "https://git.example.com:8443/shop/shop.git",
            "https://git.example.com/8443/shop/shop.git",
            "https://git.example.com/shop/shop.git",
            "http://git.example.com:443/shop/shop.git",
            "https://[::1]:8443/shop/shop.git",
            "https://[::1]/8443/shop/shop.git",
        ];
        let keys: std::collections::BTreeSet<String> = forms.iter().map(|form| repository_key(form)).collect();
        assert_eq!(keys.len(), forms.len(), "{keys:?}");
        // What no scheme stands before has no port.
        assert_eq!(repository_key("git@git.example.com:22/shop.git"), "git.example.com/22/shop");
    }

    #[test]
    fn nobody_reads_a_password_of_an_address() {
        for (address, shown) in [
            ("https://me:secret@git.example.com/a.git", "https://git.example.com/a.git"),
            ("https://token@git.example.com/a@b.git#v1", "https://git.example.com/a@b.git"),
            ("ssh://git:secret@git.example.com/a.git", "ssh://git@git.example.com/a.git"),
            ("ssh://git@git.example.com/a.git", "ssh://git@git.example.com/a.git"),
            ("git@git.example.com:a/b.git", "git@git.example.com:a/b.git"),
        ] {
            assert_eq!(RemoteRef::parse(address).expect("an address").shown(), shown);
        }
    }

    #[test]
    fn an_address_has_a_scheme_or_a_user() {
        let remote = RemoteRef::parse("https://git.example.com/a/b.git#v1.2").expect("an address");
        assert_eq!(remote.revision.as_deref(), Some("v1.2"));
        assert!(RemoteRef::parse("git@git.example.com:a/b.git").is_some());
        assert!(RemoteRef::parse("./charts/web").is_none());
        assert!(RemoteRef::parse("web").is_none());
    }
}
