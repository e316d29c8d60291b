use std::path::PathBuf;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Url};
use sha2::{Digest as _, Sha256};

use crate::access::{Access, CertificateCheck, PATIENCE, Redirects};
use crate::address::is_loopback;
use crate::error::SourceError;
use crate::is_mutant;
use crate::reach::NetworkReach;

/// Ways of access whose connections are kept; the one that was made first gives way.
const MOST_CLIENTS: usize = 32;
/// Connections to one server that are kept while nobody uses them.
const MOST_IDLE: usize = 4;
/// Redirects that are followed one after another.
const MOST_REDIRECTS: usize = 10;
/// How long they are kept.
const IDLE: Duration = Duration::from_secs(30);

/// The clients that were made, by what makes them differ; the oldest first.
#[derive(Default)]
pub(super) struct Clients(Vec<(Key, Client)>);

/// A digest of all that a client's connections are made with. Files count by what is in them, so that a new certificate
/// is a new client; the digest stands for them, so that no key is kept twice.
type Key = [u8; 32];

/// What an access brings along, or what is in the files that it names.
struct Trust {
    /// Authorities, PEM.
    authorities: Option<Vec<u8>>,
    /// The client's certificate and key, PEM.
    identity: Option<Vec<u8>>,
}

impl Clients {
    pub(super) fn of(
        &mut self,
        access: &Access,
        reach: &NetworkReach,
        address: &Url,
        shown: &str,
    ) -> Result<Client, SourceError> {
        if let Some(refused) = reach.refusal(address) {
            return Err(SourceError::Inside { url: shown.to_owned(), why: refused.to_string() });
        }
        let trust = Trust::read(access)?;
        // As in Go, what runs on this machine is never asked through a proxy.
        let route = if address.host_str().is_some_and(is_loopback) { Route::Direct } else { Route::AsUsual };
        let key = key(access, reach, &trust, route);
        if let Some((_, client)) = self.0.iter().find(|(known, _)| *known == key) {
            return Ok(client.clone());
        }
        let client = build(access, reach, trust, route, shown)?;
        if self.0.len() >= MOST_CLIENTS {
            self.0.remove(0);
        }
        self.0.push((key, client.clone()));
        Ok(client)
    }
}

/// A server that leads on and on.
#[derive(Debug, thiserror::Error)]
#[error("too many redirects")]
struct TooMany;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    AsUsual,
    Direct,
}

fn key(access: &Access, reach: &NetworkReach, trust: &Trust, route: Route) -> Key {
    let mut digest = Sha256::new();
    let patience = access.patience.unwrap_or(PATIENCE).as_nanos();
    let choices = [
        access.certificates == CertificateCheck::Skip,
        access.redirects == Redirects::Stop,
        route == Route::Direct,
        trust.authorities.is_some(),
        trust.identity.is_some(),
    ];
    digest.update(patience.to_be_bytes());
    digest.update(reach.mark().to_be_bytes());
    digest.update(choices.map(u8::from));
    for file in [&trust.authorities, &trust.identity].into_iter().flatten() {
        digest.update((file.len() as u64).to_be_bytes());
        digest.update(file);
    }
    digest.finalize().into()
}

fn config(why: String) -> SourceError {
    SourceError::Index(format!("can't create TLS config for client: {why}"))
}

impl Trust {
    fn read(access: &Access) -> Result<Self, SourceError> {
        let mut trust = Trust { authorities: access.authorities.clone(), identity: access.identity.clone() };
        if let Some(path) = &access.ca_file {
            let pem = std::fs::read(path).map_err(|_| config(format!("can't read CA file: {}", path.display())))?;
            trust.authorities = Some(pem);
        }
        if let (Some(cert), Some(key)) = (&access.cert_file, &access.key_file) {
            let read = |path: &PathBuf| {
                std::fs::read(path).map_err(|error| {
                    let why = match error.kind() {
                        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                        _ => error.to_string(),
                    };
                    no_pair(access, &format!("open {}: {why}", path.display()))
                })
            };
            let mut pem = read(cert)?;
            pem.push(b'\n');
            pem.extend(read(key)?);
            trust.identity = Some(pem);
        }
        Ok(trust)
    }
}

fn no_pair(access: &Access, why: &str) -> SourceError {
    let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let (cert, key) = (shown(&access.cert_file), shown(&access.key_file));
    config(format!("can't load key pair from cert {cert} and key {key}: {why}"))
}

