//! What the journal is sealed with where a database holds it: whoever sees the database alone, or a backup of it, reads no Secret's
//! value out of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_cluster::{Cluster, WriteOptions};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::json;

use crate::ground::MANAGER;

/// The Secret, in the namespace of the leases.
const NAME: &str = "landfall-journal";
/// Its one entry.
const ENTRY: &str = "key";
/// Bytes of a key.
const BYTES: usize = 32;

/// The key that the replicas share; the first of them makes it.
///
/// # Errors
/// The Secret cannot be read or made, or holds no key.
pub(crate) async fn journal_key(cluster: &Cluster, namespace: &str) -> Result<Vec<u8>, Diagnostic> {
    let key = ObjectKey::new(Gvk::new("", "v1", "Secret"), Some(namespace), NAME);
    if let Some(secret) = cluster.get(&key).await.map_err(|error| error.diagnose())? {
        return read(&secret);
    }
    let options = WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() };
    let home = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, namespace);
    match cluster.create(&Object::new(&home), &options).await {
        Ok(_) => {}
        Err(error) if error.is_already_exists() => {}
        // Whoever may not make namespaces may still write into one that is there.
        Err(error) if error.reason() == "Forbidden" => {}
        Err(error) => return Err(error.diagnose()),
    }
    let made = crate::accounts::password::random_bytes::<BYTES>()?;
    let mut secret = Object::new(&key);
    secret.map_mut().insert("type".to_owned(), json!("Opaque"));
    secret.map_mut().insert("data".to_owned(), json!({ENTRY: STANDARD.encode(made)}));
    match cluster.create(&secret, &options).await {
        Ok(made) => read(&made),
        Err(error) if error.is_already_exists() => {
            let secret = cluster.get(&key).await.map_err(|error| error.diagnose())?;
            secret.as_ref().map_or_else(|| Err(unusable(namespace)), read)
        }
        Err(error) => Err(error.diagnose()),
    }
}

fn read(secret: &Object) -> Result<Vec<u8>, Diagnostic> {
    let text = secret.str_at(&format!("/data/{ENTRY}")).unwrap_or_default();
    let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == BYTES);
    bytes.ok_or_else(|| unusable(secret.namespace().unwrap_or_default()))
}

fn unusable(namespace: &str) -> Diagnostic {
    let text = format!("the Secret {namespace}/{NAME} holds no key that the journal could be sealed with");
    Diagnostic::error(code::NO_JOURNAL_KEY, text)
        .note("nothing was changed")
        .help(format!("kubectl delete secret {NAME} -n {namespace}: a new one is made, and open syncs begin anew"))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::{Method, Request, Response};
    use http_body_util::BodyExt as _;
    use kube::client::Body;
    use serde_json::Value;

    use super::*;

    fn secret(key: &[u8]) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME, "namespace": "landfall"},
            "data": {ENTRY: STANDARD.encode(key)}})
    }

    /// What an API server has, and what was changed there.
    struct Api {
        secret: Option<Value>,
        /// Who makes the Secret just before we do.
        quicker: Option<Value>,
        changes: Vec<String>,
    }

    impl Api {
        fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
            let status = |code: u16, reason: &str| {
                (
                    code,
                    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}),
                )
            };
            match (method.as_str(), path) {
                ("GET", "/api/v1") => {
                    let verbs = json!(["get", "create"]);
                    let resources = json!([
                        {"name": "secrets", "kind": "Secret", "namespaced": true, "verbs": verbs},
                        {"name": "namespaces", "kind": "Namespace", "namespaced": false, "verbs": verbs},
                    ]);
                    (200, json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": resources}))
                }
                ("GET", path) if path.ends_with(NAME) => {
                    self.secret.clone().map_or_else(|| status(404, "NotFound"), |secret| (200, secret))
                }
                (method, path) => {
                    self.changes.push(format!("{method} {path}"));
                    if !path.ends_with("/secrets") {
                        return status(403, "Forbidden");
                    }
                    if let Some(quicker) = self.quicker.take() {
                        self.secret = Some(quicker);
                        return status(409, "AlreadyExists");
                    }
                    let made: Value = serde_json::from_slice(body).expect("an object");
                    self.secret = Some(made.clone());
                    (201, made)
                }
            }
        }
    }

    /// The key of a cluster, and what was changed there for it.
    async fn key_of(secret: Option<Value>, quicker: Option<Value>) -> (Result<Vec<u8>, Diagnostic>, Vec<String>) {
        let api = Arc::new(Mutex::new(Api { secret, quicker, changes: Vec::new() }));
        let asked = Arc::clone(&api);
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = Arc::clone(&asked);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
                let path = head.uri.path().to_owned();
                let (code, answer) = api.lock().expect("not poisoned").answer(&head.method, &path, &body);
                let response = Response::builder().status(code).header("content-type", "application/json");
                Ok::<_, kube::Error>(response.body(Body::from(answer.to_string().into_bytes())).expect("an answer"))
            }
        });
        let key = journal_key(&Cluster::new(kube::Client::new(service, "default")), "landfall").await;
        let changes = api.lock().expect("not poisoned").changes.clone();
        (key, changes)
    }

    #[tokio::test]
    async fn a_key_that_is_there_stays_and_of_two_that_are_made_at_once_the_first_counts() {
        let (ours, others) = ([1; BYTES].to_vec(), [2; BYTES].to_vec());
        let (key, changes) = key_of(Some(secret(&ours)), None).await;
        assert_eq!((key.expect("read"), changes), (ours, Vec::<String>::new()));
        let made = ["POST /api/v1/namespaces", "POST /api/v1/namespaces/landfall/secrets"];
        let (key, changes) = key_of(None, None).await;
        assert_eq!((key.expect("made").len(), changes), (BYTES, made.map(str::to_owned).to_vec()));
        let (key, changes) = key_of(None, Some(secret(&others))).await;
        assert_eq!((key.expect("read"), changes), (others, made.map(str::to_owned).to_vec()));
        // What is no key is not written over either.
        let (key, changes) = key_of(Some(secret(b"short")), None).await;
        assert_eq!((key.expect_err("refused").code, changes), (code::NO_JOURNAL_KEY, Vec::new()));
    }
}
