//! Requests, with an end to each: how long, how large, where to.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use crate::disk::{At, Disk, DiskError, RealDisk};

const CONNECT: Duration = Duration::from_secs(10);
/// How long a request may take that brings no artifact.
const WHOLE: Duration = Duration::from_secs(30);
/// How long a transfer may stand still.
const SILENCE: Duration = Duration::from_secs(30);
/// How many redirects are followed. Whom they lead to is trusted with nothing: the bytes are held against what was signed.
const REDIRECTS: u32 = 5;
/// The longest file of certificates, in bytes.
const CERTIFICATES: u64 = 4 * 1024 * 1024;

/// What speaks to a server.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    requests: Agent,
    transfers: Agent,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The network or the server.
    #[error("{address} does not answer: {why}")]
    Unreachable {
        /// Whom was asked, without what a query may hold.
        address: String,
        /// What went wrong.
        why: String,
    },
    /// A status that is none of success.
    #[error("{address} refused ({status}): {message}")]
    Refused {
        /// Whom was asked.
        address: String,
        /// The status.
        status: u16,
        /// What it said, one line.
        message: String,
        /// How long it wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// An answer that cannot be read.
    #[error("{address} answered with something else than is asked for: {why}")]
    Nonsense {
        /// Whom was asked.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// A server that would be spoken to in the clear.
    #[error(
        "{address} would be spoken to without TLS: a credential is never sent in the clear. Use https://, or --plain-http where the network is yours alone"
    )]
    Clear {
        /// Whom.
        address: String,
    },
}

impl NoAnswer {
    /// The status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// How long the server wants to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Why nobody can be spoken to at all.
#[derive(Debug, thiserror::Error)]
pub enum NoTls {
    /// The file of certificates.
    #[error(transparent)]
    Certificates(#[from] DiskError),
    /// There is nothing in it.
    #[error("there is no certificate in {0}")]
    Empty(String),
}

impl Http {
    /// Trusts the system's certificates, and those of the file.
    pub(crate) fn new(ca: Option<&Path>, plain_http: bool) -> Result<Self, NoTls> {
        let roots = roots(ca)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let common = || {
            Agent::config_builder()
                .tls_config(tls.clone())
                .http_status_as_error(false)
                .https_only(!plain_http)
                .proxy(ureq::Proxy::try_from_env())
                .user_agent(format!("landfall-agent/{}", crate::VERSION))
                .accept_encoding("identity")
                .timeout_connect(Some(CONNECT))
                .timeout_recv_response(Some(SILENCE))
                .timeout_per_read(Some(SILENCE))
                .max_response_header_size(16 * 1024)
                .input_buffer_size(16 * 1024)
                .output_buffer_size(16 * 1024)
                .max_idle_connections(2)
                .max_idle_connections_per_host(1)
        };
        Ok(Self {
            // A request that says who we are goes where it was sent, and nowhere else.
            requests: common().timeout_global(Some(WHOLE)).max_redirects(0).build().new_agent(),
            transfers: common().max_redirects(REDIRECTS).build().new_agent(),
        })
    }

    /// Sends JSON and reads JSON, at most `longest` bytes of it.
    pub(crate) fn post<Q: serde::Serialize, A: serde::de::DeserializeOwned>(
        &self,
        address: &str,
        bearer: Option<&str>,
        question: &Q,
        longest: u64,
    ) -> Result<A, NoAnswer> {
        let nonsense = |why: String| NoAnswer::Nonsense { address: bare(address).to_owned(), why };
        let body = serde_json::to_vec(question).map_err(|error| nonsense(error.to_string()))?;
        let mut request =
            self.requests.post(address).header("content-type", "application/json").header("accept", "application/json");
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let answer = request.send(body.as_slice()).map_err(|error| unreachable(address, &error))?;
        let answer = accepted(address, answer)?;
        let bytes = whole(address, answer, longest)?;
        serde_json::from_slice(&bytes).map_err(|error| nonsense(error.to_string()))
    }

    /// Fetches a small file; `None` where there is none.
    pub(crate) fn get(&self, address: &str, bearer: Option<&str>, longest: u64) -> Result<Option<Vec<u8>>, NoAnswer> {
        let mut request = self.requests.get(address);
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let answer = request.call().map_err(|error| unreachable(address, &error))?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        whole(address, accepted(address, answer)?, longest).map(Some)
    }

