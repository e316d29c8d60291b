//! What a cluster was given of a SealedSecret, whether it still has it or not.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use landfall_cluster::{Cluster, Error, ListOptions};
use landfall_diag::{Diagnose as _, Diagnostic};
use landfall_engine::WallClock;
use landfall_object::{Gvk, Object, ObjectKey};
use landfall_release::{ListFilter, Releases, manifest_objects};
use landfall_secrets::{API_VERSION, KIND};
use serde_json::Value;

/// What was delivered of a SealedSecret.
#[derive(Debug, Clone, Default)]
pub enum Sent {
    /// Nothing that the cluster knows of.
    #[default]
    Nothing,
    /// It stands there.
    Stands(Box<Object>),
    /// It is gone, and a release's record says what it was.
    Gone(Box<Object>),
    /// It is gone, and an Application says that it delivers it.
    Named,
}

impl Sent {
    /// Asks a cluster. What one may not read, or what has no kind there, says nothing.
    ///
    /// # Errors
    /// The cluster does not answer.
    #[boxed]
    pub(super) async fn ask(cluster: &Cluster, namespace: &str, target: &str) -> Result<Self, Diagnostic> {
        let kind = Gvk::from_api_version(API_VERSION, KIND);
        let key = ObjectKey::new(kind, Some(namespace), target);
        if let Some(found) = said(cluster.get(&key).await)?.flatten() {
            return Ok(Sent::Stands(Box::new(found)));
        }
        let releases = Releases::new(cluster.clone(), namespace, Arc::new(WallClock));
        // A record that cannot be read says nothing either: whoever works with the release is told.
        let mut records = releases.list(ListFilter::All).await.unwrap_or_default();
        records.retain(|record| record.info.status != landfall_release::Status::Uninstalled);
        for record in &records {
            let objects = manifest_objects(&record.manifest).unwrap_or_default();
            let is_it = |object: &Object| {
                let home = object.namespace().filter(|home| !home.is_empty()).unwrap_or(&record.namespace);
                object.kind() == KIND && object.name() == target && home == namespace
            };
            if let Some(found) = objects.into_iter().map(|one| one.object).find(is_it) {
                return Ok(Sent::Gone(Box::new(found)));
            }
        }
        let application = Gvk::new("argoproj.io", "v1alpha1", "Application");
        let found = said(cluster.list(&application, &ListOptions::default()).await)?.unwrap_or_default();
        let names = |resource: &Value| {
            resource["kind"] == KIND && resource["name"] == target && resource["namespace"] == namespace
        };
        let is_named = found.iter().any(|one| one.list_at("/status/resources").iter().any(names));
        Ok(if is_named { Sent::Named } else { Sent::Nothing })
    }

    fn object(&self) -> Option<&Object> {
        match self {
            Sent::Stands(object) | Sent::Gone(object) => Some(object),
            Sent::Nothing | Sent::Named => None,
        }
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.object()?.at("/spec/encryptedData")?.get(key)?.as_str()
    }

    /// Whether a value of a key was delivered.
    pub(super) fn has(&self, key: &str) -> bool {
        matches!(self, Sent::Named) || self.text(key).is_some()
    }

    /// Whether this very value of a key was.
    pub(super) fn has_text(&self, key: &str, text: &str) -> bool {
        matches!(self, Sent::Named) || self.text(key) == Some(text)
    }

    /// Whether its template makes a key's value, whatever is sealed of it.
    pub(super) fn makes(&self, key: &str) -> bool {
        self.object().and_then(|object| object.at("/spec/template/data")?.get(key)).is_some()
    }

    /// Whether it stands on the cluster.
    pub(super) fn stands(&self) -> bool {
        matches!(self, Sent::Stands(_))
    }
}

/// An answer; nothing where the kind is not served, or may not be read.
fn said<T>(answer: Result<T, Error>) -> Result<Option<T>, Diagnostic> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Error::NoMatch { .. }) => Ok(None),
        Err(error) if matches!(error.code(), Some(403 | 404)) => Ok(None),
        Err(error) => Err(error.diagnose()),
    }
}
