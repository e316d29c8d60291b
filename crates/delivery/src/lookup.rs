//! `lookup` in templates against a live cluster (helm: `pkg/engine/lookup_func.go`).

use std::fmt;
use std::sync::Arc;

use landfall_chart::Lookup;
use landfall_cluster::{Cluster, ListOptions};
use landfall_object::{Gvk, Object, ObjectKey};

use crate::session::Offers;

/// Asks a cluster. A kind or an object that is not there is nothing; any other refusal is an error.
///
/// It blocks: templates that look up are rendered on a blocking thread.
pub struct LiveLookup {
    cluster: Cluster,
    runtime: tokio::runtime::Handle,
    /// Whose kinds are served once somebody brings an object of them: there is none of them yet.
    offers: Option<Arc<dyn Offers>>,
}

impl fmt::Debug for LiveLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveLookup").finish_non_exhaustive()
    }
}

impl LiveLookup {
    /// Of a cluster, asked through the runtime that is running now.
    pub fn of(cluster: &Cluster) -> Self {
        Self { cluster: cluster.clone(), runtime: tokio::runtime::Handle::current(), offers: None }
    }

    /// Of a cluster that takes kinds as served which somebody offers.
    #[must_use]
    pub fn offering(self, offers: Option<Arc<dyn Offers>>) -> Self {
        Self { offers, ..self }
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
        let is_offered = self.offers.as_ref().is_some_and(|offers| offers.definitions(&gvk).is_some());
        let found = self.runtime.block_on(async {
            if is_offered && matches!(self.cluster.resource(&gvk).await, Err(landfall_cluster::Error::NoMatch { .. })) {
                return Ok(name.is_empty().then(|| listed(api_version, kind, Vec::new())));
            }
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
