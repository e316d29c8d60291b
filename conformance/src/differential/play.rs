//! Sends a script to one side.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use futures::StreamExt as _;
use landfall_object::schema::Schemas;
use serde_json::{Value, json};

use super::script::{Form, Script, Step, Until};
use super::transcript::{Body, Exchange, Transcript};
use crate::http::Endpoint;

/// The headers that are part of the contract. `warning` may come several times; they are joined by line ends, in order.
const HEADERS: [&str; 6] = ["allow", "cache-control", "content-type", "retry-after", "warning", "www-authenticate"];
/// How long a step is repeated until its answer is as it should be; a script that missed once is not waited for again.
const REPEAT_LIMIT: Duration = Duration::from_secs(20);
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
const WATCH_LIMIT: Duration = Duration::from_secs(8);

/// An API server that scripts are played on.
#[derive(Debug, Clone)]
pub(crate) struct Side {
    pub(crate) endpoint: Endpoint,
    pub(crate) client: reqwest::Client,
    /// Seconds since 1970 when it was started.
    pub(crate) since: i64,
}

impl Side {
    pub(crate) fn new(endpoint: Endpoint, since: i64) -> anyhow::Result<Self> {
        Ok(Self { client: endpoint.client()?, endpoint, since })
    }

    async fn send(&self, step: &Step, variables: &BTreeMap<String, String>) -> anyhow::Result<reqwest::Response> {
        let method = reqwest::Method::from_bytes(step.method.as_bytes())?;
        let path = filled(&step.path, variables).replace(' ', "%20");
        let mut request = self.client.request(method, format!("{}{path}", self.endpoint.url));
        request = match step.token.as_deref() {
            None => request.bearer_auth(&self.endpoint.token),
            Some("") => request,
            Some(token) => request.bearer_auth(filled(token, variables)),
        };
        let has = |name: &str| step.headers.iter().any(|(header, _)| header == name);
        if !has("accept") {
            request = request.header("accept", "application/json");
        }
        if step.body.is_some() && !has("content-type") {
            let protobuf = step.form == Form::Protobuf;
            request = request.header("content-type", if protobuf { PROTOBUF } else { "application/json" });
        }
        for (name, value) in &step.headers {
            request = request.header(name, filled(value, variables));
        }
        if let Some(body) = &step.body {
            let body = filled(body, variables);
            request = request.body(match step.form {
                Form::Plain => body.into_bytes(),
                Form::Hex => unhex(&body)?,
                Form::Protobuf => {
                    let object = serde_json::from_str(&body).context("the body is not JSON")?;
                    Schemas::builtin().encode_protobuf(&object).context("the body's kind has no protobuf form")?
                }
            });
        }
        request.send().await.context("no answer")
    }
}

/// Plays a whole script; a step that gets no answer is recorded as such.
pub(crate) async fn play(side: &Side, script: &Script) -> Transcript {
    let mut variables = BTreeMap::from([("ns".to_owned(), script.name.clone())]);
    let mut exchanges = Vec::new();
    let mut patience = REPEAT_LIMIT;
    let mut silent = false;
    for step in &script.steps {
        if silent {
            exchanges.push(failed(step, "not sent: an earlier step got no answer"));
            continue;
        }
        let (exchange, reached) = play_step(side, step, &variables, patience).await;
        if !reached {
            patience = Duration::ZERO;
        }
        silent = matches!(exchange.body, Body::None(_));
        if let Body::Json(body) = &exchange.body {
            for (name, pointer) in &step.captures {
                let text = match body.pointer(pointer) {
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => String::new(),
                };
                variables.insert(name.clone(), text);
            }
        }
        exchanges.push(exchange);
    }
    Transcript { side_since: side.since, exchanges }
}

