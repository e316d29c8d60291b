//! Argo CD's own settings, the ConfigMap `argocd-cm`: what of them has no effect here is told, and nothing is delivered where they bound
//! it.

use std::sync::Arc;

use landfall_apps::{HealthScripts, Project, Settings};
use landfall_cluster::{Change, Cluster, Interest};
use landfall_engine::Clock;
use landfall_object::health::{HealthRules, Rulebook, Verdict};
use landfall_object::{Gvk, Object, ObjectKey};
use tokio::sync::watch;

/// What they say, kept up to date by who keeps the Applications.
#[derive(Debug)]
pub(crate) struct ArgoSettings(watch::Sender<Arc<Settings>>);

impl Default for ArgoSettings {
    fn default() -> Self {
        ArgoSettings(watch::Sender::new(Arc::default()))
    }
}

/// The rules of health with the scripts that they bring, as they are at each moment.
#[derive(Clone)]
pub(crate) struct Scripted {
    settings: watch::Receiver<Arc<Settings>>,
    clock: Arc<dyn Clock>,
    /// What was told of last.
    seen: HealthScripts,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripted").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl HealthRules for Scripted {
    fn of_present(&self, object: &Object) -> Verdict {
        // Not held while a script runs.
        let settings = Arc::clone(&self.settings.borrow());
        settings.health.of_present(object, &self.clock)
    }
}

impl Scripted {
    /// Waits until they say something else of a kind than when it was last waited for.
    pub(crate) async fn changed(&mut self, gvk: &Gvk) {
        let Scripted { settings, seen, .. } = self;
        let told = settings.wait_for(|now| !now.health.agree(seen, gvk)).await.map(|now| now.health.clone());
        match told {
            Ok(now) => *seen = now,
            // Nobody keeps them any more.
            Err(_) => std::future::pending().await,
        }
    }
}

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
        Arc::clone(&self.0.borrow())
    }

    /// By what objects are judged, now and when the settings have changed.
    pub(crate) fn health(&self, clock: &Arc<dyn Clock>) -> Scripted {
        let settings = self.0.subscribe();
        let seen = settings.borrow().health.clone();
        Scripted { settings, clock: Arc::clone(clock), seen }
    }

    /// The same for whoever delivers.
    pub(crate) fn rulebook(&self, clock: &Arc<dyn Clock>) -> Rulebook {
        Rulebook::of(self.health(clock))
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
        self.0.send_replace(Arc::new(settings));
        true
    }
}
