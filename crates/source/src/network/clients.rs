use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Url};
use sha2::{Digest as _, Sha256};

use crate::access::{Access, CertificateCheck, PATIENCE, Redirects};
use crate::address::is_loopback;
use crate::error::SourceError;
use crate::is_mutant;

/// Ways of access whose connections are kept; the one that was made first gives way.
const MOST_CLIENTS: usize = 32;
/// Connections to one server that are kept while nobody uses them.
const MOST_IDLE: usize = 4;
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
    pub(super) fn of(&mut self, access: &Access, address: &Url, shown: &str) -> Result<Client, SourceError> {
        let trust = Trust::read(access)?;
        // As in Go, what runs on this machine is never asked through a proxy.
        let route = if address.host_str().is_some_and(is_loopback) { Route::Direct } else { Route::AsUsual };
        let key = key(access, &trust, route);
        if let Some((_, client)) = self.0.iter().find(|(known, _)| *known == key) {
            return Ok(client.clone());
        }
        let client = build(access, trust, route, shown)?;
        if self.0.len() >= MOST_CLIENTS {
            self.0.remove(0);
        }
        self.0.push((key, client.clone()));
        Ok(client)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    AsUsual,
    Direct,
}

fn key(access: &Access, trust: &Trust, route: Route) -> Key {
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

fn build(access: &Access, trust: Trust, route: Route, shown: &str) -> Result<Client, SourceError> {
    let mut builder = Client::builder()
        .user_agent("Helm/3.22.0")
        .connect_timeout(access.patience.unwrap_or(PATIENCE))
        .pool_max_idle_per_host(MOST_IDLE)
        .pool_idle_timeout(IDLE);
    if access.redirects == Redirects::Stop && !is_mutant("redirects") {
        builder = builder.redirect(reqwest::redirect::Policy::none());
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
            clients.of(access, address, "shown").expect("made");
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
    fn ways_of_access_are_not_kept_without_end() {
        let (mut clients, far) = (Clients::default(), Url::parse("https://h.example/").expect("an address"));
        for seconds in 0..MOST_CLIENTS as u64 + 3 {
            let access = Access { patience: Some(Duration::from_secs(seconds)), ..Access::default() };
            clients.of(&access, &far, "shown").expect("made");
        }
        assert_eq!(clients.0.len(), MOST_CLIENTS);
    }
}