    /// Whether an address of this machine answers with success, in that time.
    pub(crate) fn is_well(&self, address: &str, longest: Duration) -> bool {
        let request = self.requests.get(address).config().timeout_global(Some(longest)).build();
        request.call().is_ok_and(|answer| answer.status().is_success())
    }

    /// Asks for a file from byte `from` on, as long as it is the one of this digest.
    pub(crate) fn transfer(
        &self,
        address: &str,
        bearer: Option<&str>,
        from: u64,
        sha256: &str,
    ) -> Result<Response<Body>, NoAnswer> {
        let mut request = self.transfers.get(address);
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        if from > 0 {
            request = request.header("range", format!("bytes={from}-")).header("if-range", format!("\"{sha256}\""));
        }
        let answer = request.call().map_err(|error| unreachable(address, &error))?;
        accepted(address, answer)
    }
}

/// An address without what may be a secret: its query and user.
pub(crate) fn bare(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or(address)
}

fn unreachable(address: &str, error: &ureq::Error) -> NoAnswer {
    if matches!(error, ureq::Error::RequireHttpsOnly(_)) {
        return NoAnswer::Clear { address: bare(address).to_owned() };
    }
    let why = match error {
        ureq::Error::HostNotFound => "its name is not known; is the network up, and /etc/resolv.conf right?".to_owned(),
        ureq::Error::Timeout(_) => format!("{error}; it may be overloaded, or a firewall swallows the request"),
        other => {
            let text = other.to_string();
            if text.contains("not valid at this time") || text.contains("Expired") || text.contains("NotValidYet") {
                format!("{text}. If this machine's clock is wrong, set it")
            } else if text.contains("UnknownIssuer") {
                format!("{text}: its certificate is of nobody this machine trusts. Name its authority with --ca FILE")
            } else if text.contains("CaUsedAsEndEntity") {
                format!(
                    "{text}: its certificate is an authority's own. Sign one for the server with it (basicConstraints CA:FALSE), and name the authority with --ca FILE"
                )
            } else {
                text
            }
        }
    };
    NoAnswer::Unreachable { address: bare(address).to_owned(), why: crate::log::without_secrets(&why) }
}

fn accepted(address: &str, mut answer: Response<Body>) -> Result<Response<Body>, NoAnswer> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let retry_after = answer
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let text = answer.body_mut().with_config().limit(4096).read_to_string().unwrap_or_default();
    Err(NoAnswer::Refused {
        address: bare(address).to_owned(),
        status: status.as_u16(),
        message: landfall_fleet::legacy::one_line(&crate::log::without_secrets(&said(&text))),
        retry_after,
    })
}

/// What a refusal says: Landfall's own shape, the existing gateway's, or whatever it is.
fn said(text: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Said {
        message: Option<String>,
        error: Option<serde_json::Value>,
    }
    match serde_json::from_str::<Said>(text) {
        Ok(Said { error: Some(serde_json::Value::Object(error)), .. }) => {
            error.get("message").and_then(|message| message.as_str()).unwrap_or("no reason given").to_owned()
        }
        Ok(Said { message: Some(message), .. }) => message,
        _ if text.trim_start().starts_with('<') => "a web page; is this the right address?".to_owned(),
        _ => text.chars().take(200).collect(),
    }
}

fn whole(address: &str, mut answer: Response<Body>, longest: u64) -> Result<Vec<u8>, NoAnswer> {
    answer.body_mut().with_config().limit(longest).read_to_vec().map_err(|error| NoAnswer::Nonsense {
        address: bare(address).to_owned(),
        why: format!("{error} (at most {longest} bytes are read)"),
    })
}

fn roots(ca: Option<&Path>) -> Result<Vec<Certificate<'static>>, NoTls> {
    let system = rustls_native_certs::load_native_certs();
    let mut roots: Vec<_> =
        system.certs.iter().map(|certificate| Certificate::from_der(certificate.as_ref()).to_owned()).collect();
    if let Some(path) = ca {
        let text = RealDisk.read(path, CERTIFICATES).at("read", path)?;
        let before = roots.len();
        roots.extend(ureq::tls::parse_pem(&text).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        }));
        if roots.len() == before {
            return Err(NoTls::Empty(path.display().to_string()));
        }
    }
    Ok(roots)
}

#[cfg(test)]
mod tests;
