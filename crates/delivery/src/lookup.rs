//! `lookup` in templates against a live cluster (helm: `pkg/engine/lookup_func.go`).

use landfall_chart::Lookup;
use landfall_cluster::{Cluster, ListOptions};
use landfall_object::{Gvk, Object, ObjectKey};

/// Asks a cluster. A kind or an object that is not there is nothing; any other refusal is an error.
///
/// It blocks: templates that look up are rendered on a blocking thread.
#[derive(Debug)]
pub struct LiveLookup {
    cluster: Cluster,
    runtime: tokio::runtime::Handle,
}

impl LiveLookup {
    /// Of a cluster, asked through the runtime that is running now.
    pub fn of(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone(), runtime: tokio::runtime::Handle::current() }
    }
}

impl Lookup for LiveLookup {
    fn lookup(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<serde_json::Value>, String> {
        let gvk = Gvk::from_api_version(api_version, kind);
        let namespace = (!namespace.is_empty()).then_some(namespace);
        let found = self.runtime.block_on(async {
            if name.is_empty() {
                let options = ListOptions { namespace: namespace.map(str::to_owned), ..ListOptions::default() };
                let items = self.cluster.list(&gvk, &options).await?;
                Ok(Some(listed(api_version, kind, items.into_iter().map(Object::into_value).collect())))
            } else {
                let found = self.cluster.get(&ObjectKey::new(gvk, namespace, name)).await?;
                Ok(found.map(Object::into_value))
            }
        });
        found.or_else(
            |error: landfall_cluster::Error| {
                if error.is_not_found() { Ok(None) } else { Err(error.to_string()) }
            },
        )
    }
}

/// The list object that `lookup` without a name answers.
pub fn listed(api_version: &str, kind: &str, items: Vec<serde_json::Value>) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": api_version, "kind": format!("{kind}List"), "metadata": {}, "items": items,
    })
}
