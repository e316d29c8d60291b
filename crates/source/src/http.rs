//! Asking HTTP servers: certificates, credentials, proxies, limits.

mod exchange;

use std::error::Error as _;

use async_recursion::async_recursion as boxed;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};

use crate::access::{Access, PATIENCE};
use crate::address::host_of;
use crate::error::SourceError;
use crate::network::Network;
use crate::reach::NotPermitted;
use exchange::{Answer, LONGEST, Pace, Request, exchange};

/// What a server said.
#[derive(Debug)]
pub struct Reply {
    /// The status, as a number.
    pub status: u16,
    /// The status in words, behind its number.
    pub status_line: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// A client for one way of access; its connections are the network's.
#[derive(Debug, Clone)]
pub struct HttpClient {
    network: Network,
    access: Access,
}

impl Network {
    /// A client that asks as `access` says.
    pub fn client(&self, access: Access) -> HttpClient {
        HttpClient { network: self.clone(), access }
    }
}

impl HttpClient {
    /// One that asks the same way, as far as another network reaches.
    pub(crate) fn over(&self, network: Network) -> Self {
        HttpClient { network, access: self.access.clone() }
    }

    /// Fetches what is at an address; at most `limit` bytes. Credentials go to the server of `owner`.
    ///
    /// # Errors
    /// No answer, a certificate nobody trusts, any status but 200.
    #[boxed]
    pub async fn get(&self, url: &str, owner: &str, limit: u64) -> Result<Vec<u8>, SourceError> {
        let parsed = Url::parse(url).map_err(|_| SourceError::Url(url.to_owned()))?;
        let mut headers = HeaderMap::new();
        if let Some((username, password)) = self.access.credentials_for(&parsed, owner) {
            headers.insert(reqwest::header::AUTHORIZATION, basic(username, password));
        }
        let reply = self.send(Method::GET, url, headers, Vec::new(), limit).await?;
        if reply.status != 200 {
            return Err(SourceError::Status { url: url.to_owned(), status: reply.status_line });
        }
        Ok(reply.body)
    }

    /// Sends a request as it is; redirects to another server lose the credentials.
    ///
    /// # Errors
    /// No answer, or a certificate nobody trusts.
    #[boxed]
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        limit: u64,
    ) -> Result<Reply, SourceError> {
        let parsed = Url::parse(url).map_err(|_| SourceError::Url(url.to_owned()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            let why = format!("could not find protocol handler for: {}", parsed.scheme());
            return Err(SourceError::Index(why));
        }
        let client = self.network.connections(&self.access, &parsed, url)?;
        let longest = self.access.timeout.unwrap_or(LONGEST);
        let pace = Pace { patience: self.access.patience.unwrap_or(PATIENCE), longest };
        // Nobody's patience is spent on waiting for a turn.
        let _turn = self.network.exchange(&host_of(url)).await;
        let request = Request { method, url: parsed, shown: url.to_owned(), headers, body };
        let Answer { status, headers, body } = exchange(&client, request, limit, pace).await?;
        let status_line = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
        Ok(Reply { status: status.as_u16(), status_line: status_line.trim_end().to_owned(), headers, body })
    }
}

/// What is said of a server that does not speak TLS.
pub(crate) const PLAIN_ANSWER: &str = "http: server gave HTTP response to HTTPS client";

/// The header of a user and a password.
pub(crate) fn basic(username: &str, password: &str) -> reqwest::header::HeaderValue {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
    let mut value = reqwest::header::HeaderValue::from_str(&format!("Basic {text}"))
        .unwrap_or(reqwest::header::HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// What went wrong on the way, in Go's words.
fn told(url: &str, parsed: &Url, error: &reqwest::Error) -> SourceError {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(refused) = inner.downcast_ref::<NotPermitted>() {
            return SourceError::Inside { url: url.to_owned(), why: refused.to_string() };
        }
        causes.push(inner.to_string());
        cause = inner.source();
    }
    let all = causes.join(": ");
    let lower = all.to_lowercase();
    if error.is_redirect() {
        return SourceError::Unreachable { url: url.to_owned(), why: "stopped after 10 redirects".to_owned() };
    }
    if lower.contains("certificate") {
        let why = if lower.contains("unknownissuer") || lower.contains("unknown issuer") {
            "x509: certificate signed by unknown authority".to_owned()
        } else if lower.contains("expired") {
            "x509: certificate has expired or is not yet valid".to_owned()
        } else if lower.contains("not valid for") {
            format!("x509: certificate is not valid for {}", parsed.host_str().unwrap_or_default())
        } else {
            causes.last().cloned().unwrap_or_default()
        };
        return SourceError::Certificate { url: url.to_owned(), why };
    }
    if lower.contains("invalidcontenttype") {
        return SourceError::Unreachable { url: url.to_owned(), why: PLAIN_ANSWER.to_owned() };
    }
    let host = parsed.host_str().unwrap_or_default();
    let port = parsed.port_or_known_default().unwrap_or(80);
    let why = if error.is_timeout() {
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned()
    } else if lower.contains("handshake eof") {
        "EOF".to_owned()
    } else if lower.contains("connection refused") {
        let address = if host == "localhost" { "127.0.0.1" } else { host };
        format!("dial tcp {address}:{port}: connect: connection refused")
    } else if lower.contains("dns") || lower.contains("lookup") || lower.contains("name or service") {
        format!("dial tcp: lookup {host}: no such host")
    } else if error.is_connect() {
        format!("dial tcp {host}:{port}: {}", causes.last().cloned().unwrap_or_default())
    } else {
        causes.last().cloned().unwrap_or_else(|| error.to_string())
    };
    SourceError::Unreachable { url: url.to_owned(), why }
}

/// An address relative to a repository's; the repository's query is kept (helm: `ResolveReferenceURL`).
///
/// # Errors
/// A base that is no address.
pub fn resolve_url(base: &str, reference: &str) -> Result<String, SourceError> {
    if Url::parse(reference).is_ok() {
        return Ok(reference.to_owned());
    }
    let mut base = Url::parse(base).map_err(|_| SourceError::Url(base.to_owned()))?;
    let path = format!("{}/", base.path().trim_end_matches('/'));
    base.set_path(&path);
    let query = base.query().map(str::to_owned);
    let mut resolved = base.join(reference).map_err(|_| SourceError::Url(reference.to_owned()))?;
    resolved.set_query(query.as_deref());
    Ok(resolved.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_resolved_against_the_repository() {
        assert_eq!(resolve_url("http://h/charts", "a-1.tgz").ok().as_deref(), Some("http://h/charts/a-1.tgz"));
        assert_eq!(resolve_url("http://h/c/?t=1", "a.tgz").ok().as_deref(), Some("http://h/c/a.tgz?t=1"));
        assert_eq!(resolve_url("http://h/c", "/a.tgz").ok().as_deref(), Some("http://h/a.tgz"));
        assert_eq!(resolve_url("http://h/c", "http://i/a.tgz").ok().as_deref(), Some("http://i/a.tgz"));
        assert!(resolve_url("c", "a.tgz").is_err());
    }
}
