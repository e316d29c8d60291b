use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_object::{Gvk, ObjectKey};

use crate::discovery::is_path_part;
use crate::{Cluster, Error};

/// A service without a pod that answers is refused by the API server at once, and the client tries again for minutes what a server
/// refuses so: somebody at a terminal waits no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

impl Cluster {
    /// What a service answers to a request for a path, asked through the API server; on the first of its ports, or the one
    /// that the server takes where there is no such service.
    ///
    /// # Errors
    /// What the server or the service refuses with; nothing after ten seconds; a name that cannot stand in a URL.
    #[boxed]
    pub async fn ask_service(&self, namespace: &str, service: &str, path: &str) -> Result<String, Error> {
        let key = ObjectKey::new(Gvk::new("", "v1", "Service"), Some(namespace), service);
        if !is_path_part(namespace) || !is_path_part(service) {
            return Err(Error::Unaddressable { key: Box::new(key), reason: "its name cannot stand in a URL" });
        }
        let action = format!("ask {key} for {path}");
        let found = self.get(&key).await?;
        let port = found.as_ref().and_then(|found| found.str_at("/spec/ports/0/name")).unwrap_or_default();
        let address = format!("/api/v1/namespaces/{namespace}/services/http:{service}:{port}/proxy{path}");
        let request = http::Request::get(address)
            .header("accept", "*/*")
            .body(Vec::new())
            .map_err(|error| Error::Malformed { action: action.clone(), reason: error.to_string() })?;
        match tokio::time::timeout(PATIENCE, self.answered(&action, self.client.request_text(request))).await {
            Ok(answered) => answered,
            Err(_) => Err(Error::Silent { action, within: PATIENCE }),
        }
    }
}
