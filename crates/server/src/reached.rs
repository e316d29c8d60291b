//! Whether a server that runs in a cluster answers, asked through its API server.

use http::Request;
use landfall_cluster::Cluster;

/// Asks the Service of an installed server for `/healthz`, once.
///
/// # Errors
/// What was said instead.
pub async fn is_reached(cluster: &Cluster, namespace: &str, service: &str) -> Result<(), String> {
    let path = format!("/api/v1/namespaces/{namespace}/services/http:{service}:http/proxy/healthz");
    let request = Request::get(path).body(Vec::new()).map_err(|error| error.to_string())?;
    cluster.client().request_text(request).await.map(drop).map_err(|error| match error {
        kube::Error::Api(status) => status.message,
        other => other.to_string(),
    })
}
