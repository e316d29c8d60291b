//! Asking a registry: who may, and with which token.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::Value;

use super::credentials::{Credential, Credentials};
use super::reference::Reference;
use crate::address::is_loopback;
use crate::error::SourceError;
use crate::http::{HttpClient, PLAIN_ANSWER, Reply, basic};

/// Most bytes an answer with a token may have.
const MAX_TOKEN: u64 = 1024 * 1024;

/// How often a registry that is asked too often is waited for, request by request.
const MOST_WAITS: u32 = 4;
/// How long at most each time: whoever has to wait longer is told so instead.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Whether a registry is asked over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// With TLS.
    #[default]
    Https,
    /// Without.
    Http,
    /// With TLS, and without where the server knows none (Helm 3); credentials then stay here, but for this machine.
    Either,
}

/// Registries, and who asks them.
#[derive(Debug)]
pub struct Registry {
    client: HttpClient,
    credentials: Credentials,
    scheme: Scheme,
    /// Whether the server was found to know no TLS.
    plain: AtomicBool,
    /// What the last refusal was answered with: host, scope and header.
    granted: Mutex<Option<(String, String, HeaderValue)>>,
}

impl Registry {
    /// Registries that are asked with a client as somebody.
    pub fn new(client: HttpClient, credentials: Credentials, scheme: Scheme) -> Self {
        Registry { client, credentials, scheme, plain: AtomicBool::new(false), granted: Mutex::new(None) }
    }

    /// Whether the server is asked without TLS.
    fn is_plain(&self) -> bool {
        self.scheme == Scheme::Http || self.plain.load(Ordering::Relaxed)
    }

    fn base(&self, host: &str) -> String {
        let host = if host == "docker.io" { "registry-1.docker.io" } else { host };
        match self.scheme {
            Scheme::Https | Scheme::Either if !self.plain.load(Ordering::Relaxed) => format!("https://{host}/v2/"),
            _ => format!("http://{host}/v2/"),
        }
    }

    pub(super) fn url(&self, reference: &Reference, what: &str) -> String {
        format!("{}{}/{what}", self.base(reference.host()), reference.path())
    }

    /// Whether a registry lets somebody in.
    ///
    /// # Errors
    /// No answer, or a refusal.
    #[boxed]
    pub async fn login(&self, host: &str) -> Result<(), SourceError> {
        let url = self.base(host);
        let reply = self.authorized(host, "", Method::GET, &url, HeaderMap::new(), Vec::new(), MAX_TOKEN).await?;
        self.expect(reply, &Method::GET, &url, &[200])?;
        Ok(())
    }

    /// Asks about a repository; a refusal that says how to be let in is answered once.
    pub(super) async fn ask(
        &self,
        reference: &Reference,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        limit: u64,
    ) -> Result<Reply, SourceError> {
        let actions = if matches!(method, Method::GET | Method::HEAD) { "pull" } else { "pull,push" };
        let scope = format!("repository:{}:{actions}", reference.path());
        self.authorized(reference.host(), &scope, method, url, headers, body, limit).await
    }

    #[allow(clippy::too_many_arguments, reason = "a request is these, and they are read once")]
    async fn authorized(
        &self,
        host: &str,
        scope: &str,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        limit: u64,
    ) -> Result<Reply, SourceError> {
        let mut first = headers.clone();
        // An upload's place may be on another host, which gets no token.
        let own = crate::address::host_of(url) == crate::address::host_of(&self.base(host));
        let known = self.granted.lock().ok().and_then(|granted| granted.clone());
        if let Some((_, _, header)) = known.filter(|(h, s, _)| own && h == host && s == scope) {
            first.insert(AUTHORIZATION, header);
        }
        let mut url = url.to_owned();
        let reply = match self.sent(method.clone(), &url, first, body.clone(), limit).await {
            Err(SourceError::Unreachable { why, .. }) if self.scheme == Scheme::Either && why == PLAIN_ANSWER => {
                self.plain.store(true, Ordering::Relaxed);
                url = url.replacen("https://", "http://", 1);
                self.sent(method.clone(), &url, headers.clone(), body.clone(), limit).await?
            }
            reply => reply?,
        };
        if reply.status != 401 || !own {
            return Ok(reply);
        }
        let challenges: Vec<&str> =
            reply.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
        let Some(header) = self.answer(host, scope, &challenges).await? else {
            let basic =
                challenges.iter().any(|kind| kind.get(..5).is_some_and(|kind| kind.eq_ignore_ascii_case("basic")));
            if !basic {
                return Ok(reply);
            }
            let said = "basic credential not found".to_owned();
            return Err(SourceError::Refused { doing: "", method: method.to_string(), url, status: 401, said });
        };
        if let Ok(mut granted) = self.granted.lock() {
            *granted = Some((host.to_owned(), scope.to_owned(), header.clone()));
        }
        let mut second = headers;
        second.insert(AUTHORIZATION, header);
        self.sent(method, &url, second, body, limit).await
    }

