//! Kubeconfig files; JSON, which is YAML too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A kubeconfig whose user has a client certificate.
pub(crate) fn with_certificate(url: &str, ca: &[u8], user: &str, certificate: &[u8], key: &[u8]) -> String {
    let credentials = json!({
        "client-certificate-data": STANDARD.encode(certificate),
        "client-key-data": STANDARD.encode(key),
    });
    kubeconfig(url, ca, user, &credentials)
}

/// A kubeconfig whose user has a token; its context is called `testbed`.
pub(crate) fn with_token(url: &str, ca: &[u8], user: &str, token: &str) -> String {
    kubeconfig(url, ca, user, &json!({"token": token}))
}

fn kubeconfig(url: &str, ca: &[u8], user: &str, credentials: &Value) -> String {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {"server": url, "certificate-authority-data": STANDARD.encode(ca)}}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": user}}],
        "current-context": "testbed",
    });
    format!("{config:#}\n")
}
