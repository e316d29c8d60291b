//! Events of Kubernetes, as `kubectl describe` and `landfall app events` show them.

use jiff::Timestamp;
use landfall_cluster::{Cluster, WriteOptions};
use landfall_object::Object;
use serde_json::json;

/// Tells an event of an object, by a component under its field manager: `Normal` or `Warning`, the reason, the message. One that
/// cannot be written is no reason to do anything else.
pub(crate) async fn event(
    cluster: &Cluster,
    of: &Object,
    (component, manager): (&str, &str),
    (kind, reason, message): (&str, &str, &str),
    now: Timestamp,
) {
    let at = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let namespace = of.namespace().unwrap_or_default();
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": {"name": format!("{}.{:x}", of.name(), now.as_nanosecond()), "namespace": namespace},
        "involvedObject": {
            "apiVersion": of.api_version(), "kind": of.kind(), "namespace": namespace, "name": of.name(),
            "uid": of.uid(), "resourceVersion": of.resource_version(),
        },
        "type": kind, "reason": reason, "message": message, "count": 1,
        "firstTimestamp": at, "lastTimestamp": at, "source": {"component": component},
    });
    let options = WriteOptions { field_manager: Some(manager.to_owned()), ..WriteOptions::default() };
    if let Ok(event) = Object::from_value(event)
        && let Err(error) = cluster.create(&event, &options).await
    {
        tracing::debug!("an event of {} is not told: {error}", of.key());
    }
}
