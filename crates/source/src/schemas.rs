//! The documents that charts' schemas refer to by address.

use std::time::Duration;

use async_recursion::async_recursion as boxed;

use crate::access::Access;
use crate::error::SourceError;
use crate::network::Network;

/// Largest document, in bytes.
const LIMIT: u64 = 20 * 1024 * 1024;

/// Fetches a document over HTTP, through the environment's proxy, as Helm does (`HTTPURLLoader`).
///
/// # Errors
/// Why there is none, in Helm's words.
#[boxed]
pub async fn schema_document(network: &Network, url: &str) -> Result<Vec<u8>, String> {
    let client = network.client(Access { timeout: Some(Duration::from_secs(15)), ..Access::default() });
    client.get(url, url, LIMIT).await.map_err(|error| words(url, &error))
}

/// The same, and nothing where its server cannot be reached: there is no network, or no such host.
///
/// # Errors
/// What the server answers in its place, in Helm's words.
#[boxed]
pub async fn schema_document_if_reached(network: &Network, url: &str) -> Result<Option<Vec<u8>>, String> {
    let client = network.client(Access { timeout: Some(Duration::from_secs(15)), ..Access::default() });
    match client.get(url, url, LIMIT).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error @ SourceError::Status { .. }) => Err(words(url, &error)),
        Err(_) => Ok(None),
    }
}

fn words(url: &str, error: &SourceError) -> String {
    match error {
        SourceError::Status { status, .. } => {
            let (code, name) = status.split_once(' ').unwrap_or((status, ""));
            format!("HTTP request to {url} returned status {code} ({name})")
        }
        error => format!("HTTP request failed for {url}: {error}"),
    }
}
