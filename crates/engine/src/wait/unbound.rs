//! Claims that nobody will ever bind: their class is not there, or they name none and there is no default.

use jiff::Timestamp;
use landfall_cluster::ListOptions;
use landfall_object::{Gvk, Object, ObjectKey};

use super::FAILING_TO_CREATE;
use super::judge::signed;
use crate::executor::Executor;

/// The scheduler's words for a pod whose claims have no volume yet, though they do not wait for a pod.
pub(super) const UNBOUND: &str = "unbound immediate PersistentVolumeClaims";

impl Executor {
    /// Why one of a pod's claims will not be bound; `None` while a volume may still come, or where nothing can be said.
    ///
    /// A class without an object binds to volumes that were made by hand (`storageClassName: manual`), so that one free
    /// volume of it is hope enough.
    pub(super) async fn never_bound(&self, pod: &Object) -> Option<String> {
        if !self.has_waited(pod) {
            return None;
        }
        for claim in self.unbound_claims(pod).await {
            let class = claim.str_at("/spec/storageClassName");
            if self.makes_volumes(class).await? || self.has_volume_for(&claim).await? {
                continue;
            }
            let why = match class {
                None => "it names no StorageClass, and the cluster has no default one".to_owned(),
                Some("") => "it wants a volume without a StorageClass, and none is free".to_owned(),
                Some(class) => format!("there is no StorageClass {class}, and no free volume of it"),
            };
            return Some(format!("claim {} is never bound: {why}", claim.name()));
        }
        None
    }

    /// Whether a new cluster has had its time to bring its classes.
    fn has_waited(&self, pod: &Object) -> bool {
        let scheduled = pod.condition("PodScheduled");
        let since = scheduled.and_then(|it| it["lastTransitionTime"].as_str()?.parse::<Timestamp>().ok());
        since.is_some_and(|since| self.clock.now().duration_since(since) >= signed(FAILING_TO_CREATE))
    }

    /// The pod's claims that have no volume.
    async fn unbound_claims(&self, pod: &Object) -> Vec<Object> {
        let mut unbound = Vec::new();
        for volume in pod.list_at("/spec/volumes") {
            let Some(name) = volume.pointer("/persistentVolumeClaim/claimName").and_then(|name| name.as_str()) else {
                continue;
            };
            let key = ObjectKey::new(Gvk::new("", "v1", "PersistentVolumeClaim"), pod.namespace(), name);
            if let Ok(Some(claim)) = self.cluster.get(&key).await
                && claim.str_at("/spec/volumeName").is_none()
            {
                unbound.push(claim);
            }
        }
        unbound
    }

    /// Whether a class is there that volumes are made for: of that name, or the default one where none is named.
    async fn makes_volumes(&self, class: Option<&str>) -> Option<bool> {
        match class {
            Some("") => Some(false),
            Some(class) => Some(self.cluster.get(&ObjectKey::new(storage_class(), None, class)).await.ok()?.is_some()),
            None => {
                let classes = self.cluster.list(&storage_class(), &ListOptions::default()).await.ok()?;
                let default = "storageclass.kubernetes.io/is-default-class";
                Some(classes.iter().any(|it| it.annotation(default) == Some("true")))
            }
        }
    }

    /// Whether a volume of the claim's class is free, or held for it.
    async fn has_volume_for(&self, claim: &Object) -> Option<bool> {
        let class = |object: &Object| object.str_at("/spec/storageClassName").unwrap_or_default().to_owned();
        let volumes = self.cluster.list(&Gvk::new("", "v1", "PersistentVolume"), &ListOptions::default()).await.ok()?;
        let fits = |volume: &Object| match volume.at("/spec/claimRef") {
            Some(held) => held["name"] == claim.name() && held["namespace"].as_str() == claim.namespace(),
            None => class(volume) == class(claim),
        };
        Some(volumes.iter().any(fits))
    }
}

/// The kind of what makes volumes.
pub(super) fn storage_class() -> Gvk {
    Gvk::new("storage.k8s.io", "v1", "StorageClass")
}
