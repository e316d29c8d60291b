//! Services that answer `plugin` generators: what a ConfigMap names, asked as Argo CD asks them.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use landfall_apps::sets::Unanswered;
use landfall_source::{Access, Network, Redirects};
use serde_json::{Map, Value, json};

/// The most bytes of an answer.
const BYTES: u64 = 32 << 20;
/// How long one may take that says nothing of it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where a service is, and how it is asked.
pub(super) struct Service {
    /// Its address.
    pub(super) address: String,
    /// Who asks.
    pub(super) token: String,
    /// How long it may take.
    pub(super) timeout: Option<Duration>,
}

/// What a service answers to these parameters.
///
/// # Errors
/// It does not answer, refuses, or answers with something else.
pub(super) async fn parameters(
    network: &Network,
    service: &Service,
    set: &str,
    parameters: &str,
) -> Result<Vec<Map<String, Value>>, Unanswered> {
    let failed = |why: String| Unanswered::Failed(why);
    let address = format!("{}/api/v1/getparams.execute", service.address.trim_end_matches('/'));
    // A token goes nowhere but where it was sent.
    let timeout = Some(service.timeout.unwrap_or(TIMEOUT));
    let access = Access { redirects: Redirects::Stop, timeout, patience: timeout, ..Access::default() };
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static("landfall"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let token = HeaderValue::from_str(&format!("Bearer {}", service.token));
    let mut token = token.map_err(|_| failed("the token has letters that no header has".to_owned()))?;
    token.set_sensitive(true);
    headers.insert(AUTHORIZATION, token);
    let parameters: Value = serde_json::from_str(parameters).unwrap_or_default();
    let body = json!({"applicationSetName": set, "input": {"parameters": parameters}}).to_string();
    let reply = network.client(access).send(http::Method::POST, &address, headers, body.into_bytes(), BYTES).await;
    let reply = reply.map_err(|error| failed(error.to_string()))?;
    if reply.status != 200 {
        return Err(failed(format!("{address}: {}", reply.status_line)));
    }
    let answer: Value = serde_json::from_slice(&reply.body)
        .map_err(|error| failed(format!("{address}: it answers with what is no JSON: {error}")))?;
    let found = answer.pointer("/output/parameters").and_then(Value::as_array);
    // An answer without any is no answer of none.
    let found = found.ok_or_else(|| failed(format!("{address}: it answers without output.parameters")))?;
    let maps = found.iter().map(|one| one.as_object().cloned());
    maps.collect::<Option<Vec<_>>>().ok_or_else(|| failed(format!("{address}: a set of parameters is no map")))
}
