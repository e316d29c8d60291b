//! One API server, spoken to as its administrator.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::http::Endpoint;

/// How often a collection is asked for that the server is about to serve, and how long between.
const TRIES: u32 = 50;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);

pub(crate) struct Side {
    endpoint: Endpoint,
    client: reqwest::Client,
}

impl Side {
    pub(crate) fn new(endpoint: Endpoint) -> anyhow::Result<Self> {
        Ok(Self { client: endpoint.client()?, endpoint })
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: Option<(&str, &Value)>) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.endpoint.url);
        let mut request = self.client.request(method.clone(), &url).bearer_auth(&self.endpoint.token);
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body.to_string());
        }
        let answer = request.send().await.with_context(|| format!("no answer to {method} {path}"))?;
        let status = answer.status();
        let value: Value = serde_json::from_slice(&answer.bytes().await?).unwrap_or_default();
        if !status.is_success() {
            bail!("{method} {path}: {status}: {}", value["message"]);
        }
        Ok(value)
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.send(reqwest::Method::GET, path, None).await
    }

    /// The objects of a collection. A kind that was just defined is waited for: until its storage is there, the real
    /// server asks to come again.
    pub(crate) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut tries = 0;
        loop {
            match self.get(path).await {
                Err(error) if tries < TRIES && error.to_string().contains("storage is (re)initializing") => {
                    tries += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return Ok(answer?["items"].as_array().cloned().unwrap_or_default()),
            }
        }
    }

    pub(crate) async fn create(&self, path: &str, object: &Value) -> anyhow::Result<Value> {
        self.send(reqwest::Method::POST, path, Some(("application/json", object))).await
    }

    pub(crate) async fn replace(&self, path: &str, object: &Value) -> anyhow::Result<Value> {
        self.send(reqwest::Method::PUT, path, Some(("application/json", object))).await
    }

    pub(crate) async fn merge(&self, path: &str, patch: &Value) -> anyhow::Result<Value> {
        self.send(reqwest::Method::PATCH, path, Some(("application/merge-patch+json", patch))).await
    }

    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.send(reqwest::Method::DELETE, path, None).await
    }
}
