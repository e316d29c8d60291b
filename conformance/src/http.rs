//! An API server's address, and a client for it.

use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use tokio::runtime::Runtime;

/// How to reach an API server and whom to be there.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// `https://127.0.0.1:PORT`
    pub(crate) url: String,
    /// The certificate that signed the server's, in PEM.
    pub(crate) ca: String,
    /// A bearer token of a member of `system:masters`.
    pub(crate) token: String,
}

/// Chooses the one crypto provider for this process.
pub(crate) fn install_crypto() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error means that a provider is installed already, which is what is wanted.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    });
}

impl Endpoint {
    /// A client that trusts this server only. The token is not part of it: scripts also act as others.
    pub(crate) fn client(&self) -> anyhow::Result<reqwest::Client> {
        install_crypto();
        let ca = reqwest::Certificate::from_pem(self.ca.as_bytes()).context("the server's CA is not a certificate")?;
        reqwest::Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .user_agent("conformance/0")
            .build()
            .context("cannot make an HTTP client")
    }

    /// Asks the API server as its administrator, from code that is not asynchronous; what it refuses is an error. A PATCH is a merge patch.
    pub(crate) fn asked(
        &self,
        (runtime, client): (&Runtime, &reqwest::Client),
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let mut request = client.request(method.parse()?, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
            request = request.header("content-type", kind).body(body.to_string());
        }
        let (status, text) = runtime.block_on(async {
            let answer = request.send().await?;
            let status = answer.status();
            anyhow::Ok((status, answer.text().await?))
        })?;
        ensure!(status.is_success(), "{method} {path}: {status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }
}
