//! GitHub Apps: a signed word of the app's is exchanged for a token of its installation, which lives an hour.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use serde_json::{Value, json};

use crate::access::{Access, Redirects};
use crate::error::SourceError;
use crate::network::Network;

/// Where GitHub itself gives tokens.
const GITHUB: &str = "https://api.github.com";
/// A token is not used any more when it has less than this left.
const LEAST_LEFT: i64 = 120;
/// How long the app's own word holds, in seconds; GitHub takes ten minutes at most.
const WORD: i64 = 540;
/// What clocks may differ by, in seconds.
const SKEW: i64 = 60;
/// Most bytes an answer with a token may have.
const MAX_TOKEN: u64 = 1 << 20;

/// An App that is installed somewhere.
#[derive(Clone)]
pub struct GithubApp {
    app: String,
    installation: String,
    private_key: String,
    base: String,
    /// The token that it was given last, and until when it lives.
    granted: Arc<Mutex<Option<(String, Timestamp)>>>,
}

impl PartialEq for GithubApp {
    fn eq(&self, other: &Self) -> bool {
        let parts = |one: &Self| [&one.app, &one.installation, &one.private_key, &one.base].map(String::clone);
        parts(self) == parts(other)
    }
}

impl Eq for GithubApp {}

impl GithubApp {
    /// An App by its number, the number of its installation, its key in PEM, and the API's address of an Enterprise
    /// server, empty for GitHub's own.
    pub fn new(app: &str, installation: &str, private_key: &str, enterprise: &str) -> Self {
        let base = if enterprise.is_empty() { GITHUB } else { enterprise.trim_end_matches('/') };
        GithubApp {
            app: app.to_owned(),
            installation: installation.to_owned(),
            private_key: private_key.to_owned(),
            base: base.to_owned(),
            granted: Arc::default(),
        }
    }

    pub(crate) fn private_key(&self) -> &str {
        &self.private_key
    }

    /// Whether the server of an address is the one that gives this App its tokens.
    fn is_for(&self, address: &str) -> bool {
        let host = |url: &str| crate::address::host_of(url).to_lowercase();
        if self.base == GITHUB { host(address) == "github.com" } else { host(address) == host(&self.base) }
    }

    /// A token for an address, with at least two minutes left.
    ///
    /// # Errors
    /// The address is of another server, the key is none, or no token is given.
    pub(crate) async fn token(
        &self,
        network: &Network,
        address: &str,
        authorities: Option<Vec<u8>>,
        patience: Option<Duration>,
    ) -> Result<String, SourceError> {
        let failed = |why: String| SourceError::Fetch { url: address.to_owned(), why };
        if !self.is_for(address) {
            return Err(failed(format!("the GitHub App is one of {}", crate::address::host_of(&self.base))));
        }
        let now = Timestamp::now();
        if let Some((token, until)) = self.granted.lock().clone()
            && until.as_second() - now.as_second() > LEAST_LEFT
        {
            return Ok(token);
        }
        let word = self.word(now).map_err(failed)?;
        let mut headers = HeaderMap::new();
        let mut bearer = HeaderValue::from_str(&format!("Bearer {word}")).map_err(|error| failed(error.to_string()))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert(USER_AGENT, HeaderValue::from_static("landfall"));
        let client = network.client(Access { redirects: Redirects::Stop, authorities, patience, ..Access::default() });
        let url = format!("{}/app/installations/{}/access_tokens", self.base, self.installation);
        let reply = client.send(Method::POST, &url, headers, Vec::new(), MAX_TOKEN).await?;
        if reply.status != 201 {
            return Err(failed(format!("the GitHub App is given no token: {}", reply.status_line)));
        }
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let token = answer["token"].as_str().map(str::to_owned);
        let token = token.ok_or_else(|| failed("the GitHub App is given an answer without a token".to_owned()))?;
        let until = answer["expires_at"].as_str().and_then(|text| text.parse().ok()).unwrap_or(now);
        *self.granted.lock() = Some((token.clone(), until));
        Ok(token)
    }

    /// What the App says of itself, signed.
    fn word(&self, now: Timestamp) -> Result<String, String> {
        // The library's words may quote what they do not like.
        let key = EncodingKey::from_rsa_pem(self.private_key.as_bytes())
            .map_err(|_| "the GitHub App's private key is no RSA key in PEM".to_owned())?;
        let now = now.as_second();
        let claims = json!({"iat": now - SKEW, "exp": now + WORD, "iss": self.app});
        jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that grants tokens; what it was asked comes out of the channel.
    fn granting(status: &'static str) -> (String, std::sync::mpsc::Receiver<String>) {
        use std::io::{BufRead as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}/api/v3", listener.local_addr().expect("bound"));
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let lines = std::io::BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                told.send(head.join("\n")).expect("it is heard");
                let body = r#"{"token": "granted", "expires_at": "2999-01-01T00:00:00Z"}"#;
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                (&stream).write_all(answer.as_bytes()).expect("answered");
            }
        });
        (base, heard)
    }

    fn key() -> rcgen::KeyPair {
        rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).expect("a key")
    }

    #[tokio::test]
    async fn a_token_is_asked_for_with_the_apps_signed_word_and_used_until_it_ends() {
        let (base, heard) = granting("201 Created");
        let key = key();
        let app = GithubApp::new("17", "23", &key.serialize_pem(), &base);
        let address = base.replace("/api/v3", "/team/shop.git");
        let network = Network::default();
        for _ in 0..2 {
            assert_eq!(app.token(&network, &address, None, None).await.expect("granted"), "granted");
        }
        let asked = heard.recv().expect("asked");
        assert!(asked.starts_with("POST /api/v3/app/installations/23/access_tokens HTTP/1.1"), "{asked}");
        assert!(heard.try_recv().is_err(), "it was asked for once");
        let word = asked.lines().find_map(|line| line.split_once("Bearer ")).expect("a word").1;
        let public = jsonwebtoken::DecodingKey::from_rsa_pem(key.public_key_pem().as_bytes()).expect("a key");
        let claims = jsonwebtoken::decode::<Value>(word, &public, &jsonwebtoken::Validation::new(Algorithm::RS256));
        assert_eq!(claims.expect("signed by the key").claims["iss"], "17");
    }

    #[tokio::test]
    async fn the_apps_word_is_sent_nowhere_else() {
        let (base, heard) = granting("307 Temporary Redirect");
        let app = GithubApp::new("17", "23", &key().serialize_pem(), &base);
        let address = base.replace("/api/v3", "/team/shop.git");
        let refused = app.token(&Network::default(), &address, None, None).await.expect_err("sent on").to_string();
        assert!(refused.contains("is given no token: 307"), "{refused}");
        assert!(heard.recv().is_ok() && heard.try_recv().is_err());
    }

    #[tokio::test]
    async fn an_app_asks_only_for_addresses_of_its_own_server() {
        let app = GithubApp::new("1", "2", "no key", "");
        let network = Network::default();
        let asked = |address: &'static str| app.token(&network, address, None, None);
        let refused = asked("https://git.example.com/a/b").await.expect_err("another server").to_string();
        assert!(refused.contains("is one of api.github.com"), "{refused}");
        let refused = asked("https://github.com/a/b").await.expect_err("no key").to_string();
        assert!(refused.contains("no RSA key") && !refused.contains("no key in"), "{refused}");
        let enterprise = GithubApp::new("1", "2", "no key", "https://git.example.com/api/v3/");
        assert!(enterprise.is_for("https://git.example.com/a/b") && !enterprise.is_for("https://github.com/a/b"));
    }
}
