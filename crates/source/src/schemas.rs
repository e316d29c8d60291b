//! The documents that charts' schemas refer to by address.

use std::time::Duration;

use landfall_chart::SchemaDocuments;

use crate::error::SourceError;
use crate::http::{Access, HttpClient};

/// Largest document, in bytes.
const LIMIT: u64 = 20 * 1024 * 1024;

/// Fetches documents over HTTP, through the environment's proxy, as Helm does (`HTTPURLLoader`).
pub fn schema_documents() -> SchemaDocuments {
    let client = HttpClient::new(Access { timeout: Some(Duration::from_secs(15)), ..Access::default() });
    SchemaDocuments::fetched_by(move |url| client.get(url, url, LIMIT).map_err(|error| words(url, &error)))
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
