//! One API server, spoken to as its administrator.

use anyhow::{Context, bail};
use serde_json::Value;

use crate::http::Endpoint;

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

    /// The items of a collection.
    pub(crate) async fn list(&self, path: &str) -> anyhow::Result<Vec<Value>> {
        Ok(self.get(path).await?["items"].as_array().cloned().unwrap_or_default())
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
