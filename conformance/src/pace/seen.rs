//! What a client of the API sees of the Applications: a watch, told as it comes.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::http::Endpoint;

/// How an Application stands.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// When that was heard.
    pub(super) at: Instant,
    pub(super) name: String,
    /// `Synced` or `OutOfSync`.
    pub(super) status: String,
    /// What it was compared with.
    pub(super) revision: String,
    /// The commit of the last sync that has succeeded.
    pub(super) synced: Option<String>,
}

/// Watches Applications from now on, until the receiver is gone.
pub(super) fn watch(
    runtime: &Handle,
    client: &reqwest::Client,
    endpoint: &Endpoint,
    path: &str,
) -> anyhow::Result<Receiver<Seen>> {
    let url = format!("{}{path}?watch=1", endpoint.url);
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut answer = loop {
        // The client's own limit of time would end it in the middle.
        let request = client.get(&url).bearer_auth(&endpoint.token).timeout(Duration::from_secs(7200));
        let answer = runtime.block_on(async { request.send().await })?;
        // A kind that was defined a moment ago is still being made ready.
        if answer.status() != reqwest::StatusCode::TOO_MANY_REQUESTS || Instant::now() > deadline {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    ensure!(answer.status().is_success(), "the watch was refused: {}", answer.status());
    let (heard, told) = channel();
    runtime.spawn(async move {
        let mut rest: Vec<u8> = Vec::new();
        while let Ok(Some(bytes)) = answer.chunk().await {
            let at = Instant::now();
            rest.extend_from_slice(&bytes);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                let Some(seen) = read(&line, at) else { continue };
                if heard.send(seen).is_err() {
                    return;
                }
            }
        }
    });
    Ok(told)
}

fn read(line: &[u8], at: Instant) -> Option<Seen> {
    let event: Value = serde_json::from_slice(line).ok()?;
    let object = &event["object"];
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let succeeded = text("/status/operationState/phase").is_some_and(|phase| phase == "Succeeded");
    Some(Seen {
        at,
        name: text("/metadata/name")?,
        status: text("/status/sync/status").unwrap_or_default(),
        revision: text("/status/sync/revision").unwrap_or_default(),
        synced: text("/status/operationState/syncResult/revision").filter(|_| succeeded),
    })
}

/// Waits until each of these stands as asked for; when the last of them was heard. What does not stand so in the end is said with how it
/// stood last.
pub(super) fn until(
    told: &Receiver<Seen>,
    mut open: Vec<String>,
    within: Duration,
    stands: impl Fn(&Seen) -> bool,
) -> anyhow::Result<Instant> {
    let deadline = Instant::now() + within;
    let mut last = Instant::now();
    let mut heard: BTreeMap<String, Seen> = BTreeMap::new();
    while !open.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(seen) = told.recv_timeout(left) else { return Err(unlike(&open, &heard, within)) };
        if stands(&seen)
            && let Some(at) = open.iter().position(|name| *name == seen.name)
        {
            open.swap_remove(at);
            last = seen.at;
        }
        heard.insert(seen.name.clone(), seen);
    }
    Ok(last)
}

/// What is said of those that do not stand as asked for.
fn unlike(open: &[String], heard: &BTreeMap<String, Seen>, within: Duration) -> anyhow::Error {
    let few: Vec<String> = open
        .iter()
        .take(3)
        .map(|name| match heard.get(name) {
            Some(Seen { status, revision, synced, .. }) => {
                let synced = synced.as_deref().unwrap_or("nothing");
                format!("{name} ({status:?} at {revision:?}, synced to {synced})")
            }
            None => format!("{name} (nothing was heard)"),
        })
        .collect();
    anyhow!("{} do not stand as asked for after {} s: {}", open.len(), within.as_secs(), few.join(", "))
}
