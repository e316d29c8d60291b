//! Argo CD's controllers laid to rest, so that this server takes their Applications over, and woken again.

use std::time::Duration;

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, Error, Patch, WriteOptions};
use landfall_diag::{Diagnose as _, Diagnostic, code};
use landfall_object::{Gvk, Object, ObjectKey};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ground::MANAGER;
use crate::others::{self, ARGO_CONTROLLERS};

/// The annotation with the replicas that a controller had.
const REPLICAS: &str = "landfall.dev/migrated-replicas";
/// How long its pods may take to go.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether they have gone.
const LOOK: Duration = Duration::from_millis(500);

/// A controller of Argo CD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArgoController {
    /// `StatefulSet` or `Deployment`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many pods it is to have.
    pub replicas: i64,
    /// How many it had before it was laid to rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rested: Option<i64>,
    #[serde(skip)]
    key: ObjectKey,
}

impl ArgoController {
    fn of(object: &Object) -> Self {
        ArgoController {
            kind: object.kind().to_owned(),
            namespace: object.namespace().unwrap_or_default().to_owned(),
            name: object.name().to_owned(),
            replicas: object.i64_at("/spec/replicas").unwrap_or(1),
            rested: object.annotation(REPLICAS).and_then(|text| text.parse().ok()),
            key: object.key(),
        }
    }
}

/// The controllers of Argo CD in a namespace.
///
/// # Errors
/// What the cluster refuses with.
#[boxed]
pub async fn argo_controllers(cluster: &Cluster, namespace: &str) -> Result<Vec<ArgoController>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    for kind in ["StatefulSet", "Deployment"] {
        let listed = cluster.list(&Gvk::new("apps", "v1", kind), &others::theirs(Some(namespace))).await;
        found.extend(listed.map_err(|error| told(&error))?.iter().map(ArgoController::of));
    }
    found.sort_by_key(|one| ARGO_CONTROLLERS.iter().position(|name| one.name.contains(name)));
    Ok(found)
}

/// Lays controllers to rest, and waits until none of their pods runs; what they deliver is not touched.
///
/// # Errors
/// What the cluster refuses with; a pod that does not go.
#[boxed]
pub async fn lay_to_rest(cluster: &Cluster, controllers: &[ArgoController]) -> Result<(), Vec<Diagnostic>> {
    for one in controllers.iter().filter(|one| one.replicas > 0) {
        let patch = json!({
            "metadata": {"annotations": {REPLICAS: one.replicas.to_string()}},
            "spec": {"replicas": 0},
        });
        write(cluster, one, patch).await?;
    }
    let gone = async {
        while let Some(pod) = others::alive(cluster).await {
            tracing::info!("{pod} still runs");
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.map_err(|_| {
        let text = format!("a controller of Argo CD still runs after {} s", PATIENCE.as_secs());
        vec![
            Diagnostic::error(code::STILL_RUNS, text).help("kubectl get pods -A -l 'app.kubernetes.io/part-of=argocd'"),
        ]
    })
}

/// Wakes controllers that were laid to rest.
///
/// # Errors
/// What the cluster refuses with.
#[boxed]
pub async fn wake(cluster: &Cluster, controllers: &[ArgoController]) -> Result<(), Vec<Diagnostic>> {
    for one in controllers {
        let Some(replicas) = one.rested else { continue };
        let patch = json!({"metadata": {"annotations": {REPLICAS: null}}, "spec": {"replicas": replicas}});
        write(cluster, one, patch).await?;
    }
    Ok(())
}

async fn write(cluster: &Cluster, one: &ArgoController, patch: Value) -> Result<(), Vec<Diagnostic>> {
    let options = WriteOptions { field_manager: Some(MANAGER.to_owned()), ..WriteOptions::default() };
    cluster.patch(&one.key, &Patch::Merge(patch), &options).await.map(drop).map_err(|error| told(&error))
}

fn told(error: &Error) -> Vec<Diagnostic> {
    vec![error.diagnose()]
}
