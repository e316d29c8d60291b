//! Requests, and what is compared of their answers.

use std::time::Duration;

use anyhow::Context;
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::differential::Side;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) id: String,
    pub(super) method: &'static str,
    pub(super) path: String,
    /// `application/…` of a body.
    pub(super) kind: &'static str,
    pub(super) body: Value,
}

/// What a server says, as far as admission speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: u16,
    pub(super) message: String,
    /// Reason and causes of a refusal.
    pub(super) details: Value,
    /// The texts of the `Warning` headers, in order.
    pub(super) warnings: Vec<String>,
}

/// How many requests are under way at once.
const AT_ONCE: usize = 12;

impl Request {
    pub(super) fn post(id: String, path: String, body: Value) -> Self {
        Self { id, method: "POST", path, kind: "application/json", body }
    }

    pub(super) fn merge(id: String, path: String, body: Value) -> Self {
        Self { id, method: "PATCH", path, kind: "application/merge-patch+json", body }
    }

    pub(super) fn strategic(id: String, path: String, body: Value) -> Self {
        Self { id, method: "PATCH", path, kind: "application/strategic-merge-patch+json", body }
    }
}

/// Sends requests that do not lean on one another.
pub(super) async fn send_all(side: &Side, requests: &[Request]) -> anyhow::Result<Vec<Answer>> {
    let sent = futures::stream::iter(requests.iter().map(|request| send(side, request)));
    let answers: Vec<anyhow::Result<Answer>> = sent.buffered(AT_ONCE).collect().await;
    answers.into_iter().collect()
}

/// How long a real server's admission may take to hear of a changed namespace, which it reads from a cache.
const HEARD: Duration = Duration::from_secs(2);

/// Sends requests one after the other, each to a server that has heard of the namespaces that those before have changed.
pub(super) async fn send_in_turn(side: &Side, requests: &[Request]) -> anyhow::Result<Vec<Answer>> {
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        answers.push(send(side, request).await?);
        let namespace = request.path.strip_prefix("/api/v1/namespaces/");
        if namespace.is_some_and(|rest| !rest.contains(['/', '?'])) {
            tokio::time::sleep(HEARD).await;
        }
    }
    Ok(answers)
}

async fn send(side: &Side, request: &Request) -> anyhow::Result<Answer> {
    let method = reqwest::Method::from_bytes(request.method.as_bytes())?;
    let answer = side
        .client
        .request(method, format!("{}{}", side.endpoint.url, request.path))
        .bearer_auth(&side.endpoint.token)
        .header("content-type", request.kind)
        .body(request.body.to_string())
        .send()
        .await
        .with_context(|| format!("{}: no answer", request.id))?;
    let code = answer.status().as_u16();
    let warnings = answer.headers().get_all("warning").iter();
    let warnings = warnings.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
    let body: Value = answer.json().await.unwrap_or_default();
    if body["kind"] != "Status" {
        return Ok(Answer { code, message: String::new(), details: Value::Null, warnings });
    }
    let message = body["message"].as_str().unwrap_or_default().to_owned();
    Ok(Answer { code, message, details: json!({"reason": body["reason"], "details": body["details"]}), warnings })
}