    /// Sends a request; where the registry is asked too often, it is asked again when it says so.
    async fn sent(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Vec<u8>,
        limit: u64,
    ) -> Result<Reply, SourceError> {
        let mut waits = 0;
        loop {
            let reply = self.client.send(method.clone(), url, headers.clone(), body.clone(), limit).await?;
            let wait = wanted_wait(&reply, waits);
            let Some(wait) = wait.filter(|wait| waits < MOST_WAITS && *wait <= LONGEST_WAIT) else { return Ok(reply) };
            waits += 1;
            tokio::time::sleep(wait).await;
        }
    }

    /// The header that a refusal asks for; `None` when there is nothing to give.
    async fn answer(&self, host: &str, scope: &str, challenges: &[&str]) -> Result<Option<HeaderValue>, SourceError> {
        let fallen = self.scheme == Scheme::Either && self.plain.load(Ordering::Relaxed);
        let local = host.split(':').next().is_some_and(is_loopback);
        let credential = if fallen && !local { None } else { self.credentials.find(host).await };
        for challenge in challenges {
            let (kind, rest) = challenge.split_once(' ').unwrap_or((challenge, ""));
            if kind.eq_ignore_ascii_case("basic") {
                if let Some(Credential::Password { username, password }) = &credential {
                    return Ok(Some(basic(username, password)));
                }
            } else if kind.eq_ignore_ascii_case("bearer") {
                return self.token(scope, rest, credential.as_ref()).await;
            }
        }
        Ok(None)
    }

    async fn token(
        &self,
        scope: &str,
        parameters: &str,
        credential: Option<&Credential>,
    ) -> Result<Option<HeaderValue>, SourceError> {
        let parameters = parameters_of(parameters);
        let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let Some(mut realm) = parameter("realm").and_then(|realm| reqwest::Url::parse(realm).ok()) else {
            return Ok(None);
        };
        // Who was asked over TLS gets the credentials nowhere without.
        if !self.is_plain() && realm.scheme() != "https" {
            return Err(SourceError::Exchange {
                url: realm.into(),
                why: "the registry wants credentials sent without TLS".to_owned(),
            });
        }
        let scope = if scope.is_empty() { parameter("scope").unwrap_or_default() } else { scope };
        let service = parameter("service").unwrap_or_default();
        let mut headers = HeaderMap::new();
        let reply = if let Some(Credential::Refresh(token)) = credential {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            let mut form = reqwest::Url::parse("form:x").map_err(|_| SourceError::Url("form:x".to_owned()))?;
            form.query_pairs_mut()
                .append_pair("grant_type", "refresh_token")
                .append_pair("service", service)
                .append_pair("client_id", "landfall")
                .append_pair("scope", scope)
                .append_pair("refresh_token", token);
            let body = form.query().unwrap_or_default().as_bytes().to_vec();
            self.client.send(Method::POST, realm.as_str(), headers, body, MAX_TOKEN).await?
        } else {
            if let Some(Credential::Password { username, password }) = credential {
                headers.insert(AUTHORIZATION, basic(username, password));
            }
            realm.query_pairs_mut().append_pair("service", service);
            if !scope.is_empty() {
                realm.query_pairs_mut().append_pair("scope", scope);
            }
            self.client.send(Method::GET, realm.as_str(), headers, Vec::new(), MAX_TOKEN).await?
        };
        let reply = self.expect(reply, &Method::GET, realm.as_str(), &[200])?;
        let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let token = ["token", "access_token"].into_iter().find_map(|key| json.get(key)?.as_str());
        Ok(token.and_then(|token| {
            let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
            header.set_sensitive(true);
            Some(header)
        }))
    }