/// Makes the script's namespace, with the service account that pods need where no controller makes it.
pub(crate) async fn prepare(side: &Side, script: &Script) -> anyhow::Result<()> {
    let name = &script.name;
    let post = |path: String, body: Value| {
        side.client.post(format!("{}{path}", side.endpoint.url)).bearer_auth(&side.endpoint.token).json(&body).send()
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let answer = post("/api/v1/namespaces".to_owned(), namespace).await?;
    anyhow::ensure!(answer.status().is_success(), "the namespace {name} was refused: {}", answer.status());
    // Where a controller makes the account, this comes first or is told that it exists; both are well.
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    post(format!("/api/v1/namespaces/{name}/serviceaccounts"), account).await?;
    Ok(())
}

/// Sends one step until it answers as it should; the last answer, and whether it did.
async fn play_step(
    side: &Side,
    step: &Step,
    variables: &BTreeMap<String, String>,
    patience: Duration,
) -> (Exchange, bool) {
    let deadline = Instant::now() + patience;
    loop {
        let exchange = match side.send(step, variables).await {
            Ok(response) => receive(step, response).await,
            Err(error) => failed(step, &format!("{error:#}")),
        };
        let reached = step.until.iter().all(|until| match until {
            Until::Status(status) => exchange.status == *status,
            Until::Field(pointer, wanted) => {
                matches!(&exchange.body, Body::Json(body) if body.pointer(pointer).unwrap_or(&Value::Null) == wanted)
            }
            Until::Lacks(text) => {
                matches!(&exchange.body, Body::Json(body) if !body.to_string().contains(&filled(text, variables)))
            }
        });
        if reached || Instant::now() >= deadline {
            return (exchange, reached);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn receive(step: &Step, response: reqwest::Response) -> Exchange {
    let status = response.status().as_u16();
    let mut headers = Vec::new();
    for name in HEADERS {
        let values: Vec<_> =
            response.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if !values.is_empty() {
            headers.push((name.to_owned(), values.join("\n")));
        }
    }
    let body = match step.watch {
        Some(count) if status == 200 => Body::Events(events(response, count).await),
        _ => match response.bytes().await {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(value) => Body::Json(value),
                Err(_) => not_json(&headers, &bytes),
            },
            Err(error) => Body::None(format!("the answer broke off: {error}")),
        },
    };
    Exchange { step: step.name.clone(), status, headers, body, received: now() }
}

/// Protobuf and YAML are read, because they hold times that must be told apart from text; anything else stays as it came.
fn not_json(headers: &[(String, String)], bytes: &[u8]) -> Body {
    if let Ok((_, decoded)) = Schemas::builtin().decode_protobuf(bytes) {
        return Body::Json(decoded.value);
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    let yaml = headers.iter().any(|(name, value)| name == "content-type" && value.starts_with("application/yaml"));
    match landfall_yaml::to_json(&text) {
        Ok(value) if yaml => Body::Json(value),
        _ => Body::Text(text),
    }
}

/// Reads events until there are enough, the stream ends or time is up.
async fn events(response: reqwest::Response, count: usize) -> Vec<Value> {
    let mut stream = response.bytes_stream();
    let mut pending = Vec::new();
    let mut events = Vec::new();
    let deadline = tokio::time::Instant::now() + WATCH_LIMIT;
    while events.len() < count {
        let Ok(Some(Ok(chunk))) = tokio::time::timeout_at(deadline, stream.next()).await else { break };
        pending.extend_from_slice(&chunk);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let text = || Value::String(String::from_utf8_lossy(&line).into_owned());
            events.push(serde_json::from_slice(&line).unwrap_or_else(|_| text()));
        }
    }
    events.truncate(count);
    events
}

fn failed(step: &Step, why: &str) -> Exchange {
    Exchange {
        step: step.name.clone(),
        status: 0,
        headers: Vec::new(),
        body: Body::None(why.to_owned()),
        received: now(),
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs() as i64)
}

fn filled(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (name, value) in variables {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    text
}

fn unhex(text: &str) -> anyhow::Result<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect::<anyhow::Result<_>>()
        .context("the body is not in hexadecimal")
}
