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