    /// The reply, when its status is one of these; else what the registry says against it.
    pub(super) fn expect(
        &self,
        reply: Reply,
        method: &Method,
        url: &str,
        statuses: &[u16],
    ) -> Result<Reply, SourceError> {
        if statuses.contains(&reply.status) {
            return Ok(reply);
        }
        let json: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let first = json.get("errors").and_then(|errors| errors.get(0));
        let why = match first {
            Some(first) => {
                let text = |key: &str| first.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                format!("{}: {}", text("code").to_lowercase().replace('_', " "), text("message"))
            }
            None => reply.status_line.split_once(' ').map_or("", |(_, words)| words).to_owned(),
        };
        let later = match wanted_wait(&reply, 0) {
            Some(wait) => format!(" (it may be asked again in {} s)", wait.as_secs()),
            None => String::new(),
        };
        // The address as it was asked in the end.
        let fell = self.scheme == Scheme::Either && self.plain.load(Ordering::Relaxed);
        let url = if fell { url.replacen("https://", "http://", 1) } else { url.to_owned() };
        Err(SourceError::Refused {
            doing: "",
            method: method.to_string(),
            url,
            status: reply.status,
            said: format!("response status code {}: {why}{later}", reply.status),
        })
    }
}

/// How long a registry that was asked too often wants to be left alone; a second and more where it does not say it.
fn wanted_wait(reply: &Reply, waits: u32) -> Option<Duration> {
    if reply.status != 429 {
        return None;
    }
    let said = reply.headers.get(RETRY_AFTER).and_then(|text| text.to_str().ok()).map(str::trim);
    let usual = Duration::from_secs(1 << waits.min(4));
    let Some(said) = said else { return Some(usual) };
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // A moment, as HTTP writes it.
    let until = jiff::fmt::rfc2822::parse(said).ok()?.timestamp();
    let seconds = until.as_second().saturating_sub(jiff::Timestamp::now().as_second());
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

/// `key="value",key=value` as pairs.
fn parameters_of(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while let Some((key, behind)) = rest.split_once('=') {
        let (value, after) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => behind.split_once(',').map_or((behind, ""), |(value, after)| (value, after)),
        };
        pairs.push((key.trim().to_lowercase(), value.trim().to_owned()));
        rest = after.trim_start_matches([',', ' ']);
    }
    pairs
}

/// Whether a text could be what [`basic`] makes; for tests.
#[cfg(test)]
fn decoded(header: &str) -> Option<String> {
    let text = header.strip_prefix("Basic ")?;
    String::from_utf8(base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_taken_apart() {
        let pairs = parameters_of("realm=\"https://a/t?x=1,2\",service=\"s\",scope=repository:a:pull");
        let wanted = [("realm", "https://a/t?x=1,2"), ("service", "s"), ("scope", "repository:a:pull")];
        assert_eq!(pairs, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(decoded(basic("u", "p").to_str().expect("text")).as_deref(), Some("u:p"));
    }

    #[test]
    fn who_asks_too_often_waits_as_long_as_is_wanted() {
        let reply = |status: u16, after: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert(RETRY_AFTER, HeaderValue::from_str(after).expect("a header"));
            }
            Reply { status, status_line: String::new(), headers, body: Vec::new() }
        };
        let seconds = |reply: &Reply, waits| wanted_wait(reply, waits).map(|wait| wait.as_secs());
        assert_eq!(seconds(&reply(429, Some("7")), 0), Some(7));
        assert_eq!(seconds(&reply(429, Some("Wed, 21 Oct 2015 07:28:00 GMT")), 0), Some(0));
        assert_eq!((seconds(&reply(429, None), 0), seconds(&reply(429, None), 3)), (Some(1), Some(8)));
        assert_eq!((seconds(&reply(429, Some("soon")), 0), seconds(&reply(503, Some("7")), 0)), (None, None));
    }

    #[tokio::test]
    async fn credentials_never_go_from_tls_to_none() {
        let client = crate::Network::default().client(Default::default());
        let registry = Registry::new(client, Credentials::default(), Scheme::Https);
        let refused = registry.token("", "realm=\"http://h/token\"", None).await.expect_err("refused");
        assert!(refused.to_string().contains("without TLS"));
    }
}