fn build(
    access: &Access,
    reach: &NetworkReach,
    trust: Trust,
    route: Route,
    shown: &str,
) -> Result<Client, SourceError> {
    let mut builder = Client::builder()
        .user_agent("Helm/3.22.0")
        .connect_timeout(access.patience.unwrap_or(PATIENCE))
        .pool_max_idle_per_host(MOST_IDLE)
        .pool_idle_timeout(IDLE);
    if access.redirects == Redirects::Stop && !is_mutant("redirects") {
        builder = builder.redirect(Policy::none());
    } else if let NetworkReach::Only(_) = reach {
        let reach = reach.clone();
        builder = builder.redirect(Policy::custom(move |next| match reach.refusal(next.url()) {
            Some(refused) => next.error(refused),
            None if next.previous().len() > MOST_REDIRECTS => next.error(TooMany),
            None => next.follow(),
        }));
    }
    let proxies = if route == Route::Direct { Vec::new() } else { proxies(|name| std::env::var(name).ok()) };
    if let Some(names) = reach.names_past(proxies) {
        builder = builder.dns_resolver(names);
    }
    if route == Route::Direct {
        builder = builder.no_proxy();
    }
    if access.certificates == CertificateCheck::Skip {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if let Some(pem) = &trust.authorities {
        let certificates = Certificate::from_pem_bundle(pem).unwrap_or_default();
        if certificates.is_empty() {
            let path = access.ca_file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            return Err(config(format!("failed to append certificates from file: {path}")));
        }
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(pem) = &trust.identity {
        builder = builder.identity(Identity::from_pem(pem).map_err(|error| no_pair(access, &error.to_string()))?);
    }
    builder.build().map_err(|error| SourceError::Exchange {
        url: shown.to_owned(),
        why: format!("no connection can be made: {error}"),
    })
}

/// The hosts of the proxies that the environment names, as the client finds them there.
fn proxies(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let named = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let host = |text: String| {
        let text = if text.contains("://") { text } else { format!("http://{text}") };
        Url::parse(&text).ok()?.host_str().map(str::to_owned)
    };
    named.into_iter().filter_map(variable).filter_map(host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_alike_shares_and_who_does_not_does_not() {
        let directory = tempfile::tempdir().expect("a directory");
        let authority = rcgen::generate_simple_self_signed(["h".to_owned()]).expect("made").cert.pem();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, &authority).expect("written");
        let url = |text: &str| Url::parse(text).expect("an address");
        let (far, near) = (url("https://h.example/"), url("http://127.0.0.1:1/"));
        let mut clients = Clients::default();
        let mut made = |access: &Access, address: &Url| {
            clients.of(access, &NetworkReach::Anywhere, address, "shown").expect("made");
            clients.0.len()
        };
        let plain = Access { username: "u".into(), password: "p".into(), ..Access::default() };
        assert_eq!(made(&Access::default(), &far), 1);
        assert_eq!(made(&plain, &far), 1, "who asks is said in each request");
        assert_eq!(made(&Access::default(), &near), 2, "no proxy leads here");
        assert_eq!(made(&Access { redirects: Redirects::Stop, ..Access::default() }, &far), 3);
        let trusting = Access { ca_file: Some(file.clone()), ..Access::default() };
        assert_eq!((made(&trusting, &far), made(&trusting, &far)), (4, 4));
        let other = rcgen::generate_simple_self_signed(["h".to_owned()]).expect("made").cert.pem();
        std::fs::write(&file, other).expect("written");
        assert_eq!(made(&trusting, &far), 5, "the file has another certificate now");
    }

    #[test]
    fn who_may_ask_less_shares_no_connection_with_who_may_ask_more() {
        let url = |text: &str| Url::parse(text).expect("an address");
        let mut clients = Clients::default();
        let (all, none) = (NetworkReach::public(|_| true), NetworkReach::public(|_| false));
        let mut made = |reach: &NetworkReach, address: &str| {
            clients.of(&Access::default(), reach, &url(address), "shown").map(|_| clients.0.len())
        };
        let (name, number) = ("https://h.example/", "http://169.254.169.254/");
        assert_eq!(made(&NetworkReach::Anywhere, name).ok(), Some(1));
        assert_eq!((made(&none, name).ok(), made(&none.clone(), name).ok()), (Some(2), Some(2)));
        assert_eq!(made(&all, number).ok(), Some(3));
        let refused = made(&none, number).expect_err("inside");
        assert!(matches!(&refused, SourceError::Inside { why, .. } if why.contains("--check-networks")), "{refused}");
    }

    #[test]
    fn proxies_are_known_by_their_hosts() {
        let variable = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://u:p@proxy.example.com:3128".to_owned()),
            "all_proxy" => Some("squid:8080".to_owned()),
            "http_proxy" => Some(String::new()),
            _ => None,
        };
        assert_eq!(proxies(variable), ["proxy.example.com", "squid"]);
    }

    #[test]
    fn ways_of_access_are_not_kept_without_end() {
        let (mut clients, far) = (Clients::default(), Url::parse("https://h.example/").expect("an address"));
        for seconds in 0..MOST_CLIENTS as u64 + 3 {
            let access = Access { patience: Some(Duration::from_secs(seconds)), ..Access::default() };
            clients.of(&access, &NetworkReach::Anywhere, &far, "shown").expect("made");
        }
        assert_eq!(clients.0.len(), MOST_CLIENTS);
    }
}
