//! The mark on a namespace that was made for a trial.
//!
//! Who makes a namespace to try objects in it creates it with the mark, and deletes it only at a resource version that bears it.
//! Who delivers into a namespace takes the mark off before anything is written. Of the two, one comes first, and the other sees it:
//! nothing that is delivered goes with a trial of somebody else.
//!
//! One that stays though nothing was delivered is marked as that, so that `status` and `down` can tell of it, on whatever machine.

use landfall_cluster::{Patch, WriteOptions};
use landfall_object::{Gvk, Object, ObjectKey};
use serde_json::json;

use super::namespaces::{GOING, LOOK};
use super::tried::is_tried;
use crate::Error;
use crate::executor::Executor;
use crate::plan::Plan;

/// The annotation on such a namespace: the trial's operation.
pub(crate) const ON_TRIAL: &str = "landfall.dev/on-trial";

/// The annotation on a namespace that was made for a trial and could not be taken back, until somebody delivers into it.
pub const LEFT_OF_TRIAL: &str = "landfall.dev/left-of-trial";

/// What is there of a namespace that is to be delivered into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// It is there, and no trial takes it back any more.
    There,
    /// There is none; a trial may just have taken it back.
    Absent,
}

/// Whether a namespace is still the one that a trial has made.
pub(super) fn is_on_trial(namespace: &Object, operation: &str) -> bool {
    namespace.annotation(ON_TRIAL) == Some(operation)
}

impl Executor {
    /// Takes each namespace that plans deliver into from whoever has made it for a trial; those of `but` are their own.
    pub(crate) async fn claim_all(&self, plans: &[&Plan], but: &[ObjectKey]) -> Result<(), Error> {
        let steps = plans.iter().flat_map(|plan| plan.steps()).filter(|step| is_tried(step));
        let names: std::collections::BTreeSet<&str> = steps.filter_map(|step| step.key.namespace.as_deref()).collect();
        for name in names {
            let key = ObjectKey::new(Gvk::new("", "v1", "Namespace"), None, name);
            if !but.contains(&key) {
                self.claim(&key).await?;
            }
        }
        Ok(())
    }

    /// Takes a namespace from whoever has made it for a trial.
    pub(super) async fn claim(&self, namespace: &ObjectKey) -> Result<Claim, Error> {
        self.mark(namespace, None).await
    }

    /// Lets a namespace be that a trial has made and cannot take back, and writes onto it what it is left of.
    pub(super) async fn leave(&self, namespace: &ObjectKey, operation: &str) -> Result<(), Error> {
        self.mark(namespace, Some(operation)).await.map(drop)
    }

    /// Takes the marks of trials off a namespace; `left` is the one that it is left of.
    async fn mark(&self, namespace: &ObjectKey, left: Option<&str>) -> Result<Claim, Error> {
        let until = self.clock.now().saturating_add(GOING).unwrap_or(jiff::Timestamp::MAX);
        loop {
            let live = match self.cluster.get(namespace).await {
                Ok(Some(live)) => live,
                Ok(None) => return Ok(Claim::Absent),
                Err(error) if error.is_unreachable() => return Err(Error::Cluster(error)),
                // Who may not look at namespaces finds out in the next request what is there.
                Err(_) => return Ok(Claim::There),
            };
            let is_on_trial = live.annotation(ON_TRIAL).is_some();
            let is_marked = match left {
                // Somebody else may have come to deliver into it.
                Some(operation) => self::is_on_trial(&live, operation),
                None => is_on_trial || live.annotation(LEFT_OF_TRIAL).is_some(),
            };
            if !is_marked || self.clock.now() >= until {
                return Ok(Claim::There);
            }
            if live.deletion_timestamp().is_some() {
                if !is_on_trial {
                    return Ok(Claim::There);
                }
                self.sleep(LOOK).await;
                continue;
            }
            let patch = json!({"metadata": {"annotations": {ON_TRIAL: null, LEFT_OF_TRIAL: left},
                "resourceVersion": live.resource_version(), "uid": live.uid()}});
            match self.cluster.patch(namespace, &Patch::Merge(patch), &WriteOptions::default()).await {
                Ok(_) => return Ok(Claim::There),
                Err(error) if error.is_unreachable() => return Err(Error::Cluster(error)),
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                // Without the right to it the mark stays; then only what is in the namespace keeps it.
                Err(_) => return Ok(Claim::There),
            }
        }
    }
}
