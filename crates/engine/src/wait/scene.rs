//! What is seen of what is waited for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use landfall_cluster::{Change, Interest, Readiness};
use landfall_object::health::Rulebook;
use landfall_object::{Object, ObjectKey};

use super::Judge;
use super::judge::judged;
use super::stuck::Stale;
use super::vanished::Vanished;

/// The observed objects.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) objects: BTreeMap<ObjectKey, Object>,
    /// What was deleted during this wait, as it was last: a job may be gone as soon as it is complete.
    departed: BTreeMap<ObjectKey, Object>,
    /// Jobs that are gone and whose end nothing was seen of.
    pub(super) vanished: BTreeMap<ObjectKey, Vanished>,
    pub(super) listed: BTreeSet<Interest>,
    /// When the delivery began that waits; the wait's own beginning where that is not known.
    pub(super) begun: Option<Timestamp>,
    /// Since when a workload has been failing to create its pods.
    pub(super) failing: BTreeMap<ObjectKey, Timestamp>,
    /// Older pods that were stuck when they were first seen.
    pub(super) stale: Option<Stale>,
    /// Since when nothing but crashing workloads is waited for.
    pub(super) alone: Option<Timestamp>,
    /// Workloads whose pods have crashed during this wait.
    pub(super) crashed: BTreeSet<ObjectKey>,
    /// By what health is judged.
    pub(super) health: Rulebook,
}

impl Scene {
    /// Before anything is seen, for a delivery that began then.
    pub(super) fn since(begun: Timestamp) -> Self {
        Scene { begun: Some(begun), ..Scene::default() }
    }

    /// With those rules of health.
    pub(super) fn judged_by(mut self, rules: &Rulebook) -> Self {
        self.health = rules.clone();
        self
    }

    pub(super) fn take(&mut self, change: Change) {
        match change {
            Change::Listed(interest, objects) => {
                self.objects.retain(|key, _| {
                    key.gvk != interest.gvk
                        || (interest.namespace.is_some() && key.namespace != interest.namespace)
                        || interest.name.as_ref().is_some_and(|name| *name != key.name)
                });
                self.objects.extend(objects.into_iter().map(|object| (object.key(), object)));
                self.listed.insert(interest);
            }
            Change::Applied(object) => drop(self.objects.insert(object.key(), object)),
            Change::Deleted(object) => {
                self.objects.remove(&object.key());
                self.departed.insert(object.key(), object);
            }
            Change::Interrupted(_) => {}
        }
    }

    /// The object of that key, when it is of that uid where one is known.
    pub(super) fn there(&self, key: &ObjectKey, uid: Option<&str>) -> Option<&Object> {
        self.objects.get(key).filter(|object| uid.is_none() || object.uid() == uid)
    }

    /// Whether an object that is gone was ready when it went, as a job is that is deleted once it is finished
    /// (`ttlSecondsAfterFinished: 0`).
    pub(super) fn ended_before_it_went(&self, key: &ObjectKey, uid: Option<&str>, judge: Judge) -> bool {
        let last = self.departed.get(key).filter(|last| uid.is_none() || last.uid() == uid);
        last.is_some_and(|last| last.kind() == "Job" && judged(last, judge, &self.health) == Readiness::Ready)
    }

    /// Whether a claim rightly waits: its class binds on first use, and no pod uses it yet.
    ///
    /// Helm waits for such a claim until its time is up; one that only a CronJob uses would never let it end.
    pub(super) fn awaits_first_consumer(&self, claim: &Object) -> bool {
        let classes = || self.objects.values().filter(|object| object.kind() == "StorageClass");
        let class = match claim.str_at("/spec/storageClassName") {
            Some(name) => classes().find(|class| class.name() == name),
            None => {
                classes().find(|class| class.annotation("storageclass.kubernetes.io/is-default-class") == Some("true"))
            }
        };
        let on_first_use =
            class.is_some_and(|class| class.str_at("/volumeBindingMode") == Some("WaitForFirstConsumer"));
        let used = self.objects.values().any(|pod| {
            pod.kind() == "Pod"
                && pod.namespace() == claim.namespace()
                && pod.list_at("/spec/volumes").iter().any(|volume| {
                    volume.pointer("/persistentVolumeClaim/claimName").and_then(|name| name.as_str())
                        == Some(claim.name())
                })
        });
        on_first_use && !used && claim.str_at("/spec/volumeName").is_none()
    }
}
