//! Whether another controller keeps the Applications of this cluster, Argo CD's or another server: as long as one lives, this server only
//! looks on.

use std::sync::Arc;
use std::time::Duration;

use landfall_cluster::{Cluster, ListOptions};
use landfall_object::{Gvk, Object};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use crate::happened::Happened;
use crate::shards::Turn;

/// How often it is looked, and how often while another one is waited for.
const LOOK: Duration = Duration::from_secs(5);
const LOOK_WAITING: Duration = Duration::from_secs(2);
/// Argo CD's controllers of Applications and of sets of them, by the label that its manifests and its chart give them.
pub(crate) const ARGO_CONTROLLERS: [&str; 2] = ["argocd-application-controller", "argocd-applicationset-controller"];

/// Whoever keeps the Applications in this server's place; nothing where that is this one.
pub(crate) async fn keeps(cluster: &Cluster, turn: Option<&Turn>) -> Option<String> {
    let other = match turn {
        Some(turn) => turn.take().await,
        None => None,
    };
    alive(cluster).await.or(other)
}

/// The controller that lives, by namespace and pod; nothing where none does, or nobody may say so.
pub(crate) async fn alive(cluster: &Cluster) -> Option<String> {
    match cluster.list(&Gvk::new("", "v1", "Pod"), &theirs(None)).await {
        Ok(pods) => pods.iter().find(|pod| lives(pod)).map(named),
        Err(error) => {
            tracing::warn!("whether another controller lives cannot be seen: {error}");
            None
        }
    }
}

/// What is listed to find them.
pub(crate) fn theirs(namespace: Option<&str>) -> ListOptions {
    let selector = format!("app.kubernetes.io/name in ({})", ARGO_CONTROLLERS.join(","));
    ListOptions { namespace: namespace.map(str::to_owned), label_selector: Some(selector), ..ListOptions::default() }
}

/// Whether a pod's controller may still act: until its last container has ended.
fn lives(pod: &Object) -> bool {
    let runs = |status: &serde_json::Value| status.pointer("/state/running").is_some();
    pod.list_at("/status/containerStatuses").iter().any(runs)
}

fn named(pod: &Object) -> String {
    format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name())
}

/// Tells whenever that changes.
pub(crate) async fn watch(
    (cluster, turn): (Cluster, Option<Arc<Turn>>),
    mut known: Option<String>,
    told: Sender<Happened>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(if known.is_some() { LOOK_WAITING } else { LOOK }) => {}
        }
        let now = keeps(&cluster, turn.as_deref()).await;
        if now.is_some() != known.is_some() && told.send(Happened::Elsewhere(now.clone())).await.is_err() {
            return;
        }
        known = now;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_controller_lives_until_its_container_has_ended() {
        let pod = |state: serde_json::Value| {
            Object::from_value(
                json!({"kind": "Pod", "metadata": {"name": "c-0", "namespace": "argocd", "deletionTimestamp": "t"},
                "status": {"containerStatuses": [{"state": state}]}}),
            )
            .expect("a map")
        };
        assert!(lives(&pod(json!({"running": {}}))), "one that is to go may still write");
        assert!(!lives(&pod(json!({"waiting": {}}))) && !lives(&pod(json!({"terminated": {}}))));
    }
}
