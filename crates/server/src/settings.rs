//! Argo CD's own settings, the ConfigMap `argocd-cm`: what of them has no effect here is told, and nothing is delivered where they bound
//! it.

use std::sync::Arc;

use landfall_apps::{Project, Settings};
use landfall_cluster::{Change, Cluster, Interest};
use landfall_object::{Gvk, Object, ObjectKey};
use parking_lot::RwLock;

/// What they say, kept up to date by who keeps the Applications.
#[derive(Debug, Default)]
pub(crate) struct ArgoSettings(RwLock<Arc<Settings>>);

impl ArgoSettings {
    /// What is watched of the cluster.
    pub(crate) fn interest() -> Interest {
        Interest {
            gvk: Gvk::new("", "v1", "ConfigMap"),
            namespace: Some(Project::HOME.to_owned()),
            name: Some(Settings::CONFIG_MAP.to_owned()),
        }
    }

    /// What they say now.
    pub(crate) fn now(&self) -> Arc<Settings> {
        Arc::clone(&self.0.read())
    }

    /// Reads them for the first time.
    pub(crate) async fn list(&self, cluster: &Cluster) {
        let Interest { gvk, namespace, .. } = Self::interest();
        match cluster.get(&ObjectKey::new(gvk, namespace.as_deref(), Settings::CONFIG_MAP)).await {
            Ok(found) => {
                self.take(found.as_ref());
            }
            Err(error) => tracing::warn!("{} cannot be read: {error}", Settings::CONFIG_MAP),
        }
    }

    /// Takes note of a change; gives whether they say something else now.
    pub(crate) fn change(&self, change: &Change) -> bool {
        let is_it = |object: &&Object| object.name() == Settings::CONFIG_MAP;
        match change {
            Change::Listed(_, objects) => self.take(objects.iter().find(is_it)),
            Change::Applied(object) if is_it(&object) => self.take(Some(object)),
            Change::Deleted(object) if is_it(&object) => self.take(None),
            Change::Applied(_) | Change::Deleted(_) | Change::Interrupted(_) => false,
        }
    }

    fn take(&self, object: Option<&Object>) -> bool {
        let settings = object.map(Settings::parse).unwrap_or_default();
        if *self.now() == settings {
            return false;
        }
        if let Some(told) = settings.told() {
            tracing::warn!("{told}");
        }
        *self.0.write() = Arc::new(settings);
        true
    }
}
