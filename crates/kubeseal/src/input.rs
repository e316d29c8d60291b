//! What is read: Secrets, SealedSecrets, private keys; in YAML or JSON, one document or several.

use base64::Engine as _;
use landfall_secrets::{Masked, PlainSecret, PrivateKey, SealingKey};
use serde_json::Value;

use crate::{Stop, plain};

/// What is said of YAML that cannot be read as what it should be.
const THROUGH_YAML: &str = "error unmarshaling JSON: while decoding JSON: ";

/// The standard base64 of bytes.
pub(crate) fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The documents of a text; what cannot be read as one is passed over, as kubeseal does.
fn documents(text: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(text);
    let found = landfall_yaml::documents(&text).filter_map(|part| part.ok()?.to_json().ok());
    found.filter(|document| document.as_object().is_some_and(|fields| !fields.is_empty())).collect()
}

/// The Secrets of a text.
pub(crate) fn secrets(text: &[u8]) -> Result<Vec<PlainSecret>, Stop> {
    // What does not begin as JSON goes through YAML, and its decoder speaks first (`sigs.k8s.io/yaml`).
    let by_way_of = if text.trim_ascii_start().starts_with(b"{") { "" } else { THROUGH_YAML };
    let read = |document: &Value| {
        PlainSecret::read(document).map_err(|error| Stop::failed(format!("{by_way_of}{error}"))).transpose()
    };
    documents(text).iter().filter_map(read).collect()
}

/// The one SealedSecret of a text.
pub(crate) fn sealed(text: &[u8]) -> Result<Value, Stop> {
    let mut found = all_sealed(text)?.into_iter();
    match (found.next(), found.next()) {
        (Some(sealed), None) => Ok(sealed),
        (None, _) => Err(Stop::failed("no sealed secret found in the input")),
        (Some(_), Some(_)) => Err(Stop::failed("more than one sealed secret is given where one is wanted")),
    }
}

/// All SealedSecrets of a text.
pub(crate) fn all_sealed(text: &[u8]) -> Result<Vec<Value>, Stop> {
    let found = documents(text);
    for document in &found {
        let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
        if kind != landfall_secrets::KIND {
            return Err(Stop::failed(format!("the input is of kind {kind:?}, not a {}", landfall_secrets::KIND)));
        }
    }
    Ok(found)
}

/// The private keys of a file: PEM, a Secret of the controller's, several, or a List of them.
pub(crate) fn private_keys(text: &[u8]) -> Result<Vec<SealingKey>, Stop> {
    if let Ok(key) = PrivateKey::parse(text) {
        return Ok(vec![SealingKey::bare(key)]);
    }
    let mut secrets = Vec::new();
    for document in documents(text) {
        match document.get("items").and_then(Value::as_array) {
            Some(items) => {
                for item in items {
                    secrets.extend(plain(item)?);
                }
            }
            None => secrets.extend(plain(&document)?),
        }
    }
    let key = |secret: &PlainSecret| {
        let text: &Masked =
            secret.data.get("tls.key").ok_or_else(|| Stop::failed("secret must contain a 'tls.data' key"))?;
        let key = PrivateKey::parse(text.reveal()).map_err(|error| Stop::failed(error.to_string()))?;
        Ok(SealingKey::bare(key))
    };
    secrets.iter().map(key).collect()
}
